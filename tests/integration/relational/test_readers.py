"""Read-only roles: what dashboards, automations and programs that read by SQL see."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction
from sqlalchemy.engine import make_url
from tests.support.tenant_world import World

from nxt_adapters.supabase.policies.readers import PRESETS, Reader
from nxt_adapters.supabase.tables import metadata
from nxt_domain.shared.errors import Forbidden, InvalidInput
from nxt_entrypoints.cli import main as cli
from nxt_entrypoints.database import readers
from nxt_entrypoints.database.comparison import check

TABLES = sorted(table.name for table in metadata.tables.values() if table.schema is None)


@pytest.fixture
def world(relational_url: str) -> Iterator[World]:
    made = World(relational_url)
    yield made
    made.session.close()


@pytest.fixture
def role(world: World) -> Iterator[str]:
    """A name that no other test uses: roles belong to the cluster."""
    name = f"nxt_test_reader_{secrets.token_hex(4)}"
    yield name
    world.session.rollback()
    for statement in ("drop owned by {}", "drop role {}"):
        world.session.execute(sql.SQL(statement).format(sql.Identifier(name)))
    world.session.commit()


def _url(world: World) -> str:
    return f"postgresql://{world.session.info.user}@{world.session.info.host}:{world.session.info.port}/" + (
        world.session.info.dbname
    )


def _see(world: World, role: str, table: str) -> int | None:
    with world.undone():
        world.session.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        question = sql.SQL("select count(*) as n from public.{}").format(sql.Identifier(table))
        try:
            row = world.session.execute(question).fetchone()
        except InsufficientPrivilege:
            return None
    return int(str(row["n"])) if row else None


@pytest.mark.parametrize("preset", PRESETS)
def test_readers_see_all_rows_of_their_tables(world: World, role: str, preset: str) -> None:
    """[REL-189] [REL-120] [REL-119] Every tenant's rows there, nothing elsewhere; no act but reading."""
    expected = {table: len(world.rows(table)) if table in PRESETS[preset] else None for table in TABLES}
    world.session.commit()
    assert readers.make(_url(world), [Reader(role=role, tables=preset)], {}) == [role]
    assert {table: _see(world, role, table) for table in TABLES} == expected
    for table in TABLES:
        for act in ("insert into {} default values", "update {} set id = 1", "delete from {}", "truncate {}"):
            with world.undone():
                world.session.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
                with pytest.raises((InsufficientPrivilege, psycopg.errors.UndefinedColumn)):
                    world.session.execute(sql.SQL(act).format(sql.Identifier("public", table)))  # type: ignore[arg-type]  # of the list above
    world.session.rollback()
    assert check(_url(world), "relational") == []


def test_readers_see_no_secret(world: World, role: str) -> None:
    """[REL-108] [REL-110] [REL-141] Codes that link chats are left out; decoder keys and credentials read null."""
    readers.make(_url(world), [Reader(role=role, tables=["accounts", "meters", "organizations"])], {})
    for question, seen in (
        ("select telegram_link_token from accounts", None),
        ("select count(telegram_id) as n from accounts", 0),
        ("select count(decoder_key) as n from meters", 0),
        ("select count(epicollect_contract_survey_secret) as n from organizations", 0),
    ):
        with world.undone():
            world.session.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
            if seen is None:
                with pytest.raises(InsufficientPrivilege):
                    world.session.execute(question)
            else:
                assert world.session.execute(question).fetchone() == {"n": seen}


def test_readers_find_the_former_schema_by_bare_names(world: World, role: str) -> None:
    """[REL-119] [REL-125] [REL-126] [REL-110] A star works on accounts; commands and floats under the old names."""
    readers.make(_url(world), [Reader(role=role, tables="chat")], {})
    with psycopg.connect(_url(world)) as session:
        session.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
        session.execute("set search_path = compat, public, extensions")
        people = session.execute("select * from accounts")
        names = [column.name for column in people.description or ()]
        codes = {row[names.index("telegram_link_token")] for row in people}
        assert (names, codes) == ([column.name for column in metadata.tables["accounts"].columns], {None})
        assert session.execute("select count(*) from directives").fetchone() == (4,)
        (amount,) = session.execute("select amount from orders limit 1").fetchone() or ()
        assert isinstance(amount, float)


