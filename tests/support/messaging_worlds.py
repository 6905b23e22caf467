"""The durable queue on both stores, with the same handles for tests: begin, adopt, let time pass, look at the books."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.memory.database import MemoryClock, MemoryDatabase, MemoryTransaction
from nxt_adapters.memory.messages import MemoryDeviceMessages, MemoryMessageStore
from nxt_adapters.memory.plugins import StubPull, StubPush
from nxt_adapters.supabase.messages import PostgresDeviceMessages, PostgresMessageStore
from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_domain.messaging.model import CommandType, Device, DeviceMessage, NewMessage, RelayNode, RequestData
from nxt_domain.messaging.plugins import PluginSet
from nxt_domain.messaging.ports import DeviceMessages, MessageStore, MessagingMetrics
from nxt_domain.messaging.tuning import DeliveryPolicy, Tuning
from nxt_domain.messaging.use_cases.changes import Workshop
from nxt_domain.shared.ids import UlidFactory


class SilentWakeUps:
    """Notes hints; wakes nobody."""

    def __init__(self) -> None:
        self.hints: list[Any] = []

    def hint(self, *channels: Any) -> None:
        self.hints.extend(channels)

    def subscribe(self, channel: Any) -> Any:
        raise NotImplementedError(channel)


class CountingMetrics:
    """Counts in plain fields."""

    def __init__(self) -> None:
        self.ends: list[str] = []
        self.misses: list[str] = []
        self.polls_failed = 0
        self.corrupt_rows = 0
        self.orphans = 0
        self.failures: list[tuple[str, str]] = []

    def finished(self, status: str, retry_count: int) -> None:
        self.ends.append(str(status))

    def attempt_failed(self, plugin_id: str, reason: str) -> None:
        self.failures.append((plugin_id, reason))

    def stage_missed(self, stage: Any) -> None:
        self.misses.append(str(stage))

    def poll_failed(self, plugin_id: str) -> None:
        self.polls_failed += 1

    def ingress_unhandled(self, plugin_id: str) -> None: ...

    def undecodable_frame(self, reason: str) -> None: ...

    def corrupt(self, count: int) -> None:
        self.corrupt_rows += count

    def events_orphaned(self, count: int) -> None:
        self.orphans += count


class World(Protocol):
    """One store, two stub plug-ins."""

    new_id: Callable[[], str]
    push: StubPush
    pull: StubPull
    policy: DeliveryPolicy
    metrics: CountingMetrics

    def begin(self) -> MessageStore: ...

    def adopter(self) -> AbstractAsyncContextManager[DeviceMessages]: ...

    async def pass_time(self, step: timedelta) -> None: ...

    async def live(self) -> Mapping[str, DeviceMessage]: ...

    async def slots(self) -> Sequence[str]: ...

    async def archived(self) -> Mapping[str, str]: ...

    async def archived_requests(self) -> Mapping[str, Any]: ...

    async def events(self) -> Sequence[Mapping[str, Any]]: ...

    async def spoil(self, message_id: str) -> None: ...


class _Base:
    def __init__(self, policy: DeliveryPolicy | None) -> None:
        self.new_id: Callable[[], str] = UlidFactory(self.clock)
        self.push = StubPush(self.new_id)
        self.pull = StubPull(self.new_id)
        self.policy = policy or DeliveryPolicy()
        self.metrics = CountingMetrics()

    clock: Any


class MemoryWorld(_Base):
    """The store in memory, whose clock only moves when told."""

    def __init__(self, policy: DeliveryPolicy | None = None) -> None:
        self.clock = MemoryClock()
        super().__init__(policy)
        self.database = MemoryDatabase(self.clock)

    def begin(self) -> MemoryMessageStore:
        return MemoryMessageStore(self.database)

    @asynccontextmanager
    async def adopter(self) -> AsyncIterator[DeviceMessages]:
        async with MemoryTransaction(self.database) as transaction:
            yield MemoryDeviceMessages(
                transaction,
                couriers={"stub-push": self.push, "stub-pull": self.pull},
                new_id=self.new_id,
                policy=self.policy,
                metrics=self.metrics,
            )
            await transaction.commit()

    async def pass_time(self, step: timedelta) -> None:
        self.clock.advance(step)

    async def live(self) -> Mapping[str, DeviceMessage]:
        return {key: row.message for key, row in self.database.table("device_messages").items()}

    async def slots(self) -> Sequence[str]:
        rows = self.database.table("device_messages").values()
        return sorted(row.message.ready_queue for row in rows if row.holds_slot)

    async def archived(self) -> Mapping[str, str]:
        ends = self.database.table("message_archive").values()
        return {end.message.id: _outcome(end.message) for end in ends}

    async def archived_requests(self) -> Mapping[str, Any]:
        ends = self.database.table("message_archive").values()
        return {end.message.id: end.message.request_data and end.message.request_data.token for end in ends}

    async def events(self) -> Sequence[Mapping[str, Any]]:
        return [dict(task.payload) for task in self.database.table("outbox_tasks").values()]

    async def spoil(self, message_id: str) -> None:
        raise NotImplementedError("rows in memory are always readable")


def _outcome(message: DeviceMessage) -> str:
    return message.delivery_status.value if message.delivery_status.is_terminal else "CANCELLED"


class _SystemClock:
    def now(self) -> Any:
        return datetime.now(UTC)


class PostgresWorld(_Base):
    """The store on PostgreSQL; time passes by moving all instants of the store into the past."""

    clock = _SystemClock()

    def __init__(self, engine: AsyncEngine, policy: DeliveryPolicy | None = None) -> None:
        super().__init__(policy)
        self.engine = engine

    def begin(self) -> PostgresMessageStore:
        return PostgresMessageStore(self.engine, self.metrics)

    @asynccontextmanager
    async def adopter(self) -> AsyncIterator[DeviceMessages]:
        async with PostgresTransaction(self.engine) as transaction:
            yield PostgresDeviceMessages(
                transaction.session,
                couriers={"stub-push": self.push, "stub-pull": self.pull},
                new_id=self.new_id,
                policy=self.policy,
                metrics=self.metrics,
            )
            await transaction.commit()

    async def pass_time(self, step: timedelta) -> None:
        async with self.engine.begin() as connection:
            for table, columns in _INSTANTS.items():
                moved = ", ".join(f"{column} = {column} - :step" for column in columns)
                await connection.execute(text(f"update messaging.{table} set {moved}"), {"step": step})

    async def live(self) -> Mapping[str, DeviceMessage]:
        ids = await self._column("select id from messaging.device_messages")
        async with self.begin() as store:
            batch = await store.rows.lock(ids)
            await store.commit()
        return {message.id: message for message in batch.messages}

    async def slots(self) -> Sequence[str]:
        return await self._column("select ready_queue from messaging.device_messages where holds_slot order by 1")

    async def archived(self) -> Mapping[str, str]:
        async with self.engine.connect() as connection:
            rows = await connection.execute(text("select id, delivery_status from messaging.message_archive"))
            return dict(tuple(row) for row in rows)

    async def archived_requests(self) -> Mapping[str, Any]:
        async with self.engine.connect() as connection:
            rows = await connection.execute(text("select id, request_data ->> 'token' from messaging.message_archive"))
            return dict(tuple(row) for row in rows)

    async def events(self) -> Sequence[Mapping[str, Any]]:
        texts = await self._column(
            "select cast(payload as text) from internal.outbox_tasks where kind = 'DELIVERY_EVENT' order by id"
        )
        return [json.loads(payload) for payload in texts]

    async def spoil(self, message_id: str) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(
                text("update messaging.device_messages set device = '[]' where id = :id"), {"id": message_id}
            )

    async def _column(self, statement: str) -> list[Any]:
        async with self.engine.connect() as connection:
            return list((await connection.execute(text(statement))).scalars())


_INSTANTS = {
    "device_messages": ("due_at", "lease_until", "enqueued_at", "expires_at"),
    "admission": ("last_claim_at",),
    "event_halves": ("expires_at",),
    "parked_events": ("expires_at",),
}


def plugins_of(world: World, **tunings: Tuning) -> PluginSet:
    """Both stubs, tuned by ``push=`` and ``pull=``."""
    named = {f"stub-{name}": tuning for name, tuning in tunings.items()}
    return PluginSet.of(push=[world.push], pull=[world.pull], tunings=named)


def workshop_of(
    world: World,
    plugins: PluginSet,
    *,
    draw: Callable[[], float] = lambda: 0.0,
    metrics: MessagingMetrics | None = None,
) -> Workshop:
    """Everything the use cases need, with back-off without jitter."""
    return Workshop(
        begin=world.begin,
        lanes=plugins.lanes,
        policy=world.policy,
        new_id=world.new_id,
        wakeups=SilentWakeUps(),
        metrics=metrics or world.metrics,
        draw=draw,
    )


def push_message(number: int = 1, *, network: int | None = 42, priority: float = 30, **changes: Any) -> NewMessage:
    """A read of a meter's credit over a radio network."""
    values: dict[str, Any] = {
        "command_type": CommandType.READ_CREDIT,
        "priority": priority,
        "plugin_id": "stub-push",
        "network_id": network,
        "correlation_id": str(number),
        "device": Device(external_reference=f"4700333{number:04d}"),
    }
    return NewMessage(**(values | changes))


def pull_message(number: int = 1, *, dcu: int = 7, priority: float = 30, **changes: Any) -> NewMessage:
    """A read of a meter's credit through a DCU."""
    device = Device(external_reference=f"4700333{number:04d}", relay_node=RelayNode(id=dcu))
    return push_message(number, priority=priority, plugin_id="stub-pull", device=device, **changes)


def token_message(number: int = 1, *, token: str = "12345678901234567890", **changes: Any) -> NewMessage:
    """A top-up."""
    return push_message(
        number, command_type=CommandType.TOP_UP_KWH, request_data=RequestData(token=token), priority=50, **changes
    )
