"""Taking over a predecessor's books, once, a part at a time [PAY-40, REL-132]."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Final

import attrs

from nxt_domain.orders.old_books import (
    Extent,
    Oddity,
    OldBooks,
    OldWallet,
    Remark,
    Stage,
    Standing,
    TakeOverTransaction,
)
from nxt_domain.orders.take_over import Taken, bridged, close_wallet, take_loose_rows, take_order, take_wallet
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_domain.wallets.accounts import wallet_account

_NEXT: Final = {
    Stage.WALLETS: Stage.ORDERS,
    Stage.ORDERS: Stage.LOOSE_ROWS,
    Stage.LOOSE_ROWS: Stage.BALANCES,
    Stage.BALANCES: Stage.DONE,
}
_NOTHING: Final = Taken()
Told = Callable[[Standing, Extent], None]
"""Hears after each part how far it is."""


@attrs.frozen(kw_only=True)
class TakenOver:
    """The outcome of a run.

    Attributes:
        was_done: Nothing was left to do: an earlier run had done it all.
    """

    extent: Extent
    standing: Standing
    was_done: bool


@attrs.frozen(kw_only=True)
class _Part:
    """What one part of a stage comes to.

    Attributes:
        last: Id of its last row; None: the stage has no more.
        wallets: To be stored.
    """

    last: int | None
    taken: Taken = _NOTHING
    wallets: Sequence[OldWallet] = ()
    closed: Sequence[OldWallet] = ()


class TakeOver:
    """Stores a predecessor's wallets, orders and rows, and books them.

    Each part is one transaction, which also writes down how far it is: after a crash the next run goes on, and after
    the last part a further run changes nothing.

    Args:
        source: The predecessor's books; nobody writes them any more.
        begin: Opens a transaction on the new ones.
        limit: Wallets or orders in a part.
    """

    def __init__(self, *, source: OldBooks, begin: UnitOfWorkFactory[TakeOverTransaction], limit: int = 500) -> None:
        self._source = source
        self._begin = begin
        self._limit = limit

    async def __call__(self, told: Told) -> TakenOver:
        """Take over everything that is not taken over yet.

        Raises:
            InvalidInput: The predecessor has no such tables, or no system wallet.
            Conflict: The ledger was in use before, or something that wallets and orders point to is missing.
        """
        extent = await self._source.extent()
        _system_wallet(extent)
        was_done = True
        while (standing := await self._step(extent)) is not None:
            was_done = False
            told(standing, extent)
        async with self._begin() as tx:
            standing = await tx.new_books.begin(extent)
        return TakenOver(extent=extent, standing=standing, was_done=was_done)

    async def _step(self, extent: Extent) -> Standing | None:
        """Do one part; None: there is none left."""
        async with self._begin() as tx:
            standing = await tx.new_books.begin(extent)
            if standing.stage is Stage.DONE:
                return None
            part = await read_part(self._source, standing, extent, self._limit)
            posted = await _write(tx, part, _system_wallet(extent))
            after = _advanced(standing, part, posted)
            if after.stage is Stage.DONE:
                await tx.new_books.finish()
            await tx.new_books.advance(after)
            await tx.commit()
        return after


class Rehearse:
    """Reads a predecessor's books as ``TakeOver`` does, and tells what it would; nothing is written.

    Args:
        source: The predecessor's books.
        limit: Wallets or orders in a part.
    """

    def __init__(self, *, source: OldBooks, limit: int = 500) -> None:
        self._source = source
        self._limit = limit

    async def __call__(self, told: Told, hear: Callable[[Sequence[Remark]], None]) -> TakenOver:
        """Go through everything once.

        Args:
            told: Hears how far it is.
            hear: Gets the lines of the report, a part at a time.

        Raises:
            InvalidInput: The predecessor has no such tables, or no system wallet.
        """
        extent = await self._source.extent()
        system_wallet_id = _system_wallet(extent)
        standing = Standing()
        while standing.stage is not Stage.DONE:
            part = await read_part(self._source, standing, extent, self._limit)
            closings = [close_wallet(one, max(one.posted, Decimal(0)), system_wallet_id) for one in part.closed]
            hear([*part.taken.remarks, *Taken.all_of(closings).remarks])
            standing = _advanced(standing, part, len(part.taken.entries))
            told(standing, extent)
        return TakenOver(extent=extent, standing=standing, was_done=False)


async def read_part(source: OldBooks, standing: Standing, extent: Extent, limit: int) -> _Part:
    """Read the next part of a stage, and decide what becomes of it."""
    read: Mapping[Stage, Callable[[OldBooks, int, int, int], Awaitable[_Part]]] = {
        Stage.WALLETS: _wallets,
        Stage.ORDERS: _orders,
        Stage.LOOSE_ROWS: _loose_rows,
        Stage.BALANCES: _balances,
    }
    return await read[standing.stage](source, standing.after, limit, _system_wallet(extent))


async def _wallets(source: OldBooks, after: int, limit: int, _system_wallet_id: int) -> _Part:
    found = await source.wallets(after, limit)
    remarks = [remark for wallet in found if (remark := take_wallet(wallet)) is not None]
    return _Part(
        last=found[-1].id if found else None,
        taken=Taken(remarks=remarks),
        wallets=[wallet for wallet in found if wallet.is_takeable],
    )


async def _orders(source: OldBooks, after: int, limit: int, system_wallet_id: int) -> _Part:
    found = await source.orders(after, limit)
    named = {id_ for order in found for id_ in (order.sender_wallet_id, order.receiver_wallet_id)}
    named |= {row.wallet_id for order in found for row in order.rows}
    wallets = await _takeable(source, named)
    taken = Taken.all_of(take_order(order, wallets, system_wallet_id) for order in found)
    return _Part(last=found[-1].id if found else None, taken=taken)


async def _loose_rows(source: OldBooks, after: int, limit: int, system_wallet_id: int) -> _Part:
    found = await source.loose_rows(after, limit)
    wallets = await _takeable(source, {row.wallet_id for row in found})
    return _Part(last=found[-1].id if found else None, taken=take_loose_rows(found, wallets, system_wallet_id))


async def _balances(source: OldBooks, after: int, limit: int, _system_wallet_id: int) -> _Part:
    found = await source.wallets(after, limit)
    return _Part(last=found[-1].id if found else None, closed=[wallet for wallet in found if wallet.is_takeable])


async def _takeable(source: OldBooks, ids: Collection[int | None]) -> Mapping[int, OldWallet]:
    found = await source.wallets_by_id({id_ for id_ in ids if id_ is not None})
    return {id_: wallet for id_, wallet in found.items() if wallet.is_takeable}


async def _write(tx: TakeOverTransaction, part: _Part, system_wallet_id: int) -> int:
    """Store and book a part; returns how many entries were posted."""
    taken = part.taken
    if part.closed:
        balances = await tx.ledger.balances([wallet_account(one.id) for one in part.closed if not one.is_system])
        taken = Taken.all_of(
            close_wallet(one, balances.get(wallet_account(one.id), Decimal(0)), system_wallet_id) for one in part.closed
        )
    await tx.new_books.add_wallets(part.wallets)
    without_reference = await tx.new_books.add_orders(taken.orders)
    await tx.new_books.add_rows(taken.rows)
    await tx.new_books.add_carriers(taken.carriers)
    accounts = {leg.account for entry in taken.entries for leg in entry.postings if leg.account.startswith("wallet:")}
    entries = bridged(taken.entries, await tx.ledger.balances(accounts))
    await tx.ledger.post(entries)
    repeated = [
        Remark(kind=Oddity.ORDER_CHANGED, order_id=order_id, detail="another order has its reference")
        for order_id in without_reference
    ]
    await tx.new_books.note([*taken.remarks, *repeated])
    return len(entries)


def _advanced(standing: Standing, part: _Part, entries: int) -> Standing:
    if part.last is None:
        return attrs.evolve(standing, stage=_NEXT[standing.stage], after=0)
    return attrs.evolve(
        standing,
        after=part.last,
        wallets=standing.wallets + len(part.wallets),
        orders=standing.orders + len(part.taken.orders),
        rows=standing.rows + len(part.taken.rows) + len(part.taken.carriers),
        entries=standing.entries + entries,
    )


def _system_wallet(extent: Extent) -> int:
    if extent.system_wallet_id is None:
        text = "The predecessor has no wallet with the identifier BANKING_SYSTEM"
        raise InvalidInput(text, code="NO_SYSTEM_WALLET")
    return extent.system_wallet_id
