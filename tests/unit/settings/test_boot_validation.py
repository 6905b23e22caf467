"""Everything that is wrong, in one message, before anything starts."""

import json
from pathlib import Path

import pytest
from settings_samples import BASE, CHIRPSTACK, FLUTTERWAVE, SPLIT, artifact, capabilities

from nxt_entrypoints.settings import ALL_ROLES, ConfigInvalid, Role, Settings, load_settings


def problems(environ: dict[str, str], *roles: Role) -> list[str]:
    with pytest.raises(ConfigInvalid) as invalid:
        load_settings(environ, roles or ALL_ROLES)
    return [f"{problem.kind} {problem.where}: {problem.what}" for problem in invalid.value.problems]


def load(environ: dict[str, str], *roles: Role) -> Settings:
    return load_settings(environ, roles or ALL_ROLES)


def test_the_bundled_default_boots(environ):
    """[API-188] Everything off that needs a secret."""
    settings = load(environ)
    assert settings.source == "bundled default"
    assert not any(settings.artifact.enabled(name) for name in ("payments", "metering", "production"))


def test_the_message_has_the_documented_form(split, tmp_path):
    """[API-198] Head line with count and source; a line each, config before env."""
    path = tmp_path / "nxt.json"
    path.write_text(
        json.dumps(
            {
                "$schemaVersion": "1",
                "capabilities": {
                    "production": {"enabled": True},
                    "payments": {"enabled": True, "providers": [{"provider": "flutterwav"}]},
                },
            }
        )
    )
    environ = split | FLUTTERWAVE | {"NXT_CONFIG_PATH": str(path)}
    del environ["FLW_SECRET_KEY"]
    with pytest.raises(ConfigInvalid) as invalid:
        load(environ, Role.API)
    assert str(invalid.value) == (
        f"CONFIG INVALID: 3 problems (source: NXT_CONFIG_PATH={path})\n"
        '  config  capabilities.payments.providers[0].provider: unknown "flutterwav" (known: flutterwave, paystack)\n'
        "  config  capabilities.production.energyMonitoring: required, because production is enabled\n"
        '  env     FLW_SECRET_KEY: missing (required by payments provider "flutterwave", role api)'
    )


def test_one_problem_is_singular(split):
    del split["NXT_ENV"]
    with pytest.raises(ConfigInvalid, match=r"^CONFIG INVALID: 1 problem \(source: bundled default\)\n"):
        load(split, Role.API)


def test_an_empty_environment_names_every_base_variable():
    """[API-198] All of them at once, never only the first."""
    found = problems({})
    named = {line.split()[1].rstrip(":") for line in found}
    assert named == set(BASE)


def test_a_single_role_also_needs_the_calls_to_the_others():
    """[API-186, API-204] Base if roles are split."""
    found = problems(dict(BASE), Role.API)
    assert {line.split()[1].rstrip(":") for line in found} == {"INTERNAL_API_KEY", "TALOS_API", "YETI_API", "LOCH_API"}
    found = problems(dict(BASE), Role.JOBS)
    assert {line.split()[1].rstrip(":") for line in found} == {"INTERNAL_API_KEY", "TIAMAT_API", "TIAMAT_API_KEY"}


def test_calls_inside_one_process_need_no_address(environ):
    """[API-186] Caller and callee in one process: the base URL may be unset."""
    environ |= {"INTERNAL_API_KEY": "k", "TALOS_API": "http://p", "TIAMAT_API_KEY": "k"}
    assert load(environ, Role.API, Role.JOBS, Role.TELEMETRY).split_from == (Role.PROVISIONING,)


@pytest.mark.parametrize("name", sorted(BASE))
def test_every_base_variable_is_missed_on_its_own(environ, name):
    """[API-204] One absent, one problem."""
    del environ[name]
    found = problems(environ)
    assert len(found) == 1
    assert found[0].startswith(f"env {name}: missing (required by role")


