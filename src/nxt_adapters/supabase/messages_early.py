"""News that came before what it belongs to: halves of answers, and events of ids nobody knows yet [DM-59, DM-104]."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import structlog
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_domain.messaging.model import DeviceEvent, EventHalf, HalfKind
from nxt_domain.messaging.ports import MessagingMetrics
from nxt_domain.messaging.wire import event_from_json, event_to_json, half_from_json, half_to_json
from nxt_domain.shared.errors import InvalidInput

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")

HALF_LIFE = timedelta(seconds=10)
PARKED_LIFE = timedelta(seconds=60)
PARKED_PER_ID = 20

# Two processes may hold one half each, and neither would see the other's: the lock makes storing one half and looking
# for the other one step [DM-105]. Taken in one order, so that batches can't block each other for ever.
_LOCK_PAIRS = text(
    """
    select pg_advisory_xact_lock(key) from (
        select distinct hashtextextended(id, 104) as key from unnest(cast(:ids as text[])) as id order by key) as keys
    """
)

_TAKE_HALVES = text(
    """
    delete from messaging.event_halves where deduplication_id = any(:ids)
    returning deduplication_id, half, payload, expires_at > statement_timestamp() as is_fresh
    """
)

_STORE_HALVES = text(
    """
    insert into messaging.event_halves (deduplication_id, half, payload, expires_at)
    select deduplication_id, half, payload, statement_timestamp() + :life
    from jsonb_to_recordset(cast(:rows as jsonb)) as new (deduplication_id text, half text, payload jsonb)
    """
)

_PARK = text(
    """
    insert into messaging.parked_events (plugin_id, delivery_queue_id, event, expires_at)
    select :plugin_id, delivery_queue_id, event, statement_timestamp() + :life
    from (
        select new.*, row_number() over (partition by delivery_queue_id order by place) + (
            select count(*) from messaging.parked_events kept
            where kept.plugin_id = :plugin_id and kept.delivery_queue_id = new.delivery_queue_id) as number
        from jsonb_to_recordset(cast(:rows as jsonb)) as new (place int, delivery_queue_id text, event jsonb)
    ) as counted
    where number <= :per_id
    order by place
    """
)

_PARKED_IDS = text(
    """
    select distinct delivery_queue_id from messaging.parked_events
    where plugin_id = :plugin_id and delivery_queue_id = any(:remote_ids) and expires_at > statement_timestamp()
    """
)

_TAKE_PARKED = text(
    """
    with taken as (
        delete from messaging.parked_events
        where plugin_id = :plugin_id and delivery_queue_id = any(:remote_ids)
        returning id, event, expires_at)
    select event from taken where expires_at > statement_timestamp() order by id
    """
)

_PRUNE_HALVES = text("delete from messaging.event_halves where expires_at <= statement_timestamp()")
_PRUNE_PARKED = text("delete from messaging.parked_events where expires_at <= statement_timestamp()")


class PostgresEarlyNews:
    """See ``EarlyNews``.

    Args:
        connection: Gives the open transaction's connection.
        metrics: Counts news that can't be read; they are dropped, since they would hold up what they belong to [DM-15].
    """

    def __init__(self, connection: Callable[[], AsyncConnection], metrics: MessagingMetrics) -> None:
        self._connection = connection
        self._metrics = metrics

    async def pair(self, halves: Sequence[EventHalf]) -> Sequence[DeviceEvent]:
        """See ``EarlyNews.pair``."""
        ids = list({half.deduplication_id for half in halves})
        await self._connection().execute(_LOCK_PAIRS, {"ids": ids})
        stored = await self._connection().execute(_TAKE_HALVES, {"ids": ids})
        fresh = self._read(_half, [row for row in stored if row.is_fresh])
        waiting = {_key(half): half for half in fresh}
        whole: list[DeviceEvent] = []
        for half in halves:
            other = waiting.pop((half.deduplication_id, _opposite(half.kind)), None)
            if other is None:
                waiting[_key(half)] = half
            else:
                whole.append(half.joined_with(other))
        if waiting:
            await self._connection().execute(_STORE_HALVES, {"rows": _half_rows(waiting.values()), "life": HALF_LIFE})
        return whole

    async def park(self, plugin_id: str, events: Sequence[DeviceEvent]) -> None:
        """See ``EarlyNews.park``."""
        rows = [
            {"place": place, "delivery_queue_id": event.delivery_queue_id, "event": event_to_json(event)}
            for place, event in enumerate(events)
        ]
        values = {"plugin_id": plugin_id, "rows": json.dumps(rows), "life": PARKED_LIFE, "per_id": PARKED_PER_ID}
        await self._connection().execute(_PARK, values)

    async def parked_ids(self, plugin_id: str, remote_ids: Collection[str]) -> Collection[str]:
        """See ``EarlyNews.parked_ids``."""
        values = {"plugin_id": plugin_id, "remote_ids": list(remote_ids)}
        return set((await self._connection().execute(_PARKED_IDS, values)).scalars())

    async def take_parked(self, plugin_id: str, remote_ids: Collection[str]) -> Sequence[DeviceEvent]:
        """See ``EarlyNews.take_parked``."""
        values = {"plugin_id": plugin_id, "remote_ids": list(remote_ids)}
        return self._read(_event, (await self._connection().execute(_TAKE_PARKED, values)).all())

    async def prune(self) -> int:
        """See ``EarlyNews.prune``."""
        await self._connection().execute(_PRUNE_HALVES)
        return (await self._connection().execute(_PRUNE_PARKED)).rowcount

    def _read(self, read: Callable[[Row[Any]], _T], rows: Sequence[Row[Any]]) -> list[_T]:
        news: list[_T] = []
        for row in rows:
            try:
                news.append(read(row))
            except (InvalidInput, ValueError, TypeError, AttributeError) as problem:
                _log.error("kept news can't be read", module="messaging", problem=type(problem).__name__)
                self._metrics.corrupt(1)
        return news


def _event(row: Row[Any]) -> DeviceEvent:
    return event_from_json(row.event)


def _half(row: Row[Any]) -> EventHalf:
    return half_from_json(HalfKind(row.half), row.deduplication_id, row.payload)


def _key(half: EventHalf) -> tuple[str, HalfKind]:
    return half.deduplication_id, half.kind


def _opposite(kind: HalfKind) -> HalfKind:
    return HalfKind.UP if kind is HalfKind.ACK else HalfKind.ACK


def _half_rows(halves: Collection[EventHalf]) -> str:
    return json.dumps(
        [
            {"deduplication_id": half.deduplication_id, "half": half.kind, "payload": half_to_json(half)}
            for half in halves
        ]
    )
