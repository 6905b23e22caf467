"""The servers under load, each a process of its own: the API role as it is run, and bare handlers beside it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import attrs
from _bare import Recipe
from _processes import cpu_seconds
from psycopg.types.json import Jsonb
from sqlalchemy import event

from nxt_adapters.supabase.engine import dump_json
from nxt_entrypoints.container import Container
from nxt_entrypoints.demo.environment import DemoAddresses, DemoSecrets, role_environment
from nxt_entrypoints.embedded.stack import EmbeddedStack

_STARTS_WITHIN_S = 60.0
_NOWHERE = "http://127.0.0.1:9"


@attrs.frozen(kw_only=True)
class Server:
    """A process that listens."""

    name: str
    url: str
    pid: int

    def cpu_seconds(self) -> float:
        """Return the CPU seconds spent so far."""
        return cpu_seconds(self.pid)


@asynccontextmanager
async def product(environment: Mapping[str, str]) -> AsyncIterator[Server]:
    """Run ``nxt api``, with its log at the level of production and nobody who reads it."""
    port = _free_port()
    command = [sys.executable, "-m", "nxt_entrypoints.cli.main", "api", "--log-format", "json"]
    async with _running(command, {**environment, "NXT_PORT": str(port)}) as pid:
        server = Server(name="nxt api", url=f"http://127.0.0.1:{port}", pid=pid)
        await _answers(server, "/readyz")
        yield server


@asynccontextmanager
async def bare(database_url: str, recipes: Sequence[Recipe]) -> AsyncIterator[Server]:
    """Run the peer that follows recipes."""
    async with peer("_bare.py", database_url, [attrs.asdict(recipe) for recipe in recipes]) as server:
        yield server


@asynccontextmanager
async def peer(script: str, database_url: str, told: object) -> AsyncIterator[Server]:
    """Run a peer.

    Args:
        script: In this folder.
        database_url: The first thing it is told.
        told: The second, as JSON.
    """
    port = _free_port()
    text = json.dumps(told, default=_as_text)
    command = [sys.executable, str(Path(__file__).with_name(script)), str(port), database_url, text]
    async with _running(command, {}) as pid:
        server = Server(name="bare aiohttp", url=f"http://127.0.0.1:{port}", pid=pid)
        await _answers(server, "/")
        yield server


@asynccontextmanager
async def messaging(database_url: str, api_key: str) -> AsyncIterator[Server]:
    """Run ``nxt messaging`` with a stub plug-in; what it takes waits."""
    document = {
        "$schemaVersion": "1",
        "engine": {"enabled": False},
        "logging": {"stdout": "json"},
        "plugins": [{"id": "stub-push"}],
    }
    port = _free_port()
    environment = {
        "PORT": str(port),
        "DEVICE_MESSAGING_DATABASE_URL": database_url,
        "DEVICE_MESSAGING_API_KEY": api_key,
        "DEVICE_MESSAGING_CONFIG_JSON": json.dumps(document),
    }
    async with _running([sys.executable, "-m", "nxt_entrypoints.cli.main", "messaging"], environment) as pid:
        server = Server(name="nxt messaging", url=f"http://127.0.0.1:{port}", pid=pid)
        await _answers(server, "/readyz")
        yield server


@asynccontextmanager
async def bare_enqueue(database_url: str) -> AsyncIterator[Server]:
    """Run the peer of enqueueing."""
    port = _free_port()
    command = [sys.executable, str(Path(__file__).with_name("_bare_enqueue.py")), str(port), database_url]
    async with _running(command, {}) as pid:
        server = Server(name="bare aiohttp", url=f"http://127.0.0.1:{port}", pid=pid)
        await _answers(server, "/")
        yield server


def environment_of(stack: EmbeddedStack, secrets: DemoSecrets) -> Mapping[str, str]:
    """Configure the API role over a stack; nothing else listens."""
    stores = {
        "relational_url": stack.relational_url,
        "series_url": stack.series_url,
        "valkey_url": stack.valkey_url,
        "mqtt_url": stack.mqtt_url,
        "chirpstack_grpc": _NOWHERE.removeprefix("http://"),
    }
    addresses = DemoAddresses(**{field.name: _NOWHERE for field in attrs.fields(DemoAddresses)} | stores)
    return role_environment(addresses, secrets)


@attrs.define
class Recorded:
    """Statements that went through a container's pool, in psycopg's notation, with their parameters."""

    statements: list[tuple[str, dict[str, Any]]] = attrs.field(factory=list)

    @classmethod
    def of(cls, container: Container) -> Recorded:
        """Record from now on."""
        made = cls()

        def note(_connection: Any, _cursor: Any, sql: str, parameters: Any, *_: Any) -> None:  # noqa: ANN401 - the event's arguments
            made.statements.append((sql, dict(parameters)))

        event.listen(container.engine().sync_engine, "before_cursor_execute", note)
        container.read_pool().observe(lambda sql, parameters: made.statements.append((sql, dict(parameters))))
        return made

    def take(self) -> Sequence[tuple[str, dict[str, Any]]]:
        """Return what was recorded since the last time."""
        taken, self.statements = self.statements, []
        return taken


@asynccontextmanager
async def _running(command: Sequence[str], environment: Mapping[str, str]) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _as_text(value: object) -> str:
    return dump_json(value.obj) if isinstance(value, Jsonb) else str(value)


async def _answers(server: Server, path: str) -> None:
    async with asyncio.timeout(_STARTS_WITHIN_S), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"{server.url}{path}"):
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
