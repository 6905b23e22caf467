"""Socket.IO with the public client, over real Valkey and two processes' worth of servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
import socketio
from aiohttp.test_utils import TestClient, TestServer
from redis.asyncio import Redis
from tests.support.http_roles import Services
from tests.support.identity_world import ADMIN, AGENT, MEMBER, IdentityWorld
from tests.support.sockets import Listener, connected, listening_on, socket_app, warm_up

from nxt_adapters.memory.identity import MemoryGridOwners
from nxt_adapters.socketio import SocketAuth, SocketIoRealtime, SocketServer
from nxt_domain.identity.model import Principal
from nxt_domain.shared.realtime import Realtime
from nxt_entrypoints.api.app import build_api
from nxt_entrypoints.http.app import HttpSettings

OWN, FOREIGN, UNKNOWN = 70, 90, 999
OWNERS: dict[int, int | None] = {OWN: 7, FOREIGN: 9}


@pytest.fixture
async def realtime(valkey_url: str) -> AsyncIterator[Realtime]:
    async with Redis.from_url(valkey_url) as client:
        yield SocketIoRealtime(client)


async def test_rooms_span_all_processes_and_each_client_hears_once(valkey_url: str, realtime: Realtime) -> None:
    """[API-160] [API-163] [MET-93] [PAY-47]"""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(socket_app(valkey_url))
        second = await stack.enter_async_context(socket_app(valkey_url))
        here = await stack.enter_async_context(listening_on(first, 7))
        there = await stack.enter_async_context(listening_on(second, "7"))
        elsewhere = await stack.enter_async_context(listening_on(second, 8))
        await warm_up(realtime, {"7": here, "8": elsewhere})
        await warm_up(realtime, {"7": there})
        here.heard.clear()
        for number in range(20):
            await realtime.emit(room="7", event="meter-interaction", payload={"id": number})
        for listener in (here, there):
            await listener.wait_for(20)
        await asyncio.sleep(0.1)
        expected = [{"id": number} for number in range(20)]
        assert (here.heard, there.heard, elsewhere.heard) == (expected, expected, [])


async def test_the_handshake_is_what_clients_expect() -> None:
    """[API-5] [API-158] On the role's own port, beside its routes."""
    async with socket_app(None) as address, aiohttp.ClientSession() as session:
        answer = await session.get(
            f"{address}/socket.io/?EIO=4&transport=polling", headers={"Origin": "https://d.example"}
        )
        opened = json.loads((await answer.text()).removeprefix("0"))
        assert opened.pop("sid")
        assert opened == {
            "upgrades": ["websocket"],
            "pingInterval": 25000,
            "pingTimeout": 20000,
            "maxPayload": 1_000_000,
        }
        assert answer.headers["Access-Control-Allow-Origin"] in {"*", "https://d.example"}
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert (await session.get(f"{address}/healthz")).status == 200


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_both_transports_join_and_hear(valkey_url: str, realtime: Realtime, transport: str) -> None:
    """[API-158] [API-161]"""
    async with socket_app(valkey_url) as address, connected(address, transports=(transport,)) as listener:
        assert await listener.join({"grid_id": 7}) == "ok"
        await warm_up(realtime, {"7": listener})
        await realtime.emit(room="7", event="meter-interaction", payload={"id": 1})
        await listener.wait_for(1)
        assert listener.heard == [{"id": 1}]


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        [],
        "7",
        7,
        {"grid_id": None},
        {"grid_id": True},
        {"grid_id": 1.5},
        {"grid_id": {}},
        {"grid_id": "x" * 1000},
        {"grid_id": "-1"},
        {"grid_id": -1},
        {"grid_id": "٧"},
        {"other": 7},
    ],
)
async def test_join_is_ok_whatever_is_sent(payload: Any) -> None:
    """[API-161] [API-214] 18"""
    async with socket_app(None) as address, connected(address) as listener:
        assert await listener.join(payload) == "ok"
        assert await listener.client.call("join", timeout=5) == "ok"


async def test_unknown_events_are_ignored_without_acknowledgement() -> None:
    """[API-162]"""
    async with socket_app(None) as address, connected(address) as listener:
        with pytest.raises(socketio.exceptions.TimeoutError):
            await listener.client.call("leave", {"grid_id": 7}, timeout=0.3)
        assert await listener.join({"grid_id": 7}) == "ok"


async def hears(realtime: Realtime, listener: Listener, grid_id: int) -> bool:
    """Tell whether a listener, which is in room 1, hears a grid's news after it asked to join."""
    assert await listener.join({"grid_id": grid_id}) == "ok"
    listener.heard.clear()
    await realtime.emit(room=str(grid_id), event="meter-interaction", payload={"grid": grid_id})
    await realtime.emit(room="1", event="meter-interaction", payload={"last": True})
    await listener.wait_for(1)
    while {"last": True} not in listener.heard:
        await listener.wait_for(len(listener.heard) + 1)
    return {"grid": grid_id} in listener.heard


