"""A predecessor's books in memory, and those that take them over.

old = MemoryOldBooks(wallets=[...], orders=[...])
new = MemoryDatabase()
await TakeOver(source=old, begin=lambda: MemoryTakeOverWork(new))(lambda standing, extent: None)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import attrs

from nxt_adapters.memory.database import MemoryDatabase, MemoryTransaction
from nxt_adapters.memory.ledger import MemoryLedger
from nxt_domain.orders.old_books import (
    SYSTEM_WALLET,
    Carrier,
    Extent,
    OldOrder,
    OldRow,
    OldWallet,
    Remark,
    Standing,
    TakenOrder,
    TakenRow,
)
from nxt_domain.shared.errors import Conflict


class MemoryOldBooks:
    """Implements ``OldBooks``.

    Args:
        wallets: The predecessor's wallets.
        orders: Its orders, with their rows.
        loose_rows: Rows whose order is missing.
    """

    def __init__(
        self, *, wallets: Sequence[OldWallet], orders: Sequence[OldOrder] = (), loose_rows: Sequence[OldRow] = ()
    ) -> None:
        self._wallets = sorted(wallets, key=lambda wallet: wallet.id)
        self._orders = sorted(orders, key=lambda order: order.id)
        self._loose = sorted(loose_rows, key=lambda row: row.id)

    async def extent(self) -> Extent:
        """See ``OldBooks.extent``."""
        rows = [row.id for order in self._orders for row in order.rows] + [row.id for row in self._loose]
        system = [wallet.id for wallet in self._wallets if wallet.identifier == SYSTEM_WALLET]
        return Extent(
            wallets=len(self._wallets),
            orders=len(self._orders),
            rows=len(rows),
            last_wallet_id=max((wallet.id for wallet in self._wallets), default=0),
            last_order_id=max((order.id for order in self._orders), default=0),
            last_row_id=max(rows, default=0),
            system_wallet_id=min(system, default=None),
        )

    async def wallets(self, after: int, limit: int) -> Sequence[OldWallet]:
        """See ``OldBooks.wallets``."""
        return [wallet for wallet in self._wallets if wallet.id > after][:limit]

    async def wallets_by_id(self, ids: Collection[int]) -> Mapping[int, OldWallet]:
        """See ``OldBooks.wallets_by_id``."""
        return {one.id: attrs.evolve(one, posted=one.posted * 0) for one in self._wallets if one.id in ids}

    async def orders(self, after: int, limit: int) -> Sequence[OldOrder]:
        """See ``OldBooks.orders``."""
        return [order for order in self._orders if order.id > after][:limit]

    async def loose_rows(self, after: int, limit: int) -> Sequence[OldRow]:
        """See ``OldBooks.loose_rows``."""
        return [row for row in self._loose if row.id > after][:limit]


class MemoryNewBooks:
    """Implements ``NewBooks``."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._state: dict[str, Standing] = database.table("take_over")
        self._remarks: dict[int, Remark] = database.table("take_over_remarks")
        self.wallets: dict[int, OldWallet] = database.table("taken_wallets")
        self.orders: dict[int, TakenOrder] = database.table("taken_orders")
        self.rows: dict[int, TakenRow] = database.table("taken_rows")
        self.carriers: dict[str, Carrier] = database.table("taken_carriers")

    async def begin(self, extent: Extent) -> Standing:
        """See ``NewBooks.begin``."""
        if "now" not in self._state:
            if self._database.table("ledger_entries"):
                raise Conflict("The ledger has entries already", code="LEDGER_IN_USE")
            self._state["now"] = Standing()
        return self._state["now"]

    async def advance(self, standing: Standing) -> None:
        """See ``NewBooks.advance``."""
        self._state["now"] = standing

    async def add_wallets(self, wallets: Sequence[OldWallet]) -> None:
        """See ``NewBooks.add_wallets``."""
        for wallet in wallets:
            known = self.wallets.setdefault(wallet.id, wallet)
            if (known.owners, known.identifier) != (wallet.owners, wallet.identifier):
                raise Conflict(f"Wallet {wallet.id} is there already, with another owner", code="OTHER_WALLET")

    async def add_orders(self, orders: Sequence[TakenOrder]) -> Sequence[int]:
        """See ``NewBooks.add_orders``."""
        used = {one.columns.get("external_reference") for one in self.orders.values()}
        repeated = []
        for order in orders:
            reference = order.columns.get("external_reference")
            if reference is not None and reference in used:
                repeated.append(order.id)
            used.add(reference)
            self.orders[order.id] = order
        return repeated

    async def add_rows(self, rows: Sequence[TakenRow]) -> None:
        """See ``NewBooks.add_rows``."""
        self.rows.update({row.id: row for row in rows})

    async def add_carriers(self, carriers: Sequence[Carrier]) -> None:
        """See ``NewBooks.add_carriers``."""
        self.carriers.update({carrier.reference: carrier for carrier in carriers})

    async def note(self, remarks: Sequence[Remark]) -> None:
        """See ``NewBooks.note``."""
        for remark in remarks:
            self._remarks[self._database.next_id("take_over_remarks")] = remark

    async def remarks(self, after: int, limit: int) -> Sequence[tuple[int, Remark]]:
        """See ``NewBooks.remarks``."""
        return [(number, self._remarks[number]) for number in sorted(self._remarks) if number > after][:limit]

    async def finish(self) -> None:
        """See ``NewBooks.finish``: a ledger in memory has no statistics that lag."""


class MemoryTakeOverWork(MemoryTransaction):
    """Implements ``TakeOverTransaction``."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.ledger = MemoryLedger(database)
        self.new_books = MemoryNewBooks(database)
