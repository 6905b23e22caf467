"""Listening and stopping."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import pytest

from nxt_entrypoints.http.app import build_app
from nxt_entrypoints.http.guards import Gate
from nxt_entrypoints.http.routes import Guard, route
from nxt_entrypoints.http.server import HttpServer


@route("GET", "/slow", guard=Guard.PUBLIC, summary="Slow", tags=())
async def slow() -> dict[str, bool]:
    await asyncio.sleep(0.5)
    return {"done": True}


async def test_running_requests_are_finished_and_new_ones_refused() -> None:
    """[API-39]"""
    server = HttpServer(build_app("api", [slow], None, gate=Gate()), host="127.0.0.1", port=0)
    async with aiohttp.ClientSession() as session:
        async with server:
            port = server.port
            running = asyncio.create_task(session.get(f"http://127.0.0.1:{port}/slow"))
            await asyncio.sleep(0.1)
        answer = await running
        assert await answer.json() == {"done": True}
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://127.0.0.1:{port}/healthz")


async def test_patience_has_an_end() -> None:
    """[API-39] A request that takes longer than the grace is cut off."""

    @route("GET", "/endless", guard=Guard.PUBLIC, summary="Endless", tags=())
    async def endless() -> None:
        await asyncio.sleep(60)

    server = HttpServer(build_app("api", [endless], None, gate=Gate()), host="127.0.0.1", port=0, grace_s=0.3)
    async with aiohttp.ClientSession() as session:
        async with server:
            running = asyncio.create_task(session.get(f"http://127.0.0.1:{server.port}/endless"))
            await asyncio.sleep(0.1)
            started = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - started < 20
        with pytest.raises(aiohttp.ClientError):
            await running


async def test_a_taken_port_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = HttpServer(build_app("api", [], None, gate=Gate()), host="127.0.0.1", port=taken.getsockname()[1])
        with pytest.raises(OSError, match="address already in use"):
            async with server:
                pass