def test_an_empty_variable_counts_as_unset(environ):
    """[API-204]"""
    environ["NXT_DB_HOST"] = "   "
    assert problems(environ) == ["env NXT_DB_HOST: empty (required by roles api, provisioning, jobs, telemetry)"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NXT_PORT", "http"),
        ("NXT_PORT", "70000"),
        ("NXT_DB_PORT", "0"),
        ("SUPABASE_API_URL", "project.example"),
        ("NXT_DB_HOST", "http://db"),
        ("MAX_METERS_PER_DCU", "many"),
        ("VRM_REQUESTS_PER_SECOND", "nan"),
        ("RECONCILER_CIRCUIT_PCT", "101"),
        ("PUBLIC_ORDER_STRICT", "perhaps"),
        ("METER_NUMBER_CHECK", "sometimes"),
        ("JOBS_ENABLED", "y"),
        ("BATTERY_CAPACITY_SYNC_EXCLUDED_GRID_IDS", "1,x"),
    ],
)
def test_malformed_values_are_problems_and_never_shown(environ, name, value):
    """[API-198] Ports, URLs, numbers, flags; the value itself is not printed."""
    environ[name] = value
    found = problems(environ)
    assert len(found) == 1
    assert found[0].startswith(f"env {name}: malformed: has to be ")
    assert value not in found[0].replace(name, "").split("malformed:")[1].split()


def test_no_value_of_a_variable_is_ever_printed(split):
    """[API-198] Not even when nearly everything is wrong."""
    environ = {name: f"bad value {index} s3cret" for index, name in enumerate(split)}
    environ["NXT_CONFIG_JSON"] = '{"s3cret": '
    with pytest.raises(ConfigInvalid) as invalid:
        load(environ)
    assert "s3cret" not in str(invalid.value)
    assert len(invalid.value.problems) > 3


def test_secrets_stay_out_of_repr(split):
    """[API-199] Neither settings nor secrets show what they hold."""
    settings = load(
        split | FLUTTERWAVE | capabilities(payments={"enabled": True, "providers": [{"provider": "flutterwave"}]}),
        Role.API,
    )
    assert settings.secret("FLW_SECRET_KEY").reveal() == "flw-s3cret"
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in f"{settings.secret('FLW_SECRET_KEY')} {settings.secret('FLW_SECRET_KEY')!r}"


