"""What happens at the demo operator, in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import attrs
import psycopg
from psycopg.rows import class_row

_FIGURES = """
    select
        (select count(*) from orders where settled_at >= %(since)s) as payments,
        (select coalesce(sum(amount), 0) from orders where settled_at >= %(since)s) as money,
        (select count(*) from orders where order_status = 'PENDING') as settling,
        (select count(*) from orders where order_status = 'FAILED' and updated_at >= %(since)s) as failed_payments,
        (select count(*) from messaging.device_messages) as in_flight,
        (select count(*) from meter_interactions where updated_at >= %(since)s
            and meter_interaction_type = 'TOP_UP' and meter_interaction_status = 'SUCCESSFUL') as delivered,
        (select coalesce(sum(transactive_kwh), 0) from meter_interactions where updated_at >= %(since)s
            and meter_interaction_type = 'TOP_UP' and meter_interaction_status = 'SUCCESSFUL') as energy_kwh,
        (select count(*) from meter_interactions where updated_at >= %(since)s
            and meter_interaction_status in ('FAILED', 'ABORTED')) as failed_commands,
        (select count(*) from meter_interactions where created_at >= %(since)s
            and meter_interaction_type = 'READ_REPORT') as reports,
        (select count(*) from notifications where created_at >= %(since)s
            and notification_status in ('RECEIVED_BY_API', 'SUCCESSFUL')) as sms
"""
_PLANTS = """
    select g.name, g.is_hps_on as is_energised, count(m.id) as meters,
        count(m.id) filter (where m.last_seen_at > now() - interval '1 hour') as heard,
        coalesce(sum(m.kwh_credit_available), 0) as credit_kwh
    from grids g left join meters m on m.rls_grid_id = g.id
    where g.organization_id = %(organization_id)s and g.deleted_at is null
    group by g.id order by g.id
"""
_LATEST = """
    select o.settled_at as at, o.meta_receiver_name_part_2 as customer, o.amount, i.transactive_kwh as energy_kwh,
        coalesce(i.meter_interaction_status::text, o.order_status::text) as state
    from orders o left join meter_interactions i on i.order_id = o.id
    where o.settled_at >= %(since)s order by o.settled_at desc limit 8
"""


@attrs.frozen(kw_only=True)
class Totals:
    """Counts since the demo started."""

    payments: int
    money: Decimal
    settling: int
    failed_payments: int
    in_flight: int
    delivered: int
    energy_kwh: Decimal
    failed_commands: int
    reports: int
    sms: int


@attrs.frozen(kw_only=True)
class PlantFigures:
    """One village now."""

    name: str
    is_energised: bool
    meters: int
    heard: int
    credit_kwh: Decimal


@attrs.frozen(kw_only=True)
class LatestPurchase:
    """A purchase and how far it has come."""

    at: datetime
    customer: str | None
    amount: Decimal
    energy_kwh: Decimal | None
    state: str


@attrs.frozen(kw_only=True)
class Figures:
    """Everything the live view shows."""

    totals: Totals
    plants: Sequence[PlantFigures]
    latest: Sequence[LatestPurchase]


async def read_figures(connection: psycopg.AsyncConnection, *, organization_id: int, since: datetime) -> Figures:
    """Read the figures in three statements.

    Args:
        connection: In autocommit mode.
        organization_id: The demo's operator.
        since: When the demo was started.
    """
    facts = {"organization_id": organization_id, "since": since}
    async with connection.cursor(row_factory=class_row(Totals)) as cursor:
        totals = await (await cursor.execute(_FIGURES, facts)).fetchone()
    async with connection.cursor(row_factory=class_row(PlantFigures)) as cursor:
        plants = await (await cursor.execute(_PLANTS, facts)).fetchall()
    async with connection.cursor(row_factory=class_row(LatestPurchase)) as cursor:
        latest = await (await cursor.execute(_LATEST, facts)).fetchall()
    assert totals is not None  # noqa: S101 - aggregates always give one row
    return Figures(totals=totals, plants=plants, latest=latest)
