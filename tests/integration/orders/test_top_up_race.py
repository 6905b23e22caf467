"""Purchases for one meter at the same moment, on real stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise

import pytest
from tests.support.payments_schedules import ScheduleWorld

from nxt_adapters.supabase.engine import create_engine


@pytest.fixture
async def world(relational_url: str) -> AsyncIterator[ScheduleWorld]:
    made = ScheduleWorld(relational_url, create_engine(relational_url, pool_size=8))
    yield made
    await made.close()


async def test_two_simultaneous_purchases_for_one_meter(world: ScheduleWorld) -> None:
    """[PAY-114] [PAY-198] 11: two workers, two tokens that differ, their times a minute apart or more; many times."""
    turns = 6
    for _ in range(turns):
        for _ in range(2):
            await world.send(world.system, world.meter_wallet, "100")
        reports = await asyncio.gather(*(world.settle(batch_size=1)() for _ in range(2)))
        assert sum(len(report.completed) for report in reports) == 2
    rows = world.all("select token, token_issued_at as at from meter_interactions order by token_issued_at")
    assert len(rows) == len({row["token"] for row in rows}) == 2 * turns
    assert all(after["at"] - before["at"] >= timedelta(seconds=60) for before, after in pairwise(rows))
