"""What row security costs on filled tables, and that it holds on databases that others set up."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy.engine import make_url
from tests.support import databases
from tests.support.databases import Unobtainable
from tests.support.tenant_world import World

from nxt_adapters.supabase.tables import metadata
from nxt_entrypoints.database import migrate
from nxt_entrypoints.database.comparison import check

CUSTOMERS, ORGANIZATIONS = 100_000, 100
_FILL = """
    insert into customers (grid_id, account_id, rls_organization_id)
    select 1000 + n %% 1000, 1000000 + n, 1000 + n %% %s from generate_series(1, %s) n
"""


@pytest.fixture(scope="module")
def filled() -> Iterator[World]:
    """A world with a hundred thousand customers of a hundred tenants, and member A in one of them."""
    try:
        with databases.fresh_database(databases.embedded_server(), "relational") as url:
            world = World(url)
            world.session.execute("set session_replication_role = replica")
            world.session.execute(_FILL, [ORGANIZATIONS, CUSTOMERS])
            world.session.execute(
                "update customers set rls_organization_id = %s where rls_organization_id = 1001",
                [world.tenants["A"]["org"]],
            )
            world.session.execute("set session_replication_role = origin")
            world.session.commit()
            world.session.autocommit = True
            world.session.execute("analyze customers")
            world.session.autocommit = False
            yield world
            world.session.close()
    except Unobtainable as reason:
        pytest.skip(str(reason))


def _explained(world: World, who: str, question: str) -> tuple[str, int, dict[str, int]]:
    """Run a question as a caller; return its plan, the number of rows, and how often each predicate was called."""
    with world.undone():
        world.session.execute("set local track_functions = 'all'")
        before = _calls(world)
        with world.acting(world.everybody[who]):
            row = world.session.execute(f"explain (analyze, format json) {question}").fetchone()  # type: ignore[arg-type]  # questions of this file
            assert row is not None
            (plan,) = row["QUERY PLAN"]  # type: ignore[misc]  # a JSON list
        calls = {name: count - before.get(name, 0) for name, count in _calls(world).items()}
    top = plan["Plan"]
    return json.dumps(top), top["Actual Rows"], calls


def _calls(world: World) -> dict[str, int]:
    rows = world.session.execute("select funcname, calls from pg_stat_xact_user_functions")
    return {str(row["funcname"]): int(str(row["calls"])) for row in rows}


@pytest.mark.parametrize(
    ("who", "question", "rows"),
    [
        ("member A", "select * from customers", CUSTOMERS // ORGANIZATIONS + 2),
        ("member A", "select * from customers order by id desc limit 50", 50),
        ("member A", "select * from customers where grid_id = 1001", CUSTOMERS // 1000),
        ("platform member", "select * from customers", CUSTOMERS + 4),
        ("platform member", "select * from customers order by id limit 50", 50),
        ("customer A", "select * from customers", 1),
        ("lender", "select * from customers where id = 1", 1),
    ],
)
def test_predicates_are_asked_once_and_indexes_answer(filled: World, who: str, question: str, rows: int) -> None:
    """[REL-105] On 100,000 rows: no call for a row, and no reading of the whole table for one tenant."""
    plan, found, calls = _explained(filled, who, question)
    assert found == rows
    assert "Seq Scan" not in plan
    assert "Index" in plan
    assert 1 <= max(calls.values()) <= 4, calls


def test_a_tenants_list_reads_the_tenants_rows(filled: World) -> None:
    """[REL-105] The index on the owner organization gives them, though policies of other callers stand beside it."""
    plan, _, _ = _explained(filled, "member A", "select * from customers")
    assert "idx_customers_rls_organization_id" in plan


def test_a_hosted_databases_generosity_ends(any_postgres_server: str) -> None:
    """[REL-109] [REL-96] Default rights of a hosted database for everybody are taken back, of new tables too."""
    with databases.empty_database(any_postgres_server) as url:
        with psycopg.connect(url, autocommit=True) as session:
            for role in ("anon", "authenticated", "service_role"):
                session.execute(
                    f"do $$ begin create role {role} nologin; exception when duplicate_object then null; end $$"  # type: ignore[arg-type]  # names of this list
                )
                session.execute(f"alter default privileges in schema public grant all on tables to {role}")  # type: ignore[arg-type]  # as above
        migrate.upgrade(url, "relational")
        assert check(url, "relational") == []
        with psycopg.connect(url, autocommit=True) as session:
            session.execute("create table public.later (id int)")
            held = session.execute(
                "select r.role, p.privilege from unnest(array['anon', 'authenticated', 'service_role']) as r (role)"
                " cross join unnest(array['SELECT', 'INSERT', 'TRUNCATE', 'TRIGGER', 'REFERENCES']) as p (privilege)"
                " where has_table_privilege(r.role, 'public.later', p.privilege) order by 1, 2"
            ).fetchall()
        assert held == [("service_role", "INSERT"), ("service_role", "SELECT")]


def test_the_product_passes_where_nobody_may_bypass() -> None:
    """[REL-111] [R45] Without BYPASSRLS its roles see and write every row by a policy, and the check has no finding."""
    login = f"nxt_test_owner_{secrets.token_hex(4)}"
    with databases.untouched_server() as server, databases.empty_database(server) as url:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(f"create role {login} login createrole")  # type: ignore[arg-type]  # made above
            admin.execute(f"alter database {make_url(url).database} owner to {login}")  # type: ignore[arg-type]  # as above
        own = make_url(url).set(username=login).render_as_string(hide_password=False)
        migrate.upgrade(own, "relational")
        assert check(own, "relational") == []
        world = World(own)
        bypass = world.session.execute("select count(*) as n from pg_roles where rolbypassrls and rolname like 'nxt%'")
        assert bypass.fetchone() == {"n": 0}
        tables = sorted(table.name for table in metadata.tables.values() if table.schema is None)
        expected = {table: len(world.rows(table)) for table in tables}
        world.session.commit()
        with psycopg.connect(url) as admin:
            for role in ("nxt_app", "service_role"):
                admin.execute(f"set role {role}")  # type: ignore[arg-type]  # as above
                for table, count in expected.items():
                    key = next(iter(metadata.tables[table].primary_key)).name
                    assert admin.execute(f"select count(*) from {table}").fetchone() == (count,), table  # type: ignore[arg-type]  # as above
                    if table != "meter_state_events":
                        done = admin.execute(f"update {table} set {key} = {key}")  # type: ignore[arg-type]  # as above
                        assert done.rowcount == count, table
                reported = admin.execute("update meters set is_on = true returning is_on").fetchall()
                assert set(reported) == {(True,)}
        world.session.close()
