"""Idle mode: the port is open, the process answers that it sleeps, and nothing else happens [API-202]."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack

from nxt_entrypoints.http.app import HttpSettings, build_app
from nxt_entrypoints.http.guards import Gate
from nxt_entrypoints.http.server import HttpServer
from nxt_entrypoints.settings.roles import Role
from nxt_entrypoints.settings.settings import Settings


async def start_hibernated(
    settings: Settings, roles: Sequence[Role], ready: Callable[[Mapping[str, object]], None] | None
) -> None:
    """Serve only the operational endpoints until told to stop; no store is opened and nothing is validated."""
    stopping = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopping.set)
    async with AsyncExitStack() as stack:
        ports = {}
        for role in roles:
            port = settings.ports.get(role)
            if port is not None:
                app = build_app(role.value, (), None, gate=Gate(), settings=HttpSettings(is_hibernated=True))
                server = await stack.enter_async_context(HttpServer(app, host=settings.host, port=port))
                ports[role.value] = server.port
        if ready is not None:
            ready({"pid": os.getpid(), "ports": ports})
        await stopping.wait()