class TestTiers:
    def test_an_off_capability_needs_nothing(self, environ):
        """[API-194] Its secrets are not required."""
        load(environ | capabilities(payments={"enabled": False, "providers": [{"provider": "flutterwave"}]}))

    def test_an_adapter_is_required_only_in_roles_that_run_it(self, split):
        """[API-195, R5] Payments run in the API and jobs roles."""
        on = capabilities(payments={"enabled": True, "providers": [{"provider": "flutterwave"}]})
        for role in (Role.API, Role.JOBS):
            named = {line.split()[1] for line in problems(split | on, role)}
            assert named == {"NXT_SECRETS_KEYS:", "FLW_API:", "FLW_PUBLIC_KEY:", "FLW_SECRET_KEY:"}
        load(split | on, Role.TELEMETRY)

    def test_the_message_engine_needs_the_network_server_in_the_jobs_role(self, split):
        """(R5) A variable is required in every role that runs its adapter."""
        on = capabilities(metering={"enabled": True, "deviceAdapters": [{"provider": "calin-chirpstack"}]})
        without = split | on | {"NXT_SECRETS_KEYS": CHIRPSTACK["NXT_SECRETS_KEYS"]}
        found = problems(without, Role.JOBS)
        assert 'required by device adapter provider "calin-chirpstack", role jobs' in found[0]
        assert len(found) == 5
        assert len(problems(without, Role.TELEMETRY)) == 2
        load(without | CHIRPSTACK, Role.JOBS)

    def test_the_old_spelling_of_an_adapter_is_understood(self, split):
        """(R29) calin-lorawan means calin-chirpstack."""
        on = capabilities(metering={"enabled": True, "deviceAdapters": [{"provider": "calin-lorawan"}]})
        load(split | on | CHIRPSTACK, Role.JOBS)

    def test_a_variable_may_be_read_under_either_name_in_telemetry(self, split):
        """(R32) The telemetry role prefers CALIN_V1_MAINTENANCE_PASSWORD to CALIN_V1_PASSWORD."""
        on = capabilities(metering={"enabled": True, "deviceAdapters": [{"provider": "calin-api-v1"}]})
        environ = (
            split
            | on
            | {
                "CALIN_V1_API": "http://v1",
                "CALIN_V1_COMPANY_NAME": "co",
                "CALIN_V1_MAINTENANCE_USERNAME": "m",
            }
        )
        assert problems(environ, Role.TELEMETRY)[0].startswith("env CALIN_V1_PASSWORD: missing")
        load(environ | {"CALIN_V1_MAINTENANCE_PASSWORD": "x"}, Role.TELEMETRY)
        load(environ | {"CALIN_V1_PASSWORD": "x"}, Role.TELEMETRY)

    def test_integrations_require_their_variables_when_on(self, split):
        """[API-196] Tier 3."""
        on = artifact(integrations={"grafana": {"enabled": True}})
        named = [line.split()[1] for line in problems(split | on, Role.API)]
        assert named == ["NXT_JWT_DURATION:", "PRIVATE_KEY:"]
        load(split | on, Role.TELEMETRY)

    @pytest.mark.parametrize("duration", ["12", "h", "12 hours", "-1h"])
    def test_a_duration_needs_its_unit(self, split, duration):
        """[API-60] A number without unit is a configuration error."""
        on = artifact(integrations={"grafana": {"enabled": True}})
        found = problems(split | on | {"NXT_JWT_DURATION": duration, "PRIVATE_KEY": "x"}, Role.API)
        assert [line.split()[1] for line in found] == ["NXT_JWT_DURATION:", "PRIVATE_KEY:"]

    @pytest.mark.parametrize(
        ("capability", "port"),
        [
            ("production", "energyMonitoring"),
            ("metering", "deviceAdapters"),
            ("payments", "providers"),
            ("notifications", "channels"),
            ("automation", "solver"),
        ],
    )
    def test_a_capability_that_is_on_needs_its_port(self, environ, capability, port):
        """[API-197]"""
        found = problems(environ | FLUTTERWAVE | capabilities(**{capability: {"enabled": True}}))
        assert f"config capabilities.{capability}.{port}: required, because {capability} is enabled" in found

    def test_automation_needs_production(self, environ):
        """[API-197]"""
        on = capabilities(automation={"enabled": True, "solver": {"provider": "bundled"}})
        assert problems(environ | on) == [
            "config capabilities.production.enabled: has to be true, because automation is enabled"
        ]

    def test_field_operations_need_no_port(self, environ):
        """[API-197] Soft pairings degrade instead."""
        load(environ | capabilities(fieldOperations={"enabled": True}))

    def test_supabase_is_not_required_with_a_local_identity_provider(self, environ):
        """(R30)"""
        for name in ("SUPABASE_API_URL", "SUPABASE_ANON_KEY", "SUPABASE_SERVICE_ROLE_KEY"):
            del environ[name]
        assert len(problems(environ)) == 3
        load(environ | artifact(deployment={"identity": {"provider": "local"}}))

    def test_a_key_set_address_replaces_the_token_secret(self, environ):
        """[API-44] At least one of secret and key set."""
        del environ["SUPABASE_JWT_SECRET"]
        load(environ | {"SUPABASE_JWKS_URL": "https://project.example/keys"})

    def test_data_keys_have_32_bytes_and_distinct_ids(self, environ):
        """(R15)"""
        on = capabilities(payments={"enabled": True, "providers": [{"provider": "flutterwave"}]})
        key = FLUTTERWAVE["NXT_SECRETS_KEYS"]
        load(environ | on | FLUTTERWAVE | {"NXT_SECRETS_KEYS": f"{key},old:{key[3:]}"})
        for bad in (f"{key},{key}", "k1:c2hvcnQ=", "k1", "k1:***"):
            found = problems(environ | on | FLUTTERWAVE | {"NXT_SECRETS_KEYS": bad})
            assert found[0].startswith("env NXT_SECRETS_KEYS: malformed")


