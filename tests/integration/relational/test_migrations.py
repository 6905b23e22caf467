"""Migrations of the relational plane."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from nxt_entrypoints.database import migrate


def test_upgrade_runs_from_empty_and_twice(empty_url: str) -> None:
    """[REL-186] All steps apply to an empty database, and a second run has no effect."""
    told: list[str] = []
    assert migrate.current(empty_url, "relational") is None
    applied = migrate.upgrade(empty_url, "relational", progress=told.append)
    assert applied[-1] == migrate.head("relational") == migrate.current(empty_url, "relational")
    assert len(told) == len(applied)
    assert migrate.upgrade(empty_url, "relational") == []


def test_two_upgrades_at_once_wait_for_each_other(empty_url: str) -> None:
    """[REL-173] Steps are safe to start twice."""
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: migrate.upgrade(empty_url, "relational"), range(2)))
    assert sorted(map(len, runs)) == [0, len(max(runs, key=len))]


def test_downgrade_is_refused(relational_url: str) -> None:
    """[REL-173] Migrations go forward only."""
    with pytest.raises(migrate.DowngradeRefused):
        migrate.downgrade(relational_url, "relational")
    assert migrate.current(relational_url, "relational") == migrate.head("relational")


def test_roles_are_limited(relational_url: str) -> None:
    """[PAY-32] [R14] The application's role reads the ledger and can not write it."""
    with psycopg.connect(relational_url, autocommit=True) as connection:
        connection.execute("set role nxt_app")
        assert connection.execute("select count(*) from internal.ledger_postings").fetchone() == (0,)
        for statement in (
            "insert into internal.ledger_accounts (code, account_class, currency) values ('x', 'INCOME', 'NGN')",
            "update internal.ledger_accounts set balance = 1",
            "delete from internal.ledger_entries",
            "truncate internal.ledger_postings",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
