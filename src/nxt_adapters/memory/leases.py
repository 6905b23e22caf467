"""Leases of scheduled jobs, in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import attrs

from nxt_adapters.memory.database import MemoryDatabase

LEASE = timedelta(seconds=120)


@attrs.frozen(kw_only=True)
class LeaseRow:
    """A job, who runs it, and how its runs went."""

    owner: str | None = None
    lease_until: datetime | None = None
    last_succeeded_at: datetime | None = None
    last_failed_at: datetime | None = None
    last_error: str | None = None
    consecutive_failures: int = 0


class MemoryJobLeases:
    """Implements ``JobLeases``. The clock moves only when told, so nothing is renewed by itself.

    Args:
        database: Shared with the other fakes.
        owner: Names this process.
    """

    def __init__(self, database: MemoryDatabase, owner: str) -> None:
        self._clock = database.clock
        self._rows: dict[str, LeaseRow] = database.table("job_leases")
        self._owner = owner

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[bool]:
        """See ``JobLeases.hold``."""
        row, now = self._rows.get(name, LeaseRow()), self._clock.now()
        if row.owner is not None and row.lease_until is not None and row.lease_until > now:
            yield False
            return
        self._rows[name] = attrs.evolve(row, owner=self._owner, lease_until=now + LEASE)
        try:
            yield True
        except BaseException as error:
            self._end(name, failed_with=type(error).__name__)
            raise
        else:
            self._end(name)

    def row(self, name: str) -> LeaseRow:
        """Tell where a job stands."""
        return self._rows[name]

    def _end(self, name: str, *, failed_with: str | None = None) -> None:
        row, now = self._rows[name], self._clock.now()
        if row.owner != self._owner:
            return
        free = attrs.evolve(row, owner=None, lease_until=None, last_error=failed_with)
        if failed_with is None:
            self._rows[name] = attrs.evolve(free, last_succeeded_at=now, consecutive_failures=0)
        else:
            failures = row.consecutive_failures + 1
            self._rows[name] = attrs.evolve(free, last_failed_at=now, consecutive_failures=failures)
