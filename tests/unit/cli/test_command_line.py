"""The `nxt` command: help, exit statuses, one-line errors, JSON."""

import importlib
import json
import logging
import os
import subprocess
import sys
import types

import pytest
import structlog

from nxt_domain.shared.errors import Unavailable
from nxt_entrypoints.cli import main as cli
from nxt_entrypoints.cli.commands import nxt
from nxt_entrypoints.cli.extras import missing_extra
from nxt_entrypoints.cli.options import Interval, UpOptions
from nxt_entrypoints.embedded.errors import DirectoryInUse
from nxt_entrypoints.logging import REDACTED
from nxt_entrypoints.settings import Role, Settings
from nxt_entrypoints.supervisor.processes import started_at

HOLDS = {
    "NXT_ENV": "development",
    "NXT_PORT": "8080",
    "NXT_DB_URL": "postgresql://nxt:db-s3cret@127.0.0.1:1/nxt",
    "NXT_TIMESCALE_DB_URL": "postgresql://nxt:series-s3cret@127.0.0.1:1/series",
    "HERMES_URL": "redis://default:valkey-s3cret@127.0.0.1:1",
    "SUPABASE_API_URL": "http://127.0.0.1:1",
    "SUPABASE_ANON_KEY": "anon-s3cret",
    "SUPABASE_SERVICE_ROLE_KEY": "service-s3cret",
    "SUPABASE_JWT_SECRET": "jwt-s3cret",
}
ALL = "api,provisioning,jobs,telemetry"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch, tmp_path):
    for name in os.environ:
        monkeypatch.delenv(name)
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("PATH", os.defpath)


@pytest.fixture
def holds(monkeypatch):
    for name, value in HOLDS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def nxt_command(capsys):
    def run(*arguments: str) -> tuple[int, str, str]:
        status = cli.run(arguments)
        out, err = capsys.readouterr()
        return status, out, err

    return run


_VERBS = ("Run", "Show", "Check", "Bring", "Look", "Write", "Found", "Make", "Hand")


