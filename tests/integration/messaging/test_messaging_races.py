"""Two processes at the same message, in the order of commits that hurts most."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.support.messaging_process import Engine, answer, news
from tests.support.messaging_worlds import PostgresWorld, push_message

from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.messages import PostgresMessageStore
from nxt_domain.messaging.model import DeliveryStatus, DeviceMessage

S = DeliveryStatus


class HeldUpStore(PostgresMessageStore):
    """A transaction that reaches its commit and then waits until it may go on."""

    reached: asyncio.Event
    may_commit: asyncio.Event

    async def commit(self) -> None:
        self.reached.set()
        await self.may_commit.wait()
        await super().commit()


class SlowWorld(PostgresWorld):
    """A store whose commits can be held up, from one moment on."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine)
        self.is_slow = False
        self.reached, self.may_commit = asyncio.Event(), asyncio.Event()

    def begin(self) -> PostgresMessageStore:
        if not self.is_slow:
            return super().begin()
        store = HeldUpStore(self.engine, self.metrics)
        store.reached, store.may_commit = self.reached, self.may_commit
        return store


@pytest.fixture
async def world(relational_url: str) -> AsyncIterator[SlowWorld]:
    database = create_engine(relational_url, pool_size=5)
    yield SlowWorld(database)
    await database.dispose()


@pytest.mark.parametrize("event", [news(S.SENT_TO_DEVICE, "r-1"), answer("r-1")], ids=["radiated", "answered"])
async def test_an_event_that_comes_while_the_send_is_being_recorded(world: SlowWorld, event: Any) -> None:
    """[DM-59] The event's process sees no remote id, the sender's process sees no event: each looks once more."""
    sender, receiver = Engine(world, "sender"), Engine(PostgresWorld(world.engine), "receiver")
    (message_id,) = await sender.enqueue(push_message())

    async def accept(_: DeviceMessage) -> str:
        world.is_slow = True
        return "r-1"

    world.push.on_send = accept
    sending = asyncio.create_task(sender.send())
    await world.reached.wait()
    await receiver.apply("stub-push", event)
    world.may_commit.set()
    await sending
    if event.delivery_status is S.SENT_TO_DEVICE:
        assert await receiver.status(message_id) is S.SENT_TO_DEVICE
    else:
        assert await world.live() == {}
    async with world.begin() as store:
        assert await store.early.parked_ids("stub-push", ["r-1"]) == set()
