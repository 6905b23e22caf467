"""What repositories ask of the database, inside a transaction or without one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias, cast

import psycopg
from sqlalchemy import CursorResult, Executable
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.written import Record, Written

Found: TypeAlias = "CursorResult[*tuple[Any, ...]]"
Driver: TypeAlias = "psycopg.AsyncConnection[tuple[Any, ...]]"


class Session(Protocol):
    """Runs statements."""

    async def execute(self, statement: Executable, parameters: Any = None) -> Found:  # noqa: ANN401 - one row's parameters, or those of many
        """Run any statement."""

    async def rows(self, statement: Written, given: Mapping[str, object]) -> list[dict[str, Any]]:
        """Run a statement that was written out before, and return all rows by the names of their columns."""

    async def objects(self, statement: Written, given: Mapping[str, object]) -> list[Record]:
        """As ``rows``; columns are attributes."""

    async def run(self, statement: Written, given: Mapping[str, object]) -> int:
        """Run a change that was written out before, and return how many rows it concerned."""


class TransactionSession:
    """``Session`` inside a transaction.

    What was written out before runs on the driver's own connection, which carries the same transaction.

    Args:
        connection: Of the open transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._driver = driver_of(connection)
        # Who listens to SQLAlchemy's statements is told of the driver's own too.
        self._listeners = _sync(connection).dispatch.before_cursor_execute

    async def execute(self, statement: Executable, parameters: Any = None) -> Found:  # noqa: ANN401 - see ``Session``
        """See ``Session.execute``."""
        return await self._connection.execute(statement, parameters)

    async def rows(self, statement: Written, given: Mapping[str, object]) -> list[dict[str, Any]]:
        """See ``Session.rows``."""
        return statement.by_name(await statement.fetch(await self._cursor(statement, given)))

    async def objects(self, statement: Written, given: Mapping[str, object]) -> list[Record]:
        """See ``Session.objects``."""
        return statement.as_objects(await statement.fetch(await self._cursor(statement, given)))

    async def run(self, statement: Written, given: Mapping[str, object]) -> int:
        """See ``Session.run``."""
        return (await self._cursor(statement, given)).rowcount

    async def _cursor(self, statement: Written, given: Mapping[str, object]) -> psycopg.AsyncCursor[tuple[Any, ...]]:
        parameters = statement.parameters(given)
        for listener in self._listeners:
            listener(_sync(self._connection), None, statement.sql, parameters, None, False)
        return await self._driver.execute(statement.query, parameters)


def driver_of(connection: AsyncConnection) -> Driver:
    """Return the driver's own connection below SQLAlchemy's; there is one as long as the latter is open."""
    checked_out = _sync(connection).connection
    return cast("Driver", checked_out.driver_connection)


async def commit_at_driver(connection: AsyncConnection) -> None:
    """Commit a transaction in which only the driver was asked: SQLAlchemy knows nothing of it, its listeners do."""
    told = _sync(connection)
    told.dispatch.commit(told)
    await driver_of(connection).commit()


def _sync(connection: AsyncConnection) -> Any:  # noqa: ANN401 - its events are not typed
    if connection.sync_connection is None:
        raise RuntimeError("the connection is not open")
    return connection.sync_connection
