"""Contract of ``OldBooks`` and ``NewBooks`` over memory and PostgreSQL: odd books, one outcome [PAY-40]."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from decimal import Decimal

import attrs
import pytest
from tests.support.predecessor import AGENT, CONNECTION, METER, ORG, OWNERLESS, SYSTEM, InMemory, Predecessor, fill

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.take_over import MemoryTakeOverWork
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.old_books import PostgresOldBooks, open_old_books
from nxt_adapters.supabase.take_over import TakeOverWork
from nxt_domain.orders.old_books import Extent, Oddity, OldBooks, Stage, Standing, TakeOverTransaction
from nxt_domain.orders.use_cases.take_over import TakeOver
from nxt_domain.shared.errors import Conflict
from nxt_domain.wallets.accounts import OPENING, manual_account, wallet_account
from nxt_domain.wallets.model import Entry, EntryType, Posting


@attrs.frozen
class Both:
    """The predecessor's books, and new ones."""

    old: OldBooks
    begin: Callable[[], TakeOverTransaction]

    async def take_over(self, limit: int = 4) -> Standing:
        outcome = await TakeOver(source=self.old, begin=self.begin, limit=limit)(lambda standing, extent: None)
        return outcome.standing


@pytest.fixture(params=["memory", "postgres"])
async def both(request: pytest.FixtureRequest) -> AsyncIterator[Both]:
    if request.param == "memory":
        taken_down, database = InMemory(), MemoryDatabase()
        fill(taken_down)
        yield Both(taken_down.books(), lambda: MemoryTakeOverWork(database))
        return
    url = request.getfixturevalue("relational_url")
    predecessor = Predecessor(url)
    fill(predecessor)
    source, engine = open_old_books(url), create_engine(url, pool_size=2)
    yield Both(PostgresOldBooks(source, "predecessor"), lambda: TakeOverWork(engine))
    predecessor.close()
    await source.dispose()
    await engine.dispose()


async def test_how_much_there_is(both: Both) -> None:
    extent = await both.old.extent()
    assert extent == Extent(
        wallets=9, orders=22, rows=42, last_wallet_id=968, last_order_id=23, last_row_id=42, system_wallet_id=SYSTEM
    )


async def test_parts_follow_each_other_by_id(both: Both) -> None:
    seen: list[int] = []
    while part := await both.old.wallets(seen[-1] if seen else 0, 2):
        assert len(part) <= 2
        seen += [wallet.id for wallet in part]
    assert seen == [ORG, AGENT, METER, CONNECTION, OWNERLESS, 61, 62, 63, SYSTEM]
    orders = await both.old.orders(7, 3)
    assert [(order.id, len(order.rows)) for order in orders] == [(8, 2), (9, 3), (10, 1)]
    assert [row.amount for row in orders[0].rows] == [Decimal("10.00005"), Decimal("-10.00005")]
    assert [row.wallet_id for row in await both.old.loose_rows(0, 9)] == [METER, SYSTEM, METER, METER]


async def test_wallets_say_what_they_show_and_what_was_posted(both: Both) -> None:
    """[PAY-5] Each row rounds by itself, an exact half toward +∞."""
    shown = {wallet.id: (wallet.balance, wallet.posted) for wallet in await both.old.wallets(0, 99)}
    assert shown[AGENT] == (20_000, Decimal("18999.7"))
    assert shown[METER] == (1_500, Decimal("2227.3001"))
    found = await both.old.wallets_by_id({METER, 4711})
    assert [(wallet.owners, wallet.posted) for wallet in found.values()] == [(1, 0)]


async def test_the_outcome_is_the_same(both: Both) -> None:
    """[PAY-40] [PAY-28] Balances, and what is told about, whatever the size of the parts."""
    standing = await both.take_over()
    assert (standing.stage, standing.wallets, standing.orders) == (Stage.DONE, 8, 21)
    async with both.begin() as tx:
        codes = [wallet_account(wallet_id) for wallet_id in (ORG, AGENT, METER, CONNECTION, 61, 62, 63)]
        balances = await tx.ledger.balances([*codes, OPENING])
        kinds = Counter(remark.kind for _, remark in await tx.new_books.remarks(0, 99))
    assert [balances[code] for code in codes] == [80_000, Decimal("18999.7"), Decimal("2227.3001"), 2_000, 0, 466, 0]
    assert kinds == {
        Oddity.WALLET_REFUSED: 1,
        Oddity.BALANCE_DIFFERS: 5,
        Oddity.RAISED_TO_ZERO: 1,
        Oddity.ORDER_CHANGED: 4,
        Oddity.ORDER_REFUSED: 1,
        Oddity.NO_ROWS: 1,
        Oddity.NO_PARTNER: 2,
        Oddity.NOT_COMPLETED: 1,
        Oddity.ROUNDING: 1,
        Oddity.AMOUNT_DIFFERS: 1,
        Oddity.OTHER_CURRENCY: 1,
        Oddity.NO_ORDER: 6,
        Oddity.NO_WALLET: 2,
        Oddity.NOT_BOOKABLE: 1,
    }


async def test_where_it_stands_is_kept_with_what_was_done(both: Both) -> None:
    """[PAY-125] A part that was not committed was never done."""
    extent = await both.old.extent()
    async with both.begin() as tx:
        await tx.new_books.begin(extent)
        await tx.new_books.add_wallets(await both.old.wallets(900, 9))
        await tx.new_books.advance(Standing(after=968))
    async with both.begin() as tx:
        assert await tx.new_books.begin(extent) == Standing()
        await tx.new_books.advance(Standing(stage=Stage.ORDERS, after=7, wallets=3))
        await tx.commit()
    async with both.begin() as tx:
        assert await tx.new_books.begin(extent) == Standing(stage=Stage.ORDERS, after=7, wallets=3)


async def test_a_ledger_in_use_is_refused(both: Both) -> None:
    extent = await both.old.extent()
    async with both.begin() as tx:
        await tx.new_books.add_wallets([one for one in await both.old.wallets(0, 99) if one.id in (ORG, SYSTEM)])
        legs = (Posting(wallet_account(ORG), Decimal(1)), Posting(manual_account(), Decimal(-1)))
        await tx.ledger.post([Entry(key="used", entry_type=EntryType.ADJUSTMENT, memo="used", postings=legs)])
        with pytest.raises(Conflict):
            await tx.new_books.begin(extent)
