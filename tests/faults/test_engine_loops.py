"""Whole engines on PostgreSQL: several at once, killed, cut off from their store, stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import pytest
from tests.support.databases import cut_sessions
from tests.support.messaging_worlds import PostgresWorld, plugins_of, push_message, workshop_of

from nxt_adapters.supabase.engine import create_engine
from nxt_domain.messaging.model import DeliveryStatus, Device, DeviceEvent, DeviceMessage, ExecutionStatus, Response
from nxt_domain.messaging.plugins import PluginSet
from nxt_domain.messaging.tuning import DeliveryPolicy, Tuning
from nxt_domain.messaging.use_cases import ApplyDeviceEvent
from nxt_domain.shared.errors import Unavailable
from nxt_domain.shared.wakeups import Channel
from nxt_entrypoints.jobs.message_engine import EngineSettings, MessageEngine

S = DeliveryStatus
QUICK = EngineSettings(lease=timedelta(seconds=1.5), tick=timedelta(milliseconds=100), patience=timedelta(seconds=5))
LONG = timedelta(minutes=1)
"""A tick that no test waits for: what happens sooner has another cause."""


class LocalWakeUps:
    """Rings within the process."""

    def __init__(self) -> None:
        self._events: list[asyncio.Event] = []

    def hint(self, *channels: Channel) -> None:
        if Channel.MESSAGING in channels:
            for event in self._events:
                event.set()

    def subscribe(self, channel: Channel) -> asyncio.Event:
        event = asyncio.Event()
        if channel is Channel.MESSAGING:
            self._events.append(event)
        return event


@pytest.fixture
async def world(relational_url: str) -> AsyncIterator[PostgresWorld]:
    engine = create_engine(relational_url, pool_size=10)
    yield PostgresWorld(engine)
    await engine.dispose()


class Town:
    """Engines of one database and a network that answers what it is sent."""

    def __init__(self, world: PostgresWorld, *, interval_ms: int | None = 0) -> None:
        self.world = world
        self.wakeups = LocalWakeUps()
        self.plugins: PluginSet = plugins_of(
            world, push=Tuning(min_interval_ms=interval_ms, ns_in_flight_timeout_ms=1_000), pull=Tuning()
        )
        self.workshop = attrs.evolve(workshop_of(world, self.plugins), wakeups=self.wakeups)
        self.apply = ApplyDeviceEvent(self.workshop)
        self.sends: Counter[tuple[str, int]] = Counter()
        self._claims: dict[str, list[datetime]] = {}
        self._answers: set[asyncio.Task[None]] = set()
        world.push.on_send = self._send

    async def _send(self, message: DeviceMessage) -> str:
        self.sends[message.id, message.retry_count] += 1
        assert message.lease_until is not None
        self._claims.setdefault(message.ready_queue, []).append(message.lease_until)
        await asyncio.sleep(0.005)
        remote_id = f"net-{message.id}-{message.retry_count}"
        task = asyncio.create_task(self._answer(remote_id))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)
        return remote_id

    async def _answer(self, remote_id: str) -> None:
        await asyncio.sleep(0.01)
        while True:
            try:
                await self.apply("stub-push", answer(remote_id))
            except Unavailable:  # the network's web hook would be lost; here it calls again
                await asyncio.sleep(0.1)
            else:
                return

    def gaps(self, ready_queue: str) -> list[timedelta]:
        """Times between a queue's claims by the database's clock: each gives a lease of the same length."""
        return [later - earlier for earlier, later in pairwise(self._claims[ready_queue])]

    def engine(self, **settings: Any) -> MessageEngine:
        return MessageEngine(self.workshop, self.plugins, attrs.evolve(QUICK, owner=self.world.new_id(), **settings))

    async def enqueue(self, *messages: Any) -> list[str]:
        async with self.world.adopter() as queue:
            ids = list(await queue.enqueue(messages))
        self.wakeups.hint(Channel.MESSAGING)
        return ids


def answer(remote_id: str) -> DeviceEvent:
    return DeviceEvent(
        delivery_status=S.DELIVERY_SUCCESSFUL,
        delivery_queue_id=remote_id,
        device=Device(external_reference="1"),
        response=Response(status=ExecutionStatus.EXECUTION_SUCCESS),
    )


async def until(condition: Callable[[], Any], *, within_s: float = 30) -> None:
    async with asyncio.timeout(within_s):
        while not await condition():  # noqa: ASYNC110 - what is waited for lies in a database or a file
            await asyncio.sleep(0.05)


async def is_empty(world: PostgresWorld) -> bool:
    return not await world._column("select 1 from messaging.device_messages limit 1")


async def ends(world: PostgresWorld) -> Counter[tuple[str, str]]:
    bodies = [body["message"] for body in await world.events()]
    return Counter((body["id"], body["deliveryStatus"]) for body in bodies)


async def test_two_engines_share_the_work(world: PostgresWorld) -> None:
    """[DM-3, DM-19, R47] Every message once, by either; two events each."""
    town = Town(world)
    engines = [town.engine(max_sends=20), town.engine(max_sends=20)]
    for engine in engines:
        engine.start()
    ids = await town.enqueue(*[push_message(number, network=number % 7) for number in range(400)])
    await until(lambda: is_empty(world))
    for engine in engines:
        await engine.stop()
    assert town.sends == Counter((key, 0) for key in ids)
    assert await ends(world) == Counter(
        (key, status) for key in ids for status in ("SENT_TO_NS", "DELIVERY_SUCCESSFUL")
    )


async def test_spacing_holds_for_all_engines_together(world: PostgresWorld) -> None:
    """[DM-26, DM-29] And is used: the next message leaves as soon as its queue opens, not at some tick."""
    town = Town(world, interval_ms=300)
    engines = [town.engine(tick=LONG), town.engine(tick=LONG), town.engine(tick=LONG)]
    for engine in engines:
        engine.start()
    await town.enqueue(*[push_message(number, network=42) for number in range(6)])
    await until(lambda: is_empty(world))
    for engine in engines:
        await engine.stop()
    gaps = town.gaps("queue:stub-push:network:42")
    assert len(gaps) == 5
    assert timedelta(milliseconds=300) <= min(gaps)
    assert max(gaps) < LONG


async def test_the_defaults_let_one_command_through_each_two_seconds(world: PostgresWorld) -> None:
    """[DM-26, DM-166, R9] Three commands of network 42 leave at t = 0, ≥ 2 s, ≥ 4 s."""
    town = Town(world, interval_ms=None)
    engine = town.engine(tick=LONG)
    engine.start()
    await town.enqueue(*[push_message(number, network=42) for number in range(3)])
    await until(lambda: is_empty(world))
    await engine.stop()
    gaps = town.gaps("queue:stub-push:network:42")
    assert len(gaps) == 2
    assert timedelta(seconds=2) <= min(gaps)
    assert max(gaps) < LONG


async def test_a_hint_wakes_an_engine_before_its_tick(world: PostgresWorld) -> None:
    """[DM-29, R4]"""
    town = Town(world)
    engine = town.engine(tick=LONG)
    engine.start()
    await asyncio.sleep(0.3)
    await town.enqueue(push_message())
    await until(lambda: is_empty(world))
    await engine.stop()


async def test_capacity_that_comes_free_is_used_at_once(world: PostgresWorld) -> None:
    """[DM-29] Three sends at a time, and no waiting for ticks between them."""
    town = Town(world)
    engine = town.engine(tick=LONG, max_sends=3)
    engine.start()
    await asyncio.sleep(0.2)
    await town.enqueue(*[push_message(number) for number in range(30)])
    await until(lambda: is_empty(world))
    await engine.stop()


async def test_an_engine_without_a_store_goes_on_when_it_is_back(world: PostgresWorld, relational_url: str) -> None:
    """[DM-189] Connections are cut again and again; nothing is lost, nothing ends twice."""
    town = Town(world)
    engine = town.engine(max_sends=10)
    ids = await town.enqueue(*[push_message(number, network=number % 5) for number in range(900)])
    engine.start()
    for _ in range(8):
        await asyncio.sleep(0.1)
        await asyncio.to_thread(cut_sessions, relational_url)
    assert not await is_empty(world), "it was cut off in the middle of its work"
    await until(lambda: is_empty(world), within_s=60)
    await engine.stop()
    told = await ends(world)
    assert {key: count for key, count in told.items() if key[1] == "DELIVERY_SUCCESSFUL"} == {
        (key, "DELIVERY_SUCCESSFUL"): 1 for key in ids
    }
    assert max(town.sends.values()) == 1


async def test_a_row_that_cannot_be_read_stops_nobody(world: PostgresWorld) -> None:
    """[DM-15] It leaves its queue, is counted, and stays for a person to look at."""
    town = Town(world)
    ids = await town.enqueue(*[push_message(number, priority=100 - number) for number in range(5)])
    await world.spoil(ids[0])
    engine = town.engine()
    engine.start()

    async def only_one_is_left() -> bool:
        return await world._column("select count(*) from messaging.device_messages") == [1]

    await until(only_one_is_left)
    await asyncio.sleep(0.5)
    await engine.stop()
    assert world.metrics.corrupt_rows == 1
    assert await world._column("select ready_queue from messaging.device_messages") == [
        "unreadable:queue:stub-push:network:42"
    ]
    assert {key for key, _ in town.sends} == set(ids[1:])


async def test_a_stop_waits_for_sends_and_their_record(world: PostgresWorld) -> None:
    """[DM-173]"""
    town = Town(world)
    ids = await town.enqueue(*[push_message(number) for number in range(5)])
    has_begun = asyncio.Event()

    async def slow(message: DeviceMessage) -> str:
        has_begun.set()
        await asyncio.sleep(0.5)
        return f"r-{message.id}"

    world.push.on_send = slow
    engine = town.engine()
    engine.start()
    await has_begun.wait()
    await engine.stop()
    live = await world.live()
    assert {live[key].delivery_status for key in ids} == {S.DELIVERED_TO_NS}
    assert {live[key].lease_owner for key in ids} == {None}


async def test_a_stop_cuts_off_what_does_not_end(world: PostgresWorld) -> None:
    """[DM-173] Its rows lapse and are taken over."""
    town = Town(world)
    (message_id,) = await town.enqueue(push_message())
    has_begun = asyncio.Event()

    async def hang(_: DeviceMessage) -> str:
        has_begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    world.push.on_send = hang
    engine = town.engine(patience=timedelta(milliseconds=300))
    engine.start()
    await has_begun.wait()
    began = asyncio.get_running_loop().time()
    await engine.stop()
    assert asyncio.get_running_loop().time() - began < 10
    assert (await world.live())[message_id].delivery_status is S.SENT_TO_NS


async def test_a_slow_send_is_not_taken_over(world: PostgresWorld) -> None:
    """[DM-4, DM-44] Two engines, a send three times as long as every time-out: sent once."""
    town = Town(world)
    await town.enqueue(push_message())
    count = 0

    async def slow(message: DeviceMessage) -> str:
        nonlocal count
        count += 1
        await asyncio.sleep(4.5)
        return f"r-{message.id}"

    world.push.on_send = slow
    engines = [town.engine(), town.engine()]
    for engine in engines:
        engine.start()

    async def is_delivered() -> bool:
        return {row.delivery_status for row in (await world.live()).values()} == {S.DELIVERED_TO_NS}

    await until(is_delivered)
    for engine in engines:
        await engine.stop()
    assert count == 1


async def test_a_disabled_engine_does_nothing(world: PostgresWorld) -> None:
    """[DM-30] Enqueue and cancel still work."""
    town = Town(world)
    engine = town.engine(is_enabled=False)
    engine.start()
    (message_id,) = await town.enqueue(push_message())
    await asyncio.sleep(0.4)
    assert (await world.live())[message_id].delivery_status is S.QUEUED
    async with world.adopter() as queue:
        await queue.cancel(["1"])
    await engine.stop()
    assert await world.archived() == {message_id: "CANCELLED"}


@pytest.mark.parametrize("kills", [3])
async def test_processes_killed_in_the_middle_of_sending(
    world: PostgresWorld, relational_url: str, tmp_path: Path, kills: int
) -> None:
    """[DM-1, DM-3, DM-19, DM-189, R20] Every message ends once, and none is sent twice for one attempt."""
    network = tmp_path / "network.txt"
    network.touch()
    world.policy = DeliveryPolicy()
    town = Town(world)
    ids = await town.enqueue(*[push_message(number, network=number % 3) for number in range(120)])
    processes = [_start(relational_url, network) for _ in range(2)]
    try:
        for _ in range(kills):
            await _until_more_lines(network, 20)
            victim = processes.pop(0)
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            processes.append(_start(relational_url, network))
        await until(lambda: _answer_all(world, town), within_s=60)
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(timeout=20) for process in processes]
    # The one started last may be told to end before it listens.
    assert codes[0] == 0
    assert codes[1] in {0, -signal.SIGTERM}
    sent = Counter(network.read_text().split())
    assert max(sent.values()) == 1
    told = await ends(world)
    assert {key: told[key, "DELIVERY_SUCCESSFUL"] for key in ids} == dict.fromkeys(ids, 1)
    assert {key: told[key, "SENT_TO_NS"] for key in ids} == dict.fromkeys(ids, 1)
    assert len(sent) == len(ids), "whatever a killed process had sent was adopted"


def _start(url: str, network: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.support.messaging_engine_process", url, str(network), "0.3"]
    root = Path(__file__).parents[2]
    return subprocess.Popen(command, cwd=root, env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}"})


async def _until_more_lines(file: Path, count: int) -> None:
    wanted = _lines(file) + count

    async def has_more() -> bool:
        return _lines(file) >= wanted

    await until(has_more)


def _lines(file: Path) -> int:
    return len(file.read_text().split())


async def _answer_all(world: PostgresWorld, town: Town) -> bool:
    waiting = await world._column(
        "select delivery_queue_id from messaging.device_messages where delivery_status = 'DELIVERED_TO_NS'"
    )
    for remote_id in waiting:
        await town.apply("stub-push", answer(remote_id))
    return await is_empty(world)
