"""Messages as they are kept, live and archived; see ``MessageJournal``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.messages_rows import SET_ASIDE
from nxt_domain.messaging.journal import (
    MessageFilter,
    MessagePage,
    MessageRecord,
    MessageState,
    MessageWindow,
    Passage,
    page_of,
)
from nxt_domain.messaging.model import FailureRecord
from nxt_domain.messaging.wire import failures_from_json
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.ids import ulid_floor

_KEPT: Final = (
    "id, command_type, priority, plugin_id, phase, network_id, correlation_id, device ->> 'externalReference' as meter,"
    " ready_queue, delivery_status, delivery_queue_id, past_delivery_queue_ids, retry_count, failure_history,"
    " enqueued_at, passed_statuses, passed_at"
)
_LIVE: Final = f"""select {_KEPT}, due_at, lease_owner, lease_until, expires_at,
    cast(null as timestamptz) as finished_at, cast(null as text) as execution
    from messaging.device_messages"""  # noqa: S608 - columns are constants
_ARCHIVED: Final = f"""select {_KEPT}, cast(null as timestamptz) as due_at, cast(null as text) as lease_owner,
    cast(null as timestamptz) as lease_until, cast(null as timestamptz) as expires_at, finished_at,
    response ->> 'status' as execution
    from messaging.message_archive"""  # noqa: S608 - columns are constants
# Ids begin with the time, so that both tables are read backwards along their keys, between two ids; no letter of an id
# lies behind a tilde. The rest is looked at row by row.
# What ended was born before it ended: partitions from before the time asked for are not opened.
_WANTED: Final = """
    where id < coalesce(cast(:after as text), '~') and id >= coalesce(cast(:floor as text), '')
        and (cast(:plugin_id as text) is null or plugin_id = :plugin_id)
        and (cast(:network_id as bigint) is null or network_id = :network_id)
        and (cast(:meter as text) is null or device ->> 'externalReference' = :meter)
"""
_PAGE_OF_LIVE: Final = f"""({_LIVE} {_WANTED}
    and (cast(:state as text) is null
        or (cast(:state as text) = 'UNREADABLE') = starts_with(ready_queue, '{SET_ASIDE}')
            and cast(:state as text) in ('UNREADABLE', delivery_status))
    order by id desc limit :limit)"""
_PAGE_OF_ARCHIVED: Final = f"""({_ARCHIVED} {_WANTED}
    and (cast(:state as text) is null or delivery_status = :state)
    and finished_at >= coalesce(cast(:ended_since as timestamptz), '-infinity')
    order by id desc limit :limit)"""
_PAGE: Final = text(f"{_PAGE_OF_LIVE} union all {_PAGE_OF_ARCHIVED} order by id desc limit :limit")
_PAGES: Final = {True: text(_PAGE_OF_LIVE), False: text(_PAGE_OF_ARCHIVED)}
_FIND: Final = text(
    " union ".join(
        f"{table} where {key} = any(:ids)" for table in (_LIVE, _ARCHIVED) for key in ("id", "correlation_id")
    )
    + " order by id"
)

_CLOCK_DIFFERENCE: Final = timedelta(hours=1)


class PostgresMessageJournal:
    """``MessageJournal`` on the relational plane.

    Args:
        connection: The open transaction's.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def page(self, wanted: MessageFilter, window: MessageWindow) -> MessagePage:
        """See ``MessageJournal.page``."""
        values = {
            "state": None if wanted.state is None else wanted.state.value,
            "plugin_id": wanted.plugin_id,
            "network_id": wanted.network_id,
            "meter": wanted.meter,
            "floor": None if wanted.since is None else ulid_floor(wanted.since),
            # Births are told by the clock of whoever enqueued, ends by the database's.
            "ended_since": None if wanted.since is None else wanted.since - _CLOCK_DIFFERENCE,
            "after": window.after,
            "limit": window.limit + 1,
        }
        statement = _PAGE if wanted.state is None else _PAGES[wanted.state.is_live]
        rows = (await self._connection.execute(statement, values)).all()
        return page_of([_record(row) for row in rows], window)

    async def find(self, ids: Collection[str]) -> Sequence[MessageRecord]:
        """See ``MessageJournal.find``."""
        rows = (await self._connection.execute(_FIND, {"ids": list(ids)})).all()
        return [_record(row) for row in rows]


def _record(row: Row[Any]) -> MessageRecord:
    is_set_aside = row.ready_queue.startswith(SET_ASIDE)
    return MessageRecord(
        id=row.id,
        state=MessageState.UNREADABLE if is_set_aside else MessageState(row.delivery_status),
        command_type=row.command_type,
        plugin_id=row.plugin_id,
        priority=row.priority,
        meter=row.meter,
        ready_queue=row.ready_queue.removeprefix(SET_ASIDE),
        phase=row.phase,
        network_id=row.network_id,
        correlation_id=row.correlation_id,
        delivery_queue_id=row.delivery_queue_id,
        past_delivery_queue_ids=tuple(row.past_delivery_queue_ids),
        retry_count=row.retry_count,
        failures=_failures(row.failure_history),
        passages=_passages(row),
        enqueued_at=row.enqueued_at,
        expires_at=row.expires_at,
        due_at=row.due_at,
        lease_owner=row.lease_owner,
        lease_until=row.lease_until,
        finished_at=row.finished_at,
        execution=row.execution,
    )


def _failures(document: Any) -> Sequence[FailureRecord]:  # noqa: ANN401 - whatever was stored
    try:
        return failures_from_json(document)
    except InvalidInput:
        return ()  # what can't be read is why the row was set aside, and its state says so


def _passages(row: Row[Any]) -> Sequence[Passage]:
    passages = [Passage(at=row.enqueued_at, status=MessageState.QUEUED)]
    for status, at in zip(row.passed_statuses, row.passed_at, strict=True):
        passages.append(Passage(at=at, status=MessageState(status)))
    if row.finished_at is not None:
        passages.append(Passage(at=row.finished_at, status=MessageState(row.delivery_status)))
    return passages
