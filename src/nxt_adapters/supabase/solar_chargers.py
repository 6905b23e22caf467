"""Rows of solar chargers, within a scope."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import attrs
from sqlalchemy import insert, select, update

from nxt_adapters.supabase.scoping import among, columns_of, owned_by
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.tables import mppts
from nxt_domain.grids.solar_chargers import MpptType, SolarCharger
from nxt_domain.identity.scope import Scope


class PostgresSolarChargers:
    """``SolarChargers`` on the relational plane.

    Args:
        session: Of the unit of work.
        scope: Whose grids.
    """

    def __init__(self, session: Session, scope: Scope) -> None:
        self._session = session
        self._mine = owned_by(scope, mppts.c.rls_organization_id)

    async def live(self, grid_id: int) -> Mapping[int, SolarCharger]:
        """See ``SolarChargers.live``."""
        query = select(mppts.c.id.label("key"), *columns_of(mppts, SolarCharger)).where(
            mppts.c.grid_id == grid_id, mppts.c.deleted_at.is_(None), self._mine
        )
        rows = [dict(row) for row in (await self._session.execute(query)).mappings()]
        return {row.pop("key"): SolarCharger(**{**row, "mppt_type": MpptType(row["mppt_type"])}) for row in rows}

    async def remove(self, charger_ids: Collection[int], at: datetime) -> None:
        """See ``SolarChargers.remove``."""
        if charger_ids:
            statement = update(mppts).where(among(mppts.c.id, charger_ids), self._mine)
            await self._session.execute(statement.values(deleted_at=at))

    async def add(self, grid_id: int, chargers: Sequence[SolarCharger], at: datetime) -> None:
        """See ``SolarChargers.add``."""
        if chargers:
            rows = [{**attrs.asdict(charger), "grid_id": grid_id, "installed_at": at} for charger in chargers]
            await self._session.execute(insert(mppts).values(rows))