@pytest.mark.parametrize(
    ("mode", "caller", "rooms"),
    [
        (SocketAuth.OFF, None, {OWN, FOREIGN, UNKNOWN}),
        (SocketAuth.OFF, "member", {OWN, FOREIGN, UNKNOWN}),
        (SocketAuth.OFF, "bad", {OWN, FOREIGN, UNKNOWN}),
        (SocketAuth.OPTIONAL, None, {OWN, FOREIGN, UNKNOWN}),
        (SocketAuth.OPTIONAL, "bad", {OWN, FOREIGN, UNKNOWN}),
        (SocketAuth.OPTIONAL, "member", {OWN}),
        (SocketAuth.REQUIRED, "member", {OWN}),
        (SocketAuth.REQUIRED, "agent", {OWN}),
        (SocketAuth.REQUIRED, "key", {OWN}),
        (SocketAuth.REQUIRED, "header", {OWN}),
        (SocketAuth.REQUIRED, "key header", {OWN}),
        (SocketAuth.REQUIRED, "admin", {OWN, FOREIGN, UNKNOWN}),
    ],
)
async def test_who_may_join_which_room(
    valkey_url: str, realtime: Realtime, mode: SocketAuth, caller: str | None, rooms: set[int]
) -> None:
    """[API-159] [API-64]"""
    world = IdentityWorld()
    key = await world.api_key(MEMBER)
    auths: dict[str | None, dict[str, Any]] = {
        None: {},
        "bad": {"auth": {"token": "nonsense"}},
        "member": {"auth": {"token": world.token(MEMBER)}},
        "agent": {"auth": {"token": world.token(AGENT)}},
        "admin": {"auth": {"token": world.token(ADMIN)}},
        "key": {"auth": {"apiKey": key}},
        "header": {"headers": world.bearer(MEMBER)},
        "key header": {"headers": {"X-API-KEY": key}},
    }
    owners = {**OWNERS, 1: 7}
    async with (
        socket_app(valkey_url, world=world, mode=mode, owners=owners) as address,
        connected(address, **auths[caller]) as listener,
    ):
        assert await listener.join({"grid_id": 1}) == "ok"
        await warm_up(realtime, {"1": listener})
        assert {grid_id for grid_id in (OWN, FOREIGN, UNKNOWN) if await hears(realtime, listener, grid_id)} == rooms


@pytest.mark.parametrize("auth", [None, {}, {"token": "nonsense"}, {"apiKey": "nonsense"}, {"token": 5}])
async def test_without_a_required_credential_nobody_connects(auth: dict[str, Any] | None) -> None:
    """[API-159] ``connect_error`` with the message clients look for."""
    async with socket_app(None, mode=SocketAuth.REQUIRED) as address:
        client = socketio.AsyncClient(reconnection=False)
        errors: list[Any] = []
        client.on("connect_error", errors.append)
        with pytest.raises(socketio.exceptions.ConnectionError):
            await client.connect(address, auth=auth, transports=["websocket"], wait_timeout=5)
        assert [error["message"] for error in errors if isinstance(error, dict)] == ["Unauthorized"]
        await client.disconnect()


async def test_a_socket_goes_with_its_token() -> None:
    """[API-159]"""
    world = IdentityWorld()
    world.token(MEMBER, expires_at=world.clock.now() + timedelta(seconds=0.5))
    async with socket_app(None, world=world, mode=SocketAuth.REQUIRED) as address:
        async with connected(address, auth={"token": "token-of-2"}) as listener:
            gone = asyncio.Event()
            listener.client.on("disconnect", lambda *_reason: gone.set())
            async with asyncio.timeout(5):
                await gone.wait()
        async with connected(address, auth={"apiKey": await world.api_key(MEMBER)}) as lasting:
            await asyncio.sleep(0.7)
            assert await lasting.join({"grid_id": 7}) == "ok"


async def test_open_sockets_do_not_hold_up_a_stop() -> None:
    """[API-39] The server stops first; its clients are told."""
    async with AsyncExitStack() as clients:
        async with socket_app(None) as address:
            gone = []
            for transport in ("websocket", "polling"):
                listener = await clients.enter_async_context(connected(address, transports=(transport,)))
                event = asyncio.Event()
                listener.client.on("disconnect", lambda *_reason, event=event: event.set())
                gone.append(event)
            started = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - started < 5
        async with asyncio.timeout(5):
            await asyncio.gather(*(event.wait() for event in gone))


async def test_valkey_away_leaves_sockets_and_routes_up() -> None:
    """[API-166]"""
    async with socket_app("redis://127.0.0.1:1/0") as address, connected(address) as listener:
        assert await listener.join({"grid_id": 7}) == "ok"
        async with aiohttp.ClientSession() as session:
            assert (await session.get(f"{address}/healthz")).status == 200


async def test_the_api_role_serves_sockets_beside_its_routes() -> None:
    """[API-5] [API-202] On one port; a hibernated role has neither."""
    world = IdentityWorld()

    async def authenticate(token: str | None, key: str | None) -> Principal:
        return await world.gate.authenticate(token=token, key=key)

    for is_hibernated, status in ((False, 200), (True, 404)):
        sockets = SocketServer(authenticate=authenticate, grid_owners=MemoryGridOwners(), clock=world.clock)
        settings = HttpSettings(is_hibernated=is_hibernated)
        app = build_api(Services(), gate=world.gate, sockets=sockets, settings=settings)  # type: ignore[arg-type]  # fakes
        async with TestClient(TestServer(app)) as client:
            assert (await client.get("/socket.io/?EIO=4&transport=polling")).status == status
            assert (await client.get("/healthz")).status == 200
