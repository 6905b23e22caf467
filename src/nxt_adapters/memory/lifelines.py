"""Connections by their use, in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from nxt_adapters.memory.database import MemoryDatabase
from nxt_domain.grids.lifeline import HIGHEST_HOURLY_KWH, LifelineGrid
from nxt_domain.shared.errors import Unavailable


class MemoryLifelines:
    """Implements ``Lifelines``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._grids: dict[int, LifelineGrid] = database.table("lifeline_grids")
        self._connections: dict[int, tuple[int, bool | None]] = database.table("lifeline_connections")

    def know(self, grid: LifelineGrid, connection_ids: Collection[int]) -> None:
        """Set up a grid with connections that are not classified yet."""
        self._grids[grid.id] = grid
        self._connections.update(dict.fromkeys(connection_ids, (grid.id, None)))

    def verdict(self, connection_id: int) -> bool | None:
        """Tell what a connection is classified as."""
        return self._connections[connection_id][1]

    async def grids(self) -> Sequence[LifelineGrid]:
        """See ``Lifelines.grids``."""
        return [self._grids[key] for key in sorted(self._grids)]

    async def connections(self, grid_id: int) -> Collection[int]:
        """See ``Lifelines.connections``."""
        return [key for key, (grid, _) in self._connections.items() if grid == grid_id]

    async def classify(self, verdicts: Mapping[int, bool]) -> int:
        """See ``Lifelines.classify``."""
        changed = {key: verdict for key, verdict in verdicts.items() if self.verdict(key) is not verdict}
        for key, verdict in changed.items():
            self._connections[key] = (self._connections[key][0], verdict)
        return len(changed)


class MemoryConnectionUse:
    """Implements ``ConnectionUse`` over hourly values; fails when told to.

    Attributes:
        is_down: Calls fail.
    """

    def __init__(self) -> None:
        self._hours: dict[tuple[int, datetime], Decimal | None] = {}
        self.is_down = False

    def know(self, connection_id: int, hour: datetime, kwh: Decimal | None) -> None:
        """Set an hourly value; None: unknown."""
        self._hours[connection_id, hour.astimezone(UTC)] = kwh

    async def totals_kwh(
        self, connection_ids: Collection[int], start: datetime, end: datetime
    ) -> Mapping[int, Decimal]:
        """See ``ConnectionUse.totals_kwh``."""
        if self.is_down:
            raise Unavailable("the series store is away")
        totals: dict[int, Decimal] = {}
        for (connection_id, hour), kwh in self._hours.items():
            is_counted = kwh is not None and 0 <= kwh <= HIGHEST_HOURLY_KWH and start <= hour < end
            if is_counted and kwh is not None and connection_id in connection_ids:
                totals[connection_id] = totals.get(connection_id, Decimal(0)) + kwh
        return totals
