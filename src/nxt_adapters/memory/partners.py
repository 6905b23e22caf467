"""What partners read, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import TypeVar

from nxt_adapters.memory.database import MemoryDatabase
from nxt_domain.orders.partners import CustomerEntry, OrderEntry
from nxt_domain.shared.errors import Unavailable
from nxt_domain.shared.numbered_pages import Leaf, NumberedPage, numbered_page
from nxt_domain.telemetry.partners import Consumption, ConsumptionWindow

T = TypeVar("T", CustomerEntry, OrderEntry)


class MemoryPartnerRegister:
    """Implements ``PartnerRegister`` over what may be seen.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._customers: dict[int, CustomerEntry] = database.table("partner_customers")
        self._orders: dict[int, OrderEntry] = database.table("partner_orders")

    async def customers(self, leaf: Leaf) -> NumberedPage[CustomerEntry]:
        """See ``PartnerRegister.customers``."""
        return _page(list(self._customers.values()), leaf)

    async def orders(self, leaf: Leaf) -> NumberedPage[OrderEntry]:
        """See ``PartnerRegister.orders``."""
        return _page(list(self._orders.values()), leaf)

    def know(self, *entries: CustomerEntry | OrderEntry) -> None:
        """Set up what may be seen."""
        for entry in entries:
            if isinstance(entry, CustomerEntry):
                self._customers[entry.id] = entry
            else:
                self._orders[entry.id] = entry


class MemoryConsumptionFeed:
    """Implements ``ConsumptionFeed``; ``hours`` holds each with its grid, in order.

    Attributes:
        is_down: Calls fail.
    """

    def __init__(self) -> None:
        self.hours: list[tuple[int, Consumption]] = []
        self.is_down = False

    async def read(
        self, window: ConsumptionWindow, *, grid_ids: Sequence[int] | None
    ) -> tuple[int, Sequence[Consumption]]:
        """See ``ConsumptionFeed.read``."""
        if self.is_down:
            raise Unavailable("the store is away")
        found = [
            hour
            for grid_id, hour in self.hours
            if window.start <= hour.at <= window.end and (grid_ids is None or grid_id in grid_ids)
        ]
        return len(found), found[window.offset : window.offset + window.limit]


class MemorySiteDirectory:
    """Implements ``SiteDirectory`` over grids' names by id."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}

    async def grids_named(self, name: str) -> Sequence[int]:
        """See ``SiteDirectory.grids_named``."""
        wanted = name.strip().lower()
        return sorted(grid_id for grid_id, own in self.names.items() if own.strip().lower() == wanted)


def _page(entries: list[T], leaf: Leaf) -> NumberedPage[T]:
    keys = attrgetter(leaf.order, "id")
    ordered = sorted(entries, key=keys, reverse=not leaf.ascending)
    return numbered_page(leaf, len(entries), ordered[leaf.offset : leaf.offset + leaf.size])
