"""Effects outside the database: stored with their cause, claimed by the relay [REL-156, R18, R49]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import bindparam, func, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT, insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from nxt_adapters.supabase.tables import outbox_tasks
from nxt_domain.shared.outbox import ClaimedTask, OutboxTask

_DELETED_WHEN_DONE = "SOCKET_EVENT"

# Of each stream only the oldest open task is due; tasks held by others are skipped, not waited for.
_CLAIM = text(
    """
    with due as (
        select id from internal.outbox_tasks t
        where done_at is null and dropped_at is null and kind = any(:kinds)
            and next_attempt_at <= clock_timestamp()
            and (lease_until is null or lease_until <= clock_timestamp())
            and (stream_key is null or not exists (
                select from internal.outbox_tasks earlier
                where earlier.stream_key = t.stream_key and earlier.id < t.id
                    and earlier.done_at is null and earlier.dropped_at is null))
        order by next_attempt_at, id
        limit :limit
        for update skip locked
    )
    update internal.outbox_tasks t
    set lease_until = clock_timestamp() + :lease, lease_owner = :owner
    from due where t.id = due.id
    returning t.id, t.kind, t.dedupe_key, t.payload, t.stream_key, t.order_id, t.attempts, t.created_at,
        t.give_up_at, t.lease_until
    """
).bindparams(bindparam("kinds", type_=ARRAY(TEXT)))

_DONE = text(
    """
    with gone as (delete from internal.outbox_tasks where id = any(:ids) and kind = :deleted returning id)
    update internal.outbox_tasks
    set done_at = clock_timestamp(), lease_until = null, lease_owner = null, last_error = null
    where id = any(:ids) and kind <> :deleted
    """
)

_RETRY = text(
    """
    update internal.outbox_tasks
    set attempts = attempts + 1, last_error = :error, lease_until = null, lease_owner = null,
        next_attempt_at = clock_timestamp() + :delay,
        dropped_at = case when clock_timestamp() + :delay > give_up_at then clock_timestamp() end
    where id = :id and done_at is null
    """
)

_DROP = text(
    """
    update internal.outbox_tasks
    set attempts = attempts + 1, last_error = :error, lease_until = null, lease_owner = null,
        dropped_at = clock_timestamp()
    where id = :id and done_at is null
    """
)


class PostgresOutbox:
    """``Outbox`` on the relational plane.

    Args:
        connection: The open transaction's.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, tasks: Sequence[OutboxTask]) -> None:
        """See ``Outbox.add``."""
        if not tasks:
            return
        statement = (
            insert(outbox_tasks)
            .values([_row(task) for task in tasks])
            .on_conflict_do_nothing(index_elements=["dedupe_key"])
        )
        await self._connection.execute(statement)


class PostgresOutboxQueue:
    """``OutboxQueue`` on the relational plane; each call is a transaction of its own.

    Args:
        engine: The process's pool.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def claim(self, *, owner: str, kinds: Sequence[str], limit: int, lease: timedelta) -> Sequence[ClaimedTask]:
        """See ``OutboxQueue.claim``."""
        async with self._engine.begin() as connection:
            rows = await connection.execute(
                _CLAIM, {"kinds": list(kinds), "limit": limit, "lease": lease, "owner": owner}
            )
            claimed = [ClaimedTask(**row) for row in rows.mappings()]
        return sorted(claimed, key=lambda task: task.id)

    async def done(self, tasks: Sequence[ClaimedTask]) -> None:
        """See ``OutboxQueue.done``."""
        if tasks:
            async with self._engine.begin() as connection:
                await connection.execute(_DONE, {"ids": [task.id for task in tasks], "deleted": _DELETED_WHEN_DONE})

    async def retry(self, task: ClaimedTask, *, error: str, delay: timedelta) -> None:
        """See ``OutboxQueue.retry``."""
        async with self._engine.begin() as connection:
            await connection.execute(_RETRY, {"id": task.id, "error": error, "delay": delay})

    async def drop(self, task: ClaimedTask, *, error: str) -> None:
        """See ``OutboxQueue.drop``."""
        async with self._engine.begin() as connection:
            await connection.execute(_DROP, {"id": task.id, "error": error})


def _row(task: OutboxTask) -> dict[str, object]:
    now = func.clock_timestamp()
    return {
        "kind": task.kind,
        "dedupe_key": task.dedupe_key,
        "stream_key": task.stream_key,
        "order_id": task.order_id,
        "organization_id": task.organization_id,
        "grid_id": task.grid_id,
        "payload": dict(task.payload),
        "next_attempt_at": now + task.delay,
        "give_up_at": None if task.give_up_after is None else now + task.give_up_after,
    }
