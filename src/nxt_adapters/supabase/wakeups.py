"""Hints between processes over LISTEN/NOTIFY: sent after commit, at most every 50 ms [R4]."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress

import psycopg
import psycopg.sql
import structlog

from nxt_domain.shared.wakeups import Channel

_log = structlog.get_logger(__name__)
_COALESCE_S = 0.05
_RECONNECT_S = 2.0
_PREFIX = "nxt_"
_Work = Callable[[psycopg.AsyncConnection], Awaitable[None]]


class PostgresWakeUps:
    """``WakeUps`` over one connection of its own, since a listening connection can't serve a pool.

    Started and stopped by the role. While the database is away nothing is heard, and polling goes on.

    Args:
        url: ``postgresql://…``
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._pending: set[Channel] = set()
        self._wanted = asyncio.Event()
        self._listeners: dict[Channel, list[asyncio.Event]] = defaultdict(list)
        self._tasks: list[asyncio.Task[None]] = []

    def hint(self, *channels: Channel) -> None:
        """See ``WakeUps.hint``."""
        self._pending.update(channels)
        self._wanted.set()
        for channel in channels:  # workers of this very process need no detour
            self._ring(channel)

    def subscribe(self, channel: Channel) -> asyncio.Event:
        """See ``WakeUps.subscribe``."""
        event = asyncio.Event()
        self._listeners[channel].append(event)
        return event

    async def start(self) -> None:
        """Begin to send, and to listen for what was subscribed to."""
        self._tasks = [asyncio.create_task(self._keep(self._send)), asyncio.create_task(self._keep(self._listen))]

    async def stop(self) -> None:
        """Close both connections."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    async def _keep(self, work: _Work) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True, connect_timeout=5, application_name="nxt wake-ups"
                ) as connection:
                    await work(connection)
            except (psycopg.Error, OSError) as error:
                _log.warning("wake-ups are away; polling goes on", error=type(error).__name__)
            await asyncio.sleep(_RECONNECT_S)

    async def _send(self, connection: psycopg.AsyncConnection) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            channels, self._pending = self._pending, set()
            for channel in channels:
                await connection.execute("select pg_notify(%s, '')", (_PREFIX + channel.value,))
            await asyncio.sleep(_COALESCE_S)

    async def _listen(self, connection: psycopg.AsyncConnection) -> None:
        for channel in Channel:
            await connection.execute(psycopg.sql.SQL("listen {}").format(psycopg.sql.Identifier(_PREFIX + channel)))
        async for notification in connection.notifies():
            self._ring(Channel(notification.channel.removeprefix(_PREFIX)))

    def _ring(self, channel: Channel) -> None:
        for event in self._listeners[channel]:
            event.set()
