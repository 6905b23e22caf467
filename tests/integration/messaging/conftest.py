"""The durable queue on both stores."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.support.messaging_worlds import MemoryWorld, PostgresWorld, World

from nxt_adapters.supabase.engine import create_engine


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    engine = create_engine(request.getfixturevalue("relational_url"), pool_size=5)
    yield PostgresWorld(engine)
    await engine.dispose()
