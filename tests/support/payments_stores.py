"""Opens the village that pays in one store or the other, for contract suites."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from nxt_adapters.supabase.engine import create_engine
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
