"""Reading, changing and archiving messages under lock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.messages_codec import COLUMNS, changed_rows, final_rows, message_of
from nxt_adapters.supabase.written import Record
from nxt_domain.messaging.machine import Finished
from nxt_domain.messaging.model import DeviceMessage
from nxt_domain.messaging.ports import Batch, MessagingMetrics
from nxt_domain.shared.errors import InvalidInput

_log = structlog.get_logger(__name__)

SET_ASIDE = "unreadable:"
"""Before the ready queue of a row that can't be read: no queue has such a key, and cutting it off puts the row back."""

_NOW = text("select statement_timestamp()")

_SET_ASIDE = text(
    """
    update messaging.device_messages
    set ready_queue = :prefix || ready_queue, due_at = null, holds_slot = false, lease_owner = null, lease_until = null
    where id = any(:ids) and not starts_with(ready_queue, :prefix)
    """
)

_LOCK = text(
    f"""
    select {COLUMNS}, statement_timestamp() as now from messaging.device_messages
    where id = any(:ids) and ready_queue not like '{SET_ASIDE}%'
    order by id for update
    """  # noqa: S608 - both are constants
)

# Written so that each arm is one of the two partial indexes.
_LOCK_BY_REMOTE_IDS = text(
    f"""
    select {COLUMNS}, statement_timestamp() as now from messaging.device_messages
    where plugin_id = :plugin_id and ready_queue not like '{SET_ASIDE}%' and (
        (delivery_queue_id = any(:remote_ids) and delivery_queue_id <> '')
        or (past_delivery_queue_ids && cast(:remote_ids as text[]) and past_delivery_queue_ids <> '{{}}'))
    order by id for update
    """  # noqa: S608 - both are constants
)

_SAVE = text(
    """
    update messaging.device_messages m
    set delivery_status = new.delivery_status, delivery_queue_id = new.delivery_queue_id,
        past_delivery_queue_ids = new.past_delivery_queue_ids, retry_count = new.retry_count,
        failure_history = new.failure_history, due_at = new.due_at, holds_slot = m.holds_slot and new.is_in_flight,
        lease_owner = null, lease_until = null,
        passed_statuses = case when new.delivery_status = m.delivery_status then m.passed_statuses
            else array_append(m.passed_statuses, new.delivery_status) end,
        passed_at = case when new.delivery_status = m.delivery_status then m.passed_at
            else array_append(m.passed_at, statement_timestamp()) end
    from jsonb_to_recordset(cast(:rows as jsonb)) as new (
        id text, delivery_status text, delivery_queue_id text, past_delivery_queue_ids text[], retry_count int,
        failure_history jsonb, due_at timestamptz, is_in_flight boolean)
    where m.id = new.id
    """
)

_ARCHIVE = text(
    """
    with gone as (
        delete from messaging.device_messages m
        using jsonb_to_recordset(cast(:rows as jsonb)) as new (
            id text, outcome text, device jsonb, failure_history jsonb, response jsonb)
        where m.id = new.id
        returning m.*, new.outcome, new.device as heard, new.failure_history as failures, new.response)
    insert into messaging.message_archive (
        id, command_type, priority, plugin_id, request_data, phase, network_id, correlation_id, device, ready_queue,
        delivery_status, delivery_queue_id, past_delivery_queue_ids, retry_count, failure_history, response,
        enqueued_at, finished_at, passed_statuses, passed_at)
    select id, command_type, priority, plugin_id, nullif(request_data - 'token', '{}'), phase, network_id,
        correlation_id, heard, ready_queue, outcome, delivery_queue_id, past_delivery_queue_ids, retry_count, failures,
        response, enqueued_at, statement_timestamp(), passed_statuses, passed_at
    from gone
    """
)


class Reader:
    """Reads rows of the open transaction; one that can't be read leaves its queue [DM-15].

    Args:
        connection: Gives the open transaction's connection.
        metrics: Counts unreadable rows.
    """

    def __init__(self, connection: Callable[[], AsyncConnection], metrics: MessagingMetrics) -> None:
        self._connection = connection
        self._metrics = metrics

    @property
    def connection(self) -> AsyncConnection:
        """The open transaction's connection."""
        return self._connection()

    async def now(self) -> datetime:
        """Ask the database for the time [DM-14]."""
        now: datetime = (await self.connection.execute(_NOW)).scalar_one()
        return now

    async def batch(self, rows: Sequence[Row[Any]]) -> Batch:
        """Read rows that have a column ``now``, by ascending id."""
        now: datetime = rows[0].now if rows else await self.now()
        messages = sorted(await self.messages(rows), key=lambda message: message.id)
        return Batch(now=now, messages=messages)

    async def messages(self, rows: Iterable[Row[Any]]) -> Sequence[DeviceMessage]:
        """Read rows; the unreadable ones are set aside with the transaction."""
        messages: list[DeviceMessage] = []
        unreadable: list[str] = []
        for row in rows:
            message = readable(row)
            if message is None:
                unreadable.append(row.id)
            else:
                messages.append(message)
        if unreadable:
            await self.connection.execute(_SET_ASIDE, {"ids": unreadable, "prefix": SET_ASIDE})
            self._metrics.corrupt(len(unreadable))
        return messages


def readable(row: Record) -> DeviceMessage | None:
    """Read a row; None, and an error in the log, if it can't be read."""
    try:
        return message_of(row)
    except (InvalidInput, ValueError, TypeError, AttributeError) as problem:
        # The text names a member, never its content: that may be a token.
        _log.error("a message can't be read", module="messaging", message_id=row.id, problem=type(problem).__name__)
        return None


class PostgresRows:
    """See ``Rows``.

    Args:
        reader: Reads the transaction's rows.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def lock(self, message_ids: Collection[str]) -> Batch:
        """See ``Rows.lock``."""
        rows = await self._reader.connection.execute(_LOCK, {"ids": list(message_ids)})
        return await self._reader.batch(rows.all())

    async def lock_by_remote_ids(self, plugin_id: str, remote_ids: Collection[str]) -> Batch:
        """See ``Rows.lock_by_remote_ids``."""
        if not remote_ids:
            return await self._reader.batch([])
        rows = await self._reader.connection.execute(
            _LOCK_BY_REMOTE_IDS, {"plugin_id": plugin_id, "remote_ids": list(remote_ids)}
        )
        return await self._reader.batch(rows.all())

    async def save(self, messages: Sequence[DeviceMessage]) -> None:
        """See ``Rows.save``."""
        await self._reader.connection.execute(_SAVE, {"rows": changed_rows(messages)})

    async def archive(self, finished: Sequence[Finished]) -> None:
        """See ``Rows.archive``."""
        await self._reader.connection.execute(_ARCHIVE, {"rows": final_rows(finished)})
