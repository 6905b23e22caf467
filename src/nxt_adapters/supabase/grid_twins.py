"""Grids and gateways, read inside the transaction that needs them [R26]."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sqlalchemy import ARRAY, Integer, String, any_, bindparam, func, select

from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.tables import dcus, grids
from nxt_adapters.supabase.written import Read, Record
from nxt_domain.grids.model import CommunicationProtocol, Gateway, GridTwin, is_energised

_IDS: Final = bindparam("ids", type_=ARRAY(Integer))

_GRIDS: Final = Read(
    select(grids.c.id, grids.c.is_hps_on, grids.c.is_generation_managed_by_nxt_grid).where(
        grids.c.id == any_(_IDS), grids.c.deleted_at.is_(None)
    )
)

_GATEWAYS: Final = select(
    dcus.c.id, dcus.c.external_reference, dcus.c.communication_protocol, dcus.c.is_online, dcus.c.grid_id
).where(dcus.c.deleted_at.is_(None))

_OF_GRIDS: Final = Read(_GATEWAYS.where(dcus.c.grid_id == any_(_IDS)).order_by(dcus.c.id))

_NAMED: Final = Read(
    _GATEWAYS.where(func.lower(dcus.c.external_reference) == any_(bindparam("references", type_=ARRAY(String))))
)


class PostgresGridTwins:
    """``GridTwins`` on the relational plane.

    Args:
        session: Of the unit of work.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def twins(self, grid_ids: Collection[int]) -> Mapping[int, GridTwin]:
        """See ``GridTwins.twins``."""
        if not grid_ids:
            return {}
        gateways = await self._gateways_of(grid_ids)
        return {
            row.id: GridTwin(
                grid_id=row.id,
                is_energised=is_energised(
                    is_generation_managed=row.is_generation_managed_by_nxt_grid, is_hps_on=row.is_hps_on
                ),
                gateways=gateways.get(row.id, ()),
            )
            for row in await self._session.objects(_GRIDS, {"ids": list(grid_ids)})
        }

    async def gateways(self, external_references: Collection[str]) -> Mapping[str, Gateway]:
        """See ``GridTwins.gateways``."""
        if not external_references:
            return {}
        references = sorted({reference.lower() for reference in external_references})
        rows = await self._session.objects(_NAMED, {"references": references})
        return {row.external_reference.lower(): _gateway(row) for row in rows}

    async def _gateways_of(self, grid_ids: Collection[int]) -> Mapping[int, Sequence[Gateway]]:
        by_grid: dict[int, list[Gateway]] = defaultdict(list)
        for row in await self._session.objects(_OF_GRIDS, {"ids": list(grid_ids)}):
            by_grid[row.grid_id].append(_gateway(row))
        return by_grid


def _gateway(row: Record) -> Gateway:
    return Gateway(
        id=row.id,
        external_reference=row.external_reference,
        communication_protocol=CommunicationProtocol(row.communication_protocol),
        is_online=row.is_online,
    )
