"""``Budget``: one suite over that of one process and that of many, on a real Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from nxt_adapters.redis.budget import SharedBudget
from nxt_adapters.victron.budget import LocalBudget, VrmUse

PER_SECOND = 20


@pytest.fixture(params=["local", "shared"])
async def budgets(request: pytest.FixtureRequest) -> AsyncIterator[list[Any]]:
    """What three processes hold; a local one is the same object thrice."""
    if request.param == "local":
        yield [LocalBudget(PER_SECOND)] * 3
        return
    url = request.getfixturevalue("valkey_url")
    clients = [Redis.from_url(url) for _ in range(3)]
    yield [SharedBudget(client, "vrm", PER_SECOND, alone=LocalBudget(PER_SECOND)) for client in clients]
    for client in clients:
        await client.aclose()


async def test_all_callers_share_one_rate(budgets: list[Any]) -> None:
    """[TEL-47] Over all processes."""
    now = asyncio.get_running_loop().time
    turns: list[float] = []

    async def call(budget: Any) -> None:
        await budget.take(VrmUse.WEATHER)
        turns.append(now())

    started = now()
    await asyncio.gather(*(call(budget) for budget in budgets * 3))
    assert len(turns) == 9
    assert now() - started >= 8 / PER_SECOND * 0.95


async def test_the_most_urgent_goes_first(budgets: list[Any]) -> None:
    """[TEL-47] Then first come, first served."""
    order: list[str] = []

    async def call(name: str, budget: Any, use: VrmUse) -> None:
        await budget.take(use)
        order.append(name)

    await budgets[0].back_off(0.2)
    waiting = [
        ("weather", VrmUse.WEATHER),
        ("connectivity", VrmUse.CONNECTIVITY),
        ("first sync", VrmUse.MPPT_SYNC),
        ("energy", VrmUse.GRID_ENERGY),
        ("second sync", VrmUse.MPPT_SYNC),
    ]
    tasks = []
    for index, (name, use) in enumerate(waiting):
        tasks.append(asyncio.create_task(call(name, budgets[index % 3], use)))
        await asyncio.sleep(0.01)
    await asyncio.gather(*tasks)
    assert order == ["energy", "first sync", "second sync", "weather", "connectivity"]


async def test_who_gives_up_takes_no_turn(budgets: list[Any]) -> None:
    """[TEL-47]"""
    await budgets[0].take(VrmUse.WEATHER)
    await budgets[0].back_off(0.3)
    impatient = asyncio.create_task(budgets[1].take(VrmUse.GRID_ENERGY))
    await asyncio.sleep(0.05)
    impatient.cancel()
    started = asyncio.get_running_loop().time()
    await budgets[2].take(VrmUse.WEATHER)
    assert asyncio.get_running_loop().time() - started < 4, "a turn of nobody is forgotten after five seconds"


async def test_without_valkey_each_process_keeps_the_rate() -> None:
    """[TEL-47] What Valkey holds may be lost; work goes on."""
    client = Redis.from_url("redis://127.0.0.1:9")
    budget = SharedBudget(client, "vrm", PER_SECOND, alone=LocalBudget(PER_SECOND))
    started = asyncio.get_running_loop().time()
    for _ in range(5):
        await budget.take(VrmUse.WEATHER)
    await budget.back_off(0.1)
    await client.aclose()
    assert asyncio.get_running_loop().time() - started >= 4 / PER_SECOND * 0.95
