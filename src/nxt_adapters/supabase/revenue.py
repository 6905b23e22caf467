"""What came in, for reports (PAY 16). What counts as energy sold is said by ``find_energy_topup_revenue`` alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_domain.orders.revenue_report import AgentFigures, CommercialIssue, GridRevenue, ReportGrid, Spender, Windows

CONNECTION_FEES: Final = """
    select coalesce(sum(case when o.meta_order_type = 'CONNECTION_REFUND' then -o.amount else o.amount end), 0)
    from public.orders o
    where o.historical_grid_id = {grid} and o.created_at >= {start} and o.created_at < {end}
        and o.meta_order_type in ('CONNECTION_PAYMENT', 'CONNECTION_REFUND') and o.order_status = 'COMPLETED'
        and o.reversed_at is null
"""
"""Connection fees less refunds; hidden orders count, reversed ones don't [PAY-171]. To be filled with columns."""

_ORGANIZATIONS: Final = text(
    """
    select id from public.organizations
    where deleted_at is null and (is_revenue_report_enabled or id = any(cast(:also as integer[]))) order by id
    """
)
_GRIDS: Final = text(
    """
    select id, name, timezone, monthly_rental from public.grids
    where organization_id = :organization_id and deleted_at is null and is_hidden_from_reporting = false order by id
    """
)
_WINDOWS: Final = """
    unnest(cast(:grids as integer[]), cast(:last_months as timestamptz[]), cast(:same_points as timestamptz[]),
        cast(:months as timestamptz[]), cast(:nows as timestamptz[]))
        as w (grid_id, last_month, same_point, month, now)
"""
_REVENUE: Final = text(
    f"""
    select w.grid_id,
        public.find_energy_topup_revenue(w.grid_id, w.month, w.now) as this_month,
        public.find_energy_topup_revenue(w.grid_id, w.last_month, w.same_point) as last_month_at_this_point,
        public.find_energy_topup_revenue(w.grid_id, w.last_month, w.month) as last_month_total
    from {_WINDOWS}
    """  # noqa: S608 - put together from constants of this module alone
)
_AGENTS: Final = text(
    f"""
    select a.id, c.full_name, a.grid_id, coalesce(max(l.balance), 0) as balance,
        count(o.id) filter (where o.created_at >= w.month) as topups_this_month,
        coalesce(sum(o.amount) filter (where o.created_at >= w.month), 0) as revenue_this_month,
        coalesce(sum(o.amount) filter (where o.created_at < w.month), 0) as revenue_last_month_total
    from {_WINDOWS}
    join public.agents a on a.grid_id = w.grid_id
    join public.accounts c on c.id = a.account_id and c.deleted_at is null
    left join public.wallets l on l.agent_id = a.id
    left join public.orders o on o.meta_sender_type = 'AGENT' and o.meta_sender_id = a.id
        and o.meta_order_type = 'ENERGY_TOPUP' and o.order_status = 'COMPLETED'
        and o.created_at >= w.last_month and o.created_at < w.now
    group by a.id, c.full_name, a.grid_id
    order by c.full_name, a.id
    """  # noqa: S608 - as above
)
_SPENDERS: Final = text(
    f"""
    select s.id, s.full_name, s.amount
    from {_WINDOWS}
    cross join lateral public.find_top_spenders(w.grid_id, :limit, w.same_point, w.now) s
    order by w.grid_id, s.amount desc, s.id
    """  # noqa: S608 - as above
)
_ISSUES: Final = text(
    """
    select * from (
        select u.grid_id, cast(i.issue_type as text) as issue_type, i.started_at, a.full_name as customer_full_name,
            m.id as meter_id, m.external_reference as meter_external_reference, i.id,
            row_number() over (partition by u.grid_id order by i.started_at nulls last, i.id) as place,
            count(*) over (partition by u.grid_id) as total
        from public.issues i
        join public.meters m on m.id = i.meter_id
        join public.connections c on c.id = m.connection_id
        join public.customers u on u.id = c.customer_id
        join public.accounts a on a.id = u.account_id
        where u.grid_id = any(cast(:grids as integer[])) and i.issue_status = 'OPEN'
            and i.issue_type in ('NO_CREDIT', 'NO_CONSUMPTION')
    ) as open
    where place <= :oldest order by started_at nulls last, id
    """
)


class PostgresRevenueFigures:
    """Implements ``RevenueFigures``.

    Args:
        connection: Carries the caller's transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def organizations(self, also: Collection[int]) -> Sequence[int]:
        """See ``RevenueFigures.organizations``."""
        return list((await self._connection.execute(_ORGANIZATIONS, {"also": list(also)})).scalars())

    async def grids(self, organization_id: int) -> Sequence[ReportGrid]:
        """See ``RevenueFigures.grids``."""
        rows = await self._connection.execute(_GRIDS, {"organization_id": organization_id})
        return [ReportGrid(**row) for row in rows.mappings()]

    async def revenue(self, windows: Sequence[Windows]) -> Mapping[int, GridRevenue]:
        """See ``RevenueFigures.revenue``."""
        rows = (await self._connection.execute(_REVENUE, _columns(windows))).mappings()
        return {row["grid_id"]: GridRevenue(**{name: row[name] for name in row if name != "grid_id"}) for row in rows}

    async def agents(self, windows: Sequence[Windows]) -> Sequence[AgentFigures]:
        """See ``RevenueFigures.agents``."""
        rows = await self._connection.execute(_AGENTS, _columns(windows))
        return [AgentFigures(**row) for row in rows.mappings()]

    async def top_spenders(self, windows: Sequence[Windows], limit: int) -> Sequence[Spender]:
        """See ``RevenueFigures.top_spenders``."""
        rows = await self._connection.execute(_SPENDERS, {**_columns(windows), "limit": limit})
        return [Spender(**row) for row in rows.mappings()]

    async def commercial_issues(
        self, grid_ids: Sequence[int], oldest: int
    ) -> tuple[Sequence[CommercialIssue], Mapping[int, int]]:
        """See ``RevenueFigures.commercial_issues``."""
        rows = (await self._connection.execute(_ISSUES, {"grids": list(grid_ids), "oldest": oldest})).mappings().all()
        issues = [
            CommercialIssue(**{name: row[name] for name in row if name not in {"id", "place", "total"}}) for row in rows
        ]
        return issues, {row["grid_id"]: row["total"] for row in rows}


def _columns(windows: Sequence[Windows]) -> dict[str, Any]:
    return {
        "grids": [window.grid_id for window in windows],
        "last_months": [window.last_month for window in windows],
        "same_points": [window.same_point for window in windows],
        "months": [window.month for window in windows],
        "nows": [window.now for window in windows],
    }
