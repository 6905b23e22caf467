"""``Outbox`` and ``OutboxQueue``: one suite over memory and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.support.meters_villages import KINDS, MemoryVillage, PostgresVillage, village
from tests.support.meters_world import MetersWorld

from nxt_domain.shared.outbox import ClaimedTask, OutboxQueue, OutboxTask

LEASE = timedelta(seconds=60)


class World:
    """A store with its queue, whose time passes when told."""

    def __init__(self, store: MetersWorld) -> None:
        self.store = store
        self.queue: OutboxQueue = store.outbox_queue  # type: ignore[attr-defined]  # of both villages

    async def add(self, *tasks: OutboxTask) -> None:
        async with self.store.begin() as tx:
            await tx.outbox.add(list(tasks))
            await tx.commit()

    async def claim(self, *kinds: str, limit: int = 100, owner: str = "a") -> Sequence[ClaimedTask]:
        return await self.queue.claim(owner=owner, kinds=kinds or ("WORK",), limit=limit, lease=LEASE)

    async def keys(self, *kinds: str, limit: int = 100) -> list[str]:
        return [task.dedupe_key for task in await self.claim(*kinds, limit=limit)]

    async def pass_time(self, step: timedelta) -> None:
        if isinstance(self.store, MemoryVillage):
            self.store.clock.advance(step)
        elif isinstance(self.store, PostgresVillage):
            self.store.run(
                "update internal.outbox_tasks set next_attempt_at = next_attempt_at - %s, lease_until = lease_until"
                " - %s, give_up_at = give_up_at - %s",
                step,
                step,
                step,
            )

    async def state(self, key: str) -> dict[str, Any] | None:
        if isinstance(self.store, MemoryVillage):
            row = self.store.plane.database.table("outbox_states").get(key)
            facts = None if row is None else (row.attempts, row.last_error, row.done_at, row.dropped_at)
        else:
            assert isinstance(self.store, PostgresVillage)
            rows = self.store.all("select * from internal.outbox_tasks where dedupe_key = %s", key)
            names = ("attempts", "last_error", "done_at", "dropped_at")
            facts = tuple(rows[0][name] for name in names) if rows else None  # type: ignore[assignment]  # of four
        if facts is None:
            return None
        attempts, error, done_at, dropped_at = facts
        return {"attempts": attempts, "error": error, "done": done_at is not None, "dropped": dropped_at is not None}


@pytest.fixture(params=KINDS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with village(request, request.param) as built:
        yield World(built)


def task(key: str, **changes: Any) -> OutboxTask:
    facts: dict[str, Any] = {"kind": "WORK", "dedupe_key": key, "payload": {"n": 1}}
    return OutboxTask(**(facts | changes))


async def test_what_is_due_is_told_without_taking_it(world: World) -> None:
    """[REL-156] Of the asked kinds, those with a task that nobody holds and whose time has come."""
    await world.add(task("a"), task("b", kind="OTHER", delay=timedelta(hours=1)), task("c", kind="NOT_ASKED"))
    for _ in range(2):
        assert set(await world.queue.due(["WORK", "OTHER", "NONE"])) == {"WORK"}
    await world.claim("WORK")
    assert set(await world.queue.due(["WORK", "OTHER"])) == set()
    await world.pass_time(timedelta(hours=1))
    assert set(await world.queue.due(["WORK", "OTHER"])) == {"WORK", "OTHER"}


async def test_rel_156_a_task_arrives_as_it_was_left(world: World) -> None:
    payload = {"order_id": 50, "energy": Decimal("4.40"), "list": [1, None, True], "text": "ü"}
    await world.add(task("a", payload=payload, stream_key="s", give_up_after=timedelta(hours=1)))
    (claimed,) = await world.claim()
    assert (claimed.kind, claimed.dedupe_key, claimed.stream_key, claimed.attempts) == ("WORK", "a", "s", 0)
    assert dict(claimed.payload) == payload
    assert claimed.give_up_at is not None
    assert timedelta(minutes=59) < claimed.give_up_at - claimed.created_at <= timedelta(hours=1, seconds=1)
    assert claimed.lease_until > claimed.created_at


async def test_rel_156_tasks_live_and_die_with_their_cause(world: World) -> None:
    async with world.store.begin() as tx:
        await tx.outbox.add([task("a")])
        await tx.outbox.add([])
    assert await world.keys() == []


async def test_pay_121_a_known_key_is_not_stored_again(world: World) -> None:
    """Nor while it is open, nor when it is done, nor twice at once."""
    await world.add(task("a", payload={"n": 1}), task("b"), task("a", payload={"n": 2}))
    claimed = await world.claim()
    assert [(one.dedupe_key, dict(one.payload)) for one in claimed] == [("a", {"n": 1}), ("b", {"n": 1})]
    await world.queue.done(claimed)
    await world.add(task("a", payload={"n": 3}))
    assert await world.keys() == []


async def test_tasks_are_claimed_by_kind_and_in_order(world: World) -> None:
    await world.add(task("a"), task("b", kind="OTHER"), task("c"), task("d"))
    assert await world.keys(limit=2) == ["a", "c"]
    assert await world.keys("OTHER") == ["b"]
    assert await world.keys() == ["d"]
    assert await world.keys("WORK", "OTHER") == []


async def test_pay_121_a_delay_is_kept(world: World) -> None:
    await world.add(task("a", delay=timedelta(minutes=5)))
    assert await world.keys() == []
    await world.pass_time(timedelta(minutes=5, seconds=1))
    assert await world.keys() == ["a"]


async def test_rel_156_a_claimed_task_is_leased_and_taken_over_when_its_lease_lapses(world: World) -> None:
    await world.add(task("a"))
    assert await world.keys() == ["a"]
    await world.pass_time(timedelta(seconds=50))
    assert await world.keys() == []
    await world.pass_time(timedelta(seconds=11))
    assert await world.keys() == ["a"]


async def test_rel_156_a_failed_task_comes_again_after_its_delay(world: World) -> None:
    await world.add(task("a"))
    (claimed,) = await world.claim()
    assert await world.queue.retry([(claimed, timedelta(seconds=10))], error="down") == []
    assert await world.state("a") == {"attempts": 1, "error": "down", "done": False, "dropped": False}
    assert await world.keys() == []
    await world.pass_time(timedelta(seconds=11))
    (again,) = await world.claim()
    assert again.attempts == 1


async def test_rel_156_beyond_its_time_a_task_is_dropped(world: World) -> None:
    await world.add(task("a", give_up_after=timedelta(seconds=30)), task("b"))
    delay = timedelta(seconds=20)
    assert await world.queue.retry([(one, delay) for one in await world.claim()], error="down") == []
    await world.pass_time(timedelta(seconds=21))
    given_up = await world.queue.retry([(one, delay) for one in await world.claim()], error="down")
    assert [one.dedupe_key for one in given_up] == ["a"]
    dropped, kept = await world.state("a"), await world.state("b")
    assert (dropped or {})["dropped"] is True
    assert (kept or {})["dropped"] is False  # without an end it is tried for ever
    await world.pass_time(timedelta(hours=1))
    assert await world.keys() == ["b"]


async def test_a_task_can_be_given_up_at_once(world: World) -> None:
    await world.add(task("a", give_up_after=timedelta(seconds=30)))
    await world.queue.retry([(one, timedelta(minutes=1)) for one in await world.claim()], error="malformed")
    assert await world.state("a") == {"attempts": 1, "error": "malformed", "done": False, "dropped": True}
    await world.pass_time(timedelta(hours=1))
    assert await world.keys() == []


async def test_tasks_that_fail_together_wait_each_its_own_time(world: World) -> None:
    await world.add(task("a"), task("b"))
    first, second = await world.claim()
    await world.queue.retry([(first, timedelta(minutes=5)), (second, timedelta(seconds=10))], error="down")
    await world.pass_time(timedelta(seconds=11))
    assert await world.keys() == ["b"]
    await world.pass_time(timedelta(minutes=5))
    assert await world.keys() == ["a", "b"]


async def test_r49_done_socket_events_are_deleted_and_others_kept(world: World) -> None:
    await world.add(task("a"), task("b", kind="SOCKET_EVENT"))
    await world.queue.done(await world.claim("WORK", "SOCKET_EVENT"))
    await world.queue.done([])
    assert await world.state("a") == {"attempts": 0, "error": None, "done": True, "dropped": False}
    assert await world.state("b") is None


class TestStreams:
    async def test_rel_156_later_tasks_of_a_stream_wait_for_earlier_ones(self, world: World) -> None:
        await world.add(task("a1", stream_key="a"), task("a2", stream_key="a"), task("b1", stream_key="b"), task("c"))
        first = await world.claim()
        assert [one.dedupe_key for one in first] == ["a1", "b1", "c"]
        assert await world.keys() == []
        await world.queue.done(first)
        assert await world.keys() == ["a2"]

    async def test_a_failing_head_holds_its_stream_and_no_other(self, world: World) -> None:
        await world.add(task("a1", stream_key="a"), task("a2", stream_key="a"), task("b1", stream_key="b"))
        head, _ = await world.claim()
        await world.queue.retry([(head, timedelta(minutes=5))], error="down")
        await world.pass_time(timedelta(minutes=2))
        assert await world.keys() == ["b1"]
        await world.pass_time(timedelta(minutes=4))
        assert "a1" in await world.keys()

    async def test_a_dropped_head_lets_the_next_one_go(self, world: World) -> None:
        await world.add(task("a1", stream_key="a", give_up_after=timedelta(seconds=30)), task("a2", stream_key="a"))
        (head,) = await world.claim()
        assert await world.queue.retry([(head, timedelta(minutes=1))], error="malformed") == [head]
        assert await world.keys() == ["a2"]

    async def test_order_holds_over_kinds(self, world: World) -> None:
        """A stream is one line, whatever stands in it."""
        await world.add(task("a1", stream_key="a", kind="OTHER"), task("a2", stream_key="a"))
        assert await world.keys() == []
        assert await world.keys("OTHER") == ["a1"]


class TestLapsedLeases:
    async def test_who_lost_a_lease_can_not_disturb_who_has_it(self, world: World) -> None:
        """Its failure neither counts nor frees the task for a third one."""
        await world.add(task("a"))
        (old,) = await world.claim(owner="a")
        await world.pass_time(timedelta(seconds=61))
        (new,) = await world.claim(owner="b")
        assert await world.queue.retry([(old, timedelta(0))], error="late") == []
        assert await world.keys() == []
        await world.queue.done([new])
        assert await world.state("a") == {"attempts": 0, "error": None, "done": True, "dropped": False}

    async def test_what_is_done_is_done_whoever_did_it(self, world: World) -> None:
        await world.add(task("a"))
        (old,) = await world.claim(owner="a")
        await world.pass_time(timedelta(seconds=61))
        (new,) = await world.claim(owner="b")
        await world.queue.done([old])
        assert await world.queue.retry([(new, timedelta(0))], error="late") == []
        assert (await world.state("a") or {})["done"] is True


async def test_many_claimers_share_the_work_without_overlap(world: World) -> None:
    await world.add(*(task(str(number), stream_key=str(number % 7)) for number in range(35)))
    done: list[str] = []

    async def work(owner: str) -> None:
        while True:
            claimed = await world.claim(owner=owner, limit=4)
            if not claimed:
                if len(done) == 35:
                    return
                await asyncio.sleep(0.002)
                continue
            done.extend(one.dedupe_key for one in claimed)
            await world.queue.done(claimed)

    await asyncio.wait_for(asyncio.gather(*(work(str(owner)) for owner in range(5))), 30)
    assert sorted(done, key=int) == [str(number) for number in range(35)]
    for stream in range(7):
        mine = [int(key) for key in done if int(key) % 7 == stream]
        assert mine == sorted(mine)
