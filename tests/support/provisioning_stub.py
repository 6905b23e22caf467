"""A provisioning role over a real socket, as far as orders of imports go; it can be slow, away or wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer

Store = Callable[[dict[str, Any]], Awaitable[int]]


async def _numbered(_order: dict[str, Any]) -> int:
    return 900


class ProvisioningStub:
    """Answers ``POST /metering-hardware-imports``.

    Args:
        store: Keeps an order as an import and returns its id.
    """

    def __init__(self, store: Store = _numbered) -> None:
        self.store = store
        self.statuses: list[int] = []
        self.body: bytes | None = None
        self.delay_s = 0.0
        self.loses_answers = False
        self.is_idle = False
        self.received: list[tuple[Mapping[str, str], Any]] = []
        app = web.Application()
        app.add_routes([web.post("/metering-hardware-imports", self._answer)])
        self._server = TestServer(app)

    @property
    def url(self) -> str:
        """Its base address."""
        return str(self._server.make_url("/")).rstrip("/")

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        orders = await request.json()
        self.received.append((request.headers, orders))
        await asyncio.sleep(self.delay_s)
        if self.statuses:
            return web.json_response({"message": "no"}, status=self.statuses.pop(0))
        ids = [] if self.is_idle else [await self.store(order) for order in orders]
        if self.loses_answers:
            return web.json_response({"message": "Bad Gateway"}, status=502)
        if self.body is not None:
            return web.Response(body=self.body, status=201)
        return web.json_response([{"id": key} for key in ids], status=201)
