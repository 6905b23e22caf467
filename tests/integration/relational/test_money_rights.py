"""What clients may do with money's tables, as callers of the table gateway (PAY 20)."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege
from tests.support.tenant_world import World

GUARDS = {"NX010", "NX011"}
"""Refusals of triggers: a step that the states of orders don't allow, a balance that the ledger did not write."""
EVERYBODY = ("platform member", "member A", "member B", "lender", "agent A", "customer A", "anonymous")
# Who sees which row of tenant A. Lenders see what is reported; a person sees what is the person's own.
SEEN = {
    ("orders", "order"): {"platform member", "member A", "lender", "agent A", "customer A"},
    ("transactions", "transaction"): {"platform member", "member A"},
    ("wallets", "agent_wallet"): {"platform member", "member A", "agent A"},
    ("wallets", "org_wallet"): {"platform member", "member A"},
    ("payouts", "payout"): {"platform member"},
    ("connections", "connection"): {"platform member", "member A", "customer A"},
    ("customers", "customer"): {"platform member", "member A", "lender", "customer A"},
}
CLOSED = (
    "bank_accounts",
    "banks",
    "meter_credit_transfers",
    "internal.ledger_accounts",
    "internal.ledger_entries",
    "internal.ledger_postings",
    "internal.outbox_tasks",
    "internal.gateway_events",
)


@pytest.fixture
def world(relational_url: str) -> Iterator[World]:
    made = World(relational_url)
    yield made
    made.session.close()


def does(world: World, who: str, statement: str, *values: object) -> int:
    """Do one thing as a caller, undo it, and return how many rows it reached; 0: no right at all, too."""
    try:
        with world.acting(world.everybody[who]):
            return world.session.execute(sql.SQL(statement), values).rowcount  # type: ignore[arg-type]  # of this file
    except psycopg.Error as refused:
        world.session.rollback()
        if isinstance(refused, InsufficientPrivilege) or refused.sqlstate in GUARDS:
            return 0
        raise


def test_pay_194_who_sees_what(world: World) -> None:
    """[PAY-194] [REL-108] The select column of the table, with rows of one tenant."""
    ids = world.tenants["A"]
    for (table, row), expected in SEEN.items():
        found = {who for who in EVERYBODY if does(world, who, f"select from {table} where id = %s", ids[row])}
        assert found == expected, (table, row)


def test_pay_194_what_is_closed_to_all(world: World) -> None:
    """[PAY-194] Banks, transfers, the ledger, the outbox and the inbox are the service's alone."""
    for table in CLOSED:
        for who in EVERYBODY:
            with pytest.raises(InsufficientPrivilege), world.acting(world.everybody[who]):
                world.session.execute(f"select from {table}")  # type: ignore[arg-type]  # a name of this file
            world.session.rollback()


def test_pay_195_money_is_written_by_the_system_only(world: World) -> None:
    """[PAY-194] [PAY-195] No client, the platform's staff neither, writes amounts, balances, meta or states."""
    for statement in (
        "update orders set amount = amount",
        "update orders set meta_order_type = meta_order_type",
        "update orders set order_status = 'COMPLETED'",
        "update wallets set balance = balance",
        "update transactions set amount = amount",
        "update payouts set approved_amount = 1",
        "update payouts set payout_status = 'SUCCESSFUL'",
        "update connections set paid = paid",
        "update connections set currency = currency",
        "update customers set total_connection_paid = total_connection_paid",
        "insert into transactions default values",
        "insert into payouts default values",
        "insert into orders default values",
        f"insert into wallets (organization_id, balance) values ({world.tenants['A']['org']}, 5)",
        "delete from orders",
        "delete from wallets",
        "delete from payouts",
    ):
        reached = {who for who in EVERYBODY if does(world, who, statement)}
        assert reached == set(), statement


def test_pay_194_set_aside_by_the_platform(world: World) -> None:
    """[PAY-194] The one change of an order that a client makes (T11)."""
    statement = "update orders set order_status = 'IGNORED' where id = %s"
    assert {who for who in EVERYBODY if does(world, who, statement, world.tenants["A"]["order"])} == {"platform member"}


def test_pay_195_clients_run_nothing_that_changes_rows(world: World) -> None:
    """[PAY-195] What clients may call of ours can't write, as PostgreSQL sees to it."""
    callable_ones = world.query(
        "select p.oid::regprocedure::text as name, p.provolatile as kind, r.rolname as role from pg_proc p"
        " join pg_namespace n on n.oid = p.pronamespace, pg_roles r"
        " where n.nspname in ('public', 'internal', 'messaging', 'compat') and r.rolname in ('anon', 'authenticated')"
        " and p.prorettype <> 'trigger'::regtype and has_schema_privilege(r.rolname, n.oid, 'usage')"
        " and has_function_privilege(r.rolname, p.oid, 'execute')"
        " and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')"
    )
    assert {row["name"] for row in callable_ones if row["kind"] == "v"} == set()
    assert any("find_energy_topup_revenue" in str(row["name"]) for row in callable_ones), "the look sees functions"
    with pytest.raises(psycopg.Error), world.acting(world.everybody["platform member"]):
        world.session.execute("select internal.post_entries('[]')")