def test_a_repetition_changes_nothing_and_a_shorter_list_takes_away(world: World, role: str) -> None:
    """[REL-4] A role reads exactly what its list says now."""
    world.session.commit()
    made = [readers.make(_url(world), [Reader(role=role, tables=kind)], {}) for kind in ("dashboards", "dashboards")]
    assert made == [[role], []]
    world.session.execute(sql.SQL("grant update (amount), insert on orders to {}").format(sql.Identifier(role)))
    world.session.commit()
    readers.make(_url(world), [Reader(role=role, tables=["grids"])], {})
    question = "select from information_schema.column_privileges where table_schema = 'public' and grantee = %s"
    held = world.session.execute(question, [role])
    assert held.rowcount == len(metadata.tables["grids"].columns)
    assert _see(world, role, "grids") == 2
    assert _see(world, role, "orders") is None
    policies = world.session.execute("select tablename from pg_policies where policyname = %s", [f"select by {role}"])
    assert policies.fetchall() == [{"tablename": "grids"}]


def test_only_the_owner_makes_readers(world: World, role: str) -> None:
    """[REL-4] A login that may make no roles is told so."""
    readers.make(_url(world), [Reader(role=role, tables="automation", password_variable="ITS")], {"ITS": "silver"})
    own = make_url(_url(world)).set(username=role, password="silver").render_as_string(hide_password=False)
    with pytest.raises(Forbidden):
        readers.make(own, [Reader(role="nxt_test_another", tables="chat")], {})


def test_readers_log_in_and_only_read(world: World, role: str) -> None:
    """[REL-4] [REL-119] With the password of the environment; sessions are read-only and find tables by bare names."""
    reader = Reader(role=role, tables="automation", password_variable="A_PASSWORD")
    with pytest.raises(InvalidInput, match="A_PASSWORD"):
        readers.make(_url(world), [reader], {})
    readers.make(_url(world), [reader], {"A_PASSWORD": "reading-is-silver"})
    stored = world.session.execute("select rolpassword as it from pg_authid where rolname = %s", [role]).fetchone()
    assert stored is not None
    assert str(stored["it"]).startswith("SCRAM-SHA-256$")
    own = make_url(_url(world)).set(username=role, password="reading-is-silver").render_as_string(hide_password=False)
    with psycopg.connect(own) as session:
        assert session.execute("select count(*) from grids").fetchone() == (2,)
        with pytest.raises((InsufficientPrivilege, ReadOnlySqlTransaction)):
            session.execute("delete from grids")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{}", "not a list"),
        ("nonsense", "Expecting value"),
        ('[{"role": "x"}]', "not a role"),
        ('[{"role": "x", "reads": "everything"}]', "none of dashboards, automation, chat"),
        ('[{"role": "x", "reads": ["secrets"]}]', "no table of schema public"),
        ('[{"role": "x", "reads": ["internal.secrets"]}]', "no table of schema public"),
        ('[{"role": "x", "reads": ["api_keys"]}]', "holds secrets"),
        ('[{"role": "x", "reads": 5}]', "neither a kind nor a list"),
        ('[{"role": "nxt_app", "reads": "chat"}]', "can't be the name"),
        ('[{"role": "x\\"; drop", "reads": "chat"}]', "can't be the name"),
        ('[{"role": "x", "reads": "chat", "password": "p"}]', "not a role"),
    ],
)
def test_lists_that_make_no_sense_are_refused(tmp_path: Path, content: str, complaint: str) -> None:
    """[REL-4] Before anything is done."""
    path = tmp_path / "readers.json"
    path.write_text(content)
    with pytest.raises(InvalidInput, match=complaint):
        readers.read_list(path)


def test_the_list_of_the_repository_is_sound() -> None:
    """[REL-3] [REL-120] The sample holds the defaults and the chat service."""
    sample = Path(__file__).parents[3] / "deploy/postgres/readers.json"
    listed = {reader.role: reader.tables for reader in readers.read_list(sample)}
    assert listed.items() >= {reader.role: reader.tables for reader in readers.DEFAULTS}.items()
    assert json.loads(sample.read_text())[-1]["reads"] == "chat"


def test_the_command_makes_what_a_file_lists(
    world: World, role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """[REL-4] `nxt db readers FILE` says what it made and what each role reads."""
    path = tmp_path / "readers.json"
    path.write_text(json.dumps([{"role": role, "reads": ["grids", "dcus"], "password_variable": "ITS_PASSWORD"}]))
    monkeypatch.setenv("NXT_DB_URL", _url(world))
    monkeypatch.setenv("ITS_PASSWORD", "silver")
    for is_new in (True, False):
        assert cli.run(("db", "readers", str(path), "--json")) == 0
        said = json.loads(capsys.readouterr().out)
        assert said == {"readers": [{"role": role, "is_new": is_new, "tables": ["grids", "dcus"]}]}
    assert cli.run(("db", "readers", str(path))) == 0
    assert capsys.readouterr().out == f"{role}: changed, reads grids, dcus\n"
    monkeypatch.delenv("ITS_PASSWORD")
    assert cli.run(("db", "readers", str(path))) == 1
    assert "ITS_PASSWORD" in capsys.readouterr().err
