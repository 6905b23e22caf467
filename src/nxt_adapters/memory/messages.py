"""The durable queue of device messages, in memory: the same rules, one transaction at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs

from nxt_adapters.memory.database import MemoryDatabase, MemoryTransaction
from nxt_adapters.memory.outbox import TaskState
from nxt_domain.messaging.admission import owner_of
from nxt_domain.messaging.events import message_stream
from nxt_domain.messaging.journal import MessageState, Passage
from nxt_domain.messaging.machine import Finished, requeued
from nxt_domain.messaging.model import (
    CancelResult,
    DeliveryStatus,
    DeviceEvent,
    DeviceMessage,
    EventHalf,
    HalfKind,
    NewMessage,
)
from nxt_domain.messaging.ports import Batch, Courier, Lease, MessagingMetrics, NoMetrics, Quota, ReadyBatch
from nxt_domain.messaging.routing import cancel_result, current_of, is_cancellable, newborn, ready_queues
from nxt_domain.messaging.stages import Stage
from nxt_domain.messaging.tuning import DeliveryPolicy
from nxt_domain.shared.outbox import OutboxTask

HALF_LIFE = timedelta(seconds=10)
PARKED_LIFE = timedelta(seconds=60)
PARKED_PER_ID = 20


@attrs.frozen
class MemoryRow:
    """A live message and whether it holds a slot of its ready queue."""

    message: DeviceMessage
    holds_slot: bool = False


@attrs.frozen
class _Half:
    half: EventHalf
    expires_at: datetime


@attrs.frozen
class _Parked:
    plugin_id: str
    event: DeviceEvent
    expires_at: datetime


class MemoryMessageStore(MemoryTransaction):
    """The engine's view; see ``MessageStore``."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.claims = MemoryClaims(database)
        self.rows = MemoryRows(database)
        self.early = MemoryEarlyNews(database)


class _Tables:
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._live: dict[str, MemoryRow] = database.table("device_messages")
        self._passages: dict[str, tuple[Passage, ...]] = database.table("message_passages")

    @property
    def _now(self) -> datetime:
        return self._database.clock.now()

    def _batch(self, messages: Iterable[DeviceMessage]) -> Batch:
        return Batch(now=self._now, messages=sorted(messages, key=lambda message: message.id))

    def _messages(self, *, when: Callable[[DeviceMessage], bool]) -> list[DeviceMessage]:
        return [row.message for row in self._live.values() if when(row.message)]

    def _put(self, message: DeviceMessage, *, holds_slot: bool) -> None:
        before = self._live.get(message.id)
        if before is None or before.message.delivery_status is not message.delivery_status:
            self._pass(message.id, message.delivery_status)
        self._live[message.id] = MemoryRow(message, holds_slot)

    def _pass(self, message_id: str, status: str) -> None:
        passed = self._passages.get(message_id, ())
        self._passages[message_id] = (*passed, Passage(at=self._now, status=MessageState(status)))


