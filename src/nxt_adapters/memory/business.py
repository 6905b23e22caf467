"""What grids are as businesses, and its series, in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from nxt_adapters.memory.database import MemoryDatabase
from nxt_domain.telemetry.business import GridBusiness


class MemoryBusinessFigures:
    """Implements ``BusinessFigures``; every day is like the other.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._grids: dict[int, GridBusiness] = database.table("grid_business")

    def know(self, grid: GridBusiness) -> None:
        """Set up a grid."""
        self._grids[grid.grid_id] = grid

    async def of_day(self, start: datetime, end: datetime) -> Sequence[GridBusiness]:
        """See ``BusinessFigures.of_day``."""
        return [grid for _, grid in sorted(self._grids.items())]


class MemoryBusinessRows:
    """Implements ``BusinessRows``.

    Attributes:
        rows: By begin of the day and grid.
    """

    def __init__(self) -> None:
        self.rows: dict[tuple[datetime, int], GridBusiness] = {}

    async def known(self, day: datetime) -> Collection[int]:
        """See ``BusinessRows.known``."""
        return {grid_id for at, grid_id in self.rows if at == day.astimezone(UTC)}

    async def store(self, rows: Sequence[GridBusiness], day: datetime) -> None:
        """See ``BusinessRows.store``."""
        self.rows.update({(day.astimezone(UTC), row.grid_id): row for row in rows})
