"""What settings say once they hold: artifact, overrides, aliases, ports, addresses, switches."""

import json

import pytest
from settings_samples import FLUTTERWAVE, SPLIT, artifact, capabilities

from nxt_entrypoints.jobs.calendar import CALENDAR, running
from nxt_entrypoints.settings import ALL_ROLES, ConfigInvalid, NotConfigured, Role, load_settings
from nxt_entrypoints.settings.adapters import ADAPTERS, INTEGRATIONS, PORTS
from nxt_entrypoints.settings.connections import database_urls
from nxt_entrypoints.settings.policy import call_policy
from nxt_entrypoints.settings.registry import ALIASES, VARIABLES
from nxt_entrypoints.settings.report import effective_report, report_lines
from nxt_entrypoints.settings.schema import artifact_schema


def load(environ, *roles):
    return load_settings(environ, roles or ALL_ROLES)


def complaints(environ):
    with pytest.raises(ConfigInvalid) as invalid:
        load(environ)
    return [f"{problem.where}: {problem.what}" for problem in invalid.value.problems]


class TestArtifact:
    def test_unknown_keys_are_errors_with_a_suggestion(self, environ):
        """[API-190]"""
        found = complaints(environ | artifact(capabilities={"meterin": {}}, security={"corsOrigin": []}, x=1))
        assert found[0].startswith("x: unknown key (known: $schemaVersion, deployment, public, capabilities,")
        assert 'capabilities.meterin: unknown key (did you mean "metering"?)' in found
        assert 'security.corsOrigin: unknown key (did you mean "corsOrigins"?)' in found

    @pytest.mark.parametrize("version", ["2", "", "1.0"])
    def test_another_schema_version_names_both(self, environ, version):
        """[API-190]"""
        found = complaints(environ | {"NXT_CONFIG_JSON": json.dumps({"$schemaVersion": version})})
        assert found == [f'$schemaVersion: "{version}" cannot be read (this software reads "1")']

    def test_all_violations_come_with_their_path(self, environ):
        """[API-198]"""
        found = complaints(
            environ
            | artifact(
                deployment={"adminOrganizationId": "2", "systemWalletId": 0, "defaultTimezone": "Mars/Base"},
                security={
                    "corsOrigins": ["*", "https://a.example"],
                    "trustedProxies": ["10.0.0.0/8", "nowhere"],
                    "legacyOpenRoutes": ["GET /lost-revenue/{id}", "GET /orders"],
                    "socketAuth": "maybe",
                    "publicRequestsPerMinute": 0,
                    "debugRoutes": 1,
                },
                capabilities={"payments": {"enabled": "yes", "providers": {}}},
                roles=["api", "cooking"],
                jobs=[],
            )
        )
        assert [line.partition(":")[0] for line in found] == [
            "deployment.adminOrganizationId",
            "deployment.systemWalletId",
            "deployment.defaultTimezone",
            "capabilities.payments.enabled",
            "capabilities.payments.providers",
            "security.corsOrigins",
            "security.socketAuth",
            "security.debugRoutes",
            "security.legacyOpenRoutes[1]",
            "security.trustedProxies",
            "security.publicRequestsPerMinute",
            "jobs",
            "roles[1]",
        ]

    @pytest.mark.parametrize("document", ["[]", "null", '"x"', "1", "[" * 100_000])
    def test_no_document_however_odd_breaks_the_loader(self, environ, document):
        assert len(complaints(environ | {"NXT_CONFIG_JSON": document})) == 1

    def test_providers_are_objects(self, environ):
        """[API-192] Also when they hold only an id."""
        found = complaints(environ | capabilities(payments={"enabled": True, "providers": ["flutterwave"]}))
        assert "capabilities.payments.providers[0]: has to be an object" in found

    def test_token_vendors_by_protocol(self, environ):
        """(R29) [STS-3] tokenGenerator means CALIN_LORAWAN; V1 and V2 use their makers; the rest is native."""
        load_one = lambda **more: load(environ | capabilities(metering=more)).artifact.capabilities.metering  # noqa: E731
        assert load_one().token_vendor("CALIN_LORAWAN").provider == "native"
        assert load_one().token_vendor("CALIN_V1").provider == "calin-api-v1"
        assert load_one(tokenGenerator={"provider": "test"}).token_vendor("CALIN_LORAWAN").provider == "test"
        mapped = load_one(tokenVendors={"CALIN_LORAWAN": "test", "CALIN_V2": {"provider": "native"}})
        assert mapped.token_vendor("CALIN_LORAWAN").provider == "test"
        assert mapped.token_vendor("CALIN_V2").provider == "native"
        assert (load_one().sts.base_date, load_one(sts={"baseDate": 2035}).sts.base_date) == (2014, 2035)
        assert "capabilities.metering.sts.baseDate: has to be 1993, 2014 or 2035" in complaints(
            environ | capabilities(metering={"sts": {"baseDate": 2000}})
        )
        found = complaints(
            environ
            | capabilities(
                metering={
                    "tokenGenerator": {"provider": "native"},
                    "tokenVendors": {"CALIN_LORAWAN": "test", "X": "test"},
                }
            )
        )
        assert any("unknown protocol" in line for line in found)
        found = complaints(
            environ
            | capabilities(
                metering={"tokenGenerator": {"provider": "native"}, "tokenVendors": {"CALIN_LORAWAN": "test"}}
            )
        )
        assert any("means the same" in line for line in found)

    def test_an_adapter_listed_twice_is_an_error(self, environ):
        """[DM-165] Under its alias too."""
        found = complaints(
            environ
            | capabilities(
                metering={"deviceAdapters": [{"provider": "calin-chirpstack"}, {"provider": "calin-lorawan"}]}
            )
        )
        assert found == ['capabilities.metering.deviceAdapters[1].provider: "calin-chirpstack" is listed twice']

    def test_http_and_messaging_settings_have_their_defaults_and_limits(self, environ):
        """(R28, DM-164)"""
        settings = load(
            environ
            | capabilities(
                metering={"messaging": {"delivery": {"maxRetries": 3}}},
                payments={"providers": [{"provider": "flutterwave", "http": {"attempts": 2, "timeoutMs": 1500}}]},
            )
        )
        delivery = settings.artifact.capabilities.metering.messaging.delivery
        assert (delivery.max_retries, delivery.retry_max_delay_ms, delivery.archive_days) == (3, 3_600_000, 90)
        policy = call_policy(settings.artifact.capabilities.payments.providers[0].http)
        assert (policy.retry.attempts, policy.timeout_s, policy.connect_timeout_s) == (2, 1.5, 5.0)
        found = complaints(environ | capabilities(metering={"messaging": {"delivery": {"messageTtlSeconds": 0}}}))
        assert found == ["capabilities.metering.messaging.delivery.messageTtlSeconds: has to be at least 1"]

    def test_the_shipped_schema_agrees_with_the_decoder(self):
        """[API-190] Every key and default of the specification's example is in it."""
        schema = artifact_schema()
        assert schema["additionalProperties"] is False
        security = schema["properties"]["security"]["properties"]
        assert security["publicRequestsPerMinute"]["default"] == 30
        assert security["socketAuth"] == {"enum": ["off", "optional", "required"], "default": "off"}
        assert schema["properties"]["deployment"]["properties"]["systemWalletId"]["default"] == 968
        json.dumps(schema)


