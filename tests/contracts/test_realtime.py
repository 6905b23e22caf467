"""Port ``Realtime``: one suite over memory, and over Socket.IO with real clients and a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest
from redis.asyncio import Redis
from tests.support.sockets import Listener, listening_on, socket_app, warm_up

from nxt_adapters.memory.realtime import MemoryRealtime
from nxt_adapters.socketio import SocketIoRealtime
from nxt_domain.shared.errors import Unavailable
from nxt_domain.shared.realtime import Realtime

NEWS = {
    "operation": "UPDATE",
    "data": {"id": 1, "updated_at": "2026-03-10T09:15:00.000Z", "dcu_external_reference": None},
}


class World(Protocol):
    """A sender and what the sockets in a room hear."""

    realtime: Realtime

    async def heard(self, room: str, *, at_least: int) -> list[tuple[str, Any]]: ...
    def break_broker(self) -> None: ...


class MemoryWorld:
    def __init__(self) -> None:
        self.fake = MemoryRealtime()
        self.realtime: Realtime = self.fake

    async def heard(self, room: str, *, at_least: int) -> list[tuple[str, Any]]:
        return [(news.event, news.payload) for news in self.fake.sent if news.room == room]

    def break_broker(self) -> None:
        self.fake.is_away = True


class SocketWorld:
    def __init__(self, valkey_url: str, listeners: dict[str, Listener]) -> None:
        self.client = Redis.from_url(valkey_url)
        self.realtime: Realtime = SocketIoRealtime(self.client)
        self._listeners = listeners

    async def heard(self, room: str, *, at_least: int) -> list[tuple[str, Any]]:
        listener = self._listeners[room]
        await listener.wait_for(at_least)
        await asyncio.sleep(0.05)  # whatever should not come has had its time
        return [("meter-interaction", payload) for payload in listener.heard]

    def break_broker(self) -> None:
        self.realtime = SocketIoRealtime(Redis.from_url("redis://127.0.0.1:1/0"))


@pytest.fixture(params=["memory", "socketio"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    url = request.getfixturevalue("valkey_url")
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(socket_app(url))
        listeners = {room: await stack.enter_async_context(listening_on(address, int(room))) for room in ("7", "8")}
        world = SocketWorld(url, listeners)
        stack.push_async_callback(world.client.aclose)
        await warm_up(world.realtime, listeners)
        yield world


async def test_news_reach_the_room_and_no_other(world: World) -> None:
    """[API-163]"""
    await world.realtime.emit(room="7", event="meter-interaction", payload=NEWS)
    assert await world.heard("7", at_least=1) == [("meter-interaction", NEWS)]
    assert await world.heard("8", at_least=0) == []


async def test_news_come_in_the_order_they_were_sent(world: World) -> None:
    """[API-165]"""
    for number in range(50):
        await world.realtime.emit(room="7", event="meter-interaction", payload={"data": {"id": number}})
    heard = await world.heard("7", at_least=50)
    assert [payload["data"]["id"] for _, payload in heard] == list(range(50))


async def test_a_room_without_sockets_is_no_error(world: World) -> None:
    await world.realtime.emit(room="999", event="meter-interaction", payload=NEWS)


async def test_a_broker_that_is_away_is_told(world: World) -> None:
    """[API-166] The caller logs it; nothing else follows."""
    world.break_broker()
    with pytest.raises(Unavailable):
        await world.realtime.emit(room="7", event="meter-interaction", payload=NEWS)
