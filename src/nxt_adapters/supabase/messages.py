"""The durable queue of device messages: the engine's transaction and the adopter's side [DM 3]."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta

import attrs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.messages_claims import PostgresClaims
from nxt_adapters.supabase.messages_codec import COLUMNS, new_rows
from nxt_adapters.supabase.messages_early import PostgresEarlyNews
from nxt_adapters.supabase.messages_rows import SET_ASIDE, PostgresRows, Reader, readable
from nxt_adapters.supabase.outbox import PostgresOutbox
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_adapters.supabase.written import Read, Written
from nxt_domain.messaging.events import message_stream
from nxt_domain.messaging.model import CancelResult, DeliveryStatus, DeviceMessage, NewMessage
from nxt_domain.messaging.ports import Intake, MessagingMetrics, NoMetrics
from nxt_domain.messaging.routing import CANCELLABLE, cancel_result, current_of, ready_queues
from nxt_domain.messaging.stages import Pipeline, Stage, stage_of
from nxt_domain.messaging.tuning import DeliveryPolicy, Lanes
from nxt_domain.shared.outbox import Outbox

_ENQUEUE = Written(
    """
    insert into messaging.device_messages (
        id, command_type, priority, plugin_id, request_data, phase, network_id, correlation_id, device, ready_queue,
        delivery_status, enqueued_at, expires_at)
    select id, command_type, priority, plugin_id, request_data, phase, network_id, correlation_id, device, ready_queue,
        'QUEUED', statement_timestamp(), statement_timestamp() + :max_age
    from jsonb_to_recordset(cast(:rows as jsonb)) as new (
        id text, command_type text, priority double precision, plugin_id text, request_data jsonb, phase text,
        network_id bigint, correlation_id text, device jsonb, ready_queue text)
    """
)

_LOCK_FOR_CANCEL = Written(
    """
    select id, correlation_id, delivery_status, retry_count,
        coalesce(lease_until > statement_timestamp(), false) as is_leased
    from messaging.device_messages where correlation_id = any(:correlation_ids) order by id for update
    """
)

_CANCEL = Written(
    """
    with gone as (delete from messaging.device_messages where id = any(:ids) returning *)
    insert into messaging.message_archive (
        id, command_type, priority, plugin_id, request_data, phase, network_id, correlation_id, device, ready_queue,
        delivery_status, delivery_queue_id, past_delivery_queue_ids, retry_count, failure_history, enqueued_at,
        finished_at, passed_statuses, passed_at)
    select id, command_type, priority, plugin_id, nullif(request_data - 'token', '{}'), phase, network_id,
        correlation_id, device, ready_queue, 'CANCELLED', delivery_queue_id, past_delivery_queue_ids, retry_count,
        failure_history, enqueued_at, statement_timestamp(), passed_statuses, passed_at
    from gone
    """
)

_OF_CORRELATION_ID = Read(
    f"""
    select {COLUMNS} from messaging.device_messages
    where correlation_id = :correlation_id and ready_queue not like '{SET_ASIDE}%' order by id
    """  # noqa: S608 - both are constants
)

# Which tasks are open is asked for in the words of the index on streams.
_UNSETTLED = Read(
    """
    select correlation_id from messaging.device_messages where correlation_id = any(:correlation_ids)
    union
    select stream_key from internal.outbox_tasks
    where stream_key = any(:streams) and coalesce(done_at, dropped_at) is null
    """
)

_DEPTHS = text(
    """
    select plugin_id, delivery_status, case when delivery_status = 'QUEUED' then ready_queue end as ready_queue,
        count(*) as messages,
        cast(extract(epoch from statement_timestamp() - min(enqueued_at)) as double precision) as oldest_s
    from messaging.device_messages group by 1, 2, 3
    """
)


@attrs.frozen(kw_only=True)
class Depth:
    """How much waits in one place.

    Attributes:
        messages: How many.
        oldest_s: Age of the oldest since it was enqueued; 0 where there is none.
    """

    messages: int = 0
    oldest_s: float = 0.0


class PostgresMessageStore(PostgresTransaction):
    """One transaction over the queue; see ``MessageStore``.

    Args:
        engine: The process's pool.
        metrics: Counts rows that can't be read [DM-15].
    """

    def __init__(self, engine: AsyncEngine, metrics: MessagingMetrics | None = None) -> None:
        super().__init__(engine)
        metrics = metrics or NoMetrics()
        reader = Reader(lambda: self.connection, metrics)
        self.claims = PostgresClaims(reader)
        self.rows = PostgresRows(reader)
        self.early = PostgresEarlyNews(lambda: self.connection, metrics)

    @property
    def outbox(self) -> Outbox:
        """See ``UnitOfWork.outbox``."""
        return PostgresOutbox(self.session)

    async def depths(self, lanes: Lanes) -> Mapping[str, Depth]:
        """Measure every stage, and every ready queue that holds messages, in one query [DM-169].

        Args:
            lanes: Enabled plug-ins, which tell the stages of their messages.

        Returns:
            Depths by name of the stage or key of the ready queue; stages are always there.
        """
        depths = {stage.value: Depth() for stage in Stage}
        for row in await self.connection.execute(_DEPTHS):
            lane = lanes.get(row.plugin_id)
            pipeline = Pipeline.PUSH if lane is None else lane.pipeline
            stage = stage_of(DeliveryStatus(row.delivery_status), pipeline)
            name = row.ready_queue if stage is None else stage.value
            before = depths.get(name, Depth())
            depths[name] = Depth(
                messages=before.messages + row.messages, oldest_s=max(before.oldest_s, row.oldest_s, 0.0)
            )
        return depths


class PostgresDeviceMessages:
    """The adopter's side of the queue, in the adopter's transaction; see ``DeviceMessages``.

    After the commit the adopter hints ``Channel.MESSAGING``.

    Args:
        session: Of the unit of work.
        couriers: Plug-ins by id, as far as enqueueing goes.
        new_id: Mints message ids; a ``UlidFactory`` shared by the process, so that ids grow [DM-5].
        policy: How long a message may wait.
        metrics: Counts cancellations.
    """

    def __init__(
        self,
        session: Session,
        *,
        couriers: Mapping[str, Intake],
        new_id: Callable[[], str],
        policy: DeliveryPolicy,
        metrics: MessagingMetrics | None = None,
    ) -> None:
        self._session = session
        self._couriers = couriers
        self._new_id = new_id
        self._max_age: timedelta = policy.max_age
        self._metrics = metrics or NoMetrics()

    async def enqueue(self, messages: Sequence[NewMessage]) -> Sequence[str]:
        """See ``DeviceMessages.enqueue``."""
        if not messages:
            return []
        queues = ready_queues(messages, self._couriers)
        ids = [self._new_id() for _ in messages]
        await self._session.run(_ENQUEUE, {"rows": new_rows(messages, ids, queues), "max_age": self._max_age})
        return ids

    async def cancel(self, correlation_ids: Sequence[str]) -> Mapping[str, CancelResult]:
        """See ``DeviceMessages.cancel``."""
        found = await self._session.objects(_LOCK_FOR_CANCEL, {"correlation_ids": list(correlation_ids)})
        taken = [row for row in found if row.delivery_status in CANCELLABLE and not row.is_leased]
        if taken:
            await self._session.run(_CANCEL, {"ids": [row.id for row in taken]})
        for row in taken:
            self._metrics.finished(CancelResult.CANCELLED, row.retry_count)
        return {
            correlation_id: cancel_result(
                found=sum(row.correlation_id == correlation_id for row in found),
                cancelled=sum(row.correlation_id == correlation_id for row in taken),
            )
            for correlation_id in correlation_ids
        }

    async def get(self, correlation_id: str) -> DeviceMessage | None:
        """See ``DeviceMessages.get``."""
        rows = await self._session.objects(_OF_CORRELATION_ID, {"correlation_id": correlation_id})
        return current_of([message for row in rows if (message := readable(row)) is not None])

    async def unsettled(self, correlation_ids: Sequence[str]) -> Collection[str]:
        """See ``DeviceMessages.unsettled``."""
        of_stream = {message_stream(each): each for each in correlation_ids}
        found = await self._session.objects(
            _UNSETTLED, {"correlation_ids": list(correlation_ids), "streams": list(of_stream)}
        )
        return {of_stream.get(row.correlation_id, row.correlation_id) for row in found}
