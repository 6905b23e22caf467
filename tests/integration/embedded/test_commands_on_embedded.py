"""The operator's commands against the embedded services, as their own processes."""

import asyncio
import json
import os
import sys

import psycopg
import pytest

from nxt_entrypoints.embedded.data_dir import DataDir
from nxt_entrypoints.embedded.stack import EmbeddedStack

# What a role needs to call others, and the doctor then looks for.
OTHER_ROLES = {
    "INTERNAL_API_KEY": "inner key",
    **dict.fromkeys(("TALOS_API", "YETI_API", "LOCH_API"), "http://127.0.0.1:1"),
}


@pytest.fixture
async def stack(tmp_path):
    with DataDir(tmp_path / "d") as data:
        async with EmbeddedStack(data) as running:
            yield running


@pytest.fixture
def environ(stack, tmp_path_factory):
    return {
        **os.environ,
        # An index of its own: another demo on this machine must not be found.
        "XDG_RUNTIME_DIR": str(tmp_path_factory.mktemp("runtime")),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "NXT_ENV": "development",
        "NXT_PORT": "8080",
        "NXT_DB_URL": stack.relational_url,
        "NXT_TIMESCALE_DB_URL": stack.series_url,
        "HERMES_URL": stack.valkey_url,
        "SUPABASE_API_URL": "http://127.0.0.1:1",
        "SUPABASE_ANON_KEY": "anon",
        "SUPABASE_SERVICE_ROLE_KEY": "service",
        "SUPABASE_JWT_SECRET": "jwt",
        "NXT_CONFIG_JSON": json.dumps(
            {
                "$schemaVersion": "1",
                "deployment": {"identity": {"provider": "local"}},
                "roles": ["api", "provisioning", "jobs", "telemetry"],
            }
        ),
    }


@pytest.fixture
def nxt(environ):
    async def run(*arguments: str, **variables: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "nxt_entrypoints.cli.main",
            *arguments,
            env={**environ, **variables},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    return run


async def test_from_an_empty_database_to_a_clean_bill_of_health(nxt, stack):
    """(R54, R35, R17) upgrade, check, doctor and audit, each with its exit status."""
    status, out, _ = await nxt("db", "check")
    assert (status, "no migrations" in out) == (1, True)
    status, out, _ = await nxt("doctor", "--json")
    facts = json.loads(out)
    assert (status, facts["ok"]) == (1, False)
    assert {one["what"] for one in facts["checks"] if not one["ok"]} == {"relational migrations", "series migrations"}

    status, out, err = await nxt("db", "upgrade", "--json")
    assert status == 0, err
    assert json.loads(out)["applied"]["relational"]
    status, out, _ = await nxt("db", "upgrade", "--json")
    assert json.loads(out) == {"applied": {"relational": [], "telemetry": []}}

    assert (await nxt("db", "check"))[0] == 0
    status, out, _ = await nxt("doctor", "--json")
    assert [one["advice"] for one in json.loads(out)["checks"] if not one["ok"]] == ["run: nxt db seed"]
    status, _, err = await nxt("db", "seed", **OTHER_ROLES)
    assert status == 0, err
    status, out, _ = await nxt("ledger", "audit", "--json")
    assert (status, json.loads(out)) == (0, {"ok": True, "findings": []})
    status, out, err = await nxt("doctor", "--json")
    facts = json.loads(out)
    assert (status, facts["ok"]) == (0, True), out + err
    assert "partitions" in {one["what"] for one in facts["checks"]}
    assert any("socketAuth" in text for text in facts["warnings"])
    assert "s3cret" not in out

    with psycopg.connect(stack.relational_url, autocommit=True) as connection:
        connection.execute("alter table public.wallets alter column balance drop default")
        connection.execute("create table public.stray (id int)")
    status, out, _ = await nxt("db", "check", "--plane", "relational", "--json")
    assert status == 1
    assert any(one["name"].endswith("stray") for one in json.loads(out)["differences"]["relational"])


async def test_the_doctor_tells_bad_usage_and_bad_configuration_from_findings(nxt, environ):
    """[R54] 2 and 78; a finding is 1."""
    assert (await nxt("doctor", "--frequency", "50"))[0] == 2
    environ["HERMES_URL"] = "http://nowhere"
    status, out, err = await nxt("doctor", "--json")
    assert (status, out) == (78, "")
    assert "HERMES_URL" in err


async def test_services_that_are_gone_are_findings_not_tracebacks(nxt, environ, stack):
    """(R35) 2 when the ledger cannot be reached; the doctor names each store."""
    await stack.stop()
    status, out, err = await nxt("doctor")
    assert status == 1
    assert out.count("FAIL") == 3
    assert "Traceback" not in err
    status, _, err = await nxt("ledger", "audit")
    assert status == 2
    assert err.count("\n") == 1
