"""Reading without transactions: a pool of connections that do nothing else, and the session over it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import TupleRow
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncConnection as SqlConnection
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.engine import connection_options, has_news, libpq_url, load_json
from nxt_adapters.supabase.session import Found
from nxt_adapters.supabase.transaction import connected, error_of
from nxt_adapters.supabase.written import Read, Record, Written

_WAIT_S = 2.0  # as long as reads are tried again while the database restarts [REL-175]
_IDLE_S = 30.0  # [API-204]
_ANSWERED_JUST_NOW_S = 0.02  # what breaks within that time shows in the read; routes that only read try again

Observer = Callable[[str, Mapping[str, object]], None]
"""Is told of each statement with its parameters."""


class _ReadConnection(AsyncConnection[TupleRow]):
    """A connection of the pool.

    Attributes:
        rests_since: When it was given back, by the monotonic clock.
    """

    rests_since = 0.0

    @cached_property
    def reader(self) -> AsyncCursor[TupleRow]:
        """Its only cursor: who holds the connection runs one statement, and takes all rows."""
        return self.cursor()


class ReadPool:
    """A few connections without transactions: each statement sees what is committed when it begins.

    It opens itself with the first read, and holds connections only while there is something to read.

    Args:
        url: ``postgresql://user:password@host:port/database``.
        max_size: Connections at most.
        application_name: Shown in ``pg_stat_activity``.
    """

    def __init__(self, url: str, *, max_size: int, application_name: str = "nxt") -> None:
        self._pool: AsyncConnectionPool[_ReadConnection] = AsyncConnectionPool(
            libpq_url(url),
            connection_class=_ReadConnection,
            min_size=0,
            max_size=max_size,
            open=False,
            timeout=_WAIT_S,
            max_lifetime=1800,
            max_idle=_IDLE_S,
            configure=_configure,
            kwargs={"autocommit": True, "prepare_threshold": 2, **connection_options(application_name)},
        )
        self._observers: list[Observer] = []

    def observe(self, observer: Observer) -> None:
        """Tell somebody of each statement from now on."""
        self._observers.append(observer)

    async def rows(self, read: Read, given: Mapping[str, object]) -> list[TupleRow]:
        """Return all rows.

        Raises:
            Unavailable: The database can't be reached, or no connection is free.
        """
        parameters = read.parameters(given)
        for observer in self._observers:
            observer(read.sql, parameters)
        try:
            return await self._fetch(read, parameters)
        except psycopg.Error as error:  # the pool's own are some of them
            raise error_of(error) or error from error

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()

    async def _fetch(self, read: Read, parameters: Mapping[str, object]) -> list[TupleRow]:
        if self._pool.closed:
            await self._pool.open()
        connection = await self._lent()
        try:
            await connection.reader.execute(read.query, parameters)
            return await read.fetch(connection.reader)
        finally:
            connection.rests_since = time.monotonic()
            await self._pool.putconn(connection)

    async def _lent(self) -> _ReadConnection:
        while True:
            connection = await self._pool.getconn()
            if time.monotonic() - connection.rests_since < _ANSWERED_JUST_NOW_S or not has_news(connection):
                return connection
            # A server that went away said so; the pool drops what is closed, and opens anew.
            await connection.close()
            await self._pool.putconn(connection)


async def _configure(connection: AsyncConnection[TupleRow]) -> None:
    set_json_loads(load_json, connection)


class ReadingSession:
    """``Session`` without a transaction; nothing is opened before it is needed.

    Args:
        engine: For statements that are written for one run; see ``engine.for_reading``.
        pool: For those that were written out before.
    """

    def __init__(self, engine: AsyncEngine, pool: ReadPool) -> None:
        self._engine = engine
        self._pool = pool
        self._connection: SqlConnection | None = None

    async def execute(self, statement: Executable, parameters: Any = None) -> Found:  # noqa: ANN401 - see ``Session``
        """See ``Session.execute``."""
        if self._connection is None:
            self._connection = await connected(self._engine)
        return await self._connection.execute(statement, parameters)

    async def rows(self, statement: Written, given: Mapping[str, object]) -> list[dict[str, Any]]:
        """See ``Session.rows``."""
        return statement.by_name(await self._pool.rows(_only_reading(statement), given))

    async def objects(self, statement: Written, given: Mapping[str, object]) -> list[Record]:
        """See ``Session.objects``."""
        return statement.as_objects(await self._pool.rows(_only_reading(statement), given))

    async def run(self, statement: Written, _given: Mapping[str, object]) -> int:
        """Refuse.

        Raises:
            RuntimeError: Always.
        """
        raise changed_while_reading(statement.sql)

    async def close(self) -> None:
        """Give the connection back, if there is one."""
        if self._connection is not None:
            await self._connection.close()


def _only_reading(statement: Written) -> Read:
    if not isinstance(statement, Read):
        raise changed_while_reading(statement.sql)
    return statement


def changed_while_reading(what: str) -> RuntimeError:
    """Tell of a use case that changes something, and was given a unit of work for reading: a defect."""
    return RuntimeError(f"this unit of work is for reading: {what}")
