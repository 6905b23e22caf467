"""The API role of this process, as ``nxt api`` starts it, over real stores, in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import attrs
import structlog
from aiohttp import web

from nxt_entrypoints.container import Container
from nxt_entrypoints.demo.environment import DemoAddresses, DemoSecrets, new_secrets, role_environment
from nxt_entrypoints.roles.api import start_api
from nxt_entrypoints.roles.base import Process
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.roles import Role

NOWHERE = "http://127.0.0.1:9"
_PATIENCE_S = 30


class RunningApi:
    """A context in which the role answers at ``url``; outside systems are away, but for live sessions.

    Args:
        relational_url: A migrated database.
        valkey_url: An empty Valkey.
    """

    def __init__(self, relational_url: str, valkey_url: str) -> None:
        self.secrets: DemoSecrets = new_secrets()
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._stores = {"relational_url": relational_url, "valkey_url": valkey_url}
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="api role", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(_PATIENCE_S) or self._failure is not None:
            raise RuntimeError("the API role did not start") from self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        try:
            with quiet():
                asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - told to whoever waits
            self._failure = error
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        sessions = web.AppRunner(_live_sessions())
        await sessions.setup()
        await web.TCPSite(sessions, "127.0.0.1", 0).start()
        addresses = {field.name: NOWHERE for field in attrs.fields(DemoAddresses)} | {
            "series_url": "postgresql://nxt:unused@127.0.0.1:9/series",
            "mqtt_url": "mqtt://127.0.0.1:9",
            "chirpstack_grpc": "127.0.0.1:9",
            "supabase": f"http://127.0.0.1:{sessions.addresses[0][1]}",
            **self._stores,
        }
        environment = role_environment(DemoAddresses(**addresses), self.secrets)
        settings = load_settings({**environment, "NXT_PORT": str(self.port)}, [Role.API])
        async with Process(settings, Container(settings=settings)) as process:
            await start_api(process)
            self._ready.set()
            await self._stop.wait()
            await process.finish()
        await sessions.cleanup()


@contextmanager
def quiet() -> Iterator[None]:
    """Drop the lines that thousands of requests would write; warnings and worse remain."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        yield
    finally:
        structlog.configure(**before)


def _live_sessions() -> web.Application:
    async def user(_request: web.Request) -> web.Response:
        return web.json_response({"id": "00000000-0000-4000-8000-000000000001"})

    app = web.Application()
    app.router.add_get("/auth/v1/user", user)
    return app


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
