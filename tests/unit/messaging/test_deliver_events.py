"""Posting events: attempts, waits, dead letters, order and parallelism, on the outbox in memory [DM 15.3]."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.event_outbox import MemoryEventOutbox
from nxt_domain.messaging.stand_alone_ports import NotDelivered
from nxt_domain.messaging.use_cases.deliver_events import DeliverEvents
from nxt_domain.messaging.webhooks import PostResult, WebhookPolicy
from nxt_domain.shared.outbox import OutboxTask


class Receiver:
    def __init__(self) -> None:
        self.posts: list[tuple[str, bytes]] = []
        self.answer: Callable[[str], Awaitable[int]] | int = 204
        self.open = 0
        self.most = 0

    async def post(self, event_id: str, body: bytes) -> int:
        self.posts.append((event_id, body))
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            return self.answer if isinstance(self.answer, int) else await self.answer(event_id)
        finally:
            self.open -= 1


class Counter:
    def __init__(self) -> None:
        self.results: list[PostResult] = []

    def event_posted(self, result: PostResult) -> None:
        self.results.append(result)


class World:
    def __init__(self) -> None:
        self.database = MemoryDatabase()
        self.outbox = MemoryEventOutbox(self.database)
        self.receiver = Receiver()
        self.counter = Counter()
        self.ended = asyncio.Event()
        self.deliver = DeliverEvents(
            outbox=self.outbox,
            receiver=self.receiver,
            policy=WebhookPolicy(),
            metrics=self.counter,
            ended=self.ended,
        )

    async def add(self, *numbers: int, stream: str | None = None) -> None:
        await self.outbox.add(
            [
                OutboxTask(
                    kind="DELIVERY_EVENT",
                    dedupe_key=f"E{number}",
                    stream_key=stream or f"message:{number}",
                    payload={"eventId": f"E{number}", "message": {}},
                )
                for number in numbers
            ]
        )

    async def drain(self) -> None:
        while await self.deliver.begin():
            await self.deliver.drain(timedelta(seconds=5))

    def wait(self, seconds: float) -> None:
        self.database.clock.advance(timedelta(seconds=seconds))


@pytest.fixture
def world() -> World:
    return World()


async def test_a_receiver_that_is_down_is_tried_six_times(world: World) -> None:
    """[DM-155] [DM-156] [DM-157] [DM-158] The same bytes after 2, 4, 8, 16 and 32 s; then a dead letter."""
    world.receiver.answer = 503
    await world.add(1)
    for waited in (0, 2, 4, 8, 16, 32):
        world.wait(waited - 0.001 if waited else 0)
        before = len(world.receiver.posts)
        if waited:
            await world.drain()
            assert len(world.receiver.posts) == before
            world.wait(0.001)
        await world.drain()
        assert len(world.receiver.posts) == before + 1
    assert len(set(world.receiver.posts)) == 1
    assert world.outbox.dead_letters() == [("E1", 6, "HTTP 503")]
    assert world.counter.results == [PostResult.RETRIED] * 5 + [PostResult.BURIED]


async def test_silence_counts_as_a_failure_and_a_refusal_ends_it(world: World) -> None:
    """[DM-156] [DM-158]"""

    async def silent(_: str) -> int:
        raise NotDelivered("no answer within 10 s")

    world.receiver.answer = silent
    await world.add(1)
    await world.drain()
    world.wait(2)
    world.receiver.answer = 404
    await world.drain()
    assert world.outbox.dead_letters() == [("E1", 2, "HTTP 404")]
    assert world.counter.results == [PostResult.RETRIED, PostResult.BURIED]


async def test_events_of_a_message_stay_in_order_and_ten_go_at_once(world: World) -> None:
    """[DM-159]"""
    await world.add(1, 2, 3, stream="message:one")
    await world.add(*range(10, 40))
    gate = asyncio.Event()

    async def held(_: str) -> int:
        await gate.wait()
        return 204

    world.receiver.answer = held
    assert await world.deliver.begin() == 10
    assert await world.deliver.begin() == 0
    await asyncio.sleep(0)
    gate.set()
    await world.deliver.drain(timedelta(seconds=5))
    await world.drain()
    posted = [event_id for event_id, _ in world.receiver.posts]
    assert [one for one in posted if one in {"E1", "E2", "E3"}] == ["E1", "E2", "E3"]
    assert (len(posted), world.receiver.most) == (33, 10)


async def test_an_unreadable_event_is_removed_unposted(world: World) -> None:
    """[DM-160] The next one of its message goes."""
    await world.add(1, 2, stream="message:one")
    world.outbox.spoil("E1")
    await world.drain()
    assert [event_id for event_id, _ in world.receiver.posts] == ["E2"]
    assert world.outbox.dead_letters() == []


async def test_a_stop_waits_for_posts_and_cuts_off_what_takes_too_long(world: World) -> None:
    """[DM-173] What was cut off keeps its lease and is posted again when that has lapsed."""

    async def endless(_: str) -> int:
        await asyncio.Event().wait()
        return 204

    world.receiver.answer = endless
    await world.add(1)
    await world.deliver.begin()
    await asyncio.sleep(0)
    await world.deliver.drain(timedelta(milliseconds=10))
    world.receiver.answer = 204
    await world.drain()
    assert len(world.receiver.posts) == 1
    world.wait(60)
    await world.drain()
    assert len(world.receiver.posts) == 2
    assert world.ended.is_set()
