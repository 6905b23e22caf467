"""The Socket.IO library that dashboards use, from npm, in a process of node that tests move about."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.npm import installed, node

PATIENCE_S = 15.0
_SOURCES = Path(__file__).parent / "socketio_client"


class DashboardSocket:
    """One socket, seen from the dashboard.

    Attributes:
        heard: Payloads of ``meter-interaction``, in order.
        gone: The library's word for why it was disconnected; None: it is not.
    """

    def __init__(self, dashboards: Dashboards, name: str) -> None:
        self._dashboards = dashboards
        self._name = name
        self._news = asyncio.Event()
        self.heard: list[Any] = []
        self.gone: str | None = None

    async def call(self, event: str, *args: object, patience_s: float = PATIENCE_S) -> Sequence[object] | None:
        """Emit an event with a callback; return what it was called with, or None: it never was."""
        reply = await self._dashboards.ask(
            "emit", socket=self._name, event=event, args=args, patience_ms=int(patience_s * 1000)
        )
        return reply.get("answer")

    async def join(self, grid_id: object) -> None:
        """Enter a grid's room, or try to: the answer is the same."""
        assert await self.call("join", {"grid_id": grid_id}) == ["ok"]

    async def wait_for(self, count: int) -> list[Any]:
        """Return what was heard, once there is so much of it."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.heard) < count:
                self._news.clear()
                await self._news.wait()
        return self.heard

    async def wait_gone(self) -> str:
        """Return why the socket was disconnected, once it is."""
        async with asyncio.timeout(PATIENCE_S):
            while self.gone is None:
                self._news.clear()
                await self._news.wait()
        return self.gone

    def take(self, line: Mapping[str, Any]) -> None:
        """Note a piece of news from node."""
        if "heard" in line:
            assert line["more"] == 0, "news have one argument"
            self.heard.append(line["heard"])
        else:
            self.gone = line["gone"]
        self._news.set()


class Refused(Exception):
    """``connect_error``, with the message that the library shows."""


class Dashboards:
    """All sockets of one process of node."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._sockets: dict[str, DashboardSocket] = {}
        self._replies: dict[int, asyncio.Future[Mapping[str, Any]]] = {}
        self._ids = itertools.count(1)

    async def connect(
        self,
        url: str,
        *,
        version: int = 4,
        transports: Sequence[str] = ("websocket",),
        auth: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DashboardSocket:
        """Open a socket.

        Raises:
            Refused: The server would not have it.
        """
        name = f"socket {next(self._ids)}"
        socket = self._sockets[name] = DashboardSocket(self, name)
        reply = await self.ask(
            "connect", socket=name, url=url, version=version, transports=transports, auth=auth, headers=headers or {}
        )
        if "error" in reply:
            raise Refused(reply["error"])
        return socket

    async def ask(self, what: str, **details: object) -> Mapping[str, Any]:
        """Give a command; return its answer."""
        assert self._process.stdin is not None
        number = next(self._ids)
        reply = self._replies[number] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps({"do": what, "id": number, **details}).encode() + b"\n")
        async with asyncio.timeout(PATIENCE_S + 1):
            return await reply

    async def listen(self) -> None:
        """Pass on what node says, until it ends."""
        assert self._process.stdout is not None
        async for text in self._process.stdout:
            line = json.loads(text)
            if "reply" in line:
                self._replies.pop(line["reply"]).set_result(line)
            else:
                self._sockets[line["socket"]].take(line)


@asynccontextmanager
async def dashboards() -> AsyncIterator[Dashboards]:
    """Lend a process of node that opens sockets.

    Raises:
        Unobtainable: node, npm or the library can't be had on this machine.
    """
    command, folder = [node(), "client.mjs"], await asyncio.to_thread(installed, _SOURCES)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdin=pipe, stdout=pipe)
    made = Dashboards(process)
    listening = asyncio.create_task(made.listen())
    try:
        yield made
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()
        await listening
