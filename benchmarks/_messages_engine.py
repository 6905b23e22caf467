"""Message engines for ``messages.py``: processes with a network of their own that answers every message."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import attrs
import structlog
from _harness import run
from _postgres import counted
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.memory.plugins import StubPush
from nxt_adapters.memory.wakeups import MemoryWakeUps
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.messages import PostgresDeviceMessages, PostgresMessageStore
from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_domain.messaging.model import (
    CommandType,
    DeliveryStatus,
    Device,
    DeviceEvent,
    DeviceMessage,
    ExecutionStatus,
    NewMessage,
    RelayNode,
    Response,
)
from nxt_domain.messaging.plugins import PluginSet
from nxt_domain.messaging.tuning import DeliveryPolicy, Tuning
from nxt_domain.messaging.use_cases import ApplyDeviceEvent
from nxt_domain.messaging.use_cases.changes import Workshop
from nxt_domain.shared.ids import UlidFactory
from nxt_entrypoints.jobs.message_engine import EngineSettings, MessageEngine

PLUGIN_ID = "stub-push"
STARTS_IN_S = 2.0
_ON_AIR_S = 0.1
_ENQUEUED_AT_ONCE = 500
_LOOKS_EVERY_S = 0.05
_LONGEST_S = 300.0
_SOME_LIVE = text("select exists (select from messaging.device_messages)")


@attrs.frozen(kw_only=True)
class Work:
    """What one engine process is to do.

    Attributes:
        url: Of the relational plane.
        starts_at: Seconds of the Unix clock; the same for all engines.
        send_s: How long the network takes to accept a message.
        max_sends: Sends at once.
    """

    url: str
    starts_at: float
    send_s: float
    max_sends: int


@attrs.frozen(kw_only=True)
class Done:
    """What it did.

    Attributes:
        messages: Answers that were applied here.
        ended_at: When the last one was, seconds of the Unix clock.
        cpu_s: Of its process, from the common start on; its network's included.
    """

    messages: int
    ended_at: float
    cpu_s: float
    statements: int
    transactions: int


class SystemClock:
    """This machine's clock."""

    def now(self) -> datetime:
        """Now."""
        return datetime.now(UTC)