class TestOverrides:
    def test_variables_win_over_the_artifact(self, environ):
        """[API-204]"""
        environ |= artifact(deployment={"adminOrganizationId": 5, "systemWalletId": 6})
        environ |= {
            "NXT_ORG_ID": "7",
            "BANKING_SYSTEM_WALLET_ID": "8",
            "AYRTON_URL": "https://dash.example/",
            "SITE_SUBMISSION_EMAIL": "sites@village.example",
            "SENDGRID_FROM_EMAIL": "from@village.example",
            "JOBS_ENABLED": "false",
            "LOST_REVENUE_PUBLIC": "true",
        }
        settings = load(environ)
        deployment = settings.artifact.deployment
        assert (deployment.admin_organization_id, deployment.system_wallet_id) == (7, 8)
        assert deployment.frontend_base_url == "https://dash.example"
        assert deployment.contacts.site_submissions == "sites@village.example"
        assert deployment.contacts.mail_from == "from@village.example"
        assert settings.artifact.security.legacy_open_routes == ("GET /lost-revenue/{id}",)
        assert settings.artifact.jobs.enabled is False
        assert settings.overrides["deployment.adminOrganizationId"] == "PLATFORM_ORGANIZATION_ID"
        assert len(settings.overrides) == 7

    def test_without_them_the_artifact_holds(self, environ):
        settings = load(environ | artifact(deployment={"adminOrganizationId": 5}))
        assert settings.artifact.deployment.admin_organization_id == 5
        assert settings.overrides == {}


