"""Postings of several sessions at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from tests.support.ledger import MANUAL, PLATFORM, balances, connect, entry, make_wallets, post

from nxt_entrypoints.database.baseline_seed import Baseline, seed


@pytest.fixture
def ledger(any_relational_url: str) -> str:
    seed(any_relational_url, Baseline())
    return any_relational_url


@pytest.fixture
def sessions(ledger: str) -> Iterator[tuple[psycopg.Connection[tuple[object, ...]], ...]]:
    """Two sessions that give up waiting for a lock after a second."""
    with connect(ledger) as one, connect(ledger) as two:
        for session in (one, two):
            session.execute("set lock_timeout = '1s'")
        yield one, two


def test_hot_accounts_are_never_locked(sessions: tuple[psycopg.Connection[tuple[object, ...]], ...]) -> None:
    """[REL-148] [PAY-33] Payments of different meters through one gateway account don't wait for each other."""
    one, two = sessions
    first, second = make_wallets(one, 2)
    with one.transaction():
        post(one, [entry("a", (first, "1"), (PLATFORM, "-1"))])
        post(two, [entry("b", (second, "1"), (PLATFORM, "-1"))])
        assert two.execute("select internal.refresh_hot_balances()").fetchone() == (1,)
    assert two.execute("select internal.refresh_hot_balances()").fetchone() == (1,)
    assert balances(one)[PLATFORM] == -2


def test_a_wallet_is_locked_until_the_transaction_ends(
    sessions: tuple[psycopg.Connection[tuple[object, ...]], ...],
) -> None:
    """[PAY-33] Accounts that are not hot are locked, so their chains have one writer."""
    one, two = sessions
    (wallet,) = make_wallets(one, 1)
    with one.transaction():
        post(one, [entry("a", (wallet, "1"), (PLATFORM, "-1"))])
        with pytest.raises(psycopg.errors.LockNotAvailable):
            post(two, [entry("b", (wallet, "1"), (PLATFORM, "-1"))])
    assert post(two, [entry("b", (wallet, "1"), (PLATFORM, "-1"))])[0][2] is True


def test_a_posting_rolled_back_leaves_nothing(sessions: tuple[psycopg.Connection[tuple[object, ...]], ...]) -> None:
    """[REL-181] A process that dies while settling changes nothing, also not the statistic."""
    one, two = sessions
    (wallet,) = make_wallets(one, 1)
    with one.transaction() as undone:
        post(one, [entry("a", (wallet, "1"), (PLATFORM, "-1"))])
        raise psycopg.Rollback(undone)
    assert two.execute("select internal.refresh_hot_balances()").fetchone() == (0,)
    assert balances(two)[wallet] == balances(two)[PLATFORM] == 0


def test_one_key_from_many_sessions_posts_once(ledger: str) -> None:
    """[PAY-124] [PAY-27] However many workers settle an order at once, it is booked once and all see the same entry."""
    with connect(ledger) as connection:
        (wallet,) = make_wallets(connection, 1)
    start = threading.Barrier(6)

    def settle(_: int) -> tuple[int, int, bool]:
        with connect(ledger) as connection:
            start.wait()
            return post(connection, [entry("order:1:settle", (wallet, "7"), (PLATFORM, "-7"))])[0]

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(settle, range(6)))
    assert len({entry_id for _, entry_id, _ in results}) == 1
    assert [created for _, _, created in results].count(True) == 1
    with connect(ledger) as connection:
        assert balances(connection)[wallet] == 7


def test_hot_to_hot_with_one_key_posts_once(ledger: str) -> None:
    """[PAY-27] Where no account is locked, the unique key alone keeps an entry single."""
    start = threading.Barrier(4)

    def move(_: int) -> bool:
        with connect(ledger) as connection:
            start.wait()
            return post(connection, [entry("k", (MANUAL, "7"), (PLATFORM, "-7"))])[0][2]

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(move, range(4))) == [False, False, False, True]
    with connect(ledger) as connection:
        connection.execute("select internal.refresh_hot_balances()")
        assert balances(connection)[MANUAL] == 7


def test_crossing_batches_neither_deadlock_nor_lose_money(ledger: str) -> None:
    """[REL-191] [PAY-129] Batches over the same wallets in opposite orders: no deadlock, no overdraft, nothing lost."""
    with connect(ledger) as connection:
        codes = make_wallets(connection, 6, opening="20")

    def work(worker: int) -> set[str | None]:
        states: set[str | None] = set()
        ring = codes if worker % 2 else codes[::-1]
        with connect(ledger) as connection:
            for turn in range(12):
                batch = [
                    entry(f"{worker}:{turn}:{n}", (target, "9"), (source, "-9"))
                    for n, (source, target) in enumerate(zip(ring, ring[1:] + ring[:1], strict=True))
                ]
                try:
                    post(connection, batch[turn % 6 :] + batch[: turn % 6])
                except psycopg.Error as refusal:
                    states.add(refusal.sqlstate)
                connection.execute("select internal.refresh_hot_balances()")
        return states

    with ThreadPoolExecutor(4) as pool:
        states = set().union(*pool.map(work, range(4)))
    assert states <= {"NX001"}
    with connect(ledger) as connection:
        found = balances(connection)
        assert sum(found[code] for code in codes) == 120
        assert min(found[code] for code in codes) >= 0
        assert sum(found.values()) == 0
