"""Effects outside the database: stored with their cause, claimed by the relay [REL-156, R18, R49]."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.engine import dump_json
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.written import Written
from nxt_domain.shared.outbox import ClaimedTask, OutboxTask

_DELETED_WHEN_DONE = "SOCKET_EVENT"
_ERROR_CHARACTERS = 500

# One parameter for any number of tasks. Ids rise in the order of the tasks, and so in each stream.
_ADD = Written(
    """
    insert into internal.outbox_tasks
        (kind, dedupe_key, stream_key, order_id, organization_id, grid_id, payload, next_attempt_at, give_up_at)
    select kind, dedupe_key, stream_key, order_id, organization_id, grid_id, payload,
        clock_timestamp() + make_interval(secs => delay_s), clock_timestamp() + make_interval(secs => give_up_after_s)
    from jsonb_to_recordset(cast(:rows as jsonb)) as new (
        ordinal int, kind text, dedupe_key text, stream_key text, order_id int, organization_id int, grid_id int,
        payload jsonb, delay_s double precision, give_up_after_s double precision)
    order by ordinal
    on conflict (dedupe_key) do nothing
    """
)

# Of each stream only the oldest open task is due; tasks held by others are skipped, not waited for. What is open in a
# stream is asked for in the words of the index on streams, since the planner, whose statistics are often from a moment
# when nothing was open, would else walk through all open tasks for each.
_CLAIM = text(
    """
    with due as (
        select oldest.id from unnest(:kinds) as wanted (kind) cross join lateral (
            select id, next_attempt_at from internal.outbox_tasks t
            where done_at is null and dropped_at is null and t.kind = wanted.kind
                and next_attempt_at <= statement_timestamp()
                and (lease_until is null or lease_until <= statement_timestamp())
                and (stream_key is null or not exists (
                    select from internal.outbox_tasks earlier
                    where earlier.stream_key = t.stream_key and earlier.id < t.id
                        and coalesce(earlier.done_at, earlier.dropped_at) is null))
            order by next_attempt_at
            limit :limit
            for update skip locked
        ) as oldest
        order by oldest.next_attempt_at
        limit :limit
    )
    update internal.outbox_tasks t
    set lease_until = clock_timestamp() + :lease, lease_owner = :owner
    from due where t.id = due.id
    returning t.id, t.kind, t.dedupe_key, t.payload, t.stream_key, t.order_id, t.attempts, t.created_at,
        t.give_up_at, t.lease_until
    """
).bindparams(bindparam("kinds", type_=ARRAY(TEXT)))

# One step down the index for each kind; what is still held is not worth a claim.
_DUE = text(
    """
    select wanted.kind from unnest(:kinds) as wanted (kind)
    where exists (
        select from internal.outbox_tasks t
        where t.done_at is null and t.dropped_at is null and t.kind = wanted.kind
            and t.next_attempt_at <= statement_timestamp()
            and (t.lease_until is null or t.lease_until <= statement_timestamp()))
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
    update internal.outbox_tasks t
    set attempts = t.attempts + 1, last_error = :error, lease_until = null, lease_owner = null,
        next_attempt_at = clock_timestamp() + back.delay,
        dropped_at = case when clock_timestamp() + back.delay > t.give_up_at then clock_timestamp() end
    from unnest(cast(:ids as bigint[]), cast(:leases as timestamptz[]), cast(:delays as interval[]))
        as back (id, lease_until, delay)
    where t.id = back.id and t.lease_until = back.lease_until and t.done_at is null
    returning t.id, t.dropped_at
    """
)


class PostgresOutbox:
    """``Outbox`` on the relational plane.

    Args:
        session: Of the unit of work.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def add(self, tasks: Sequence[OutboxTask]) -> None:
        """See ``Outbox.add``."""
        if not tasks:
            return
        rows = [{"ordinal": ordinal, **_row(task)} for ordinal, task in enumerate(tasks)]
        await self._session.run(_ADD, {"rows": dump_json(rows)})


class PostgresOutboxQueue:
    """``OutboxQueue`` on the relational plane; each call is a transaction of its own.

    Args:
        engine: The process's pool.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def due(self, kinds: Sequence[str]) -> Collection[str]:
        """See ``OutboxQueue.due``."""
        async with self._engine.begin() as connection:
            return set((await connection.execute(_DUE, {"kinds": list(kinds)})).scalars())

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

    async def retry(self, delays: Sequence[tuple[ClaimedTask, timedelta]], *, error: str) -> Sequence[ClaimedTask]:
        """See ``OutboxQueue.retry``; one statement."""
        held = {
            "ids": [task.id for task, _ in delays],
            "leases": [task.lease_until for task, _ in delays],
            "delays": [delay for _, delay in delays],
        }
        async with self._engine.begin() as connection:
            rows = await connection.execute(_RETRY, {**held, "error": error[:_ERROR_CHARACTERS]})
            dropped = {row.id for row in rows if row.dropped_at is not None}
        return [task for task, _ in delays if task.id in dropped]


def _row(task: OutboxTask) -> dict[str, object]:
    give_up_after = task.give_up_after
    return {
        "kind": task.kind,
        "dedupe_key": task.dedupe_key,
        "stream_key": task.stream_key,
        "order_id": task.order_id,
        "organization_id": task.organization_id,
        "grid_id": task.grid_id,
        "payload": dict(task.payload),
        "delay_s": task.delay.total_seconds(),
        "give_up_after_s": None if give_up_after is None else give_up_after.total_seconds(),
    }
