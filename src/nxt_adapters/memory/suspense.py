"""Decisions about suspended money, in memory."""

from __future__ import annotations

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.orders import StoredOrder
from nxt_domain.orders.states import OrderStatus
from nxt_domain.orders.suspense import Resolution, ResolutionState


class MemorySuspenseResolutions:
    """Implements ``SuspenseResolutions``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._rows: dict[int, tuple[int, Resolution]] = database.table("suspense_resolutions")
        self._orders: dict[int, StoredOrder] = database.table("orders")

    async def decide(self, decided: Resolution) -> int | None:
        """See ``SuspenseResolutions.decide``."""
        attempt, earlier = self._rows.get(decided.entry_id, (0, None))
        if earlier is not None and not self._fell_through(earlier):
            return None
        self._rows[decided.entry_id] = (attempt + 1, decided)
        return attempt + 1

    async def find(self, entry_id: int) -> Resolution | None:
        """See ``SuspenseResolutions.find``."""
        return self._rows[entry_id][1] if entry_id in self._rows else None

    async def save(self, decided: Resolution) -> None:
        """See ``SuspenseResolutions.save``."""
        attempt, _ = self._rows[decided.entry_id]
        self._rows[decided.entry_id] = (attempt, decided)

    def _fell_through(self, decided: Resolution) -> bool:
        order = self._orders.get(decided.order_id or 0)
        has_failed = order is not None and order.order.status is OrderStatus.FAILED
        return decided.state is ResolutionState.FAILED or has_failed
