"""Takes each day's business figures of grids [TEL-133 … TEL-138, PAY-173]."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from nxt_domain.shared.clock import Clock
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory
from nxt_domain.telemetry.business import BusinessFigures, BusinessRows, day_before, due_day


class BusinessTransaction(UnitOfWork, Protocol):
    """One transaction over what grids are as businesses."""

    @property
    def business_figures(self) -> BusinessFigures:
        """Figures."""


class SnapshotBusiness:
    """Stores yesterday's figures once for each grid; run hourly for half a day, a missed run is made up for.

    Args:
        begin: Opens a transaction.
        rows: Where they are kept.
        clock: Present time.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[BusinessTransaction], rows: BusinessRows, clock: Clock) -> None:
        self._begin = begin
        self._rows = rows
        self._clock = clock

    async def __call__(self) -> int:
        """Take what is due and not there yet; return how many grids' figures were stored.

        Raises:
            Unavailable: A store can't be reached.
        """
        day = due_day(self._clock.now())
        return 0 if day is None else await self._take(day, is_again=False)

    async def again(self) -> int:
        """Take yesterday's figures anew, whatever is stored; for people, by hand. Counts are those of now.

        Raises:
            Unavailable: A store can't be reached.
        """
        return await self._take(day_before(self._clock.now()), is_again=True)

    async def _take(self, day: datetime, *, is_again: bool) -> int:
        known = () if is_again else await self._rows.known(day)
        async with self._begin() as tx:
            figures = await tx.business_figures.of_day(day, day + timedelta(days=1))
        new = [grid for grid in figures if grid.grid_id not in known]
        if new:
            await self._rows.store(new, day)
        return len(new)
