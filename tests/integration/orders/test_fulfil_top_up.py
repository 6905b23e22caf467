"""A paid order that had no price at settlement gets its command once there is one [PAY-104]."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.support.payments_postgres import PaymentsTransaction, PostgresWorld

from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.interactions import PostgresInteractions
from nxt_domain.orders.states import OrderStatus
from nxt_domain.orders.use_cases.fulfil_top_up import FulfilTopUp
from nxt_domain.shared.errors import NotFound, Unavailable


class WithInteractions(PaymentsTransaction):
    @property
    def interactions(self) -> PostgresInteractions:
        return PostgresInteractions(self.session)


class Completed:
    """Stands for the making of tokens and messages."""

    def __init__(self) -> None:
        self.orders: list[int] = []

    async def __call__(self, order_id: int) -> None:
        self.orders.append(order_id)


@pytest.fixture
async def world(relational_url: str) -> AsyncIterator[PostgresWorld]:
    made = PostgresWorld(relational_url, create_engine(relational_url, pool_size=4))
    yield made
    await made.close()


async def test_it_waits_for_a_tariff_and_keeps_it_with_the_order(world: PostgresWorld) -> None:
    """[PAY-104] [PAY-109] [PAY-198] 12: gateway-paid is COMPLETED; the command comes after a tariff is set."""
    order_id = world.one(
        "insert into orders (amount, currency, order_status, sender_wallet_id, receiver_wallet_id)"
        " values (1000, 'NGN', 'PENDING', 968, %s) returning id",
        world.free_meter_wallet,
    )
    completed = Completed()
    fulfil = FulfilTopUp(
        begin=lambda: WithInteractions(world.engine),
        top_ups=world.top_ups,
        complete=completed,  # type: ignore[arg-type]  # one call of it is all that is needed
        clock=world.clock,
    )
    with pytest.raises(NotFound):
        await fulfil(order_id)
    await world.settle()()
    with pytest.raises(Unavailable, match="waits for a tariff of meter 47001771485"):
        await fulfil(order_id)
    assert (await world.order(order_id)).tariff == -1
    world.one("update grids set kwh_tariff_essential_service = 0.09 where name = 'Sora' returning id")
    with pytest.raises(Unavailable, match="more than one top-up"):
        await fulfil(order_id)
    world.one("update grids set kwh_tariff_essential_service = 230 where name = 'Sora' returning id")
    await fulfil(order_id)
    assert world.top_ups.of(order_id)[-1].energy_kwh == Decimal("4.4")
    order = await world.order(order_id)
    assert (order.status, order.tariff, order.tariff_type) == (OrderStatus.COMPLETED, 230, "HPS")
    assert completed.orders == [order_id]


async def test_people_hear_of_a_top_up_that_waits(world: PostgresWorld) -> None:
    """[PAY-116] [PAY-134] After five attempts or a quarter of an hour, once an hour."""
    fulfil = FulfilTopUp(
        begin=lambda: WithInteractions(world.engine),
        top_ups=world.top_ups,
        complete=Completed(),  # type: ignore[arg-type]  # nothing is completed here
        clock=world.clock,
    )
    settled_at = world.clock.now()
    await fulfil.watch(50, attempts=4, since=settled_at)
    world.clock.advance(timedelta(minutes=14))
    await fulfil.watch(51, attempts=0, since=settled_at)
    assert await world.alerts() == []
    await fulfil.watch(50, attempts=5, since=settled_at)
    await fulfil.watch(50, attempts=6, since=settled_at)
    assert await world.alerts() == ["TOP_UP_WAITING"]
    world.clock.advance(timedelta(minutes=1))
    await fulfil.watch(51, attempts=1, since=settled_at)
    assert await world.alerts() == ["TOP_UP_WAITING"] * 2
    world.clock.advance(timedelta(hours=1))
    await fulfil.watch(50, attempts=9, since=settled_at)
    assert await world.alerts() == ["TOP_UP_WAITING"] * 3
