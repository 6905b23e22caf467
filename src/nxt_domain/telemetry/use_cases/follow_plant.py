"""Keep ``grids.is_hps_on`` true to the power that plants report (section 13)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta

from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Unavailable
from nxt_domain.telemetry.model import PowerReading
from nxt_domain.telemetry.ports import GridState, PlantMonitor
from nxt_domain.telemetry.twin import GridTwin

_log = logging.getLogger(__name__)

REFRESH_EVERY = timedelta(minutes=1)


class FollowPlant:
    """Follows every plant with a gateway and stores when its grid becomes energised or dark.

    Args:
        monitor: Where power readings come from; left running when ``run`` ends.
        grids: Settings and state of grids.
        clock: Tells the time of a change.
        refresh_every: How often the set of gateways and their settings are read anew [TEL-152].
    """

    def __init__(
        self, monitor: PlantMonitor, grids: GridState, clock: Clock, *, refresh_every: timedelta = REFRESH_EVERY
    ) -> None:
        self._monitor = monitor
        self._grids = grids
        self._clock = clock
        self._refresh_every = refresh_every
        self._twins: dict[int, GridTwin] = {}

    @property
    def twins(self) -> Mapping[int, GridTwin]:
        """The twins as they stand, by grid id."""
        return dict(self._twins)

    async def run(self) -> None:
        """Follow until the monitor is stopped."""
        await self.refresh()
        refreshing = asyncio.create_task(self._refresh_for_ever())
        try:
            async for reading in self._monitor.readings():
                await self.observe(reading)
        finally:
            refreshing.cancel()
            await asyncio.gather(refreshing, return_exceptions=True)

    async def refresh(self) -> None:
        """Take over new, changed and vanished gateways [TEL-152]; the last settings stay while the store is away."""
        try:
            grids = await self._grids.gateway_grids()
        except Unavailable:
            _log.warning("gateway grids can't be read; the twins keep their last settings")
            return
        self._twins = {
            grid.grid_id: self._twins[grid.grid_id].reconfigure(grid)
            if grid.grid_id in self._twins and self._twins[grid.grid_id].grid.portal_id == grid.portal_id
            else GridTwin(grid=grid)
            for grid in grids
        }
        await self._monitor.watch({grid.portal_id for grid in grids})

    async def observe(self, reading: PowerReading) -> None:
        """Take in one reading, and store the new state of each grid that it changes [TEL-155, TEL-157]."""
        fed = [twin for twin in self._twins.values() if twin.grid.portal_id == reading.portal_id]
        for twin in fed:  # one, save where two grids share a gateway
            seen = twin.observe(reading)
            self._twins[twin.grid.grid_id] = seen
            change = seen.change()
            if change is not None:
                await self._store(twin.grid.grid_id, is_hps_on=change)

    async def _store(self, grid_id: int, *, is_hps_on: bool) -> None:
        try:
            await self._grids.set_energised(grid_id, is_hps_on=is_hps_on, at=self._clock.now())
        except Unavailable:
            # The twin keeps its old state, so the next message tries again.
            _log.warning("grid %d: is_hps_on=%s can't be stored", grid_id, is_hps_on)
            return
        _log.info("grid %d: is_hps_on=%s", grid_id, is_hps_on)
        if grid_id in self._twins:  # a refresh may have dropped it meanwhile
            self._twins[grid_id] = self._twins[grid_id].confirm(is_hps_on=is_hps_on)

    async def _refresh_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._refresh_every.total_seconds())
            await self.refresh()
