"""Selects that are written out as SQL once, and run without SQLAlchemy's work for each run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from sys import intern
from typing import Any

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import TupleRow
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import Select, TextualSelect
from sqlalchemy.dialects.postgresql import psycopg as dialects
from sqlalchemy.engine import Dialect

from nxt_adapters.supabase.engine import connection_options, has_news, libpq_url, load_json
from nxt_adapters.supabase.transaction import error_of

_DIALECT: Dialect = dialects.dialect()  # type: ignore[no-untyped-call]  # its constructor has no types
_WAIT_S = 2.0  # as long as reads are tried again while the database restarts [REL-175]
_IDLE_S = 30.0  # [API-204]

Observer = Callable[[str, Mapping[str, object]], None]
"""Is told of each statement with its parameters."""


class Read:
    """A select with named parameters.

    Args:
        statement: What is not known yet stands as ``bindparam`` with a name.

    Raises:
        ValueError: Two of its columns have the same name.
    """

    def __init__(self, statement: Select[Any] | TextualSelect) -> None:
        compiled = statement.compile(dialect=_DIALECT)
        self.statement = statement
        self.sql = str(compiled)
        self.query = self.sql.encode()
        # A call with many keywords is ten times faster when their names are the very objects that the function knows.
        self.names = tuple(intern(str(column.name)) for column in statement.selected_columns)
        self._known = {name: value for name, value in compiled.params.items() if value is not None}
        if len(set(self.names)) < len(self.names):
            raise ValueError("a column's name stands for two")

    def parameters(self, given: Mapping[str, object]) -> dict[str, object]:
        """Return all parameters of one run."""
        return {**self._known, **given}


class _ReadConnection(AsyncConnection[TupleRow]):
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

    async def rows(self, read: Read, given: Mapping[str, object]) -> list[dict[str, Any]]:
        """Return all rows by the names of their columns.

        Raises:
            Unavailable: The database can't be reached, or no connection is free.
        """
        parameters = read.parameters(given)
        for observer in self._observers:
            observer(read.sql, parameters)
        try:
            rows = await self._fetch(read.query, parameters)
        except psycopg.Error as error:  # the pool's own are some of them
            raise error_of(error) or error from error
        names = read.names
        return [dict(zip(names, row, strict=True)) for row in rows]

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()

    async def _fetch(self, query: bytes, parameters: Mapping[str, object]) -> list[TupleRow]:
        if self._pool.closed:
            await self._pool.open()
        connection = await self._lent()
        try:
            await connection.reader.execute(query, parameters)
            return await connection.reader.fetchall()
        finally:
            await self._pool.putconn(connection)

    async def _lent(self) -> _ReadConnection:
        while True:
            connection = await self._pool.getconn()
            if not has_news(connection):
                return connection
            # A server that went away said so; the pool drops what is closed, and opens anew.
            await connection.close()
            await self._pool.putconn(connection)


async def _configure(connection: AsyncConnection[TupleRow]) -> None:
    set_json_loads(load_json, connection)
