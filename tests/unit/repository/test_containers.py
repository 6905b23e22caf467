"""Container and compose files, checked without a container engine: against the CLI, the settings and the routes."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest
import yaml
from tests.unit.repository.repository_files import ROOT

from nxt_entrypoints.cli.commands import nxt
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.problems import ConfigInvalid
from nxt_entrypoints.settings.registry import VARIABLES
from nxt_entrypoints.settings.roles import Role

CONTAINERFILE = (ROOT / "Containerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
PINNED = re.compile(r"[a-z0-9./-]+:v?\d[\w.-]*\d[\w.-]*")
REFERENCE = re.compile(r"\$\{(\w+)(?::([?-])([^}]*))?\}")
# What an operator would fill in where a plain text does not do.
SAMPLES = {
    "NXT_SECRETS_KEYS": "one:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "SUPABASE_API_URL": "https://project.example.com",
    "CHIRPSTACK_API_URL": "chirpstack.example.com:443",
}


def example() -> dict[str, str]:
    lines = [line for line in (ROOT / ".env.example").read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def filled_in() -> dict[str, str]:
    return {name: value or SAMPLES.get(name, "x" * 40) for name, value in example().items()}


def interpolated(text: str, given: dict[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name, operator, default = match.groups()
        if given.get(name):
            return given[name]
        assert operator == "-", f"{name} has no default and is not in .env.example"
        return str(default)

    return REFERENCE.sub(value, text)


def environment_of(service: str) -> dict[str, str]:
    given = filled_in()
    entries = SERVICES[service].get("environment", {}).items()
    return {name: interpolated(str(value), given) for name, value in entries if value is not None}


def instructions() -> list[tuple[str, str]]:
    joined = CONTAINERFILE.replace("\\\n", " ")
    lines = [line.strip() for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def test_every_image_is_pinned() -> None:
    images = [text.split()[0] for word, text in instructions() if word == "FROM"]
    images += [service["image"] for service in SERVICES.values() if "NXT_VERSION" not in service["image"]]
    assert len(images) == 7
    assert [image for image in images if not PINNED.fullmatch(image)] == []


def test_the_image_is_built_in_two_stages_and_runs_without_privileges() -> None:
    words = [word for word, _ in instructions()]
    last_stage = instructions()[len(words) - 1 - words[::-1].index("FROM") :]
    assert words.count("FROM") == 2
    user = [text for word, text in last_stage if word == "USER"]
    assert user == ["10001"]
    assert ("ENTRYPOINT", '["nxt"]') in last_stage


def test_the_image_holds_what_the_build_needs_and_no_secret() -> None:
    sources = [name for word, text in instructions() if word == "COPY" for name in text.split()[:-1]]
    local = [name for name in sources if not name.startswith(("--from", "/"))]
    assert [name for name in local if not (ROOT / name).exists()] == []
    admitted = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert admitted == set(local)
    assert not re.search(r"(PASSWORD|SECRET|TOKEN|_KEY)\s*=", CONTAINERFILE)


def test_the_image_installs_the_server_at_locked_versions() -> None:
    assert '-c requirements.lock ".[server]"' in CONTAINERFILE


def test_its_health_is_asked_where_every_role_answers() -> None:
    """[API-40] The path is one that the frame serves, the port the one that the image sets."""
    probe = next(text for word, text in instructions() if word == "HEALTHCHECK")
    port, path = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)'", probe).groups()  # type: ignore[union-attr]
    assert f'_get("{path}"' in (ROOT / "src/nxt_entrypoints/http/operations.py").read_text()
    settings = dict(part.split("=", 1) for word, text in instructions() if word == "ENV" for part in text.split())
    assert settings["NXT_PORT"] == settings["PORT"] == port
    assert ("EXPOSE", port) in instructions()


def test_compose_runs_the_stores_the_migrations_and_all_four_roles() -> None:
    stores = {"postgres", "valkey", "mosquitto", "prometheus", "grafana"}
    assert set(SERVICES) == {*stores, "migrate", *(role.value for role in Role)}
    assert {SERVICES[role.value]["image"] for role in Role} == {SERVICES["migrate"]["image"]}
    for role in Role:
        waits_for = SERVICES[role.value]["depends_on"]
        assert waits_for["migrate"] == {"condition": "service_completed_successfully"}
    assert SERVICES["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}


@pytest.mark.parametrize("service", ["migrate", *(role.value for role in Role)])
def test_commands_exist(service: str) -> None:
    """Each command parses: its help would be shown."""
    command, names = nxt, list(SERVICES[service]["command"])
    for name in names:
        context = command.make_context(name, [], resilient_parsing=True)
        found = command.get_command(context, name)  # type: ignore[attr-defined]
        assert found is not None, f"nxt has no {' '.join(names)}"
        command = found


@pytest.mark.parametrize("service", list(SERVICES))
def test_services_have_a_healthcheck_and_restart(service: str) -> None:
    """One-shot services and those built here excepted: the image has its own."""
    if service == "migrate":
        assert SERVICES[service]["restart"] == "no"
        return
    assert SERVICES[service]["restart"] == "unless-stopped"
    if service in {role.value for role in Role}:
        assert "healthcheck" not in SERVICES[service]
        assert SERVICES[service]["read_only"] is True
        assert SERVICES[service]["cap_drop"] == ["ALL"]
    else:
        assert SERVICES[service]["healthcheck"]["test"]


@pytest.mark.parametrize("role", Role)
def test_a_role_gets_only_variables_that_it_reads(role: Role) -> None:
    """[API-204] Every name is known, and no role is handed what another one needs."""
    for name in SERVICES[role.value]["environment"]:
        assert name in VARIABLES, name
        assert role in VARIABLES[name].roles, f"{role} does not read {name}"


@pytest.mark.parametrize("role", Role)
def test_each_role_would_start(role: Role) -> None:
    """[API-189] Compose, .env.example and deploy/nxt/nxt.json together pass the check of the boot, in production."""
    environment = environment_of(role.value)
    assert environment.pop("NXT_CONFIG_PATH") == "/etc/nxt/nxt.json"
    assert "./deploy/nxt:/etc/nxt:ro" in SERVICES[role.value]["volumes"]
    environment["NXT_CONFIG_JSON"] = (ROOT / "deploy/nxt/nxt.json").read_text()
    ports = {"PORT": "8000"} if role is Role.PROVISIONING else {"NXT_PORT": "8000"}
    try:
        settings = load_settings({**environment, **ports}, [role])
    except ConfigInvalid as invalid:
        pytest.fail(str(invalid))
    assert settings.environment == "production"
    assert settings.ports[role] == 8000


def test_the_check_of_the_boot_would_notice_a_missing_name() -> None:
    """The test above can fail."""
    environment = environment_of("api")
    environment["NXT_CONFIG_JSON"] = (ROOT / "deploy/nxt/nxt.json").read_text()
    del environment["NXT_CONFIG_PATH"], environment["FLW_SECRET_KEY"]
    with pytest.raises(ConfigInvalid, match="FLW_SECRET_KEY"):
        load_settings({**environment, "NXT_PORT": "8000"}, [Role.API])


def test_only_the_migrations_hold_the_owner_of_the_database() -> None:
    """[R14] The roles log in as one who may not write the ledger."""
    text = json.dumps({role.value: SERVICES[role.value] for role in Role})
    assert "POSTGRES_PASSWORD" not in text
    assert "DATABASE_PASSWORD" not in text
    assert environment_of("migrate")["DATABASE_USERNAME"] == "postgres"
    assert {environment_of(role.value)["NXT_DB_USERNAME"] for role in Role} == {"nxt"}


def test_the_example_of_the_environment_is_complete_and_holds_no_secret() -> None:
    wanted = {match[0] for match in REFERENCE.findall((ROOT / "compose.yaml").read_text())}
    given = example()
    assert set(given) == wanted
    secret = {name for name, item in VARIABLES.items() if item.secret} | {"POSTGRES_PASSWORD"}
    assert {name: value for name, value in given.items() if name in secret and value} == {}


def test_files_that_compose_mounts_exist_and_scripts_parse() -> None:
    mounts = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    local = {mount for mount in mounts if mount.startswith("./")}
    assert {mount for mount in local if not (ROOT / mount).exists()} == set()
    script = ROOT / "deploy/postgres/100_databases.sh"
    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0
