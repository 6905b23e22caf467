"""The API role over the registers of a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from dependency_injector import providers
from redis.asyncio import Redis
from tests.support.http_roles import LOTS, Services
from tests.support.identity_world import IdentityWorld
from tests.support.registers import PostgresRegisters

from nxt_adapters.system.clock import SystemClock
from nxt_entrypoints.api.app import build_api
from nxt_entrypoints.wiring.registers import Registers


@pytest.fixture
async def registers(relational_url: str) -> AsyncIterator[PostgresRegisters]:
    """Two tenants; customers 1 and 2 are the first one's on grid 70, customer 3 on grid 71, customer 4 the other's."""
    made = PostgresRegisters(relational_url)
    await made.seed()
    for customer_id, grid_id in ((1, 70), (2, 70), (3, 71), (4, 80)):
        await made.add_customer(customer_id, grid_id)
    yield made
    await made.close()


@pytest.fixture
def callers() -> IdentityWorld:
    """Everybody who may call."""
    return IdentityWorld()


def wired(
    registers: PostgresRegisters, valkey_url: str = "redis://127.0.0.1:9", *, has_tracker: bool = True
) -> Registers:
    """Wire the area's use cases as the container does; by default no Valkey answers."""
    return Registers(
        begin=providers.Object(registers.begin),
        clock=providers.Singleton(SystemClock),
        valkey=providers.Singleton(Redis.from_url, valkey_url),
        has_tracker=providers.Object(has_tracker),
        engine=providers.Object(registers.pool),
        series_pool=providers.Object(None),
    )


@pytest.fixture
async def registers_api(registers: PostgresRegisters, callers: IdentityWorld) -> AsyncIterator[Any]:
    """A client of the API role."""
    services: Any = Services()
    services.registers = wired(registers).services()
    async with TestClient(TestServer(build_api(services, gate=callers.gate, settings=LOTS))) as client:
        yield client
