"""One database transaction, with the database's errors told in the domain's words [API-20]."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from nxt_domain.shared.errors import Conflict, DomainError, Forbidden, InvalidInput, Unavailable
from nxt_domain.shared.idempotency import Claim, claim_at_work, claim_lost

_CONFLICTS = {"23505": "ALREADY_EXISTS", "23503": "REFERENCE_MISSING", "40001": "SERIALIZATION", "40P01": "DEADLOCK"}
_INVALID = {"23502", "23514", "22P02", "22003"}
_UNAVAILABLE_CLASSES = ("08", "53", "57")
_LOCK_OR_STATEMENT_TIMEOUT = {"55P03", "57014"}
_WAITS_S = (0.2, 0.6)
_PATIENCE_S = 1.0
"""After so long nothing is tried again: with its last attempt, all of it ends within two seconds."""
_CHANGED_NOTHING = text("select pg_current_xact_id_if_assigned() is null")
_MARK_USED = text(
    """
    update internal.idempotency_keys set state = 'COMPLETED'
    where scope = :scope and key = :key and locked_until = :until
    """
)


def domain_error(error: DBAPIError) -> DomainError | None:
    """Translate a database error; None: a defect, which must surface as it is."""
    if getattr(error.orig, "sqlstate", None) is None and error.connection_invalidated:
        return Unavailable("The database can't be reached")
    return error_of(error.orig)


def error_of(error: BaseException | None) -> DomainError | None:
    """Translate an error of the driver; None: a defect, which must surface as it is."""
    state = getattr(error, "sqlstate", None)
    if state is None:
        return _without_state(error)
    if state in _CONFLICTS:
        return Conflict(_constraint(error) or "The record conflicts with another one", code=_CONFLICTS[state])
    if state in _INVALID:
        return InvalidInput(_constraint(error) or "A value is not allowed", code="VALUE_REFUSED")
    if state == "42501":
        return Forbidden("You do not have access to this resource")
    if state in _LOCK_OR_STATEMENT_TIMEOUT or state.startswith(_UNAVAILABLE_CLASSES):
        return Unavailable("The database is busy or restarting")
    return None


def _without_state(error: BaseException | None) -> DomainError | None:
    # psycopg raises OperationalError without SQLSTATE when it can't connect or the connection breaks.
    is_operational = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return Unavailable("The database can't be reached") if is_operational else None


def _constraint(error: BaseException | None) -> str | None:
    name = getattr(getattr(error, "diag", None), "constraint_name", None)
    return f"{name} is violated" if name else None


class PostgresTransaction:
    """An open transaction on the relational plane; repositories hang off its ``connection``.

    Args:
        engine: The process's pool.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: AsyncConnection | None = None

    @property
    def connection(self) -> AsyncConnection:
        """The connection that carries the transaction.

        Raises:
            RuntimeError: The transaction is not open.
        """
        if self._connection is None:
            raise RuntimeError("the transaction is not open")
        return self._connection

    async def commit(self) -> None:
        """Make everything durable; see ``UnitOfWork.commit``."""
        claim = claim_at_work()
        try:
            if claim is not None:
                await _mark_used(self.connection, claim)
            await self.connection.commit()
        except DBAPIError as error:
            raise_translated(error)

    async def __aenter__(self) -> Self:
        self._connection = await connected(self._engine)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                if error is None:
                    await self._leave(connection)
            finally:
                await connection.close()  # rolls back what was not committed
        if isinstance(error, DBAPIError):
            raise_translated(error)

    async def _leave(self, connection: AsyncConnection) -> None:
        await _end_reading(connection)


async def connected(engine: AsyncEngine) -> AsyncConnection:
    """Open a connection; a server that restarts gets further chances, since nothing was begun yet [REL-175]."""
    started = time.monotonic()
    for wait_s in _WAITS_S:
        try:
            return await _connected_at_once(engine)
        except Unavailable:
            if time.monotonic() - started > _PATIENCE_S:
                raise
        await asyncio.sleep(wait_s)
    return await _connected_at_once(engine)


async def _connected_at_once(engine: AsyncEngine) -> AsyncConnection:
    try:
        return await engine.connect()
    except DBAPIError as error:
        raise domain_error(error) or error from error
    except (OSError, TimeoutError, PoolTimeout) as error:
        raise Unavailable("The database can't be reached") from error


async def _end_reading(connection: AsyncConnection) -> None:
    """Commit a transaction that only read: a rollback makes the driver forget all its prepared statements."""
    if not connection.in_transaction():
        return
    with suppress(DBAPIError):  # aborted or cut off: what follows is the rollback
        if (await connection.execute(_CHANGED_NOTHING)).scalar_one():
            await connection.commit()


async def _mark_used(connection: AsyncConnection, claim: Claim) -> None:
    """Mark an idempotency key as used, in the transaction of the work that is done for it [REL-155]."""
    key = {"scope": claim.request.scope, "key": claim.request.key, "until": claim.until}
    if (await connection.execute(_MARK_USED, key)).rowcount == 0:
        raise claim_lost()


def raise_translated(error: DBAPIError) -> None:
    """Raise a database error in the domain's words; a defect as it is."""
    translated = domain_error(error)
    if translated is None:
        raise error
    raise translated from error
