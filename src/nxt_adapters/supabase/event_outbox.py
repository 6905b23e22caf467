"""Events to the adopter's webhook, in the stand-alone messaging plane [DM-12, DM 15.3]."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from nxt_adapters.supabase.engine import dump_json
from nxt_adapters.supabase.retention import delete_in_batches
from nxt_domain.messaging.stand_alone_ports import WaitingEvent
from nxt_domain.shared.outbox import OutboxTask

_ADD = text(
    """
    insert into messaging.event_outbox (event_id, stream_key, event)
    select event_id, stream_key, event from jsonb_to_recordset(cast(:rows as jsonb)) as new (
        ordinal int, event_id text, stream_key text, event text)
    order by ordinal
    on conflict (event_id) do nothing
    """
)

_CLAIM = text(
    """
    with due as (
        select t.id from messaging.event_outbox t
        where t.dead_lettered_at is null and t.next_attempt_at <= statement_timestamp()
            and (t.lease_until is null or t.lease_until <= statement_timestamp())
            and not exists (
                select from messaging.event_outbox earlier
                where earlier.stream_key = t.stream_key and earlier.id < t.id and earlier.dead_lettered_at is null)
        order by t.next_attempt_at, t.id
        limit :limit
        for update skip locked
    )
    update messaging.event_outbox t set lease_until = statement_timestamp() + :lease
    from due where t.id = due.id
    returning t.id, t.event_id, t.event, t.attempt_count, t.lease_until
    """
)

_DELIVERED = text("delete from messaging.event_outbox where id = :id and lease_until = :lease_until")

_RETRY = text(
    """
    update messaging.event_outbox
    set attempt_count = attempt_count + 1, last_error = :error, lease_until = null,
        next_attempt_at = clock_timestamp() + :delay
    where id = :id and lease_until = :lease_until
    """
)

_BURY = text(
    """
    update messaging.event_outbox
    set attempt_count = attempt_count + 1, last_error = :error, lease_until = null,
        dead_lettered_at = clock_timestamp()
    where id = :id and lease_until = :lease_until
    """
)

_PRUNE = """
    delete from messaging.event_outbox where id in (
        select id from messaging.event_outbox
        where dead_lettered_at < statement_timestamp() - :older_than order by dead_lettered_at limit :batch)
"""


class PostgresEvents:
    """``Outbox`` of the engine's transaction: its tasks are events, and nothing else.

    Args:
        connection: The open transaction's.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, tasks: Sequence[OutboxTask]) -> None:
        """See ``Outbox.add``; the body is written here once, and posted as it stands [DM-155]."""
        rows = [
            {
                "ordinal": ordinal,
                "event_id": task.payload["eventId"],
                "stream_key": task.stream_key or task.dedupe_key,
                "event": dump_json(task.payload),
            }
            for ordinal, task in enumerate(tasks)
        ]
        if rows:
            await self._connection.execute(_ADD, {"rows": dump_json(rows)})


class NoEvents:
    """``Outbox`` of a service whose adopter is told nothing [DM-161]."""

    async def add(self, tasks: Sequence[OutboxTask]) -> None:
        """Store nothing."""


class PostgresEventOutbox:
    """``EventOutbox`` on PostgreSQL; see there.

    Args:
        engine: The process's pool.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def claim(self, *, limit: int, lease: timedelta) -> Sequence[WaitingEvent]:
        """See ``EventOutbox.claim``."""
        async with self._engine.begin() as connection:
            rows = (await connection.execute(_CLAIM, {"limit": limit, "lease": lease})).all()
        return [_waiting(row) for row in sorted(rows, key=lambda row: row.id)]

    async def delivered(self, event: WaitingEvent) -> None:
        """See ``EventOutbox.delivered``."""
        async with self._engine.begin() as connection:
            await connection.execute(_DELIVERED, _held(event))

    async def retry(self, event: WaitingEvent, *, error: str, delay: timedelta) -> None:
        """See ``EventOutbox.retry``."""
        async with self._engine.begin() as connection:
            await connection.execute(_RETRY, {**_held(event), "error": error, "delay": delay})

    async def bury(self, event: WaitingEvent, *, error: str) -> None:
        """See ``EventOutbox.bury``."""
        async with self._engine.begin() as connection:
            await connection.execute(_BURY, {**_held(event), "error": error})

    async def prune(self, older_than: timedelta) -> int:
        """See ``EventOutbox.prune``."""
        return await delete_in_batches(self._engine, _PRUNE, older_than=older_than)


def _held(event: WaitingEvent) -> dict[str, object]:
    return {"id": event.id, "lease_until": event.lease_until}


def _waiting(row: Row[Any]) -> WaitingEvent:
    message = _message(row.event)
    correlation_id = None if message is None else message.get("correlationId")
    return WaitingEvent(
        id=row.id,
        event_id=row.event_id,
        correlation_id=correlation_id if isinstance(correlation_id, str) else None,
        body=None if message is None else row.event.encode(),
        attempts=row.attempt_count,
        lease_until=row.lease_until,
    )


def _message(event: str | None) -> Mapping[str, object] | None:
    """Read the message of an event; None: somebody edited the row by hand [DM-160]."""
    try:
        message = json.loads(event or "")["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return message if isinstance(message, Mapping) else None
