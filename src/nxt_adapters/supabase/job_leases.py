"""Only one process runs a job at a time: leases in the database, renewed while the job runs [REL-168, R48]."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_domain.shared.errors import Unavailable

_log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=120)
_RENEW_S = 40.0

_TAKE = text(
    """
    insert into internal.job_leases as l (name, owner, lease_until, last_started_at)
    values (:name, :owner, clock_timestamp() + :lease, clock_timestamp())
    on conflict (name) do update set owner = excluded.owner, lease_until = excluded.lease_until,
        last_started_at = excluded.last_started_at
    where l.lease_until is null or l.lease_until <= clock_timestamp() or l.owner is null
    """
)
_RENEW = text(
    "update internal.job_leases set lease_until = clock_timestamp() + :lease where name = :name and owner = :owner"
)
_SUCCEEDED = text(
    """
    update internal.job_leases set owner = null, lease_until = null, last_succeeded_at = clock_timestamp(),
        consecutive_failures = 0, last_error = null
    where name = :name and owner = :owner
    """
)
_FAILED = text(
    """
    update internal.job_leases set owner = null, lease_until = null, last_failed_at = clock_timestamp(),
        consecutive_failures = consecutive_failures + 1, last_error = :error
    where name = :name and owner = :owner
    """
)


class PostgresJobLeases:
    """``JobLeases`` on the relational plane.

    Args:
        engine: The process's pool.
        owner: Names this process.
        renew_s: Seconds between renewals.
    """

    def __init__(self, engine: AsyncEngine, owner: str, *, renew_s: float = _RENEW_S) -> None:
        self._engine = engine
        self._owner = owner
        self._renew_s = renew_s

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[bool]:
        """See ``JobLeases.hold``."""
        if not await self._run(_TAKE, name, lease=LEASE):
            yield False
            return
        holder = asyncio.current_task()
        renewal = asyncio.create_task(self._keep(name, holder))
        try:
            yield True
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and holder is not None and _was_lost(renewal):
                holder.uncancel()
                raise Unavailable(f"The lease of {name} was lost", code="LEASE_LOST") from error
            await self._run(_FAILED, name, error=type(error).__name__)
            raise
        else:
            await self._run(_SUCCEEDED, name)
        finally:
            renewal.cancel()
            await asyncio.wait([renewal])

    async def _keep(self, name: str, holder: asyncio.Task[object] | None) -> None:
        """Renew until stopped. While the database is away the lease runs on, and may lapse."""
        while True:
            await asyncio.sleep(self._renew_s)
            try:
                is_ours = await self._run(_RENEW, name, lease=LEASE)
            except (DBAPIError, OSError) as error:
                _log.warning("a lease could not be renewed", job=name, error=type(error).__name__)
                continue
            if not is_ours:
                _log.warning("a lease was lost; its job is stopped", job=name)
                if holder is not None:
                    holder.cancel()
                return

    async def _run(self, statement: TextClause, name: str, **values: object) -> bool:
        """Execute one statement in its own transaction; tell whether it found a row."""
        async with self._engine.begin() as connection:
            result = await connection.execute(statement, {"name": name, "owner": self._owner, **values})
            return result.rowcount == 1


def _was_lost(renewal: asyncio.Task[None]) -> bool:
    # It ends by itself only when the lease was lost.
    return renewal.done() and not renewal.cancelled() and renewal.exception() is None
