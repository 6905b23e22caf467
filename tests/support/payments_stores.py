"""Opens the village that pays in one store or the other, for contract suites."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from nxt_adapters.supabase.engine import create_engine
from nxt_domain.orders.meta import order_meta
from nxt_domain.orders.model import NewOrder, OrderType
from nxt_domain.orders.states import OrderStatus
from nxt_domain.shared.money import Currency
from tests.support.payments_memory import MemoryWorld
from tests.support.payments_postgres import PostgresWorld
from tests.support.payments_world import PaymentsWorld

STORES = ("memory", "postgres")


@asynccontextmanager
async def open_world(request: pytest.FixtureRequest) -> AsyncIterator[PaymentsWorld]:
    """Build the village in the store that the fixture's parameter names."""
    if request.param == "memory":
        yield MemoryWorld()
        return
    url = request.getfixturevalue("relational_url")
    made = PostgresWorld(url, create_engine(url, pool_size=8))
    yield made
    await made.close()


async def settle_all(world: PaymentsWorld) -> None:
    """Settle until nothing is left."""
    while (await world.settle()()).found_work:
        pass


async def top_up_draft(world: PaymentsWorld) -> NewOrder:
    """Draft an order of a meter that is paid from outside; nothing is stored."""
    async with world.begin() as tx:
        parties = await tx.orders.parties([world.system, world.meter_wallet])
    meta = order_meta(
        sender=parties[world.system],
        receiver=parties[world.meter_wallet],
        author=None,
        platform_organization_id=2,
    )
    assert meta.order_type is OrderType.ENERGY_TOPUP
    return NewOrder(
        status=OrderStatus.INITIALISED,
        amount=Decimal(10),
        currency=Currency.NGN,
        sender_wallet_id=world.system,
        receiver_wallet_id=world.meter_wallet,
        meta=meta,
    )
