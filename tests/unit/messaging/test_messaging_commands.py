"""Commands that arrive together, over the queue in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import attrs
import pytest
from tests.support.messaging_worlds import MemoryWorld, SilentWakeUps, push_message

from nxt_adapters.memory.database import MemoryTransaction
from nxt_adapters.memory.messages import MemoryDeviceMessages
from nxt_domain.messaging.model import NewMessage
from nxt_domain.messaging.use_cases.commands import Commands
from nxt_domain.shared.errors import InvalidInput, Unavailable


class Transaction:
    """``CommandTransaction`` over a world in memory, which can be held up or away."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open = MemoryTransaction(store.world.database)

    async def __aenter__(self) -> Self:
        await self._store.may_begin.wait()
        if self._store.is_away:
            raise Unavailable("The database can't be reached")
        await self._open.__aenter__()
        return self

    async def __aexit__(self, *failure: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._open.__aexit__(*failure)  # type: ignore[arg-type]  # handed on as they came

    async def commit(self) -> None:
        self._store.commits += 1
        await self._open.commit()

    @property
    def messages(self) -> MemoryDeviceMessages:
        world = self._store.world
        couriers = {"stub-push": world.push, "stub-pull": world.pull}
        return MemoryDeviceMessages(self._open, couriers=couriers, new_id=world.new_id, policy=world.policy)


class Store:
    """Counts commits."""

    def __init__(self) -> None:
        self.world = MemoryWorld()
        self.commits = 0
        self.is_away = False
        self.may_begin = asyncio.Event()
        self.may_begin.set()
        self.commands = Commands(begin=self._begin, wakeups=SilentWakeUps())

    def _begin(self) -> Any:
        return Transaction(self)

    async def enqueue(self, *messages: NewMessage) -> Sequence[str | BaseException]:
        """Let them arrive at once."""
        return await asyncio.gather(*map(self.commands.enqueue, messages), return_exceptions=True)


async def test_messages_that_arrive_together_are_stored_together() -> None:
    """[DM-16] [DM-145] One transaction instead of fifty, and each caller learns its own message's id."""
    store = Store()
    ids = await store.enqueue(*[push_message(number) for number in range(50)])
    live = await store.world.live()
    assert {live[str(key)].correlation_id: key for key in ids} == {str(number): ids[number] for number in range(50)}
    assert store.commits == 1


async def test_one_that_nobody_takes_does_not_spoil_the_others() -> None:
    """[DM-144]"""
    store = Store()
    stranger = attrs.evolve(push_message(2), plugin_id="stub-nobody")
    first, refusal, third = await store.enqueue(push_message(1), stranger, push_message(3))
    assert isinstance(refusal, InvalidInput)
    assert set(await store.world.live()) == {first, third}


async def test_one_whose_caller_was_told_of_an_outage_is_not_stored_later() -> None:
    """[DM-143] Its caller will send it again."""
    store = Store()
    store.may_begin.clear()
    waiting = asyncio.create_task(store.commands.enqueue(push_message(1)))
    await asyncio.sleep(0)
    late = asyncio.create_task(store.commands.enqueue(push_message(2)))
    await asyncio.sleep(0)
    late.cancel()
    store.may_begin.set()
    assert await waiting in await store.world.live()
    with pytest.raises(asyncio.CancelledError):
        await late
    await asyncio.sleep(0)
    assert [message.correlation_id for message in (await store.world.live()).values()] == ["1"]


async def test_an_outage_is_told_to_all() -> None:
    """[DM-143]"""
    store = Store()
    store.is_away = True
    assert all(isinstance(told, Unavailable) for told in await store.enqueue(push_message(1), push_message(2)))
    assert await store.world.live() == {}
