"""Grids and gateways, read inside the transaction that needs them [R26]."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import RowMapping, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.tables import dcus, grids
from nxt_domain.grids.model import CommunicationProtocol, Gateway, GridTwin, is_energised

_GATEWAYS = select(
    dcus.c.id, dcus.c.external_reference, dcus.c.communication_protocol, dcus.c.is_online, dcus.c.grid_id
).where(dcus.c.deleted_at.is_(None))


class PostgresGridTwins:
    """``GridTwins`` on the relational plane."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def twins(self, grid_ids: Collection[int]) -> Mapping[int, GridTwin]:
        """See ``GridTwins.twins``."""
        if not grid_ids:
            return {}
        gateways = await self._gateways_of(grid_ids)
        query = select(grids.c.id, grids.c.is_hps_on, grids.c.is_generation_managed_by_nxt_grid).where(
            grids.c.id.in_(sorted(grid_ids)), grids.c.deleted_at.is_(None)
        )
        return {
            row.id: GridTwin(
                grid_id=row.id,
                is_energised=is_energised(
                    is_generation_managed=row.is_generation_managed_by_nxt_grid, is_hps_on=row.is_hps_on
                ),
                gateways=gateways.get(row.id, ()),
            )
            for row in await self._connection.execute(query)
        }

    async def gateways(self, external_references: Collection[str]) -> Mapping[str, Gateway]:
        """See ``GridTwins.gateways``."""
        if not external_references:
            return {}
        references = sorted({reference.lower() for reference in external_references})
        query = _GATEWAYS.where(func.lower(dcus.c.external_reference).in_(references))
        rows = (await self._connection.execute(query)).mappings()
        return {row["external_reference"].lower(): _gateway(row) for row in rows}

    async def _gateways_of(self, grid_ids: Collection[int]) -> Mapping[int, Sequence[Gateway]]:
        by_grid: dict[int, list[Gateway]] = defaultdict(list)
        query = _GATEWAYS.where(dcus.c.grid_id.in_(sorted(grid_ids))).order_by(dcus.c.id)
        for row in (await self._connection.execute(query)).mappings():
            by_grid[row["grid_id"]].append(_gateway(row))
        return by_grid


def _gateway(row: RowMapping) -> Gateway:
    return Gateway(
        id=row["id"],
        external_reference=row["external_reference"],
        communication_protocol=CommunicationProtocol(row["communication_protocol"]),
        is_online=row["is_online"],
    )
