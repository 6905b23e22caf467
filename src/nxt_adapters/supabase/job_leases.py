"""Only one process runs a job at a time: leases in the database, renewed while the job runs [REL-168, R48]."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

LEASE = timedelta(seconds=120)
_RENEW_S = 40.0

_TAKE = text(
    """
    insert into internal.job_leases as l (name, owner, lease_until, last_started_at)
    values (:name, :owner, clock_timestamp() + :lease, clock_timestamp())
    on conflict (name) do update set owner = excluded.owner, lease_until = excluded.lease_until,
        last_started_at = excluded.last_started_at
    where l.lease_until is null or l.lease_until <= clock_timestamp() or l.owner is null
    returning name
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
    """Leases of scheduled jobs.

    Args:
        engine: The process's pool.
        owner: Names this process.
    """

    def __init__(self, engine: AsyncEngine, owner: str) -> None:
        self._engine = engine
        self._owner = owner

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[bool]:
        """Hold a job's lease while the block runs; yields False if another process holds it.

        A crashed holder's lease lapses within two minutes.
        """
        async with self._engine.begin() as connection:
            taken = await connection.execute(_TAKE, {"name": name, "owner": self._owner, "lease": LEASE})
            is_ours = taken.first() is not None
        if not is_ours:
            yield False
            return
        renewal = asyncio.create_task(self._keep(name))
        try:
            yield True
        except BaseException as error:
            await self._run(_FAILED, name, error=type(error).__name__)
            raise
        else:
            await self._run(_SUCCEEDED, name)
        finally:
            renewal.cancel()
            with suppress(asyncio.CancelledError):
                await renewal

    async def _keep(self, name: str) -> None:
        while True:
            await asyncio.sleep(_RENEW_S)
            await self._run(_RENEW, name, lease=LEASE)

    async def _run(self, statement: TextClause, name: str, **values: object) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(statement, {"name": name, "owner": self._owner, **values})
