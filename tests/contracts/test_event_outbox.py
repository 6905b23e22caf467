"""``EventOutbox``: one suite over memory and PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any, Protocol

import pytest
from sqlalchemy import text

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.event_outbox import MemoryEventOutbox
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.event_outbox import PostgresEventOutbox
from nxt_adapters.supabase.stand_alone import StandAloneStore
from nxt_domain.messaging.stand_alone_ports import EventOutbox, WaitingEvent
from nxt_domain.shared.outbox import OutboxTask

LEASE = timedelta(seconds=60)


def told(number: int, stream: str = "message:1", **message: Any) -> OutboxTask:
    payload = {"eventId": f"E{number}", "message": {"correlationId": stream[8:], "value": 12.34, **message}}
    return OutboxTask(kind="DELIVERY_EVENT", dedupe_key=f"delivery:E{number}", stream_key=stream, payload=payload)


class World(Protocol):
    outbox: EventOutbox

    async def add(self, *tasks: OutboxTask) -> None: ...

    async def pass_time(self, step: timedelta) -> None: ...

    async def dead(self) -> Sequence[tuple[str, int, str | None]]: ...

    async def spoil(self, event_id: str) -> None: ...


class MemoryEvents:
    def __init__(self) -> None:
        self._database = MemoryDatabase()
        self.outbox = MemoryEventOutbox(self._database)

    async def add(self, *tasks: OutboxTask) -> None:
        await self.outbox.add(tasks)

    async def pass_time(self, step: timedelta) -> None:
        self._database.clock.advance(step)

    async def dead(self) -> Sequence[tuple[str, int, str | None]]:
        return self.outbox.dead_letters()

    async def spoil(self, event_id: str) -> None:
        self.outbox.spoil(event_id)


class PostgresWorld:
    def __init__(self, url: str) -> None:
        self.engine = create_engine(url, pool_size=5, role=None)
        self.outbox = PostgresEventOutbox(self.engine)

    async def add(self, *tasks: OutboxTask) -> None:
        def none(_: object) -> Any:
            raise NotImplementedError

        async with StandAloneStore(self.engine, messages_of=none, tells=True) as store:
            await store.outbox.add(tasks)
            await store.commit()

    async def pass_time(self, step: timedelta) -> None:
        moved = ", ".join(f"{name} = {name} - :step" for name in ("next_attempt_at", "lease_until", "dead_lettered_at"))
        await self._run(f"update messaging.event_outbox set {moved}", step=step)

    async def dead(self) -> Sequence[tuple[str, int, str | None]]:
        rows = await self._run(
            "select event_id, attempt_count, last_error from messaging.event_outbox"
            " where dead_lettered_at is not null order by id"
        )
        return [tuple(row) for row in rows]

    async def spoil(self, event_id: str) -> None:
        await self._run("update messaging.event_outbox set event = '{' where event_id = :id", id=event_id)

    async def _run(self, statement: str, **values: Any) -> Sequence[Any]:
        async with self.engine.begin() as connection:
            result = await connection.execute(text(statement), values)
            return result.all() if result.returns_rows else []


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryEvents()
        return
    built = PostgresWorld(request.getfixturevalue("messaging_url"))
    yield built
    await built.engine.dispose()


async def claim(world: World, limit: int = 50) -> Sequence[WaitingEvent]:
    return await world.outbox.claim(limit=limit, lease=LEASE)


def ids(events: Sequence[WaitingEvent]) -> list[str]:
    return [event.event_id for event in events]


async def test_an_event_is_held_by_one_process_and_then_gone(world: World) -> None:
    """[DM-155] [DM-159] Leased for 60 s; the same bytes each time; forgotten once it was taken."""
    await world.add(told(1), told(1))
    (event,) = await claim(world)
    assert (event.event_id, event.correlation_id, event.attempts) == ("E1", "1", 0)
    assert json.loads(event.body or b"")["message"]["value"] == 12.34
    assert await claim(world) == []
    await world.pass_time(LEASE + timedelta(milliseconds=1))
    (again,) = await claim(world)
    assert again.body == event.body
    await world.outbox.delivered(event)  # the lease is another's: nothing happens
    await world.outbox.delivered(again)
    await world.pass_time(LEASE * 2)
    assert await claim(world) == []


async def test_events_of_one_message_wait_for_each_other(world: World) -> None:
    """[DM-159] Other messages' events go beside them; a later one goes when the earlier is taken or given up."""
    await world.add(told(1), told(2), told(3, "message:2"), told(4))
    first = await claim(world)
    assert ids(first) == ["E1", "E3"]
    assert await claim(world) == []
    await world.outbox.delivered(first[0])
    (second,) = await claim(world)
    assert second.event_id == "E2"
    await world.outbox.retry(second, error="HTTP 503", delay=timedelta(seconds=2))
    assert await claim(world) == []
    await world.pass_time(timedelta(seconds=2, milliseconds=1))
    (second,) = await claim(world)
    assert (second.event_id, second.attempts) == ("E2", 1)
    await world.outbox.bury(second, error="HTTP 404")
    assert ids(await claim(world)) == ["E4"]
    assert list(await world.dead()) == [("E2", 2, "HTTP 404")]


async def test_dead_letters_are_kept_for_their_time(world: World) -> None:
    """[DM-158] Then they are dropped; waiting events never are."""
    await world.add(told(1), told(2, "message:2"))
    dead, waiting = await claim(world)
    await world.outbox.bury(dead, error="no answer within 10 s")
    assert await world.outbox.prune(timedelta(days=7)) == 0
    await world.pass_time(timedelta(days=8))
    assert await world.outbox.prune(timedelta(days=7)) == 1
    assert list(await world.dead()) == []
    assert ids(await claim(world)) == [waiting.event_id]


async def test_what_cannot_be_read_has_no_body(world: World) -> None:
    """[DM-160]"""
    await world.add(told(1))
    await world.spoil("E1")
    (event,) = await claim(world)
    assert event.body is None


async def test_claims_at_the_same_time_share_the_work(world: World) -> None:
    """[DM-3] [DM-159] No event is claimed twice; a limit is kept."""
    await world.add(*(told(number, f"message:{number}") for number in range(20)))
    batches = await asyncio.gather(*(claim(world, limit=3) for _ in range(5)))
    claimed = [event_id for batch in batches for event_id in ids(batch)]
    assert len(claimed) == len(set(claimed)) == 15