class MemoryClaims(_Tables):
    """See ``Claims``."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self._last_claims: dict[str, datetime] = database.table("admission")

    async def ready(self, quotas: Sequence[Quota], lease: Lease) -> ReadyBatch:
        """See ``Claims.ready``."""
        by_plugin = {quota.plugin_id: quota for quota in quotas}
        left = {quota.plugin_id: quota.limit for quota in quotas}
        taken: list[DeviceMessage] = []
        opens: list[datetime] = []
        for queue, waiting in self._ready_queues():
            quota = by_plugin.get(owner_of(queue) or "")
            if quota is None:
                continue
            opens_at = quota.admission.opens_at(self._last_claims.get(queue), self._now)
            if opens_at > self._now:
                opens.append(opens_at)
            claimed = self._claim(queue, waiting, quota, lease, limit=left[quota.plugin_id])
            left[quota.plugin_id] -= len(claimed)
            taken.extend(claimed)
            if claimed and quota.admission.min_interval_ms:
                opens.append(self._now + quota.admission.min_interval)
        next_in = min(opens) - self._now if opens else None
        return ReadyBatch(now=self._now, messages=self._batch(taken).messages, next_in=next_in)

    def _ready_queues(self) -> Sequence[tuple[str, Sequence[DeviceMessage]]]:
        queues: dict[str, list[DeviceMessage]] = defaultdict(list)
        for message in self._messages(when=lambda row: row.delivery_status is DeliveryStatus.QUEUED):
            if message.expires_at > self._now:
                queues[message.ready_queue].append(message)
        never = datetime.min.replace(tzinfo=self._now.tzinfo)
        return sorted(queues.items(), key=lambda item: (self._last_claims.get(item[0], never), item[0]))

    def _claim(
        self, queue: str, waiting: Sequence[DeviceMessage], quota: Quota, lease: Lease, *, limit: int
    ) -> Sequence[DeviceMessage]:
        in_flight = sum(row.holds_slot for row in self._live.values() if row.message.ready_queue == queue)
        allowed = quota.admission.allowance(
            now=self._now, last_claim_at=self._last_claims.get(queue), in_flight=in_flight, limit=limit
        )
        urgent = sorted(waiting, key=lambda message: (-message.priority, message.id))[:allowed]
        claimed = [self._lease(message, lease, quota.ns_wait) for message in urgent]
        for message in claimed:
            self._put(message, holds_slot=quota.admission.takes_slots)
        if claimed:
            self._last_claims[queue] = self._now
        return claimed

    def _lease(self, message: DeviceMessage, lease: Lease, ns_wait: timedelta) -> DeviceMessage:
        return attrs.evolve(
            message,
            delivery_status=DeliveryStatus.SENT_TO_NS,
            due_at=self._now + ns_wait,
            lease_owner=lease.owner,
            lease_until=self._now + lease.duration,
        )

    async def due(self, stage: Stage, plugin_ids: Collection[str], lease: Lease, *, limit: int) -> Batch:
        """See ``Claims.due``."""
        due = self._due(lambda row: row.delivery_status is stage.status and row.plugin_id in plugin_ids, limit)
        leased = [
            attrs.evolve(message, lease_owner=lease.owner, lease_until=self._now + lease.duration) for message in due
        ]
        for message in leased:
            self._put(message, holds_slot=self._live[message.id].holds_slot)
        return self._batch(leased)

    async def stranded(self, plugin_ids: Collection[str], *, limit: int) -> Batch:
        """See ``Claims.stranded``."""
        return self._batch(self._due(lambda row: row.plugin_id not in plugin_ids, limit))

    def _due(self, when: Callable[[DeviceMessage], bool], limit: int) -> Sequence[DeviceMessage]:
        now = self._now
        free = self._messages(when=lambda row: (row.lease_until is None or row.lease_until <= now) and when(row))
        due = [(message.due_at, message) for message in free if message.due_at is not None and message.due_at <= now]
        return [message for _, message in sorted(due, key=lambda pair: (pair[0], pair[1].id))[:limit]]

    async def expired(self, *, limit: int) -> Batch:
        """See ``Claims.expired``."""
        now = self._now
        old = self._messages(
            when=lambda row: row.delivery_status is DeliveryStatus.QUEUED and row.expires_at <= now,
        )
        return self._batch(sorted(old, key=lambda message: message.expires_at)[:limit])

    async def requeue(self, plugin_ids: Collection[str], *, limit: int) -> int:
        """See ``Claims.requeue``."""
        due = self._due(
            lambda row: row.delivery_status is DeliveryStatus.TO_RETRY and row.plugin_id in plugin_ids, limit
        )
        for message in due:
            self._put(requeued(message), holds_slot=False)
        return len(due)

    async def renew(
        self, message_ids: Collection[str], lease: Lease, ns_waits: Mapping[str, timedelta]
    ) -> Sequence[str]:
        """See ``Claims.renew``."""
        kept = []
        for message_id in message_ids:
            row = self._live.get(message_id)
            if row is None or row.message.lease_owner != lease.owner:
                continue
            message = attrs.evolve(row.message, lease_until=self._now + lease.duration)
            if message.delivery_status is DeliveryStatus.SENT_TO_NS and message.plugin_id in ns_waits:
                message = attrs.evolve(message, due_at=self._now + ns_waits[message.plugin_id])
            self._put(message, holds_slot=row.holds_slot)
            kept.append(message_id)
        return kept

    async def release(self, message_ids: Collection[str], owner: str) -> None:
        """See ``Claims.release``."""
        for message_id in message_ids:
            row = self._live.get(message_id)
            if row is not None and row.message.lease_owner == owner:
                freed = attrs.evolve(row.message, lease_owner=None, lease_until=None)
                self._put(freed, holds_slot=row.holds_slot)


class MemoryRows(_Tables):
    """See ``Rows``."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self._archive: dict[str, Finished] = database.table("message_archive")

    async def lock(self, message_ids: Collection[str]) -> Batch:
        """See ``Rows.lock``."""
        return self._batch(self._live[key].message for key in set(message_ids) if key in self._live)

    async def lock_by_remote_ids(self, plugin_id: str, remote_ids: Collection[str]) -> Batch:
        """See ``Rows.lock_by_remote_ids``."""
        return self._batch(
            self._messages(
                when=lambda row: row.plugin_id == plugin_id and any(row.knows(remote_id) for remote_id in remote_ids)
            )
        )

    async def save(self, messages: Sequence[DeviceMessage]) -> None:
        """See ``Rows.save``."""
        for message in messages:
            holds_slot = self._live[message.id].holds_slot and message.delivery_status.is_in_flight
            self._put(attrs.evolve(message, lease_owner=None, lease_until=None), holds_slot=holds_slot)

    async def archive(self, finished: Sequence[Finished]) -> None:
        """See ``Rows.archive``."""
        for end in finished:
            del self._live[end.message.id]
            self._archive[end.message.id] = attrs.evolve(end, message=without_token(end.message))
            self._pass(end.message.id, end.message.delivery_status)