class TestAliases:
    def test_the_engines_own_names_mean_the_same(self, environ):
        """[API-204, DM-167]"""
        settings = load(environ | {"NXT_STS_URL": "http://sts", "CALIN_API_V2_ADMIN_PASSWORD": "x"})
        assert settings.text("STS_GENERATOR_API") == "http://sts"
        assert settings.secret("CALIN_V2_PASSWORD").reveal() == "x"

    def test_two_names_that_differ_are_a_problem(self, environ):
        found = complaints(environ | {"NXT_STS_URL": "http://sts", "STS_GENERATOR_API": "http://other"})
        assert found == ["NXT_STS_URL: differs from STS_GENERATOR_API, which means the same"]

    def test_two_names_that_agree_are_fine(self, environ):
        load(environ | {"NXT_ORG_ID": "3", "PLATFORM_ORGANIZATION_ID": "3"})


class TestPorts:
    def test_the_first_role_owns_the_port(self, environ):
        """[API-201]"""
        assert load(environ).ports == {Role.API: 8080}
        environ |= {"NXT_PORT_JOBS": "8081", "NXT_PORT_PROVISIONING": "8082"}
        assert load(environ).ports == {Role.API: 8080, Role.JOBS: 8081, Role.PROVISIONING: 8082}

    def test_provisioning_listens_on_its_own_variable(self, environ):
        """[API-4] PORT, default 3000; NXT_PORT is not needed."""
        del environ["NXT_PORT"]
        assert load(environ | SPLIT, Role.PROVISIONING).ports == {Role.PROVISIONING: 3000}
        assert load(environ | SPLIT | {"PORT": "3999"}, Role.PROVISIONING).ports == {Role.PROVISIONING: 3999}

    def test_the_bind_address_is_a_setting(self, environ):
        """(R31)"""
        assert load(environ).host == "0.0.0.0"
        assert load(environ | {"NXT_HOST": "127.0.0.1"}).host == "127.0.0.1"


