"""What repositories of tenants' rows ask of the database, inside a transaction or without one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

from sqlalchemy import CursorResult, Executable
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from nxt_adapters.supabase.reads import Read, ReadPool
from nxt_adapters.supabase.transaction import connected

Found: TypeAlias = "CursorResult[*tuple[Any, ...]]"


class Session(Protocol):
    """Runs statements."""

    async def execute(self, statement: Executable, parameters: Any = None) -> Found:  # noqa: ANN401 - one row's parameters, or those of many
        """Run any statement."""

    async def rows(self, read: Read, given: Mapping[str, object]) -> list[dict[str, Any]]:
        """Run a select that was written out before, and return all rows by the names of their columns."""


class TransactionSession:
    """``Session`` inside a transaction.

    Args:
        connection: Of the open transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def execute(self, statement: Executable, parameters: Any = None) -> Found:  # noqa: ANN401 - see ``Session``
        """See ``Session.execute``."""
        return await self._connection.execute(statement, parameters)

    async def rows(self, read: Read, given: Mapping[str, object]) -> list[dict[str, Any]]:
        """See ``Session.rows``."""
        found = await self._connection.execute(read.statement, dict(given))
        return [dict(zip(read.names, row, strict=True)) for row in found.all()]


class ReadingSession:
    """``Session`` without a transaction; nothing is opened before it is needed.

    Args:
        engine: For statements that are written for one run; see ``engine.for_reading``.
        pool: For those that were written out before.
    """

    def __init__(self, engine: AsyncEngine, pool: ReadPool) -> None:
        self._engine = engine
        self._pool = pool
        self._connection: AsyncConnection | None = None

    async def execute(self, statement: Executable, parameters: Any = None) -> Found:  # noqa: ANN401 - see ``Session``
        """See ``Session.execute``."""
        if self._connection is None:
            self._connection = await connected(self._engine)
        return await self._connection.execute(statement, parameters)

    async def rows(self, read: Read, given: Mapping[str, object]) -> list[dict[str, Any]]:
        """See ``Session.rows``."""
        return await self._pool.rows(read, given)

    async def close(self) -> None:
        """Give the connection back, if there is one."""
        if self._connection is not None:
            await self._connection.close()
