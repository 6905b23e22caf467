"""Statements of grids, and what came in during their periods (PAY 14, 16)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.engine import dump_json
from nxt_adapters.supabase.revenue import CONNECTION_FEES
from nxt_domain.orders.payouts import AutomaticGrid, Payout, PayoutGrid, Period, PeriodRevenue
from nxt_domain.wallets.payouts import PayoutStatus

_GRID: Final = text(
    """
    select id, name, timezone, organization_id, kwh_tariff, kwp_tariff, kwh_per_battery_module as kwh_per_module,
        is_generation_managed_by_nxt_grid as is_generation_managed
    from public.grids where id = :grid_id and deleted_at is null
    """
)
# Of what came in, orders that went to an organization's own merchant account; of energy, those that count as sold.
_REVENUE: Final = text(
    f"""
    select public.find_energy_topup_revenue(:grid_id, :start, :end) as energy,
        ({CONNECTION_FEES.format(grid=":grid_id", start=":start", end=":end")}) as connection_fees,
        (select coalesce(sum(case when o.meta_order_type = 'CONNECTION_REFUND' then -o.amount else o.amount end), 0)
            from public.orders o
            where o.historical_grid_id = :grid_id and o.routing_organization_id is not null
                and o.meta_order_type in ('ENERGY_TOPUP', 'CONNECTION_PAYMENT', 'CONNECTION_REFUND', 'AGENT_TOPUP')
                and (o.meta_order_type <> 'ENERGY_TOPUP' or o.meta_is_hidden_from_reporting = false)
                and o.order_status = 'COMPLETED' and o.reversed_at is null
                and o.created_at >= :start and o.created_at < :end) as own,
        (select coalesce(sum(t.amount), 0) from public.orders t
            where t.routing_organization_id = :organization_id and t.meta_order_type = 'ORGANIZATION_TOPUP'
                and t.order_status = 'COMPLETED' and t.reversed_at is null
                and t.created_at >= :start and t.created_at < :end) as unassigned_own
    """  # noqa: S608 - put together from constants alone
)
_COUNTS: Final = text(
    """
    select count(distinct c.id) as connection_count, count(m.id) as meter_count
    from public.connections c
    join public.customers u on u.id = c.customer_id and not u.is_hidden_from_reporting
    join public.accounts a on a.id = u.account_id and a.deleted_at is null
    join public.meters m on m.connection_id = c.id
    where u.grid_id = :grid_id and c.deleted_at is null
    """
)
_PERIOD: Final = text(
    """
    select * from public.payouts
    where grid_id = :grid_id and started_at = :start and ended_at = :end and payout_status <> 'FAILED'
    for update
    """
)
# Two that draft the same statement at once come one after the other, so that the second works it out anew [PAY-147].
_AUTOMATIC: Final = text(
    """
    select id, timezone from public.grids
    where deleted_at is null and is_hidden_from_reporting = false and is_automatic_payout_generation_enabled = true
    order by id
    """
)
_HAVE: Final = text(
    """
    select p.grid_id from public.payouts p
    join unnest(cast(:grids as integer[]), cast(:starts as timestamptz[]), cast(:ends as timestamptz[]))
        as asked (grid_id, start, ended) on p.grid_id = asked.grid_id and p.started_at = asked.start
        and p.ended_at = asked.ended
    where p.payout_status <> 'FAILED'
    """
)
_TURN: Final = text("select pg_advisory_xact_lock(hashtextextended('payouts of grid ' || :grid_id, 0))")
_ONE: Final = text("select * from public.payouts where id = :id for update")
_ADD: Final = text(
    """
    insert into public.payouts (
        grid_id, started_at, ended_at, payout_status, proposed_amount, external_system, details)
    values (:grid_id, :start, :end, 'WAITING_FOR_APPROVAL', :proposed_amount, 'FLUTTERWAVE', '{}')
    returning id
    """
)
_NAME: Final = text(
    """
    update public.payouts set details = cast(:details as json) where id = :id returning *
    """
)
_SAVE: Final = text(
    """
    update public.payouts set
        payout_status = cast(:status as payout_status_enum), proposed_amount = :proposed_amount,
        approved_amount = :approved_amount, approved_by_account_id = :approved_by_account_id,
        external_reference = :external_reference, draft_link = :draft_link, details = cast(:details as json)
    where id = :id
    """
)
_REVISION: Final = text("select count(*) from internal.outbox_tasks where dedupe_key like :prefix")


class PostgresPayouts:
    """Implements ``Payouts``.

    Args:
        connection: Carries the caller's transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def grid(self, grid_id: int) -> PayoutGrid | None:
        """See ``Payouts.grid``."""
        row = (await self._connection.execute(_GRID, {"grid_id": grid_id})).one_or_none()
        return None if row is None else PayoutGrid(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name of columns

    async def automatic_grids(self) -> Sequence[AutomaticGrid]:
        """See ``Payouts.automatic_grids``."""
        rows = await self._connection.execute(_AUTOMATIC)
        return [AutomaticGrid(id=row.id, timezone=row.timezone) for row in rows]

    async def have_statement(self, periods: Mapping[int, Period]) -> Collection[int]:
        """See ``Payouts.have_statement``."""
        asked = {
            "grids": list(periods),
            "starts": [period.start for period in periods.values()],
            "ends": [period.end for period in periods.values()],
        }
        return set((await self._connection.execute(_HAVE, asked)).scalars())

    async def revenue(self, grid: PayoutGrid, period: Period) -> PeriodRevenue:
        """See ``Payouts.revenue``; two statements."""
        parameters = {"grid_id": grid.id, "organization_id": grid.organization_id, **_instants(period)}
        money = (await self._connection.execute(_REVENUE, parameters)).one()
        counts = (await self._connection.execute(_COUNTS, {"grid_id": grid.id})).one()
        return PeriodRevenue(**money._mapping, **counts._mapping)  # noqa: SLF001 - as above

    async def lock_period(self, grid_id: int, period: Period) -> Payout | None:
        """See ``Payouts.lock_period``."""
        await self._connection.execute(_TURN, {"grid_id": str(grid_id)})
        return await self._found(_PERIOD, {"grid_id": grid_id, **_instants(period)})

    async def add(
        self, grid_id: int, period: Period, *, proposed_amount: Decimal, details: Mapping[str, object]
    ) -> Payout:
        """See ``Payouts.add``."""
        values = {"grid_id": grid_id, "proposed_amount": proposed_amount, **_instants(period)}
        payout_id = (await self._connection.execute(_ADD, values)).scalar_one()
        named = dump_json({**details, "payout_id": payout_id})
        return _payout((await self._connection.execute(_NAME, {"id": payout_id, "details": named})).one())

    async def lock(self, payout_id: int) -> Payout | None:
        """See ``Payouts.lock``."""
        return await self._found(_ONE, {"id": payout_id})

    async def save(self, payout: Payout) -> int:
        """See ``Payouts.save``; the drafts that were sent tell the revision."""
        values = {
            "id": payout.id,
            "status": payout.status,
            "proposed_amount": payout.proposed_amount,
            "approved_amount": payout.approved_amount,
            "approved_by_account_id": payout.approved_by_account_id,
            "external_reference": payout.external_reference,
            "draft_link": payout.draft_link,
            "details": dump_json(payout.details),
        }
        await self._connection.execute(_SAVE, values)
        prefix = {"prefix": f"payout:{payout.id}:draft:%"}
        return int((await self._connection.execute(_REVISION, prefix)).scalar_one()) + 1

    async def _found(self, statement: Any, values: Mapping[str, object]) -> Payout | None:  # noqa: ANN401 - text()
        row = (await self._connection.execute(statement, dict(values))).one_or_none()
        return None if row is None else _payout(row)


def _instants(period: Period) -> dict[str, object]:
    return {"start": period.start, "end": period.end}


def _payout(row: Row[Any]) -> Payout:
    return Payout(
        id=row.id,
        created_at=row.created_at,
        grid_id=row.grid_id,
        started_at=row.started_at,
        ended_at=row.ended_at,
        status=PayoutStatus(row.payout_status),
        proposed_amount=row.proposed_amount,
        approved_amount=row.approved_amount,
        external_reference=row.external_reference,
        draft_link=row.draft_link,
        details=row.details or {},
        approved_by_account_id=row.approved_by_account_id,
    )
