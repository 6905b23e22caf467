"""All embedded services together, started and stopped as one."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from nxt_entrypoints.embedded.mqtt import EmbeddedMqtt
from nxt_entrypoints.embedded.postgres import EmbeddedPostgres
from nxt_entrypoints.embedded.valkey import EmbeddedValkey

if TYPE_CHECKING:
    from types import TracebackType

    from nxt_entrypoints.embedded.data_dir import DataDir


class EmbeddedStack:
    """PostgreSQL, Valkey and an MQTT broker over one opened data directory.

    Used as an asynchronous context manager. Leaving it stops everything; a start that fails half-way stops
    what had started and raises one ``EmbeddedError``. The services end even if this process is killed: the
    kernel tells them (see ``leash.py``), PostgreSQL then shuts down in order.

    Attributes:
        postgres: The database server.
        valkey: The Valkey server.
        mqtt: The broker.
    """

    def __init__(self, data: DataDir) -> None:
        self.postgres = EmbeddedPostgres(data)
        self.valkey = EmbeddedValkey(data)
        self.mqtt = EmbeddedMqtt(data)
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

    async def stop(self) -> None:
        """Stop all services, whatever state each is in."""
        await self._running.aclose()
