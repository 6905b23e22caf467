"""A lifeline connection is a word in reports (PAY 18)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import psycopg
import pytest
from tests.support.payments_postgres import PostgresWorld
from tests.support.payments_stores import settle_all

from nxt_adapters.supabase.engine import create_engine


@pytest.fixture
async def world(relational_url: str) -> AsyncIterator[PostgresWorld]:
    made = PostgresWorld(relational_url, create_engine(relational_url, pool_size=2))
    yield made
    await made.close()


async def test_pay_189_no_price_follows_from_it(world: PostgresWorld, relational_url: str) -> None:
    """[PAY-189] The same money buys the same energy at the same tariff, and nothing else is booked."""
    bought = []
    for verdict in (False, True):
        with psycopg.connect(relational_url, autocommit=True) as owner:
            assert owner.execute("update connections set is_lifeline = %s", [verdict]).rowcount
        await world.fund(world.agent_wallet, "1000", key=f"funding-{verdict}")
        order = await world.send(world.agent_wallet, world.meter_wallet, "1000")
        await settle_all(world)
        settled = await world.order(order.id)
        (request,) = world.top_ups.of(order.id)
        legs = world.one(
            "select count(*) from internal.ledger_postings p join internal.ledger_entries e on e.id = p.entry_id"
            " where e.order_id = %s",
            order.id,
        )
        bought.append((settled.status, settled.tariff, request.energy_kwh, legs))
    assert bought[0] == bought[1]
    assert bought[0][1:] == (Decimal(300), Decimal("3.4"), 2)