class TestHelp:
    @pytest.mark.parametrize("name", sorted(nxt._lazy))
    def test_every_command_explains_itself(self, nxt_command, name):
        status, out, err = nxt_command(name, "--help")
        assert (status, err) == (0, "")
        assert "Usage: nxt" in out
        assert nxt._lazy[name].help.split()[0] in _VERBS
        assert "Commands:" in out or "Example" in out

    def test_the_list_names_all_commands_without_importing_them(self):
        """Help is quick, and works with whatever extra is installed."""
        code = (
            f"import sys; sys.path[:0] = {sys.path!r}\n"
            "from nxt_entrypoints.cli.main import run\n"
            "assert run(['--help']) == 0\n"
            "heavy = {'sqlalchemy', 'aiohttp', 'structlog', 'psycopg', 'alembic', 'redis', 'rich', 'msgspec'}\n"
            "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        for name in nxt._lazy:
            assert f"  {name}" in done.stdout

    def test_every_lazy_target_exists(self):
        for entry in nxt._lazy.values():
            module, _, attribute = entry.target.partition(":")
            assert hasattr(importlib.import_module(module), attribute)


class TestExitStatus:
    """(R54) 0 fine, 1 finding, 2 bad usage, 78 configuration."""

    @pytest.mark.parametrize(
        "arguments",
        [["nonsense"], ["up", "--traffic", "much"], ["config", "check", "--roles", "cook"], ["db", "check", "x"]],
    )
    def test_bad_usage_is_2(self, nxt_command, arguments):
        status, out, err = nxt_command(*arguments)
        assert (status, out) == (2, "")
        assert "Traceback" not in err

    def test_an_invalid_configuration_is_78_on_standard_error(self, nxt_command):
        """[API-198]"""
        for arguments in (["config", "check"], ["config", "show"], ["api"], ["run"]):
            status, out, err = nxt_command(*arguments)
            assert (status, out) == (78, "")
            assert err.startswith("CONFIG INVALID: ")
            assert "  env     NXT_ENV: missing" in err

    def test_nothing_runs_is_a_finding(self, nxt_command, tmp_path):
        for arguments in (
            ["status"],
            ["status", "--data", str(tmp_path)],
            ["ledger", "audit", "--data", str(tmp_path)],
        ):
            status, out, err = nxt_command(*arguments)
            assert (status, out) == (1, "")
            assert err.startswith("nxt: nothing runs")
            assert err.count("\n") == 1

    def test_operators_without_any_database_are_told_what_is_missing(self, nxt_command):
        """[R54] Neither the environment nor a running `nxt up` names one: 78, in one message."""
        for arguments in (["org", "list"], ["user", "list"], ["apikey", "list"]):
            status, out, err = nxt_command(*arguments)
            assert (status, out) == (78, "")
            assert "NXT_DB_HOST" in err or "NXT_DB_URL" in err

    def test_downgrade_is_refused_with_the_reason(self, nxt_command):
        """[REL-173] Forward only."""
        status, _, err = nxt_command("db", "downgrade")
        assert status == 2
        assert "forward only" in err

    def test_an_unreachable_database_is_one_line(self, nxt_command, holds):
        for arguments in (["db", "upgrade"], ["db", "check"]):
            status, _, err = nxt_command(*arguments)
            assert status == 1
            assert err.startswith("nxt: ")
            assert "Traceback" not in err
            assert "s3cret" not in err

    def test_migrations_without_an_address_are_78(self, nxt_command):
        status, _, err = nxt_command("db", "upgrade")
        assert status == 78
        assert "NXT_DB_HOST" in err


class TestConfig:
    def test_check_says_that_it_holds(self, nxt_command, holds):
        status, out, err = nxt_command("config", "check", "--roles", ALL)
        assert (status, out) == (0, "configuration holds (source: bundled default)\n")
        assert "warning: security.socketAuth" in err

    def test_check_as_json(self, nxt_command, holds, monkeypatch):
        assert json.loads(nxt_command("config", "check", "--roles", ALL, "--json")[1])["ok"] is True
        monkeypatch.setenv("NXT_PORT", "x")
        status, out, _ = nxt_command("config", "check", "--roles", ALL, "--json")
        facts = json.loads(out)
        assert status == 78
        assert facts["problems"] == [
            {"kind": "env", "where": "NXT_PORT", "what": "malformed: has to be a whole number from 1 to 65535"}
        ]

    def test_show_hides_secrets(self, nxt_command, holds):
        """[API-199] `config report` is another name."""
        for command in ("show", "report"):
            for form in ([], ["--json"]):
                status, out, err = nxt_command("config", command, "--roles", ALL, *form)
                assert status == 0
                assert "s3cret" not in out + err
                assert "127.0.0.1:1/nxt" in out

    def test_schema_is_a_json_schema_and_env_the_registry(self, nxt_command):
        """[API-190, API-204]"""
        schema = json.loads(nxt_command("config", "schema")[1])
        assert schema["$schema"].endswith("2020-12/schema")
        table = json.loads(nxt_command("config", "schema", "--env", "--json")[1])
        rows = {row["name"]: row for row in table}
        assert rows["MAX_METERS_PER_DCU"]["default"] == "200"
        assert rows["FLW_SECRET_KEY"]["secret"] is True
        assert "VRM_REQUESTS_PER_SECOND" in nxt_command("config", "schema", "--env")[1]


class TestRoles:
    @pytest.fixture
    def served(self, monkeypatch, holds):
        calls = []

        async def serve(settings: Settings, roles, *, ready=None):
            calls.append((settings, roles))

        module = types.ModuleType("nxt_entrypoints.roles.run")
        module.serve = serve
        monkeypatch.setitem(sys.modules, "nxt_entrypoints.roles", types.ModuleType("nxt_entrypoints.roles"))
        monkeypatch.setitem(sys.modules, "nxt_entrypoints.roles.run", module)
        before = (logging.getLogger().handlers[:], logging.getLogger().level)
        yield calls
        structlog.reset_defaults()
        logging.getLogger().handlers[:] = before[0]
        logging.getLogger().setLevel(before[1])
        logging.captureWarnings(capture=False)

    def test_roles_in_one_process(self, nxt_command, served):
        """[API-201] --roles starts several; the first owns the port."""
        status, _, err = nxt_command("jobs", "--roles", "jobs,api,telemetry,provisioning")
        assert status == 0, err
        settings, roles = served[0]
        assert roles == (Role.JOBS, Role.API, Role.TELEMETRY, Role.PROVISIONING)
        assert settings.ports == {Role.JOBS: 8080}

    def test_the_artifact_names_the_default(self, nxt_command, served, monkeypatch):
        """[API-201]"""
        monkeypatch.setenv("NXT_CONFIG_JSON", json.dumps({"$schemaVersion": "1", "roles": ALL.split(",")}))
        assert nxt_command("run")[0] == 0
        assert served[0][1] == (Role.API, Role.PROVISIONING, Role.JOBS, Role.TELEMETRY)

    def test_the_commands_own_role_has_to_be_among_them(self, nxt_command, served):
        status, _, err = nxt_command("api", "--roles", "jobs")
        assert status == 2
        assert "nxt run" in err

    def test_the_report_is_logged_without_secrets(self, nxt_command, served):
        """[API-199] One effective-configuration report after validation."""
        status, out, _ = nxt_command("api", "--roles", ALL, "--log-format", "json")
        assert status == 0
        report = json.loads(out.splitlines()[0])
        assert report["event"] == "effective configuration"
        assert "SUPABASE_JWT_SECRET" in report["variables_set"]
        assert "METER_READ_TTL_S" in report["variables_default"]
        assert report["stores"]["relational"] == "127.0.0.1:1/nxt"
        assert "s3cret" not in out
        assert REDACTED not in out


class TestStatus:
    def write(self, data, **content):
        mark = {"pid": os.getpid(), "started": started_at(os.getpid()), "data": str(data)}
        (data / "run.json").write_text(json.dumps({**mark, **content}))

    def test_a_role_that_does_not_answer_is_a_finding(self, nxt_command, tmp_path):
        """(R7) The JSON of `nxt up` plus "ready" and "roles"."""
        self.write(
            tmp_path,
            urls={"api": "http://127.0.0.1:1", "supabase": "http://127.0.0.1:2"},
            roles={"api": {"state": "waiting", "restarts": 3}},
            credentials={"email": "a@village.example"},
        )
        status, out, _ = nxt_command("status", "--data", str(tmp_path), "--json")
        facts = json.loads(out)
        assert status == 1
        assert facts["ready"] is False
        assert facts["roles"]["api"]["ready"] is False
        assert facts["roles"]["api"]["restarts"] == 3
        assert facts["credentials"] == {"email": "a@village.example"}
        assert set(facts["roles"]) == {"api"}
        assert "FAIL" in nxt_command("status", "--data", str(tmp_path))[1]

    def test_no_role_is_not_ready(self, nxt_command, tmp_path):
        self.write(tmp_path, urls={})
        assert json.loads(nxt_command("status", "--data", str(tmp_path), "--json")[1])["ready"] is False


class TestUp:
    @pytest.fixture
    def asked(self, monkeypatch):

        options = []

        async def run(given: UpOptions) -> int:
            options.append(given)
            return 0

        module = types.ModuleType("nxt_entrypoints.demo.up")
        module.run = run
        monkeypatch.setitem(sys.modules, "nxt_entrypoints.demo.up", module)
        return options

    def test_options_reach_the_demo(self, nxt_command, asked, tmp_path):
        """(R10, R36, R37)"""
        status, _, err = nxt_command(
            "up", "--data", str(tmp_path), "--port", "8081", "--traffic", "2", "--report-every", "30s", "--json"
        )
        assert status == 0, err
        assert asked == [UpOptions(data=tmp_path, port=8081, as_json=True, traffic_per_minute=2.0, report_every_s=30.0)]

    def test_defaults(self, nxt_command, asked):
        assert nxt_command("up")[0] == 0
        assert asked == [UpOptions()]

    def test_expected_trouble_is_one_line(self, nxt_command, monkeypatch, asked):
        async def run(_given: UpOptions) -> int:
            raise DirectoryInUse("/data", 42)

        monkeypatch.setattr(sys.modules["nxt_entrypoints.demo.up"], "run", run)
        assert nxt_command("up") == (
            1,
            "",
            "nxt: /data is in use by process 42; stop it or choose another --data\n",
        )

    @pytest.mark.parametrize(("text", "seconds"), [("300s", 300), ("5m", 300), ("5", 300), ("0.5h", 1800)])
    def test_intervals(self, text, seconds):
        assert Interval().convert(text, None, None) == seconds


class TestExtras:
    @pytest.mark.parametrize(
        ("module", "extra"), [("amqtt.broker", "embedded"), ("sqlalchemy", "server"), ("grpc.aio", "server")]
    )
    def test_a_missing_library_names_its_extra_in_one_line(self, nxt_command, monkeypatch, module, extra):
        def fails(*_: object) -> None:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)

        monkeypatch.setattr("nxt_entrypoints.cli.commands.nxt.get_command", fails)
        assert nxt_command("openapi") == (
            2,
            "",
            f'This command needs the "{extra}" extra: pip install "nxt-backend[{extra}]"\n',
        )

    def test_a_missing_module_of_ours_is_a_defect_and_shows_itself(self):
        assert missing_extra(ModuleNotFoundError("x", name="nxt_domain.absent")) is None

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (["order", "50"], 50),
            (["50"], 50),
            (["wallet", "50"], None),
            (["order"], None),
            (["order", "0"], None),
            (["order", "x"], None),
            (["order", "50", "51"], None),
        ],
    )
    def test_an_order_is_explained_by_its_number(self, nxt_command, monkeypatch, words, expected):
        asked = []
        module = types.ModuleType("nxt_entrypoints.ledger_books")
        module.story = lambda url, order_id: asked.append(order_id)
        monkeypatch.setitem(sys.modules, "nxt_entrypoints.ledger_books", module)
        status, _, err = nxt_command("ledger", "explain", *words, "--url", "postgresql://x")
        if expected is None:
            assert (status, asked) == (2, [])
            assert "such as: order 50" in err
        else:
            assert (status, asked) == (1, [expected])
            assert err == f"nxt: there is no order {expected}\n"

    def test_ledger_audit_says_unreachable_with_its_own_status(self, nxt_command, monkeypatch):
        """(R35) 0 clean, 1 finding, 2 unreachable."""

        module = types.ModuleType("nxt_entrypoints.ledger_audit")
        monkeypatch.setitem(sys.modules, "nxt_entrypoints.ledger_audit", module)

        async def clean(_url: str) -> list[str]:
            return []

        def unreachable(_url: str) -> list[str]:
            raise Unavailable("no route")

        url = ["ledger", "audit", "--url", "postgresql://x"]
        module.run = clean
        assert nxt_command(*url) == (0, "the books are clean\n", "")
        module.run = lambda _url: ["entry 7 does not balance"]
        assert nxt_command(*url)[:2] == (1, "entry 7 does not balance\n")
        assert json.loads(nxt_command(*url, "--json")[1]) == {"ok": False, "findings": ["entry 7 does not balance"]}
        module.run = unreachable
        status, out, err = nxt_command(*url)
        assert (status, out) == (2, "")
        assert "cannot be reached" in err
