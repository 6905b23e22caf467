"""The sign-in library that dashboards use, from npm, in a process of node that tests move about."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.npm import installed, node

_SOURCES = Path(__file__).parent / "supabase_js"
_PATIENCE_S = 20.0


class SupabaseJs:
    """Clients in one process of node; one call at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ids = itertools.count(1)

    async def open(self, client: str, url: str, key: str) -> None:
        """Make a client."""
        await self._ask(client=client, url=url, key=key)

    async def call(self, client: str, method: str, *args: object) -> Any:
        """Call a method such as ``auth.signInWithPassword``; return its ``data``."""
        reply = await self._ask(client=client, method=method, args=args)
        assert reply["error"] is None, (method, reply["error"])
        return reply.get("data")  # signing out has none

    async def refusal(self, client: str, method: str, *args: object) -> tuple[int, str]:
        """Call a method that fails; return the error's status and code."""
        error = (await self._ask(client=client, method=method, args=args))["error"]
        assert error is not None, method
        return error["status"], error.get("code")

    async def _ask(self, **command: object) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = json.dumps({"id": next(self._ids), **command})
        self._process.stdin.write(line.encode() + b"\n")
        async with asyncio.timeout(_PATIENCE_S):
            reply: dict[str, Any] = json.loads(await self._process.stdout.readline())
        assert "thrown" not in reply, reply
        return reply


@asynccontextmanager
async def supabase_js() -> AsyncIterator[SupabaseJs]:
    """Lend a process of node with the library.

    Raises:
        Unobtainable: node, npm or the library can't be had on this machine.
    """
    command, folder = [node(), "client.mjs"], await asyncio.to_thread(installed, _SOURCES)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdin=pipe, stdout=pipe)
    try:
        yield SupabaseJs(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()
