"""Socket.IO servers on loopback ports, and clients that listen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import socketio
from aiohttp.test_utils import TestServer

from nxt_adapters.memory.identity import MemoryGridOwners
from nxt_adapters.socketio import SocketAuth, SocketServer
from nxt_domain.shared.realtime import Realtime
from nxt_entrypoints.http.app import build_app
from tests.support.identity_world import IdentityWorld

PATIENCE_S = 5.0


class Listener:
    """A connected client and what it heard."""

    def __init__(self, client: socketio.AsyncClient) -> None:
        self.client = client
        self.heard: list[Any] = []
        self._news = asyncio.Event()
        client.on("meter-interaction", self._take)

    async def _take(self, payload: Any) -> None:
        self.heard.append(payload)
        self._news.set()

    async def wait_for(self, count: int) -> None:
        """Return when so many news were heard."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.heard) < count:
                self._news.clear()
                await self._news.wait()

    async def join(self, payload: object) -> object:
        """Emit ``join``; return the acknowledgement."""
        return await self.client.call("join", payload, timeout=PATIENCE_S)


@asynccontextmanager
async def socket_app(
    valkey_url: str | None,
    *,
    world: IdentityWorld | None = None,
    mode: SocketAuth = SocketAuth.OFF,
    owners: dict[int, int | None] | None = None,
) -> AsyncIterator[str]:
    """Serve sockets on an application; yields its address once it listens to the broker."""
    world = world or IdentityWorld()
    sockets = SocketServer(
        authenticate=lambda token, key: world.gate.authenticate(token=token, key=key),
        grid_owners=MemoryGridOwners(owners),
        clock=world.clock,
        mode=mode,
        valkey_url=valkey_url,
    )
    app = build_app("api", [], None, gate=world.gate)
    sockets.attach(app)
    async with TestServer(app) as server:
        yield f"http://127.0.0.1:{server.port}"


@asynccontextmanager
async def connected(
    address: str,
    *,
    auth: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    transports: tuple[str, ...] = ("websocket",),
) -> AsyncIterator[Listener]:
    """Connect a client of the public library."""
    client = socketio.AsyncClient(reconnection=False)
    listener = Listener(client)
    await client.connect(
        address, auth=auth, headers=headers or {}, transports=list(transports), wait_timeout=PATIENCE_S
    )
    try:
        yield listener
    finally:
        # The library's polite farewell waits for its long poll to end by itself.
        await (client.eio.disconnect(abort=True) if client.transport() == "polling" else client.disconnect())


async def warm_up(realtime: Realtime, listeners: Mapping[str, Listener]) -> None:
    """Return when news reach every listener, by room: the servers subscribe to the broker in the background."""
    async with asyncio.timeout(PATIENCE_S):
        for room, listener in listeners.items():
            while not listener.heard:
                await realtime.emit(room=room, event="meter-interaction", payload={"warm": "up"})
                await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)  # the last ones on their way
    for listener in listeners.values():
        listener.heard.clear()


@asynccontextmanager
async def listening_on(address: str, grid_id: int | str) -> AsyncIterator[Listener]:
    """Connect a client that has joined a grid's room."""
    async with connected(address) as listener:
        assert await listener.join({"grid_id": grid_id}) == "ok"
        yield listener
