"""Live facts of grids on the relational plane."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import CursorResult, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.tables import grids
from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_domain.telemetry.model import GatewayGrid

_GATEWAY_GRIDS: Final = (
    select(
        grids.c.id.label("grid_id"),
        grids.c.generation_external_gateway_id.label("portal_id"),
        grids.c.is_three_phase_supported,
        grids.c.is_hps_on,
        grids.c.is_hps_on_threshold_kw.label("threshold_kw"),
    )
    .where(
        grids.c.deleted_at.is_(None),
        grids.c.generation_external_system == "VICTRON",
        grids.c.generation_external_gateway_id != "",
    )
    .order_by(grids.c.id)
)


class SupabaseGridState:
    """``GridState`` on the relational plane.

    Args:
        engine: The process's pool.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def gateway_grids(self) -> Sequence[GatewayGrid]:
        """See ``GridState.gateway_grids``; a few thousand rows at most, and complete [TEL-41]."""
        async with PostgresTransaction(self._engine) as transaction:
            rows = await transaction.connection.execute(_GATEWAY_GRIDS)
            return [GatewayGrid(**{**row, "threshold_kw": float(row["threshold_kw"])}) for row in rows.mappings()]

    async def set_energised(self, grid_id: int, *, is_hps_on: bool, at: datetime) -> bool:
        """See ``GridState.set_energised``."""
        statement = (
            update(grids)
            .where(grids.c.id == grid_id, grids.c.is_hps_on != is_hps_on)
            .values(is_hps_on=is_hps_on, is_hps_on_updated_at=at)
        )
        async with PostgresTransaction(self._engine) as transaction:
            changed: CursorResult[tuple[()]] = await transaction.connection.execute(statement)
            await transaction.commit()
            return changed.rowcount == 1
