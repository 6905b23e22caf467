"""All embedded services together, started and stopped as one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Protocol

from nxt_entrypoints.embedded.errors import EmbeddedError
from nxt_entrypoints.embedded.mqtt import EmbeddedMqtt
from nxt_entrypoints.embedded.postgres import SHARED_BUFFERS_MB, EmbeddedPostgres
from nxt_entrypoints.embedded.valkey import EmbeddedValkey
from nxt_entrypoints.supervisor.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from nxt_entrypoints.embedded.data_dir import DataDir

_log = logging.getLogger(__name__)


class _Server(Protocol):
    """A service that is a process of its own."""

    async def ended(self) -> None:
        """Wait until the process has ended."""

    async def revive(self) -> None:
        """Start it again, at its port."""


class EmbeddedStack:
    """PostgreSQL, Valkey and an MQTT broker over one opened data directory.

    Used as an asynchronous context manager. Leaving it stops everything; a start that fails half-way stops
    what had started and raises one ``EmbeddedError``. A server that dies meanwhile is started again, after a pause
    that grows. The services end even if this process is killed: the kernel tells them (see ``leash.py``), PostgreSQL
    then shuts down in order.

    Args:
        data: Opened.
        tell: Hears one line when a server died; default: the log.
        shared_buffers_mb: Memory of the database server for pages of its files; the default suits a demo.

    Attributes:
        postgres: The database server.
        valkey: The Valkey server.
        mqtt: The broker.
    """

    def __init__(
        self,
        data: DataDir,
        *,
        tell: Callable[[str], None] | None = None,
        shared_buffers_mb: int = SHARED_BUFFERS_MB,
    ) -> None:
        self.postgres = EmbeddedPostgres(data, shared_buffers_mb=shared_buffers_mb)
        self.valkey = EmbeddedValkey(data)
        self.mqtt = EmbeddedMqtt(data)
        self._tell = tell or _log.warning
        self._running = contextlib.AsyncExitStack()

    async def __aenter__(self) -> EmbeddedStack:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def relational_url(self) -> str:
        """``postgresql://…`` of the relational database, as its owner."""
        return self.postgres.relational_url

    @property
    def series_url(self) -> str:
        """``postgresql://…`` of the time-series database, as its owner."""
        return self.postgres.series_url

    @property
    def valkey_url(self) -> str:
        """``redis://…`` without a database number; settings add it by ``NXT_ENV``."""
        return self.valkey.url

    @property
    def mqtt_url(self) -> str:
        """``mqtt://…``."""
        return self.mqtt.url

    async def start(self) -> None:
        """Start all services side by side.

        Raises:
            EmbeddedError: The first thing that went wrong; nothing is left running.
        """
        services = (self.postgres, self.valkey, self.mqtt)
        for service in services:
            self._running.push_async_callback(service.stop)
        results = await asyncio.gather(*(service.start() for service in services), return_exceptions=True)
        faults = [result for result in results if isinstance(result, BaseException)]
        if faults:
            await self.stop()
            raise faults[0]
        for name, server in (("PostgreSQL", self.postgres), ("Valkey", self.valkey)):
            keeper = asyncio.create_task(self._keep(name, server), name=f"keep {name}")
            self._running.push_async_callback(_ended, keeper)

    async def stop(self) -> None:
        """Stop all services, whatever state each is in."""
        await self._running.aclose()

    async def _keep(self, name: str, server: _Server) -> None:
        backoff, loop = Backoff(), asyncio.get_running_loop()
        while True:
            began = loop.time()
            await server.ended()
            pause_s = backoff.after(loop.time() - began)
            self._tell(f"{name} ended; starting it again in {pause_s:g} s")
            await asyncio.sleep(pause_s)
            try:
                await server.revive()
            except EmbeddedError as error:
                self._tell(str(error))


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
