"""Meters and gateways of grids, in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.grid_register import MemoryGridRegister
from nxt_domain.grids.connectivity import HardwareFacts
from nxt_domain.grids.hardware_views import DcuView
from nxt_domain.grids.pbg_connections import PbgConnection
from nxt_domain.identity.scope import Scope


@attrs.frozen(kw_only=True)
class ServingMeter:
    """A live meter, where it stands, and the gateway it speaks through."""

    connection: PbgConnection
    grid_id: int
    is_reachable: bool


class MemoryGridHardware:
    """Implements ``GridHardware``; a grid that the scope does not see has none.

    Args:
        database: Shared with the other fakes.
        scope: Whose grids.
    """

    def __init__(self, database: MemoryDatabase, scope: Scope) -> None:
        self._grids = MemoryGridRegister(database, scope)
        self._meters: dict[int, ServingMeter] = database.table("serving_meters")
        self._gateways: dict[int, DcuView] = database.table("dcu_views")

    async def facts(self, grid_id: int) -> HardwareFacts:
        """See ``GridHardware.facts``."""
        meters = await self._on(grid_id)
        is_seen = await self._grids.get(grid_id) is not None
        standing = [row for row in self._gateways.values() if row.grid_id == grid_id and row.deleted_at is None]
        gateways = sorted(standing if is_seen else [], key=lambda row: row.external_reference)
        return HardwareFacts(
            meters=len(meters),
            reachable_meters=sum(meter.is_reachable for meter in meters),
            online=[gateway.external_reference for gateway in gateways if gateway.is_online],
            offline=[gateway.external_reference for gateway in gateways if not gateway.is_online],
        )

    async def pbg_order(self, grid_id: int) -> Sequence[int]:
        """See ``GridHardware.pbg_order``."""
        rows = [meter.connection for meter in await self._on(grid_id)]
        new = sorted(row.meter_id for row in rows if row.commissioned_at is None)
        done = [(-row.commissioned_at.timestamp(), row.meter_id) for row in rows if row.commissioned_at is not None]
        return [*new, *(meter_id for _, meter_id in sorted(done))]

    async def pbg_connections(self, grid_id: int, meter_ids: Collection[int]) -> Mapping[int, PbgConnection]:
        """See ``GridHardware.pbg_connections``."""
        rows = [meter.connection for meter in await self._on(grid_id)]
        return {row.meter_id: row for row in rows if row.meter_id in meter_ids}

    def know_meter(self, meter: ServingMeter) -> None:
        """Set up or change a meter."""
        self._meters[meter.connection.meter_id] = meter

    async def _on(self, grid_id: int) -> list[ServingMeter]:
        is_seen = await self._grids.get(grid_id) is not None
        return [meter for meter in self._meters.values() if is_seen and meter.grid_id == grid_id]
