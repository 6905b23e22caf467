"""What grids are as businesses [TEL-134 … TEL-136]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import attrs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.revenue import CONNECTION_FEES
from nxt_domain.telemetry.business import COUNTS, GridBusiness

_FIELDS: Final = [field.name for field in attrs.fields(GridBusiness) if field.name != "counts"]
_ISSUE_TYPES: Final = {"not_activated": "METER_NOT_ACTIVATED"}


def _issue_count(name: str) -> str:
    kind = name.removesuffix("_issue_count")
    issue_type = _ISSUE_TYPES.get(kind, kind.upper())
    return f"count(*) filter (where i.issue_type = '{issue_type}') as {name}"


_ISSUE_COUNTS: Final = [name for name in COUNTS if name.endswith("_issue_count") and name != "total_issue_count"]
_ALL_COUNTS: Final = ", ".join(f"coalesce({name}, 0) as {name}" for name in COUNTS if name != "total_issue_count")

# "Visible" are customers that are reported, with a live account, on these grids. A connection counts once for each use
# that it has, and so do the women whom it reaches.
_OF_DAY: Final = text(
    f"""
    with g as (
        select g.*, o.name as organization_name from public.grids g
        join public.organizations o on o.id = g.organization_id
        where g.deleted_at is null and g.is_hidden_from_reporting = false
    ), visible as (
        select u.id, u.grid_id from public.customers u
        join public.accounts a on a.id = u.account_id and a.deleted_at is null
        where u.is_hidden_from_reporting = false and u.grid_id in (select id from g)
    ), connected as (
        select v.grid_id, c.customer_id, c.is_residential, c.is_commercial, c.is_public, c.is_lifeline,
            c.women_impacted, c.is_residential::integer + c.is_commercial::integer + c.is_public::integer as uses,
            exists (select from public.meters m where m.connection_id = c.id and m.deleted_at is null) as has_meter
        from visible v join public.connections c on c.customer_id = v.id and c.deleted_at is null
    ), uses as (
        select k.grid_id, count(distinct k.customer_id) filter (where k.has_meter) as customer_count,
            count(*) filter (where k.has_meter and k.is_residential) as residential_connection_count,
            count(*) filter (where k.has_meter and k.is_commercial) as commercial_connection_count,
            count(*) filter (where k.has_meter and k.is_public) as public_connection_count,
            sum(k.uses) filter (where k.has_meter) as total_connection_count,
            sum(k.uses * k.women_impacted) filter (where k.has_meter) as women_impacted_count,
            count(*) filter (where k.is_lifeline) as lifeline_connection_count
        from connected k
        group by k.grid_id
    ), metered as (
        select v.grid_id, m.meter_type, m.meter_phase, m.last_encountered_issue_id from visible v
        join public.connections c on c.customer_id = v.id
        join public.meters m on m.connection_id = c.id and m.deleted_at is null
    ), kinds as (
        select d.grid_id, count(*) filter (where d.meter_type = 'HPS') as hps_meter_count,
            count(*) filter (where d.meter_type = 'FS') as fs_meter_count, count(*) as total_meter_count,
            count(*) filter (where d.meter_phase = 'SINGLE_PHASE') as single_phase_meter_count,
            count(*) filter (where d.meter_phase = 'THREE_PHASE') as three_phase_meter_count,
            {", ".join(map(_issue_count, _ISSUE_COUNTS))}
        from metered d
        left join public.issues i on i.id = d.last_encountered_issue_id and i.issue_status = 'OPEN'
        group by d.grid_id
    )
    select g.id as grid_id, g.name as grid_name, g.organization_id, g.organization_name,
        public.find_energy_topup_revenue(g.id, :start, :end) as energy_topup_revenue,
        ({CONNECTION_FEES.format(grid="g.id", start=":start", end=":end")}) as connection_fee_revenue,
        g.monthly_rental, g.kwp, g.kwh, g.kwh_tariff_essential_service as hps_tariff,
        g.kwh_tariff_full_service as fs_tariff, g.default_hps_connection_fee as hps_single_phase_connection_fee,
        g.default_fs_1_phase_connection_fee as fs_single_phase_connection_fee,
        g.default_fs_3_phase_connection_fee as fs_three_phase_connection_fee, {_ALL_COUNTS}
    from g left join uses on uses.grid_id = g.id left join kinds on kinds.grid_id = g.id
    order by g.id
    """  # noqa: S608 - put together from constants alone
)


class PostgresBusinessFigures:
    """Implements ``BusinessFigures``.

    Args:
        connection: Carries the caller's transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def of_day(self, start: datetime, end: datetime) -> Sequence[GridBusiness]:
        """See ``BusinessFigures.of_day``."""
        rows = (await self._connection.execute(_OF_DAY, {"start": start, "end": end})).mappings()
        found = []
        for row in rows:
            counts = {name: int(row[name]) for name in COUNTS if name in row}
            counts["total_issue_count"] = sum(counts[name] for name in _ISSUE_COUNTS)
            found.append(GridBusiness(**{name: row[name] for name in _FIELDS}, counts=counts))
        return found