class AnsweringNetwork(StubPush):
    """Accepts every message; a moment later a gateway radiates it and the meter answers."""

    def __init__(self, new_id: Callable[[], str], send_s: float) -> None:
        super().__init__(new_id, send_s=send_s)
        self.answered = 0
        self.last_at = 0.0
        self.failures: list[BaseException] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.apply: ApplyDeviceEvent | None = None

    async def send(self, message: DeviceMessage) -> str:
        """Take ``send_s``, and begin what follows."""
        if self.send_s:
            await asyncio.sleep(self.send_s)
        remote_id = f"stub-ext-{self._new_id()}"
        task = asyncio.create_task(self._on_air(message, remote_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return remote_id

    async def _on_air(self, message: DeviceMessage, remote_id: str) -> None:
        await asyncio.sleep(_ON_AIR_S)
        try:
            await self._tell(_radiated(message, remote_id))
            await self._tell(_answered(message, remote_id))
        except Exception as failure:  # noqa: BLE001 - told when the measurement ends
            self.failures.append(failure)
        self.answered += 1
        self.last_at = time.time()

    async def _tell(self, event: DeviceEvent) -> None:
        if self.apply is None:
            raise RuntimeError("nobody listens to the network")
        await self.apply(PLUGIN_ID, event)


def _radiated(message: DeviceMessage, remote_id: str) -> DeviceEvent:
    return DeviceEvent(
        delivery_status=DeliveryStatus.SENT_TO_DEVICE, delivery_queue_id=remote_id, device=message.device
    )


def _answered(message: DeviceMessage, remote_id: str) -> DeviceEvent:
    gateway = RelayNode(external_reference="0016c001f1500812", snr=9.5, rssi=-87)
    return DeviceEvent(
        delivery_status=DeliveryStatus.DELIVERY_SUCCESSFUL,
        delivery_queue_id=remote_id,
        device=attrs.evolve(message.device, relay_node=gateway),
        response=Response(
            status=ExecutionStatus.EXECUTION_SUCCESS,
            data={"kwhCreditAvailable": 123.45, "creditLevel": 0, "isOn": True},
        ),
    )


def wired(database: AsyncEngine, send_s: float) -> tuple[Workshop, PluginSet, AnsweringNetwork]:
    """Put an engine's parts together: one network without admission."""
    new_id = UlidFactory(SystemClock())
    network = AnsweringNetwork(new_id, send_s)
    plugins = PluginSet.of(push=[network], tunings={PLUGIN_ID: Tuning(min_interval_ms=0)})
    workshop = Workshop(
        begin=lambda: PostgresMessageStore(database),
        lanes=plugins.lanes,
        policy=DeliveryPolicy(),
        new_id=new_id,
        wakeups=MemoryWakeUps(),
    )
    network.apply = ApplyDeviceEvent(workshop)
    return workshop, plugins, network


def ready(url: str) -> None:
    """Import and connect what an engine needs, in a process of the pool."""
    run(_touch(url))
    time.sleep(STARTS_IN_S / 4)  # so that each process of the pool takes one of these calls


async def _touch(url: str) -> None:
    async with database_of(url) as database, database.connect() as connection:
        await connection.execute(_SOME_LIVE)


def work(wanted: Work) -> Done:
    """Deliver until nothing is live; standard output belongs to the report."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    return run(_deliver_all(wanted))


async def _deliver_all(wanted: Work) -> Done:
    async with database_of(wanted.url) as database:
        workshop, plugins, network = wired(database, wanted.send_s)
        engine = MessageEngine(workshop, plugins, EngineSettings(max_sends=wanted.max_sends))
        async with database.connect():  # the first connection is made before the clock starts
            pass
        with counted(database) as traffic:
            await asyncio.sleep(max(0.0, wanted.starts_at - time.time()))
            cpu = time.process_time()
            engine.start()
            await _until_empty(database, network)
            spent = time.process_time() - cpu
        await engine.stop()
        if network.failures:
            raise network.failures[0]
        return Done(
            messages=network.answered,
            ended_at=network.last_at or wanted.starts_at,
            cpu_s=spent,
            statements=traffic.statements,
            transactions=traffic.transactions,
        )


async def _until_empty(database: AsyncEngine, network: AnsweringNetwork) -> None:
    """Return when no message is live; asks only while nothing happens here."""
    async with asyncio.timeout(_LONGEST_S):
        for _ in itertools.count():
            seen = network.answered
            await asyncio.sleep(_LOOKS_EVERY_S)
            if network.answered > seen:
                continue
            async with database.begin() as connection:
                if not (await connection.execute(_SOME_LIVE)).scalar_one():
                    return


async def enqueue(database: AsyncEngine, numbers: Sequence[int], networks: int) -> None:
    """Let messages wait, as evenly as they go over networks, each for a meter of its own; 500 in a transaction."""
    new_id = UlidFactory(SystemClock())
    _, plugins, _ = wired(database, 0.0)
    for first in range(0, len(numbers), _ENQUEUED_AT_ONCE):
        async with PostgresTransaction(database) as transaction:
            queue = PostgresDeviceMessages(
                transaction.session, couriers=plugins.couriers, new_id=new_id, policy=DeliveryPolicy()
            )
            await queue.enqueue(_new(numbers[first : first + _ENQUEUED_AT_ONCE], networks))
            await transaction.commit()


def _new(numbers: Sequence[int], networks: int) -> Sequence[NewMessage]:
    return [
        NewMessage(
            command_type=CommandType.READ_CREDIT,
            priority=float(10 + 10 * (number % 4)),
            plugin_id=PLUGIN_ID,
            network_id=number % networks,
            correlation_id=str(number),
            device=Device(external_reference=f"47{number:09d}"),
        )
        for number in numbers
    ]


@asynccontextmanager
async def database_of(url: str) -> AsyncIterator[AsyncEngine]:
    """Open a pool as a jobs role's."""
    database = create_engine(url, pool_size=8, application_name=f"bench-{os.getpid()}", statement_timeout_ms=300_000)
    try:
        yield database
    finally:
        await database.dispose()
