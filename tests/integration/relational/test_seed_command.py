"""`nxt db seed`: a fresh installation, by the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from nxt_entrypoints.cli.commands import nxt
from nxt_entrypoints.database.baseline_seed import BANKS

_NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def environment(relational_url: str, tmp_path: Path) -> Mapping[str, str]:
    artifact = tmp_path / "nxt.json"
    deployment = {"adminOrganizationId": 7, "identity": {"provider": "local"}}
    artifact.write_text(json.dumps({"$schemaVersion": "1", "deployment": deployment}))
    return {
        "NXT_CONFIG_PATH": str(artifact),
        "NXT_ENV": "development",
        "NXT_PORT": "1",
        "NXT_DB_URL": relational_url,
        "NXT_TIMESCALE_DB_URL": relational_url,
        "HERMES_URL": "redis://127.0.0.1:1",
        "HERMES_TLS": "false",
        "SUPABASE_API_URL": _NOWHERE,
        "SUPABASE_ANON_KEY": "anon",
        "SUPABASE_SERVICE_ROLE_KEY": "service",
        "SUPABASE_JWT_SECRET": "a secret of at least thirty-two characters",
        "INTERNAL_API_KEY": "inner key",
        "TALOS_API": _NOWHERE,
        "YETI_API": _NOWHERE,
        "LOCH_API": _NOWHERE,
    }


def _seed(environment: Mapping[str, str], *options: str, password: str = "") -> Result:
    return CliRunner().invoke(nxt, ["db", "seed", "--json", *options], env=dict(environment), input=f"{password}\n")


def _facts(result: Result) -> dict[str, object]:
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert isinstance(facts, dict)
    return facts


def test_a_fresh_installation_is_filled_once(environment: Mapping[str, str]) -> None:
    """[REL-170] [REL-10] Ids as configured; the second run makes nothing."""
    first, second = _facts(_seed(environment)), _facts(_seed(environment))
    assert (first["platform_organization_id"], first["banking_system_wallet_id"]) == (7, 968)
    assert first["created"] == 1 + 2 + 11 + 15, "organization, wallets, accounts of the ledger, banks"
    assert second == {**first, "created": 0}


def test_the_first_superadmin_can_sign_in(environment: Mapping[str, str]) -> None:
    """[REL-170] A confirmed login with a password, a member of the platform; again nothing."""
    person = ("--superadmin", "desk@platform.example", "--full-name", "The Desk")
    made = _facts(_seed(environment, *person, password="correct horse battery"))
    assert made["superadmin"] is not None
    assert _facts(_seed(environment, *person, password="another one"))["superadmin"] is None
    with psycopg.connect(environment["NXT_DB_URL"]) as connection:
        rows = connection.execute(
            "select u.email, u.encrypted_password is not null, u.raw_app_meta_data ->> 'member_type', a.full_name,"
            " m.member_type::text, m.rls_organization_id"
            " from auth.users u join accounts a on a.supabase_id = u.id join members m on m.account_id = a.id"
        ).fetchall()
    assert rows == [("desk@platform.example", True, "SUPERADMIN", "The Desk", "SUPERADMIN", 7)]


def test_banks_have_the_operators_codes(environment: Mapping[str, str], tmp_path: Path) -> None:
    """[REL-70] [REL-170] Codes out of a file; banks that it doesn't name keep theirs."""
    banks = tmp_path / "banks.json"
    banks.write_text(json.dumps({"Access Bank": " 999 ", "Another bank": "998"}))
    _facts(_seed(environment, "--banks", str(banks)))
    with psycopg.connect(environment["NXT_DB_URL"]) as connection:
        found = dict(connection.execute("select name, external_id from banks").fetchall())
    assert found == {**BANKS, "Access Bank": "999", "Another bank": "998"}


@pytest.mark.parametrize(
    "content", ["", "[]", '{"Access Bank": 44}', '{"Access Bank": " "}', '{"Access Bank": "011"}', "{"]
)
def test_a_malformed_list_of_banks_is_bad_usage(environment: Mapping[str, str], tmp_path: Path, content: str) -> None:
    """[R54] [REL-170] Nothing is seeded from a file that can't be meant."""
    banks = tmp_path / "banks.json"
    banks.write_text(content)
    assert _seed(environment, "--banks", str(banks)).exit_code == 2
    with psycopg.connect(environment["NXT_DB_URL"]) as connection:
        assert connection.execute("select count(*) from organizations").fetchone() == (0,)


def test_another_system_wallet_is_refused(environment: Mapping[str, str]) -> None:
    """[REL-10] The configuration must agree with what is there."""
    _facts(_seed(environment))
    assert _seed({**environment, "BANKING_SYSTEM_WALLET_ID": "5"}).exit_code == 1
