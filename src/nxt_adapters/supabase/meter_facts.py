"""What the series need to know of meters, read from and written to the relational plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ARRAY, Integer, RowMapping, any_, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.tables import accounts, connections, customers, dcus, grids, meters, organizations
from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_domain.telemetry.model import IgnoredReason, MeterFacts

_IDS: Final = bindparam("meter_ids", type_=ARRAY(Integer))

# One array parameter: thousands of meters in one statement and one plan.
_FACTS: Final = (
    select(
        meters.c.id.label("meter_id"),
        meters.c.meter_type,
        meters.c.meter_phase,
        meters.c.external_reference.label("meter_external_reference"),
        meters.c.external_system.label("meter_external_system"),
        meters.c.is_cabin_meter,
        meters.c.power_limit.label("power_limit_w"),
        meters.c.power_limit_should_be.label("power_limit_should_be_w"),
        meters.c.is_on,
        meters.c.should_be_on,
        dcus.c.id.label("dcu_id"),
        dcus.c.external_reference.label("dcu_external_reference"),
        dcus.c.external_system.label("dcu_external_system"),
        connections.c.id.label("connection_id"),
        customers.c.id.label("customer_id"),
        accounts.c.id.label("account_id"),
        accounts.c.full_name.label("customer_full_name"),
        grids.c.id.label("grid_id"),
        grids.c.name.label("grid_name"),
        grids.c.timezone,
        organizations.c.id.label("organization_id"),
        organizations.c.name.label("organization_name"),
        (customers.c.is_hidden_from_reporting | grids.c.is_hidden_from_reporting).label("is_hidden_from_reporting"),
    )
    .select_from(
        meters.outerjoin(connections, connections.c.id == meters.c.connection_id)
        .outerjoin(customers, customers.c.id == connections.c.customer_id)
        .outerjoin(accounts, accounts.c.id == customers.c.account_id)
        .outerjoin(grids, grids.c.id == customers.c.grid_id)
        .outerjoin(organizations, organizations.c.id == grids.c.organization_id)
        .outerjoin(dcus, dcus.c.id == meters.c.dcu_id)
    )
    .where(meters.c.id == any_(_IDS), meters.c.deleted_at.is_(None))
)

_HOURS: Final = (
    func.unnest(_IDS, bindparam("hours", type_=ARRAY(TIMESTAMP(timezone=True))))
    .table_valued("meter_id", "hour")
    .render_derived(name="newest")
)

# Rows are locked in ascending order, as everywhere; meters whose time is as new already are left alone.
_BEHIND: Final = (
    select(meters.c.id, _HOURS.c.hour)
    .join_from(meters, _HOURS, _HOURS.c.meter_id == meters.c.id)
    .where(func.coalesce(meters.c.last_non_zero_consumption_at < _HOURS.c.hour, True))
    .order_by(meters.c.id)
    .with_for_update(of=meters, key_share=True)
    .cte("behind")
)

_RAISE: Final = (
    update(meters)
    .values(last_non_zero_consumption_at=func.greatest(meters.c.last_non_zero_consumption_at, _BEHIND.c.hour))
    .where(meters.c.id == _BEHIND.c.id)
)


class SupabaseMeterRegister:
    """``MeterRegister`` on the relational plane; each call is one statement.

    Args:
        engine: The process's pool.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def facts(self, meter_ids: Sequence[int]) -> Mapping[int, MeterFacts | IgnoredReason]:
        """See ``MeterRegister.facts``."""
        found: dict[int, MeterFacts | IgnoredReason] = dict.fromkeys(meter_ids, IgnoredReason.METER_NOT_FOUND)
        if not found:
            return found
        async with PostgresTransaction(self._engine) as transaction:
            rows = await transaction.connection.execute(_FACTS, {"meter_ids": list(found)})
            for row in rows.mappings():
                found[row["meter_id"]] = _facts(row)
        return found

    async def raise_last_non_zero_consumption(self, hours: Mapping[int, datetime]) -> None:
        """See ``MeterRegister.raise_last_non_zero_consumption``."""
        if not hours:
            return
        async with PostgresTransaction(self._engine) as transaction:
            await transaction.connection.execute(_RAISE, {"meter_ids": list(hours), "hours": list(hours.values())})
            await transaction.commit()


def _facts(row: RowMapping) -> MeterFacts | IgnoredReason:
    if row["account_id"] is None:
        return IgnoredReason.NO_CUSTOMER
    if row["grid_id"] is None:
        return IgnoredReason.NO_GRID
    return MeterFacts(**{name: value for name, value in row.items() if name != "account_id"})
