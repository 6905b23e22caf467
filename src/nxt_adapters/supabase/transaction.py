"""One database transaction, with the database's errors told in the domain's words [API-20]."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeAlias

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from nxt_adapters.supabase.session import Session, TransactionSession, commit_at_driver, driver_of
from nxt_adapters.supabase.written import Read, Written
from nxt_domain.shared.errors import Conflict, DomainError, Forbidden, InvalidInput, Unavailable
from nxt_domain.shared.idempotency import Claim, claim_at_work, claim_lost

_CONFLICTS = {"23505": "ALREADY_EXISTS", "23503": "REFERENCE_MISSING", "40001": "SERIALIZATION", "40P01": "DEADLOCK"}
_INVALID = {"23502", "23514", "22P02", "22003"}
_UNAVAILABLE_CLASSES = ("08", "53", "57")
_LOCK_OR_STATEMENT_TIMEOUT = {"55P03", "57014"}
_WAITS_S = (0.2, 0.6)
_PATIENCE_S = 1.0
"""After so long nothing is tried again: with its last attempt, all of it ends within two seconds."""
_CHANGED_NOTHING = Read("select pg_current_xact_id_if_assigned() is null as is_so")
_MARK_USED = Written(
    """
    update internal.idempotency_keys set state = 'COMPLETED'
    where scope = :scope and key = :key and locked_until = :until
    """
)
_OPEN = {TransactionStatus.INTRANS, TransactionStatus.INERROR}

DatabaseError: TypeAlias = DBAPIError | psycopg.Error
"""What a database that refuses or is gone shows as: SQLAlchemy's word for it, or the driver's own."""


def domain_error(error: DatabaseError) -> DomainError | None:
    """Translate a database error; None: a defect, which must surface as it is."""
    if isinstance(error, psycopg.Error):
        return error_of(error)
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
        self._session: TransactionSession | None = None

    @property
    def connection(self) -> AsyncConnection:
        """The connection that carries the transaction.

        Raises:
            RuntimeError: The transaction is not open.
        """
        if self._connection is None:
            raise RuntimeError("the transaction is not open")
        return self._connection

    @property
    def session(self) -> Session:
        """What runs the statements of repositories; see ``connection``."""
        if self._session is None:
            self._session = TransactionSession(self.connection)
        return self._session

    async def commit(self) -> None:
        """Make everything durable; see ``UnitOfWork.commit``."""
        claim = claim_at_work()
        try:
            if claim is not None:
                await _mark_used(self.session, claim)
            await _commit(self.connection)
        except (DBAPIError, psycopg.Error) as error:
            raise_translated(error)

    async def __aenter__(self) -> Self:
        self._connection = await connected(self._engine)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection, self._connection, self._session = self._connection, None, None
        if connection is not None:
            try:
                if error is None:
                    await _end_reading(connection)
            finally:
                await _give_back(connection)
        if isinstance(error, DBAPIError | psycopg.Error):
            raise_translated(error)


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


async def _commit(connection: AsyncConnection) -> None:
    """Commit, whoever began the transaction: SQLAlchemy knows nothing of one in which only its driver was asked."""
    if connection.in_transaction():
        await connection.commit()
    else:
        await commit_at_driver(connection)


async def _end_reading(connection: AsyncConnection) -> None:
    """Commit a transaction that only read: a rollback makes the driver forget all its prepared statements."""
    if connection.invalidated or driver_of(connection).info.transaction_status not in _OPEN:
        return
    with suppress(DBAPIError, psycopg.Error):  # aborted or cut off: what follows is the rollback
        (found,) = await TransactionSession(connection).objects(_CHANGED_NOTHING, {})
        if found.is_so:
            await _commit(connection)


async def _give_back(connection: AsyncConnection) -> None:
    """Roll back what was not committed, and let others have the connection; one that broke is of no use to them."""
    if not connection.invalidated and driver_of(connection).closed:
        await connection.invalidate()
    await connection.close()


async def _mark_used(session: Session, claim: Claim) -> None:
    """Mark an idempotency key as used, in the transaction of the work that is done for it [REL-155]."""
    key = {"scope": claim.request.scope, "key": claim.request.key, "until": claim.until}
    if await session.run(_MARK_USED, key) == 0:
        raise claim_lost()


def raise_translated(error: DatabaseError) -> None:
    """Raise a database error in the domain's words; a defect as it is."""
    translated = domain_error(error)
    if translated is None:
        raise error
    raise translated from error
