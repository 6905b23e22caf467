"""Grids' tariffs, meters and last issues, for lost revenue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from nxt_adapters.supabase.scoping import owned_by
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.tables import dcus, grids, issues, meters
from nxt_domain.grids.tariffs import MeterType
from nxt_domain.identity.scope import Scope
from nxt_domain.orders.lost_revenue import AssignedMeter, LastIssue
from nxt_domain.orders.use_cases.show_lost_revenue import GridSales


class PostgresGridSales:
    """``GridSalesRegister`` on the relational plane; two statements.

    Args:
        session: Of the unit of work.
        scope: Whose grids.
    """

    def __init__(self, session: Session, scope: Scope) -> None:
        self._session = session
        self._scope = scope

    async def get(self, grid_id: int) -> GridSales | None:
        """See ``GridSalesRegister.get``."""
        query = select(grids.c.kwh_tariff_essential_service, grids.c.kwh_tariff_full_service).where(
            grids.c.id == grid_id, owned_by(self._scope, grids.c.organization_id), grids.c.deleted_at.is_(None)
        )
        grid = (await self._session.execute(query)).one_or_none()
        if grid is None:
            return None
        return GridSales(
            essential_tariff=grid.kwh_tariff_essential_service,
            full_tariff=grid.kwh_tariff_full_service,
            meters=await self._meters(grid_id),
        )

    async def _meters(self, grid_id: int) -> Sequence[AssignedMeter]:
        query = (
            select(
                meters.c.id,
                meters.c.meter_type,
                issues.c.id.label("issue_id"),
                issues.c.issue_type,
                issues.c.issue_status,
                issues.c.created_at,
                issues.c.closed_at,
            )
            .join(dcus, dcus.c.id == meters.c.dcu_id)
            .outerjoin(issues, issues.c.id == meters.c.last_encountered_issue_id)
            .where(dcus.c.grid_id == grid_id, meters.c.connection_id.is_not(None), meters.c.deleted_at.is_(None))
        )
        return [_meter(row) for row in await self._session.execute(query)]


def _meter(row: Any) -> AssignedMeter:  # noqa: ANN401 - a row of the query above
    last = None
    if row.issue_id is not None:
        last = LastIssue(
            issue_type=row.issue_type, status=row.issue_status, created_at=row.created_at, closed_at=row.closed_at
        )
    return AssignedMeter(meter_id=row.id, meter_type=MeterType(row.meter_type), last_issue=last)
