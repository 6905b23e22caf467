"""Tables in memory with transactions, shared by the fakes of all repositories."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

import attrs

from nxt_domain.shared.idempotency import Claim, claim_at_work, claim_lost
from nxt_domain.shared.outbox import OutboxTask


class MemoryClock:
    """A clock that stands still until told to move.

    Args:
        now: Aware instant to start at.
    """

    def __init__(self, now: datetime = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)) -> None:
        self._now = now

    def now(self) -> datetime:
        """Return the present instant."""
        return self._now

    def advance(self, step: timedelta) -> None:
        """Move on."""
        self._now += step


class MemoryDatabase:
    """Tables of immutable rows by key; one transaction at a time.

    Args:
        clock: Stands for the database's clock.
    """

    def __init__(self, clock: MemoryClock | None = None) -> None:
        self.clock = clock or MemoryClock()
        self.lock = asyncio.Lock()
        self._tables: dict[str, dict[Any, Any]] = defaultdict(dict)
        self._sequences: dict[str, int] = defaultdict(int)

    def table(self, name: str) -> dict[Any, Any]:
        """Return a table; rows must be immutable, so that a snapshot is a shallow copy."""
        return self._tables[name]

    def next_id(self, name: str) -> int:
        """Draw from a sequence; as in a real database, a rollback does not give it back."""
        self._sequences[name] += 1
        return self._sequences[name]

    def snapshot(self) -> dict[str, dict[Any, Any]]:
        """Copy all tables."""
        return {name: dict(rows) for name, rows in self._tables.items()}

    def restore(self, tables: dict[str, dict[Any, Any]]) -> None:
        """Put a snapshot back, keeping the identity of each table."""
        for name, rows in self._tables.items():
            rows.clear()
            rows.update(tables.get(name, {}))


class MemoryOutbox:
    """Outbox rows: ``OutboxTask`` by dedupe key."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._tasks = database.table("outbox_tasks")

    async def add(self, tasks: Sequence[OutboxTask]) -> None:
        """Store tasks whose key is new."""
        for task in tasks:
            self._tasks.setdefault(task.dedupe_key, task)


class MemoryTransaction:
    """A transaction on a ``MemoryDatabase``; repositories hang off ``database``."""

    def __init__(self, database: MemoryDatabase) -> None:
        self.database = database
        self.outbox = MemoryOutbox(database)
        self._before: dict[str, dict[Any, Any]] | None = None

    async def commit(self) -> None:
        """Keep everything done so far."""
        claim = claim_at_work()
        if claim is not None:
            _mark_used(self.database, claim)
        self._before = self.database.snapshot()

    async def __aenter__(self) -> Self:
        await self.database.lock.acquire()
        self._before = self.database.snapshot()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            self.database.restore(self._before)
        self._before = None
        self.database.lock.release()


def _mark_used(database: MemoryDatabase, claim: Claim) -> None:
    keys = database.table("idempotency_keys")
    name = (claim.request.scope, claim.request.key)
    row = keys.get(name)
    if row is None or row.until != claim.until:
        raise claim_lost()
    keys[name] = attrs.evolve(row, is_used=True)
