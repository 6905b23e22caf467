"""Grids and gateways in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_domain.grids.model import Gateway, GridTwin, is_energised


@attrs.frozen(kw_only=True)
class GridRow:
    """A grid's power, as its row tells it."""

    id: int
    is_hps_on: bool = True
    is_generation_managed: bool = True
    is_deleted: bool = False


@attrs.frozen(kw_only=True)
class GatewayRow:
    """A gateway and where it stands."""

    gateway: Gateway
    grid_id: int | None
    is_deleted: bool = False


class MemoryGridTwins:
    """Implements ``GridTwins``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._grids: dict[int, GridRow] = database.table("grids")
        self._gateways: dict[int, GatewayRow] = database.table("gateways")

    async def twins(self, grid_ids: Collection[int]) -> Mapping[int, GridTwin]:
        """See ``GridTwins.twins``."""
        rows = (self._grids[grid_id] for grid_id in sorted(grid_ids) if grid_id in self._grids)
        return {row.id: self._twin(row) for row in rows if not row.is_deleted}

    async def gateways(self, external_references: Collection[str]) -> Mapping[str, Gateway]:
        """See ``GridTwins.gateways``."""
        wanted = {reference.lower() for reference in external_references}
        live = (row.gateway for row in self._gateways.values() if not row.is_deleted)
        named = {gateway.external_reference.lower(): gateway for gateway in live}
        return {reference: gateway for reference, gateway in named.items() if reference in wanted}

    def know_grid(self, row: GridRow) -> None:
        """Set up or change a grid."""
        self._grids[row.id] = row

    def know_gateway(self, gateway: Gateway, grid_id: int | None, *, is_deleted: bool = False) -> None:
        """Set up or change a gateway."""
        self._gateways[gateway.id] = GatewayRow(gateway=gateway, grid_id=grid_id, is_deleted=is_deleted)

    def _twin(self, row: GridRow) -> GridTwin:
        gateways = [
            place.gateway
            for _, place in sorted(self._gateways.items())
            if place.grid_id == row.id and not place.is_deleted
        ]
        powered = is_energised(is_generation_managed=row.is_generation_managed, is_hps_on=row.is_hps_on)
        return GridTwin(grid_id=row.id, is_energised=powered, gateways=gateways)
