"""The outbox in memory, and the relay's claims on it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import attrs

from nxt_adapters.memory.database import MemoryDatabase, MemoryOutbox, MemoryTransaction
from nxt_domain.shared.outbox import ClaimedTask, OutboxTask

_DELETED_WHEN_DONE = "SOCKET_EVENT"


@attrs.frozen(kw_only=True)
class TaskState:
    """Where a task stands."""

    id: int
    created_at: datetime
    due_at: datetime
    give_up_at: datetime | None
    attempts: int = 0
    lease_until: datetime | None = None
    done_at: datetime | None = None
    dropped_at: datetime | None = None
    last_error: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it still has to be done."""
        return self.done_at is None and self.dropped_at is None


class _States:
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._tasks: dict[str, OutboxTask] = database.table("outbox_tasks")
        self._states: dict[str, TaskState] = database.table("outbox_states")

    def note_new(self) -> None:
        """Give every task that has none an id and its times, in the order of their coming."""
        now = self._database.clock.now()
        for key, task in self._tasks.items():
            if key not in self._states:
                self._states[key] = TaskState(
                    id=self._database.next_id("outbox_tasks"),
                    created_at=now,
                    due_at=now + task.delay,
                    give_up_at=None if task.give_up_after is None else now + task.give_up_after,
                )


class MemoryOutboxTable(MemoryOutbox, _States):
    """Implements ``Outbox``, and notes when tasks came.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        MemoryOutbox.__init__(self, database)
        _States.__init__(self, database)

    async def add(self, tasks: Sequence[OutboxTask]) -> None:
        """See ``Outbox.add``."""
        await super().add(tasks)
        self.note_new()

    def all(self, kind: str | None = None) -> Sequence[OutboxTask]:
        """Return tasks, oldest first."""
        return [task for task in self._tasks.values() if kind in {None, task.kind}]

    def state(self, dedupe_key: str) -> TaskState:
        """Tell where a task stands."""
        return self._states[dedupe_key]


class MemoryOutboxQueue(_States):
    """Implements ``OutboxQueue``; each call is a transaction of its own.

    Args:
        database: Shared with the other fakes.
    """

    async def due(self, kinds: Sequence[str]) -> Collection[str]:
        """See ``OutboxQueue.due``."""
        async with MemoryTransaction(self._database) as transaction:
            self.note_new()
            waiting = {self._tasks[key].kind for key in self._due(kinds)}
            await transaction.commit()
        return waiting

    async def claim(self, *, owner: str, kinds: Sequence[str], limit: int, lease: timedelta) -> Sequence[ClaimedTask]:
        """See ``OutboxQueue.claim``."""
        del owner  # leases are told apart by their end
        async with MemoryTransaction(self._database) as transaction:
            self.note_new()
            due = sorted(self._due(kinds), key=lambda key: (self._states[key].due_at, self._states[key].id))
            claimed = [self._lease(key, lease) for key in due[:limit]]
            await transaction.commit()
        return sorted(claimed, key=lambda task: task.id)

    async def done(self, tasks: Sequence[ClaimedTask]) -> None:
        """See ``OutboxQueue.done``."""
        async with MemoryTransaction(self._database) as transaction:
            for task in tasks:
                if task.kind == _DELETED_WHEN_DONE:
                    self._tasks.pop(task.dedupe_key, None)
                    self._states.pop(task.dedupe_key, None)
                    continue
                done = attrs.evolve(self._states[task.dedupe_key], done_at=self._now, lease_until=None, last_error=None)
                self._states[task.dedupe_key] = done
            await transaction.commit()

    async def retry(self, delays: Sequence[tuple[ClaimedTask, timedelta]], *, error: str) -> Sequence[ClaimedTask]:
        """See ``OutboxQueue.retry``."""
        async with MemoryTransaction(self._database) as transaction:
            dropped = [task for task, delay in delays if self._give_back(task, error, self._now + delay)]
            await transaction.commit()
        return dropped

    def _give_back(self, task: ClaimedTask, error: str, due_at: datetime) -> bool:
        """Let a task wait, or drop it; tell whether it was dropped."""
        state = self._states[task.dedupe_key]
        if state.done_at is not None or state.lease_until != task.lease_until:
            return False
        is_late = task.give_up_at is not None and due_at > task.give_up_at
        self._states[task.dedupe_key] = attrs.evolve(
            state,
            attempts=state.attempts + 1,
            last_error=error,
            lease_until=None,
            due_at=due_at,
            dropped_at=self._now if is_late else None,
        )
        return is_late

    @property
    def _now(self) -> datetime:
        return self._database.clock.now()

    def _due(self, kinds: Sequence[str]) -> Sequence[str]:
        heads: dict[str, int] = {}
        for key, task in self._tasks.items():
            if task.stream_key is not None and self._states[key].is_open:
                heads[task.stream_key] = min(self._states[key].id, heads.get(task.stream_key, self._states[key].id))
        return [
            key
            for key, task in self._tasks.items()
            if task.kind in kinds
            and self._is_free(self._states[key])
            and (task.stream_key is None or heads[task.stream_key] == self._states[key].id)
        ]

    def _is_free(self, state: TaskState) -> bool:
        is_leased = state.lease_until is not None and state.lease_until > self._now
        return state.is_open and state.due_at <= self._now and not is_leased

    def _lease(self, key: str, lease: timedelta) -> ClaimedTask:
        task, lease_until = self._tasks[key], self._now + lease
        state = attrs.evolve(self._states[key], lease_until=lease_until)
        self._states[key] = state
        return ClaimedTask(
            id=state.id,
            kind=task.kind,
            dedupe_key=task.dedupe_key,
            payload=dict(task.payload),
            stream_key=task.stream_key,
            order_id=task.order_id,
            attempts=state.attempts,
            created_at=state.created_at,
            give_up_at=state.give_up_at,
            lease_until=lease_until,
        )
