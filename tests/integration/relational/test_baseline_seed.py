"""First rows of a fresh installation."""

from __future__ import annotations

import attrs
import psycopg
import pytest

from nxt_domain.shared.errors import Conflict
from nxt_entrypoints.database.baseline_seed import BANKS, SYSTEM_ACCOUNTS, Baseline, seed


def _rows(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def test_seeding_makes_operator_system_wallet_accounts_and_banks(relational_url: str) -> None:
    """[REL-170] [PAY-66] [REL-70] The configured ids, the accounts of the payments specification, fifteen banks."""
    seeded = seed(relational_url, Baseline(platform_organization_id=7, platform_organization_name="Operator"))
    assert _rows(relational_url, "select id, name from organizations") == [(7, "Operator")]
    assert _rows(relational_url, "select id, wallet_type::text, balance from wallets where identifier is not null") == [
        (968, "REAL", 0)
    ]
    accounts = dict(_rows(relational_url, "select code, wallet_id from internal.ledger_accounts"))
    assert set(accounts) == {*SYSTEM_ACCOUNTS, f"wallet:{seeded.platform_wallet_id}"}
    assert accounts["external:gateway:platform"] == accounts["suspense:gateway:platform"] == 968
    assert accounts["income:rounding"] is accounts["external:disbursement"] is None
    assert dict(_rows(relational_url, "select name, external_id from banks")) == BANKS
    assert len(BANKS) == 15


def test_hot_accounts_and_floors_are_those_of_the_specification(relational_url: str) -> None:
    """[PAY-24] [R24] External accounts are hot and have no floor; suspense is not hot and never below zero."""
    seed(relational_url, Baseline())
    rows = _rows(relational_url, "select code, is_hot, min_balance from internal.ledger_accounts")
    facts = {code: (hot, floor) for code, hot, floor in rows}
    assert facts["external:manual"] == facts["external:disbursement"] == (True, None)
    assert facts["suspense:gateway:platform"] == (False, 0)
    assert facts["income:rental"] == facts["opening:migration"] == (False, None)


def test_seeding_twice_changes_nothing(relational_url: str) -> None:
    """[REL-170] Seeding is idempotent."""
    first = seed(relational_url, Baseline())
    second = seed(relational_url, Baseline())
    assert first.created == 1 + 2 + len(SYSTEM_ACCOUNTS) + len(BANKS), "operator, two wallets, accounts, banks"
    assert second == attrs.evolve(first, created=0)


def test_existing_banks_win(relational_url: str) -> None:
    """[PAY-66] An operator's code is not overwritten."""
    with psycopg.connect(relational_url) as connection:
        connection.execute("insert into banks (name, external_id) values ('Access Bank', '999')")
    seed(relational_url, Baseline())
    assert _rows(relational_url, "select external_id from banks where name = 'Access Bank'") == [("999",)]


def test_sequences_start_above_seeded_ids(relational_url: str) -> None:
    """[REL-171] The next organization and wallet get new ids."""
    seed(relational_url, Baseline(platform_organization_id=40))
    made = _rows(relational_url, "insert into organizations (name) values ('Village power') returning id")
    assert made == [(41,)]
    wallet = _rows(relational_url, "insert into wallets (identifier) values ('OTHER') returning id")
    assert wallet == [(969,)]


def test_another_wallet_is_not_taken_for_the_banking_system(relational_url: str) -> None:
    """[REL-10] The configured id must be the banking system's."""
    seed(relational_url, Baseline())
    with pytest.raises(Conflict, match="968"):
        seed(relational_url, Baseline(banking_system_wallet_id=5))
