"""``JobLeases``: one suite over memory and PostgreSQL [REL-168, R48]."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from tests.support.meters_villages import KINDS, MemoryVillage, PostgresVillage, postgres_village, village
from tests.support.meters_world import MetersWorld

from nxt_adapters.memory.leases import MemoryJobLeases
from nxt_adapters.supabase.job_leases import PostgresJobLeases
from nxt_domain.shared.errors import Unavailable
from nxt_domain.shared.job_leases import JobLeases


class World:
    """A store of leases, whose time passes when told."""

    def __init__(self, store: MetersWorld) -> None:
        self.store = store

    def leases(self, owner: str) -> JobLeases:
        """A process's view."""
        if isinstance(self.store, MemoryVillage):
            return MemoryJobLeases(self.store.plane.database, owner)
        assert isinstance(self.store, PostgresVillage)
        return PostgresJobLeases(self.store.engine, owner)

    async def pass_time(self, step: timedelta) -> None:
        if isinstance(self.store, MemoryVillage):
            self.store.clock.advance(step)
        elif isinstance(self.store, PostgresVillage):
            self.store.run("update internal.job_leases set lease_until = lease_until - %s", step)

    async def row(self, name: str) -> dict[str, Any]:
        if isinstance(self.store, MemoryVillage):
            row = MemoryJobLeases(self.store.plane.database, "reader").row(name)
            names = ("owner", "last_succeeded_at", "last_failed_at", "last_error", "consecutive_failures")
            return {field: getattr(row, field) for field in names}
        assert isinstance(self.store, PostgresVillage)
        (found,) = self.store.all("select * from internal.job_leases where name = %s", name)
        return found


@pytest.fixture(params=KINDS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with village(request, request.param) as built:
        yield World(built)


async def test_rel_168_one_at_a_time(world: World) -> None:
    """Also within one process; another job is free."""
    async with world.leases("a").hold("job") as first:
        async with world.leases("b").hold("job") as second, world.leases("a").hold("job") as third:
            assert (first, second, third) == (True, False, False)
        async with world.leases("b").hold("other job") as other:
            assert other is True
        async with world.leases("b").hold("job") as still:
            assert still is False


async def test_rel_168_it_is_free_when_its_run_ended(world: World) -> None:
    async with world.leases("a").hold("job") as ours:
        assert ours
    row = await world.row("job")
    assert row["owner"] is None
    assert row["last_succeeded_at"] is not None
    assert (row["last_error"], row["consecutive_failures"]) == (None, 0)
    async with world.leases("b").hold("job") as next_one:
        assert next_one


async def test_rel_168_failures_are_counted_until_one_succeeds(world: World) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            async with world.leases("a").hold("job"):
                raise ValueError("broken")
    row = await world.row("job")
    assert (row["consecutive_failures"], row["last_error"], row["owner"]) == (2, "ValueError", None)
    assert row["last_failed_at"] is not None
    async with world.leases("a").hold("job"):
        pass
    row = await world.row("job")
    assert (row["consecutive_failures"], row["last_error"]) == (0, None)


async def test_rel_168_a_crashed_holders_lease_lapses(world: World) -> None:
    """Within two minutes; the late end of the first does not take it from the second."""
    crashed = world.leases("a").hold("job")
    assert await crashed.__aenter__()
    await world.pass_time(timedelta(seconds=115))
    async with world.leases("b").hold("job") as too_early:
        assert not too_early
    await world.pass_time(timedelta(seconds=6))
    async with world.leases("b").hold("job") as taken_over:
        assert taken_over
        await crashed.__aexit__(None, None, None)
        assert (await world.row("job"))["owner"] == "b"
        async with world.leases("c").hold("job") as third:
            assert not third


async def test_rel_168_many_ask_at_once_and_one_gets_it(world: World) -> None:
    running = 0

    async def run(owner: str) -> bool:
        nonlocal running
        async with world.leases(owner).hold("job") as ours:
            if ours:
                running += 1
                assert running == 1
                await asyncio.sleep(0.3)
                running -= 1
            return ours

    assert sum(await asyncio.gather(*(run(str(owner)) for owner in range(8)))) == 1


async def test_a_cancelled_run_frees_its_lease(world: World) -> None:
    """As at its deadline, or when the role stops."""
    held = asyncio.Event()

    async def run() -> None:
        async with world.leases("a").hold("job"):
            held.set()
            await asyncio.sleep(60)

    running = asyncio.create_task(run())
    await held.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with world.leases("b").hold("job") as ours:
        assert ours


class TestRenewal:
    """Of the real store; a clock that stands still renews nothing."""

    async def test_rel_168_a_long_run_keeps_its_lease(self, relational_url: str) -> None:
        async with postgres_village(relational_url) as store:
            leases = PostgresJobLeases(store.engine, "a", renew_s=0.05)
            async with leases.hold("job"):
                store.run("update internal.job_leases set lease_until = now() + interval '1 second'")
                await asyncio.sleep(0.4)
                left = store.one("select extract(epoch from lease_until - now()) from internal.job_leases")
            assert left > 100

    async def test_rel_168_a_holder_whose_lease_was_lost_is_stopped(self, relational_url: str) -> None:
        async with postgres_village(relational_url) as store:
            leases = PostgresJobLeases(store.engine, "a", renew_s=0.05)
            worked = False

            async def run() -> None:
                nonlocal worked
                async with leases.hold("job"):
                    store.run("update internal.job_leases set owner = 'b', lease_until = now() + interval '1 minute'")
                    await asyncio.sleep(10)
                    worked = True

            with pytest.raises(Unavailable) as caught:
                await run()
            assert caught.value.code == "LEASE_LOST"
            assert not worked
            assert store.one("select owner from internal.job_leases") == "b"
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0

    async def test_a_renewal_that_fails_does_not_spoil_the_run(self, relational_url: str) -> None:
        """The lease runs on for two minutes; the next renewal may succeed."""
        async with postgres_village(relational_url) as store:
            leases = PostgresJobLeases(store.engine, "a", renew_s=0.05)
            async with leases.hold("job") as ours:
                assert ours
                store.run("alter table internal.job_leases rename to away")
                await asyncio.sleep(0.2)
                store.run("alter table internal.away rename to job_leases")
            assert store.one("select last_succeeded_at is not null from internal.job_leases")
