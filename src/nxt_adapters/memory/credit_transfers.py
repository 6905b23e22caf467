"""Transfers of credit between meters in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.orders import StoredOrder
from nxt_domain.orders.credit_transfers import CreditTransfer, NewCreditTransfer, TransferStatus


@attrs.frozen
class StoredTransfer:
    """A transfer with what only its store needs.

    Attributes:
        look_at: When it is due.
        held: Meters that were put into manual mode for it.
    """

    transfer: CreditTransfer
    look_at: datetime
    held: frozenset[int] = frozenset()


class MemoryCreditTransfers:
    """Implements ``CreditTransfers``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._transfers: dict[int, StoredTransfer] = database.table("credit_transfers")
        self._orders: dict[int, StoredOrder] = database.table("orders")
        self.manual_mode: dict[int, bool] = database.table("manual_mode")

    async def busy(self, meter_ids: Collection[int]) -> Collection[int]:
        """See ``CreditTransfers.busy``."""
        taken = {
            meter_id
            for stored in self._transfers.values()
            if stored.transfer.finished_at is None
            for meter_id in (stored.transfer.sender_meter_id, stored.transfer.receiver_meter_id)
        }
        return sorted(taken & set(meter_ids))

    async def add(self, new: NewCreditTransfer) -> CreditTransfer:
        """See ``CreditTransfers.add``."""
        now = self._database.clock.now()
        transfer = CreditTransfer(
            id=self._database.next_id("credit_transfers"),
            created_at=now,
            status=TransferStatus.PENDING,
            organization_id=None,
            **attrs.asdict(new),
        )
        self._transfers[transfer.id] = StoredTransfer(transfer, now)
        return transfer

    async def due(self, now: datetime, limit: int) -> Sequence[int]:
        """See ``CreditTransfers.due``."""
        open_ = [one for one in self._transfers.values() if one.transfer.finished_at is None and one.look_at <= now]
        return [one.transfer.id for one in sorted(open_, key=lambda one: (one.look_at, one.transfer.id))][:limit]

    async def lock(self, transfer_id: int) -> CreditTransfer | None:
        """See ``CreditTransfers.lock``."""
        stored = self._transfers.get(transfer_id)
        if stored is None or stored.transfer.finished_at is not None:
            return None
        booked = [one.order.id for one in self._orders.values() if one.new.meter_credit_transfer_id == transfer_id]
        return attrs.evolve(stored.transfer, order_id=booked[0] if booked else None)

    async def save(self, transfer: CreditTransfer, *, look_at: datetime) -> None:
        """See ``CreditTransfers.save``."""
        self._transfers[transfer.id] = attrs.evolve(self._transfers[transfer.id], transfer=transfer, look_at=look_at)

    async def hold(self, transfer: CreditTransfer, now: datetime) -> None:
        """See ``CreditTransfers.hold``."""
        meters = (transfer.sender_meter_id, transfer.receiver_meter_id)
        held = frozenset(meter_id for meter_id in meters if not self.manual_mode.get(meter_id, False))
        self.manual_mode.update(dict.fromkeys(held, True))
        self._transfers[transfer.id] = attrs.evolve(self._transfers[transfer.id], held=held)

    async def release(self, transfer: CreditTransfer, now: datetime) -> None:
        """See ``CreditTransfers.release``."""
        self.manual_mode.update(dict.fromkeys(self._transfers[transfer.id].held, False))