class TestProduction:
    def production(self, environ, **metering):
        on = capabilities(metering={"enabled": True, "deviceAdapters": [{"provider": "calin-chirpstack"}], **metering})
        return environ | CHIRPSTACK | on | {"NXT_ENV": "production"}

    def test_stubs_and_test_tokens_stop_the_boot(self, environ):
        """(R23)"""
        environ = self.production(
            environ, deviceAdapters=[{"provider": "stub-push"}], tokenVendors={"CALIN_LORAWAN": "test"}
        )
        found = problems(environ)
        assert len(found) == 2
        assert all("for tests, not for production" in line for line in found)
        load(environ | {"NXT_ENV": "staging"})

    def test_unlimited_pace_is_refused(self, environ):
        """(R9)"""
        environ = self.production(
            environ, deviceAdapters=[{"provider": "calin-chirpstack", "tuning": {"minIntervalMs": 0}}]
        )
        assert "tuning.minIntervalMs: has to be above 0 in production" in problems(environ)[0]
        settings = load(environ | {"NXT_ENV": "development"})
        assert settings.artifact.capabilities.metering.device_adapters[0].tuning.min_interval_ms == 0

    def test_ussd_needs_its_secret(self, environ):
        """(R50)"""
        environ = self.production(environ, ussd={"provider": "africastalking"})
        assert problems(environ)[0].startswith("env AFRICASTALKING_WEBHOOK_SECRET: missing")
        load(environ | {"AFRICASTALKING_WEBHOOK_SECRET": "x"})
        document = json.loads(environ["NXT_CONFIG_JSON"]) | {"security": {"allowUnsignedUssd": True}}
        load(environ | {"NXT_CONFIG_JSON": json.dumps(document)})

    def test_plain_mqtt_is_refused(self, environ):
        """(R32) mqtt:// only outside production."""
        environ |= {"VICTRON_MQTT_URL": "mqtt://127.0.0.1:1883"}
        load(environ)
        assert problems(environ | {"NXT_ENV": "production"}) == [
            "env VICTRON_MQTT_URL: has to be mqtts:// in production (R32)"
        ]


class TestSource:
    def test_json_wins_over_address_and_file(self, environ, tmp_path):
        """[API-188] First that is set."""
        environ |= artifact(public={"platformName": "json"})
        environ |= {"NXT_CONFIG_PATH": str(tmp_path / "absent"), "NXT_CONFIG_URL": "http://127.0.0.1:9/"}
        settings = load(environ)
        assert settings.artifact.public.platform_name == "json"
        assert settings.source == "NXT_CONFIG_JSON"

    def test_an_unreadable_source_is_no_reason_to_take_the_next(self, environ, tmp_path):
        """[API-188] There is no fall-through."""
        environ["NXT_CONFIG_PATH"] = str(tmp_path / "absent")
        assert problems(environ) == ["config (NXT_CONFIG_PATH): cannot be read: No such file or directory"]

    def test_the_environment_is_checked_even_if_the_source_is_broken(self, environ):
        """[API-198] Every problem."""
        del environ["NXT_DB_NAME"]
        assert len(problems(environ | {"NXT_CONFIG_JSON": "{"})) == 2

    def test_an_address_is_fetched_and_shown_without_credentials(self, environ):
        text = json.dumps({"$schemaVersion": "1"})
        environ["NXT_CONFIG_URL"] = "https://user:s3cret@config.example/nxt.json?key=s3cret"
        settings = load_settings(environ, ALL_ROLES, fetch=lambda _url: text)
        assert settings.source == "NXT_CONFIG_URL=https://config.example/nxt.json"

    def test_a_file_is_read(self, environ, tmp_path: Path):
        (tmp_path / "a.json").write_text('{"$schemaVersion": "1", "roles": ["jobs", "api"]}')
        settings = load_settings(environ | SPLIT | {"NXT_CONFIG_PATH": str(tmp_path / "a.json")})
        assert settings.roles == (Role.JOBS, Role.API)
        assert len(settings.source_sha256) == 64
