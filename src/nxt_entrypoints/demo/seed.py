"""Filling fresh databases with the demo operator; a second call finds it and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import attrs
from sqlalchemy import Connection, bindparam, select, update

from nxt_adapters.supabase.tables import meters, wallets
from nxt_domain.grids.tariffs import credit_value
from nxt_entrypoints.database.baseline_seed import Baseline, seed
from nxt_entrypoints.database.migrate import connected
from nxt_entrypoints.demo.history import MeterHistory, invent_history
from nxt_entrypoints.demo.operator import SeededOperator, existing_operator, seed_operator
from nxt_entrypoints.demo.past_orders import seed_past_orders
from nxt_entrypoints.demo.villages import plan_villages


@attrs.frozen(kw_only=True)
class SeededDemo:
    """What a first seeding made.

    Attributes:
        histories: By meter id; the series and the simulated meters go on from them.
        orders: How many past orders were written.
    """

    operator: SeededOperator
    histories: Mapping[int, MeterHistory]
    orders: int


@attrs.frozen(kw_only=True)
class DemoMeter:
    """A meter that the demo's users may try."""

    external_reference: str
    wallet_id: int
    grid_id: int


def seed_relational(url: str, baseline: Baseline, now: datetime) -> SeededDemo | None:
    """Seed the relational plane in one transaction.

    Args:
        url: ``postgresql://…`` of the login that owns the database.
        baseline: Ids and name of the platform organization and the system wallet.
        now: Aware UTC.

    Returns:
        What was made; None: it was there already.
    """
    seed(url, baseline)
    with connected(url) as connection, connection.begin():
        if existing_operator(connection) is not None:
            return None
        plans = plan_villages()
        operator = seed_operator(connection, plans, platform_organization_id=baseline.platform_organization_id, now=now)
        histories = {
            meter.id: invent_history(village.plan, meter.house, now)
            for village in operator.villages
            for meter in village.meters
        }
        orders = seed_past_orders(
            connection,
            operator,
            histories,
            system_wallet_id=baseline.banking_system_wallet_id,
            platform_organization_id=baseline.platform_organization_id,
        )
        _store_last_readings(connection, operator, histories)
    return SeededDemo(operator=operator, histories=histories, orders=orders)


def demo_meters(connection: Connection, organization_id: int) -> Sequence[DemoMeter]:
    """List the operator's meters, by id."""
    query = (
        select(meters.c.external_reference, wallets.c.id.label("wallet_id"), meters.c.rls_grid_id.label("grid_id"))
        .join(wallets, wallets.c.meter_id == meters.c.id)
        .where(meters.c.rls_organization_id == organization_id, meters.c.deleted_at.is_(None))
        .order_by(meters.c.id)
    )
    return [DemoMeter(**row) for row in connection.execute(query).mappings()]


def _store_last_readings(
    connection: Connection, operator: SeededOperator, histories: Mapping[int, MeterHistory]
) -> None:
    """Write what each meter last reported: credit and its value."""
    tariffs = {meter.id: village.plan.tariff for village in operator.villages for meter in village.meters}
    connection.execute(
        update(meters)
        .where(meters.c.id == bindparam("key"))
        .values(
            kwh_credit_available=bindparam("credit"),
            kwh_credit_available_updated_at=bindparam("at"),
            balance=bindparam("worth"),
            balance_updated_at=bindparam("at"),
        ),
        [
            {
                "key": meter_id,
                "credit": history.credit_kwh,
                "worth": credit_value(history.credit_kwh, tariffs[meter_id]),
                "at": history.ended_at,
            }
            for meter_id, history in histories.items()
        ],
    )
