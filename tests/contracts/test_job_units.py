"""Port ``JobUnits``: one suite over the fake and over PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import attrs
import pytest

from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_domain.shared.job_units import BegunUnit, JobUnit

UNIT = JobUnit(job="generate-payouts", period="2025-06", unit="grid:5")
OTHERS = [
    attrs.evolve(UNIT, unit="grid:6"),
    attrs.evolve(UNIT, period="2025-07"),
    attrs.evolve(UNIT, job="revenue-report"),
]
DRAFTED = {"payout_id": 7, "grid_name": "Umuoke"}

Begin = Callable[[], Any]


@pytest.fixture(params=["memory", "postgres"])
async def begin(request: pytest.FixtureRequest) -> AsyncIterator[Begin]:
    if request.param == "memory":
        yield MemoryPlane().begin
        return
    engine = create_engine(request.getfixturevalue("relational_url"), pool_size=4)
    yield lambda: SupabaseUnitOfWork(engine, messages_of=lambda session: NotImplemented)
    await engine.dispose()


async def finish(begin: Begin, unit: JobUnit, *, commits: bool = True) -> bool:
    async with begin() as tx:
        was_first: bool = await tx.job_units.finish(unit)
        if commits:
            await tx.commit()
    return was_first


async def test_a_unit_is_done_once(begin: Begin) -> None:
    """[REL-169] [AUTO-9] Its job, period and name together are what is done; others are not touched."""
    assert await finish(begin, UNIT)
    assert not await finish(begin, UNIT)
    assert [await finish(begin, other) for other in OTHERS] == [True] * 3
    async with begin() as tx:
        assert set(await tx.job_units.done([UNIT, attrs.evolve(UNIT, unit="grid:7")])) == {UNIT}
        assert set(await tx.job_units.done([])) == set()


async def test_what_is_rolled_back_is_not_done(begin: Begin) -> None:
    """[REL-169]"""
    assert await finish(begin, UNIT, commits=False)
    assert await finish(begin, UNIT)


async def test_two_halves(begin: Begin) -> None:
    """What the first half left is there for the second, until that is done."""
    async with begin() as tx:
        await tx.job_units.begin(UNIT, {"payout_id": 1})
        await tx.job_units.begin(UNIT, DRAFTED)
        await tx.job_units.begin(OTHERS[2], {})
        await tx.commit()
    async with begin() as tx:
        assert await tx.job_units.begun(UNIT.job) == [BegunUnit(key=UNIT, result=DRAFTED)]
        assert set(await tx.job_units.done([UNIT])) == set()
    assert await finish(begin, UNIT)
    async with begin() as tx:
        await tx.job_units.begin(UNIT, {"payout_id": 8})
        await tx.job_units.fail(UNIT, "too late")
        await tx.commit()
    async with begin() as tx:
        assert await tx.job_units.begun(UNIT.job) == [], "what is done stays so"
        assert set(await tx.job_units.done([UNIT])) == {UNIT}


async def test_a_failure_is_tried_again(begin: Begin) -> None:
    """[AUTO-9]"""
    async with begin() as tx:
        await tx.job_units.fail(UNIT, "x" * 2_000)
        await tx.commit()
    async with begin() as tx:
        assert await tx.job_units.begun(UNIT.job) == []
    assert await finish(begin, UNIT)


async def test_of_many_at_once_one_is_first(begin: Begin) -> None:
    """[PAY-196] Each waits for the others' end."""
    first = await asyncio.gather(*(finish(begin, UNIT) for _ in range(8)))
    assert sorted(first) == [False] * 7 + [True]
