"""Two engines, many commands, and CALIN's services in changing moods: in the end the books must be right."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from tests.support.calin_clouds import Cloud, cloud
from tests.support.messaging_worlds import PostgresWorld, workshop_of

from nxt_adapters.memory.wakeups import MemoryWakeUps
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.messages import PostgresDeviceMessages
from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_domain.messaging.model import CommandType, Device, NewMessage, RelayNode, RequestData
from nxt_domain.messaging.plugins import PluginSet
from nxt_domain.messaging.retry import RetryPolicy
from nxt_domain.messaging.tuning import DeliveryPolicy, Tuning
from nxt_domain.tokens.model import TokenClass, TokenRequest
from nxt_entrypoints.jobs.message_engine import EngineSettings, MessageEngine

METERS = ("47001000117", "47001000224", "47001000331")
QUICK = Tuning(initial_poll_delay_ms=30, poll_ladder_ms=(30,), ns_in_flight_timeout_ms=1_000)
STUBBORN = DeliveryPolicy(retry=RetryPolicy(max_retries=500, base_delay_ms=30, max_delay_ms=60))
PACE = EngineSettings(lease=timedelta(seconds=3), tick=timedelta(milliseconds=40), patience=timedelta(seconds=5))
MOODS: tuple[dict[str, Any], ...] = (
    {},
    {"answers": "page"},
    {"answers": "page_503"},
    {"answers": "reset"},
    {"tasks": "forgotten"},
    {"tasks": "done_then_forgotten"},
    {"tasks": "late", "late_s": 0.2},
)
KWH = Decimal("1.5")


@pytest.fixture
async def world(relational_url: str) -> AsyncIterator[PostgresWorld]:
    engine = create_engine(relational_url, pool_size=16)
    yield PostgresWorld(engine, STUBBORN)
    await engine.dispose()


async def test_a_silent_vendor_holds_up_no_other(world: PostgresWorld) -> None:
    """[DM-36] Polls of one plug-in don't wait for those of another."""
    async with cloud("v1", *METERS) as first, cloud("v2", *METERS, timeout_s=10) as silent:
        plugins = PluginSet.of(
            pull=[first.plugin, silent.plugin], tunings={"calin-api-v1": QUICK, "calin-api-v2": QUICK}
        )
        workshop = attrs.evolve(workshop_of(world, plugins), wakeups=MemoryWakeUps())
        engine = MessageEngine(workshop, plugins, attrs.evolve(PACE, patience=timedelta(seconds=0.2)))
        silent.mood(tasks="never")
        await enqueue(world, silent, 1)
        engine.start()
        async with asyncio.timeout(20):
            while not silent.count("poll"):  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.02)
            silent.faults(latency_ms=[8000, 8000])
            await asyncio.sleep(0.2)
            began = asyncio.get_running_loop().time()
            await enqueue(world, first, 1)
            while len(await world.live()) > 1:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)
        assert asyncio.get_running_loop().time() - began < 5
        silent.faults(latency_ms=[0, 0])
        await engine.stop()


async def enqueue(world: PostgresWorld, service: Cloud, count: int) -> None:
    """Reads and top-ups in turn, for meters on two DCUs."""
    now = service.simulator.world.now()
    commands = []
    for number in range(count):
        meter = METERS[number % len(METERS)]
        token = None
        if number % 2:
            order = TokenRequest(
                token_class=TokenClass.TOP_UP, meter_number=meter, issued_at=now, nonce=1, energy_kwh=KWH
            )
            token = await service.vendor.request(order)
        commands.append(
            NewMessage(
                command_type=CommandType.READ_CREDIT if token is None else CommandType.TOP_UP_KWH,
                priority=30 if token is None else 50,
                plugin_id=service.name,
                device=Device(external_reference=meter, relay_node=RelayNode(id=7 + number % 2)),
                request_data=None if token is None else RequestData(token=token),
                correlation_id=str(number),
            )
        )
    async with PostgresTransaction(world.engine) as transaction:
        queue = PostgresDeviceMessages(
            transaction.session,
            couriers={service.name: service.plugin},
            new_id=world.new_id,
            policy=STUBBORN,
            metrics=world.metrics,
        )
        await queue.enqueue(commands)
        await transaction.commit()


async def first_task(service: Cloud) -> None:
    """Wait until the service has made a task."""
    async with asyncio.timeout(20):
        while not service.count("task"):  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.02)


async def weather(service: Cloud, seed: int, lasts_s: float) -> None:
    """Change the mood every moment, then let the sun shine."""
    dice = random.Random(seed)
    until = asyncio.get_running_loop().time() + lasts_s
    while asyncio.get_running_loop().time() < until:
        service.faults(down=dice.random() < 0.2, garbage_rate=dice.choice((0, 0, 0.3)))
        service.mood(**dice.choice(MOODS))
        if service.name == "calin-api-v2" and dice.random() < 0.3:
            service.simulator.accounts.revoke()  # type: ignore[union-attr]  # it is the second generation
        await asyncio.sleep(dice.uniform(0.05, 0.2))
    service.faults(down=False, garbage_rate=0)
    service.mood()


async def watch_slots(world: PostgresWorld, most: Counter[str]) -> None:
    """Note how many messages of each DCU hold a slot, as often as possible."""
    while True:
        for queue, held in Counter(await world.slots()).items():
            most[queue] = max(most[queue], held)
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("generation", ["v1", "v2"])
@pytest.mark.parametrize(
    ("count", "storm_s", "seed"),
    [(16, 1.0, 1), *(pytest.param(120, 8.0, seed, marks=pytest.mark.nightly) for seed in (2, 3))],
)
async def test_every_command_ends_once_and_every_token_counts_once(
    world: PostgresWorld, generation: str, count: int, storm_s: float, seed: int
) -> None:
    """[DM-3, DM-4, DM-19, DM-27, DM-49, DM-152, DM-189]"""
    async with cloud(generation, *METERS) as service:
        plugins = PluginSet.of(pull=[service.plugin], tunings={service.name: QUICK})
        await enqueue(world, service, count)
        workshop = attrs.evolve(workshop_of(world, plugins), wakeups=MemoryWakeUps())
        engines = [MessageEngine(workshop, plugins, attrs.evolve(PACE, owner=f"engine-{n}")) for n in range(2)]
        most: Counter[str] = Counter()
        watcher = asyncio.create_task(watch_slots(world, most))
        service.mood(answers="reset")
        for engine in engines:
            engine.start()
        await first_task(service)  # nobody is told of it: its command needs another, however kind the dice are
        await weather(service, seed, storm_s)
        async with asyncio.timeout(60):
            while await world.live():  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.05)
        watcher.cancel()
        for engine in engines:
            await engine.stop()

        told = Counter((e["message"]["correlationId"], e["message"]["deliveryStatus"]) for e in await world.events())
        ends = {key: number for key, number in told.items() if key[1] != "SENT_TO_NS"}
        assert sorted(int(number) for number, _ in ends) == list(range(count))
        assert set(told.values()) == {1}
        reads = {status for (number, status) in ends if int(number) % 2 == 0}
        assert reads == {"DELIVERY_SUCCESSFUL"}
        meters = [service.meter(number) for number in METERS]
        assert sum(meter["tokens_accepted"] for meter in meters) == count // 2
        assert sum(meter["credited_kwh_total"] for meter in meters) == KWH * (count // 2)
        assert service.count("task") > count  # the weather was bad enough for repetitions
        assert most
        assert max(most.values()) <= 5
