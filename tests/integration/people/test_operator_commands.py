"""``nxt org``, ``nxt user`` and ``nxt apikey``: from an empty database to people who sign in."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from nxt_domain.identity.passwords import fits
from nxt_domain.identity.rules import key_hash
from nxt_entrypoints.cli import main as cli

Command = Callable[..., Any]
LOCAL = {"$schemaVersion": "1", "deployment": {"identity": {"provider": "local"}}}


@pytest.fixture
def database(relational_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(relational_url, autocommit=True) as connection:
        connection.execute("insert into organizations (id, name) values (2, 'Platform')")
        connection.execute("select setval(pg_get_serial_sequence('organizations', 'id'), 100)")
        yield connection


@pytest.fixture
def nxt(
    relational_url: str, database: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run a command with --json in the environment of a deployment with logins of its own."""
    variables = {
        "NXT_CONFIG_JSON": json.dumps(LOCAL),
        "NXT_ENV": "development",
        "NXT_PORT": "8080",
        "NXT_DB_URL": relational_url,
        "NXT_TIMESCALE_DB_URL": "postgresql://nxt:unused@127.0.0.1:1/series",
        "HERMES_URL": "redis://127.0.0.1:1",
        "SUPABASE_API_URL": "http://127.0.0.1:1",
        "SUPABASE_ANON_KEY": "anon",
        "SUPABASE_SERVICE_ROLE_KEY": "service",
        "SUPABASE_JWT_SECRET": "secret",
        "INTERNAL_API_KEY": "inner",
        "TALOS_API": "http://127.0.0.1:1",
        "YETI_API": "http://127.0.0.1:1",
        "LOCH_API": "http://127.0.0.1:1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, stdin: str = "", expect: int = 0) -> Any:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        status = cli.run([*arguments, "--json"])
        out, err = capsys.readouterr()
        assert (status, "Traceback" in err) == (expect, False), err
        return json.loads(out) if out else err

    return run


def test_an_organization_is_founded_with_its_wallet(nxt: Command, database: psycopg.Connection[Any]) -> None:
    """[API-182] [REL-33] [R54] Wallet and evidence with it; a second one of the name is refused."""
    made = nxt("org", "create", "Sunny Grids", "--email", "office@sunny.example")
    assert made["organization_type"] == "SOLAR_DEVELOPER"
    wallet = database.execute(
        "select wallet_type, balance, rls_organization_id from wallets where organization_id = %s", (made["id"],)
    ).fetchone()
    assert wallet == ("REAL", 0, made["id"])
    assert database.execute("select actor_type, action, organization_id from internal.audit_log").fetchall() == [
        ("OPERATOR", "organization.create", made["id"])
    ]
    assert "ux_organizations_name" in nxt("org", "create", "sunny grids", expect=1)
    assert "needs a name" in nxt("org", "create", "  ", expect=1)
    assert [org["name"] for org in nxt("org", "list")] == ["Platform", "Sunny Grids"]


def test_a_member_is_made_locked_and_given_a_password(nxt: Command, database: psycopg.Connection[Any]) -> None:
    """[R30] [REL-170] [R54] The first superadmin, by the local provider; the password never shows."""
    arguments = ("user", "create", "root@platform.example", "--name", "Root", "--organization", "2")
    made = nxt(*arguments, "--role", "SUPERADMIN", "--password-stdin", stdin="correct horse\n")
    assert made["member_type"] == "SUPERADMIN"

    def login() -> tuple[Any, ...]:
        row = database.execute(
            "select encrypted_password, banned_until is null, raw_app_meta_data ->> 'account_id' from auth.users"
        ).fetchone()
        assert row is not None
        return row

    assert fits("correct horse", login()[0])
    assert login()[1:] == (True, str(made["account_id"]))
    assert nxt("user", "lock", "ROOT@platform.example")["done"] == "locked"
    assert login()[1] is False
    nxt("user", "unlock", str(made["account_id"]))
    nxt("user", "set-password", "root@platform.example", "--password-stdin", stdin="battery staple\n")
    assert (fits("battery staple", login()[0]), login()[1]) == (True, True)
    assert [(person["email"], person["full_name"]) for person in nxt("user", "list")] == [
        ("root@platform.example", "Root")
    ]
    assert nxt("user", "list", "--organization", "7") == []
    actions = database.execute("select action from internal.audit_log order by at").fetchall()
    assert actions == [("member.invite",), ("login.lock",), ("login.unlock",), ("login.set_password",)]


def test_what_is_refused_is_said_in_one_line(nxt: Command) -> None:
    """[R54] Exit 1 with the reason for a refusal, 2 for bad usage; nothing is half-made."""
    create = ("user", "create", "x@sunny.example", "--name", "X", "--organization")
    sunny = str(nxt("org", "create", "Sunny Grids")["id"])
    superadmin = nxt(*create, sunny, "--role", "SUPERADMIN", "--invite", expect=1)
    assert "can't assign the role SUPERADMIN" in superadmin
    assert "Organization 999 not found" in nxt(*create, "999", "--password-stdin", stdin="correct horse\n", expect=1)
    assert "at least 6 characters" in nxt(*create, "2", "--password-stdin", stdin="short\n", expect=1)
    assert "--password-stdin" in nxt(*create, "2", expect=2)
    assert "exclude each other" in nxt(*create, "2", "--invite", "--password-stdin", expect=2)
    assert "No account for nobody@sunny.example" in nxt("user", "lock", "nobody@sunny.example", expect=1)
    assert "No account for 99" in nxt("user", "unlock", "99", expect=1)
    assert nxt("user", "list") == []
    made = nxt(*create, "2", "--invite")
    assert made["member_type"] == "DEVELOPER"


def test_the_life_of_an_api_key(nxt: Command, database: psycopg.Connection[Any]) -> None:
    """[API-53] [API-54] [R42] [R54] Shown once, stored as a hash; locked, unlocked, revoked."""
    owner = nxt("user", "create", "bot@platform.example", "--name", "Bot", "--organization", "2", "--invite")
    account = str(owner["account_id"])
    made = nxt("apikey", "create", "--account-id", account, "--scope", "orders:write", "--expires-in", "24h")
    assert made["key"].startswith("nxt_")
    stored = database.execute("select key, key_hash, key_prefix, scopes from api_keys").fetchone()
    assert stored == (None, key_hash(made["key"]), made["key"][:8], ["orders:write"])
    key_id = str(made["id"])
    assert nxt("apikey", "lock", "--id", key_id) == {"id": made["id"], "locked": True}
    assert nxt("apikey", "list")[0]["is_locked"] is True
    nxt("apikey", "unlock", "--id", key_id)
    nxt("apikey", "revoke", "--id", key_id)
    (listed,) = nxt("apikey", "list")
    assert (listed["is_locked"], listed["revoked_at"] is not None, "key" in listed) == (False, True, False)
    assert "API key 99 not found" in nxt("apikey", "lock", "--id", "99", expect=1)
    assert "Account 999 not found" in nxt("apikey", "create", "--account-id", "999", expect=1)
    assert "not a scope" in nxt("apikey", "create", "--account-id", account, "--scope", "everything", expect=1)
    row = database.execute("insert into accounts (full_name) values ('Nobody') returning id").fetchone()
    assert row is not None
    assert "Only live members" in nxt("apikey", "create", "--account-id", str(row[0]), expect=1)


def test_plain_keys_are_hashed_in_place(nxt: Command, database: psycopg.Connection[Any]) -> None:
    """[API-54] Their holders notice nothing."""
    owner = nxt("user", "create", "bot@platform.example", "--name", "Bot", "--organization", "2", "--invite")
    database.execute("insert into api_keys (account_id, key) values (%s, 'old-plain-key')", (owner["account_id"],))
    assert nxt("apikey", "hash-plaintext") == {"hashed": 1}
    assert database.execute("select key, key_hash from api_keys").fetchall() == [(None, key_hash("old-plain-key"))]
    assert nxt("apikey", "hash-plaintext") == {"hashed": 0}


def test_lines_for_people(nxt: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """[R54] Without --json: one line each, and the key alone on standard output."""
    nxt("org", "create", "Sunny Grids")
    owner = nxt("user", "create", "bot@platform.example", "--name", "Bot", "--organization", "2", "--invite")
    for arguments, shown in (
        (["org", "list"], "Sunny Grids"),
        (["user", "list"], "Bot <bot@platform.example>"),
        (["apikey", "create", "--account-id", str(owner["account_id"])], "nxt_"),
        (["apikey", "list"], "all rights"),
    ):
        assert cli.run(arguments) == 0
        assert shown in capsys.readouterr().out
