"""Stand-alone messaging for tests: its settings, its application in this process, and adopters that are told."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiohttp import ClientError, ClientSession, web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry

from nxt_entrypoints.messaging.process import MessagingProcess
from nxt_entrypoints.messaging.settings import load_messaging_settings
from tests.support.waiting import until

API_KEY = "k" * 32
SECRET = "test-secret"
BEARER = {"Authorization": f"Bearer {API_KEY}"}
STUBS = [{"id": "stub-push", "tuning": {"minIntervalMs": 0}}, {"id": "stub-pull"}]


def environment(database_url: str, *, plugins: Any = None, **document: Any) -> dict[str, str]:
    """The environment of a service with both stubs, unless told otherwise."""
    whole = {"$schemaVersion": "1", "plugins": STUBS if plugins is None else plugins, **document}
    return {
        "DEVICE_MESSAGING_DATABASE_URL": database_url,
        "DEVICE_MESSAGING_API_KEY": API_KEY,
        "DEVICE_MESSAGING_WEBHOOK_SECRET": SECRET,
        "DEVICE_MESSAGING_CONFIG_JSON": json.dumps(whole),
        "NXT_HOST": "127.0.0.1",
    }


@asynccontextmanager
async def service(environ: Mapping[str, str]) -> AsyncIterator[TestClient[Any, Any]]:
    """The application over a real database, without its loops."""
    process = MessagingProcess(load_messaging_settings(environ), CollectorRegistry())
    try:
        async with TestClient(TestServer(process.app)) as client:
            yield client
    finally:
        await process.close()


@asynccontextmanager
async def running_service(environ: Mapping[str, str], port: int | None = None) -> AsyncIterator[str]:
    """As service, with its loops, on a port of its own; yields its address."""
    port = port or free_port()
    settings = load_messaging_settings({**environ, "PORT": str(port)})
    process = MessagingProcess(settings, CollectorRegistry())
    try:
        await process.open()
        yield f"http://127.0.0.1:{port}"
    finally:
        await process.close()


def command(**changes: Any) -> dict[str, Any]:
    """The body of an enqueue request."""
    body = {
        "commandType": "READ_VOLTAGE",
        "priority": 30,
        "pluginId": "stub-push",
        "phase": "B",
        "networkId": 42,
        "correlationId": "4211",
        "device": {"type": "ELECTRICITY_METER", "externalReference": "47003333771", "relayNode": {"id": 7}},
    }
    return {name: value for name, value in {**body, **changes}.items() if value is not ...}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Adopter:
    """A webhook that keeps what it is told, and answers as told, once ``answers`` is set."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.answers.set()
        self.posts: list[tuple[bytes, dict[str, str]]] = []
        self.statuses: list[int] = []
        self.url = ""
        self._runner: web.AppRunner | None = None

    @property
    def events(self) -> list[dict[str, Any]]:
        """All bodies, in the order they came."""
        return [json.loads(body) for body, _ in self.posts]

    def told(self, correlation_id: str) -> list[str]:
        """The statuses told of one command, each event once."""
        unique = {event["eventId"]: event["message"] for event in self.events}
        return [one["deliveryStatus"] for one in unique.values() if one.get("correlationId") == correlation_id]

    async def __aenter__(self) -> Adopter:
        app = web.Application()
        app.router.add_post("/events", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/events"
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.posts.append((await request.read(), dict(request.headers)))
        status = self.statuses.pop(0) if self.statuses else 204
        await self.answers.wait()
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else {})


class ServiceProcess:
    """``nxt messaging`` as a process that can be killed and started again."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environ = {**os.environ, **environ, "PORT": str(self.port)}
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait until it answers."""
        command = (sys.executable, "-m", "nxt_entrypoints.cli.main", "messaging", "--log-level", "WARNING")
        self._process = await asyncio.create_subprocess_exec(*command, env=self._environ)
        async with ClientSession() as session:

            async def answers() -> bool:
                with suppress(ClientError, OSError):
                    return (await session.get(f"{self.url}/readyz")).status == 200
                return False

            await until(answers, 30, "the service is ready")

    async def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> int:
        """End it in order; return its exit status."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()
        return await self._process.wait()
