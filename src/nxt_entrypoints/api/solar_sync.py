"""Synchronisations of solar chargers, which go on after the answer [API-110]."""

from __future__ import annotations

import structlog

from nxt_domain.grids.use_cases.sync_solar_chargers import SyncSolarChargers
from nxt_domain.identity.model import Principal
from nxt_entrypoints.background import Background

_log = structlog.get_logger("nxt.api")


class SolarSync:
    """Begins synchronisations.

    Args:
        sync: Synchronises one grid.
        background: Where that runs.
    """

    def __init__(self, sync: SyncSolarChargers, background: Background) -> None:
        self._sync = sync
        self._background = background

    async def begin(self, caller: Principal, grid_id: int) -> None:
        """Begin one, if none of this grid is under way.

        Raises:
            NotFound: The grid is unknown, deleted or foreign.
        """
        await self._sync.require_grid(caller, grid_id)
        self._background.start("mppt sync", self._run(caller, grid_id))

    async def _run(self, caller: Principal, grid_id: int) -> None:
        report = await self._sync(caller, grid_id)
        _log.info(
            "solar chargers synchronised",
            grid_id=grid_id,
            outcome=report.outcome.value,
            added=report.added,
            removed=report.removed,
        )
