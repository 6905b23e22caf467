"""A small world of wallets, and entries posted into it, for tests of the ledger."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal

import psycopg
from psycopg.rows import namedtuple_row

PLATFORM, MANUAL = "external:gateway:platform", "external:manual"


def connect(url: str, *, role: str | None = "nxt_app") -> psycopg.Connection[tuple[object, ...]]:
    """Open a connection as the application, outside any transaction."""
    connection = psycopg.connect(url, autocommit=True, row_factory=namedtuple_row)
    if role is not None:
        connection.execute(f"set role {role}")
    return connection


def make_wallets(connection: psycopg.Connection[tuple[object, ...]], count: int, *, opening: str = "0") -> list[str]:
    """Make wallets of organizations, funded from outside; returns their account codes."""
    rows = connection.execute(
        "with o as (insert into organizations (name) select 'Org ' || gen_random_uuid() from generate_series(1, %s)"
        " returning id) insert into wallets (organization_id) select id from o returning id",
        [count],
    ).fetchall()
    codes = [f"wallet:{row[0]}" for row in rows]
    if Decimal(opening):
        post(connection, [entry(f"opening:{code}", (code, opening), (MANUAL, f"-{opening}")) for code in codes])
    return codes


def entry(key: str, *postings: tuple[str, str], **facts: object) -> dict[str, object]:
    """Describe an entry; postings are (account code, amount)."""
    return {
        "key": key,
        "entry_type": "ADJUSTMENT",
        "memo": "test",
        "postings": [{"account_code": code, "amount": amount} for code, amount in postings],
        **facts,
    }


def post(
    connection: psycopg.Connection[tuple[object, ...]], entries: Sequence[dict[str, object]]
) -> list[tuple[int, int, bool]]:
    """Call internal.post_entries."""
    rows = connection.execute("select * from internal.post_entries(%s)", [json.dumps(entries)]).fetchall()
    return [(row[0], row[1], row[2]) for row in rows]  # type: ignore[misc]  # the routine's result row


def balances(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, Decimal]:
    """Return the balance of every account."""
    return dict(connection.execute("select code, balance from internal.ledger_accounts").fetchall())  # type: ignore[arg-type]  # two columns
