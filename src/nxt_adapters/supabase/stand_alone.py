"""The store of the stand-alone mode: the engine's queue, commands and events in one database of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from nxt_adapters.supabase.event_outbox import NoEvents, PostgresEvents
from nxt_adapters.supabase.messages import Depth, PostgresMessageStore
from nxt_adapters.supabase.retention import delete_in_batches, forget_messages
from nxt_adapters.supabase.session import Session
from nxt_domain.messaging.ports import DeviceMessages, MessagingMetrics
from nxt_domain.messaging.tuning import Lanes
from nxt_domain.shared.outbox import Outbox

_REMEMBER = text(
    """
    insert into messaging.enqueue_requests (request_key, message_id) values (:key, :message_id)
    on conflict (request_key) do nothing
    """
)
_REMEMBERED = text("select message_id from messaging.enqueue_requests where request_key = :key")

_PENDING = text(
    """
    select count(*) as messages,
        cast(coalesce(extract(epoch from statement_timestamp() - min(created_at)), 0) as double precision) as oldest_s
    from messaging.event_outbox where dead_lettered_at is null
    """
)

_PARTITIONS = text("select count(*) from messaging.ensure_partitions()")
_OLD_REQUESTS = """
    delete from messaging.enqueue_requests where request_key in (
        select request_key from messaging.enqueue_requests
        where created_at < now() - interval '7 days' order by created_at limit :batch)
"""


class StandAloneStore(PostgresMessageStore):
    """``MessageStore`` and ``CommandTransaction`` of the stand-alone mode; see there.

    Args:
        engine: The process's pool.
        messages_of: Opens the queue in the transaction.
        tells: Whether there is somebody to tell of events [DM-161].
        metrics: Counts rows that can't be read.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        messages_of: Callable[[Session], DeviceMessages],
        tells: bool,
        metrics: MessagingMetrics | None = None,
    ) -> None:
        super().__init__(engine, metrics)
        self._messages_of = messages_of
        self._tells = tells

    @property
    def outbox(self) -> Outbox:
        """Events to the adopter; see ``UnitOfWork.outbox``."""
        return PostgresEvents(self.connection) if self._tells else NoEvents()

    @property
    def messages(self) -> DeviceMessages:
        """See ``CommandTransaction.messages``."""
        return self._messages_of(self.session)

    @property
    def requests(self) -> PostgresEnqueueRequests:
        """See ``CommandTransaction.requests``."""
        return PostgresEnqueueRequests(self.connection)

    async def depths(self, lanes: Lanes) -> Mapping[str, Depth]:
        """As in the embedded mode, and how many events wait for the webhook [DM-169]."""
        depths = await super().depths(lanes)
        pending = (await self.connection.execute(_PENDING)).one()
        return {**depths, "webhook:pending": Depth(messages=pending.messages, oldest_s=pending.oldest_s)}


class PostgresEnqueueRequests:
    """``EnqueueRequests`` on PostgreSQL.

    Args:
        connection: The open transaction's.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def remember(self, request_key: str, message_id: str) -> str:
        """See ``EnqueueRequests.remember``; another transaction with the same key is waited for."""
        stored = await self._connection.execute(_REMEMBER, {"key": request_key, "message_id": message_id})
        if stored.rowcount:
            return message_id
        return str((await self._connection.execute(_REMEMBERED, {"key": request_key})).scalar_one())


class Upkeep:
    """Housekeeping of the stand-alone plane.

    Args:
        engine: The process's pool.
        archive: How long ended messages are kept [DM-164].
    """

    def __init__(self, engine: AsyncEngine, archive: timedelta) -> None:
        self._engine = engine
        self._archive = archive

    async def __call__(self) -> None:
        """Make the partitions of the next months, drop what was kept for long enough."""
        async with self._engine.begin() as connection:
            await connection.execute(_PARTITIONS)
        await delete_in_batches(self._engine, _OLD_REQUESTS)
        await forget_messages(self._engine, self._archive)