class TestAddresses:
    def test_parts_make_an_address(self, environ):
        environ["NXT_DB_PASSWORD"] = "p@ss/w:rd "
        settings = load(environ)
        assert settings.relational_url == "postgresql://nxt:p%40ss%2Fw%3Ard%20@db.internal:5432/nxt"
        assert settings.series_url == "postgresql://nxt:series-s3cret@series.internal:5433/series"

    def test_one_url_replaces_its_parts(self, environ):
        """(R31)"""
        for name in list(environ):
            if name.startswith(("NXT_DB_", "NXT_TIMESCALE_", "HERMES_")):
                del environ[name]
        environ |= {
            "NXT_DB_URL": "postgresql://u:p@h:1/d",
            "NXT_TIMESCALE_DB_URL": "postgresql://u:p@h:2/s",
            "HERMES_URL": "redis://:p@h:3",
        }
        settings = load(environ)
        assert (settings.relational_url, settings.series_url) == ("postgresql://u:p@h:1/d", "postgresql://u:p@h:2/s")
        assert settings.valkey_url == "redis://:p@h:3/2"
        assert complaints(environ | {"NXT_DB_URL": "mysql://h"})[0].startswith("NXT_DB_URL: malformed")

    @pytest.mark.parametrize(("name", "number"), [("production", 0), ("staging", 1), ("development", 2), ("qa", 2)])
    def test_the_environment_selects_the_valkey_database(self, environ, name, number):
        """[API-203]"""
        environ["NXT_ENV"] = name
        assert load(environ).valkey_url == f"rediss://default:valkey-s3cret@valkey.internal:6379/{number}"
        assert load(environ | {"HERMES_TLS": "false"}).valkey_url.startswith("redis://")

    def test_a_database_number_in_the_url_is_kept(self, environ):
        assert load(environ | {"HERMES_URL": "redis://h:3/7"}).valkey_url == "redis://h:3/7"

    def test_migrations_use_the_owner_if_one_is_named(self, environ):
        """(R14) DATABASE_*, else NXT_DB_*."""
        assert load(environ).migration_url == load(environ).relational_url
        owner = {"DATABASE_USERNAME": "owner", "DATABASE_PASSWORD": "o"}
        assert load(environ | owner).migration_url == "postgresql://owner:o@db.internal:5432/nxt"
        assert database_urls(environ | owner)[0] == "postgresql://owner:o@db.internal:5432/nxt"
        assert database_urls(environ | {"DATABASE_URL": "other"})[0].startswith("postgresql://nxt:db-s3cret@other:")

    def test_a_url_in_database_url_is_refused(self, environ):
        """(R31) DATABASE_URL stays a host name."""
        with pytest.raises(ConfigInvalid, match="DATABASE_URL: malformed: has to be a host name"):
            database_urls(environ | {"DATABASE_URL": "postgresql://h/d"})

    def test_migrations_name_what_is_missing(self):
        with pytest.raises(ConfigInvalid) as invalid:
            database_urls({})
        assert len(invalid.value.problems) == 5


class TestSwitches:
    @pytest.mark.parametrize(
        ("environment", "jobs", "plain", "staged"),
        [
            ("production", None, True, True),
            ("staging", None, False, True),
            ("development", None, False, False),
            ("development", True, True, True),
            ("production", False, False, False),
            ("staging", False, False, False),
        ],
    )
    def test_one_switch_decides_production_effects(self, environ, environment, jobs, plain, staged):
        """(R6, API-203) jobs.enabled, else NXT_ENV; staging counts for items marked so."""
        environ["NXT_ENV"] = environment
        settings = load(environ | artifact(jobs={"enabled": jobs}))
        assert settings.jobs_enabled is plain
        assert settings.effects_enabled(staging=True) is staged

    @pytest.mark.parametrize(
        ("environment", "jobs", "names"),
        [
            ("production", None, {job.name for job in CALENDAR}),
            ("staging", None, {"reconcile-gateway-orders"}),
            ("development", None, set()),
            ("development", True, {job.name for job in CALENDAR}),
            ("production", False, set()),
        ],
    )
    def test_where_scheduled_jobs_run(self, environ, environment, jobs, names):
        """[PAY-8] [PAY-89] (R6) In production all, in staging what is marked so, elsewhere what the switch says."""
        settings = load(environ | {"NXT_ENV": environment} | artifact(jobs={"enabled": jobs}))
        assert {job.name for job in running(CALENDAR, settings)} == names

    def test_references_outside_production_are_marked(self, environ):
        """[API-203]"""
        assert load(environ).reference_prefix == "DEV__"
        assert load(environ | {"NXT_ENV": "production"}).reference_prefix == ""

    def test_hibernation_needs_nothing_but_a_port(self):
        """[API-202, TEL-1] Configuration is not validated."""
        settings = load_settings({"IS_HIBERNATED": "true", "NXT_PORT": "9000", "NXT_CONFIG_JSON": "{"}, [Role.JOBS])
        assert settings.hibernated
        assert settings.ports == {Role.JOBS: 9000}
        with pytest.raises(ConfigInvalid):
            load_settings({"IS_HIBERNATED": "True", "NXT_PORT": "9000"}, [Role.JOBS])


