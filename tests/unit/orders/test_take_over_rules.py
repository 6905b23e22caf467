"""Whatever a predecessor's rows say, the books that come of them hold together."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.predecessor import InMemory

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.ledger import MemoryLedger
from nxt_adapters.memory.take_over import MemoryNewBooks, MemoryTakeOverWork
from nxt_domain.orders.old_books import Oddity, OldWallet, Stage
from nxt_domain.orders.take_over import close_wallet, money
from nxt_domain.orders.use_cases.take_over import TakeOver
from nxt_domain.wallets.accounts import wallet_account

WALLETS = (1, 2, 3)
AMOUNTS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True, width=32),
    st.sampled_from([100.0, 0.1 + 0.2, 10.00005, -10.00005, 0.00001, 1e15, 2e16]),
)
WALLET = st.sampled_from([*WALLETS, 968, 4, None])
ROW = st.tuples(WALLET, AMOUNTS)
STATUS = st.sampled_from(["COMPLETED", "FAILED", "PENDING", "CANCELLED"])
ORDER = st.tuples(AMOUNTS, st.tuples(WALLET, WALLET), STATUS, st.lists(ROW, max_size=4))
PAIR = st.builds(
    lambda amount, ends: (amount, ends, "COMPLETED", [(ends[1], amount), (ends[0], -amount)]),
    AMOUNTS,
    st.tuples(st.sampled_from(WALLETS), st.sampled_from(WALLETS)),
)


def _written(
    orders: list[tuple[float, tuple[int | None, int | None], str, list[tuple[int | None, float]]]],
) -> InMemory:
    old = InMemory()
    old.wallet(968, 0, identifier="BANKING_SYSTEM")
    for wallet_id in WALLETS:
        old.wallet(wallet_id, 7, organization_id=wallet_id)
    old.wallet(4, 0)
    for order_id, (amount, ends, status, rows) in enumerate(orders, start=1):
        if order_id % 5:
            old.order(order_id, amount, ends=ends, order_status=status)
        old.rows(order_id, *rows)
    return old


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(orders=st.lists(st.one_of(ORDER, PAIR), max_size=12), limit=st.integers(1, 5))
def test_books_hold_together_whatever_the_rows_say(
    orders: list[tuple[float, tuple[int | None, int | None], str, list[tuple[int | None, float]]]], limit: int
) -> None:
    """[PAY-40] [PAY-25] [PAY-28] [PAY-29] Each wallet ends with the sum of its rows, and was never below zero."""
    books, database = _written(orders).books(), MemoryDatabase()

    async def run() -> None:
        took = TakeOver(source=books, begin=lambda: MemoryTakeOverWork(database), limit=limit)
        done = await took(lambda standing, extent: None)
        assert done.standing.stage is Stage.DONE
        ledger = MemoryLedger(database)
        assert await ledger.findings() == []
        stored = MemoryNewBooks(database)
        for wallet in await books.wallets(0, 99):
            if wallet.is_system or not wallet.is_takeable:
                continue
            balance = ledger.balance(wallet_account(wallet.id))
            assert balance == max(wallet.posted, Decimal(0))
            # [PAY-38] What clients will see: rows of orders, and those that orders were made for.
            shown = sum(row.amount for row in stored.rows.values() if row.wallet_id == wallet.id and row.is_successful)
            shown += sum(one.amount for one in stored.carriers.values() if one.wallet_id == wallet.id)
            assert shown == balance

    asyncio.run(run())


def _wallet(balance: str, posted: str) -> OldWallet:
    amounts = Decimal(balance), Decimal(posted)
    return OldWallet(id=7, identifier=None, owners=1, balance=amounts[0], posted=amounts[1], columns={})


def test_a_wallet_that_shows_what_was_posted_is_not_told_about() -> None:
    """[PAY-40] A float's noise is no difference."""
    taken = close_wallet(_wallet("0.30000000000000004", "0.3"), Decimal("0.3"), 968)
    assert (taken.remarks, taken.entries) == ([], [])


def test_what_was_lent_is_taken_back() -> None:
    """[PAY-29] [PAY-40] The account ends with the sum of the rows."""
    taken = close_wallet(_wallet("50", "50"), Decimal(350), 968)
    assert [leg.amount for leg in taken.entries[0].postings] == [-300, 300]


def test_a_sum_below_zero_is_raised() -> None:
    """[PAY-22] [PAY-40] By a row of its own, so that rows and balance agree."""
    taken = close_wallet(_wallet("-20", "-20"), Decimal(0), 968)
    assert [one.amount for one in taken.carriers] == [20]
    assert [(one.kind, one.amount) for one in taken.remarks] == [(Oddity.RAISED_TO_ZERO, 20)]
    assert not taken.entries


def test_what_is_no_amount_of_money() -> None:
    """[PAY-2] [PAY-5] At most 4 decimals, an exact half toward +∞, and it fits the column."""
    assert money(Decimal("10.00005")) == Decimal("10.0001")
    assert money(Decimal("-10.00005")) == Decimal("-10.0000")
    assert [money(Decimal(text)) for text in ("NaN", "Infinity", "1E16")] == [None, None, None]