class MemoryEarlyNews:
    """See ``EarlyNews``."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._halves: dict[tuple[str, HalfKind], _Half] = database.table("event_halves")
        self._parked: dict[int, _Parked] = database.table("parked_events")

    async def pair(self, halves: Sequence[EventHalf]) -> Sequence[DeviceEvent]:
        """See ``EarlyNews.pair``."""
        now, whole = self._database.clock.now(), []
        for half in halves:
            other_key = (half.deduplication_id, HalfKind.UP if half.kind is HalfKind.ACK else HalfKind.ACK)
            other = self._halves.get(other_key)
            if other is None or other.expires_at <= now:
                self._halves[half.deduplication_id, half.kind] = _Half(half, now + HALF_LIFE)
                continue
            del self._halves[other_key]
            whole.append(half.joined_with(other.half))
        return whole

    async def park(self, plugin_id: str, events: Sequence[DeviceEvent]) -> None:
        """See ``EarlyNews.park``."""
        for event in events:
            kept = self._kept(plugin_id, {event.delivery_queue_id})
            if len(kept) < PARKED_PER_ID:
                expires_at = self._database.clock.now() + PARKED_LIFE
                self._parked[self._database.next_id("parked_events")] = _Parked(plugin_id, event, expires_at)

    async def parked_ids(self, plugin_id: str, remote_ids: Collection[str]) -> Collection[str]:
        """See ``EarlyNews.parked_ids``."""
        kept = (self._parked[key] for key in self._kept(plugin_id, remote_ids))
        now = self._database.clock.now()
        return {parked.event.delivery_queue_id or "" for parked in kept if parked.expires_at > now}

    async def take_parked(self, plugin_id: str, remote_ids: Collection[str]) -> Sequence[DeviceEvent]:
        """See ``EarlyNews.take_parked``."""
        now = self._database.clock.now()
        kept = self._kept(plugin_id, remote_ids)
        taken = [self._parked.pop(key) for key in kept]
        return [parked.event for parked in taken if parked.expires_at > now]

    def _kept(self, plugin_id: str, remote_ids: Collection[str | None]) -> Sequence[int]:
        return sorted(
            key
            for key, parked in self._parked.items()
            if parked.plugin_id == plugin_id and parked.event.delivery_queue_id in remote_ids
        )

    async def prune(self) -> int:
        """See ``EarlyNews.prune``."""
        now = self._database.clock.now()
        for half_key in [key for key, half in self._halves.items() if half.expires_at <= now]:
            del self._halves[half_key]
        orphans = [key for key, parked in self._parked.items() if parked.expires_at <= now]
        for key in orphans:
            del self._parked[key]
        return len(orphans)


class MemoryDeviceMessages(_Tables):
    """The adopter's side of the queue; see ``DeviceMessages``.

    Args:
        transaction: The adopter's open transaction.
        couriers: Enabled plug-ins by id.
        new_id: Mints message ids.
        policy: How long a message may wait.
        metrics: Counts cancellations.
    """

    def __init__(
        self,
        transaction: MemoryTransaction,
        *,
        couriers: Mapping[str, Courier],
        new_id: Callable[[], str],
        policy: DeliveryPolicy,
        metrics: MessagingMetrics | None = None,
    ) -> None:
        super().__init__(transaction.database)
        self._couriers = couriers
        self._new_id = new_id
        self._policy = policy
        self._metrics = metrics or NoMetrics()
        self._archive: dict[str, Any] = transaction.database.table("message_archive")
        self._tasks: dict[str, OutboxTask] = transaction.database.table("outbox_tasks")
        self._states: dict[str, TaskState] = transaction.database.table("outbox_states")

    async def enqueue(self, messages: Sequence[NewMessage]) -> Sequence[str]:
        """See ``DeviceMessages.enqueue``."""
        queues = ready_queues(messages, self._couriers)
        ids = [self._new_id() for _ in messages]
        for message_id, message, queue in zip(ids, messages, queues, strict=True):
            row = newborn(
                message, message_id=message_id, ready_queue=queue, now=self._now, max_age=self._policy.max_age
            )
            self._put(row, holds_slot=False)
        return ids

    async def cancel(self, correlation_ids: Sequence[str]) -> Mapping[str, CancelResult]:
        """See ``DeviceMessages.cancel``."""
        results = {}
        for correlation_id in correlation_ids:
            found = self._messages(when=lambda row, wanted=correlation_id: row.correlation_id == wanted)  # type: ignore[misc]
            cancelled = [message for message in found if is_cancellable(message, self._now)]
            for message in cancelled:
                del self._live[message.id]
                self._archive[message.id] = Finished(without_token(message))
                self._pass(message.id, CancelResult.CANCELLED)
                self._metrics.finished(CancelResult.CANCELLED, message.retry_count)
            results[correlation_id] = cancel_result(found=len(found), cancelled=len(cancelled))
        return results

    async def get(self, correlation_id: str) -> DeviceMessage | None:
        """See ``DeviceMessages.get``."""
        return current_of(self._messages(when=lambda row: row.correlation_id == correlation_id))

    async def unsettled(self, correlation_ids: Sequence[str]) -> Collection[str]:
        """See ``DeviceMessages.unsettled``."""
        live = {message.correlation_id for message in self._messages(when=lambda _row: True)}
        untold = {
            task.stream_key for key, task in self._tasks.items() if key not in self._states or self._states[key].is_open
        }
        return {each for each in correlation_ids if each in live or message_stream(each) in untold}


def without_token(message: DeviceMessage) -> DeviceMessage:
    """Forget a message's token, as the archive must [R49]."""
    if message.request_data is None:
        return message
    return attrs.evolve(message, request_data=attrs.evolve(message.request_data, token=None))