class TestWarnings:
    def test_open_doors_are_named(self, environ):
        """(R50)"""
        text = " ".join(load(environ).warnings)
        assert "socketAuth" in text
        assert "PUBLIC_ORDER_STRICT" in text
        closed = load(environ | artifact(security={"socketAuth": "required"}) | {"PUBLIC_ORDER_STRICT": "true"})
        assert "PUBLIC_ORDER_STRICT" not in " ".join(closed.warnings)
        assert "security.socketAuth differs from its default" in closed.warnings

    def test_a_likely_spelling_mistake_is_a_warning(self, environ):
        """[API-204] A known prefix in no registry."""
        settings = load(environ | {"FLW_SECRET_KY": "x", "NXT_TEST_VALKEY_URL": "x", "HOME": "/"})
        assert "FLW_SECRET_KY: unknown variable, ignored (did you mean FLW_SECRET_KEY?)" in settings.warnings
        assert not any("NXT_TEST" in text or "HOME" in text for text in settings.warnings)

    def test_an_unusual_environment_name_is_a_warning(self, environ):
        assert any("NXT_ENV" in text for text in load(environ | {"NXT_ENV": "prod"}).warnings)


class TestValues:
    def test_defaults_and_types(self, environ):
        settings = load(environ | {"CALIN_METER_PREFIXES": "47001, 47002", "SMS_BRAND_PREFIX": "[Pako] "})
        assert settings.integer("MAX_METERS_PER_DCU") == 200
        assert settings.number("VRM_REQUESTS_PER_SECOND") == 1.0
        assert settings.flag("GRID_DIAGNOSTIC_ISSUES_ENABLED") is False
        assert settings.names("CALIN_METER_PREFIXES") == ("47001", "47002")
        assert settings.text("SMS_BRAND_PREFIX") == "[Pako] "
        assert settings.text_or_none("SOLCAST_API_TOKEN") is None

    def test_asking_wrongly_is_an_error(self, environ):
        settings = load(environ)
        for ask in (settings.integer, settings.flag, settings.names, settings.number):
            with pytest.raises(NotConfigured):
                ask("NXT_ENV")
        for name in ("FLW_SECRET_KEY", "NO_SUCH_NAME"):
            with pytest.raises(NotConfigured):
                settings.text(name)
        with pytest.raises(NotConfigured):
            settings.integer("GRID_DIAGNOSTIC_ISSUES_ENABLED")


class TestRegistry:
    def test_every_variable_of_an_adapter_is_declared(self):
        """[API-195] Names, and the roles that read them."""
        for item in (*ADAPTERS, *INTEGRATIONS):
            for role, names in item.needs.items():
                for name in names:
                    assert role in VARIABLES[name].roles, (item.id, role, name)
        for adapter in ADAPTERS:
            assert set(adapter.options) <= set(VARIABLES)
            assert adapter.port in {port.path for port in PORTS}

    def test_names_and_aliases_are_unique(self):
        assert not set(ALIASES) & set(VARIABLES)
        assert sum(len(item.aliases) for item in VARIABLES.values()) == len(ALIASES)

    def test_every_default_can_be_read(self):
        for item in VARIABLES.values():
            if item.default is not None:
                item.kind.parse(item.default)


class TestReport:
    def test_it_names_what_is_bound_and_hides_every_value(self, split):
        """[API-199]"""
        environ = (
            split | FLUTTERWAVE | capabilities(payments={"enabled": True, "providers": [{"provider": "flutterwave"}]})
        )
        report = effective_report(load(environ | {"JOBS_ENABLED": "true"}, Role.API))
        text = json.dumps(report) + "\n".join(report_lines(report))
        assert "s3cret" not in text
        assert FLUTTERWAVE["NXT_SECRETS_KEYS"] not in text
        assert report["capabilities"]["payments"] == {"enabled": True, "bound": {"providers": "flutterwave"}}
        assert report["capabilities"]["metering"]["enabled"] is False
        assert report["jobs"] == "on"
        assert report["stores"]["relational"] == "db.internal:5432/nxt"
        assert report["variables"]["FLW_SECRET_KEY"] == "set"
        assert report["variables"]["METER_READ_TTL_S"] == "default"
        assert "SOLCAST_API_TOKEN" not in report["variables"]
        assert report["admin_organization_id"] == 2
        assert report["sha256"] == load(environ, Role.API).source_sha256
