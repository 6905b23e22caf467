"""Engines that die, stall or lose their store: nothing lost, nothing sent twice, one end for each message."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import attrs
import pytest
from tests.support.messaging_worlds import (
    MemoryWorld,
    PostgresWorld,
    World,
    plugins_of,
    pull_message,
    push_message,
    workshop_of,
)

from nxt_adapters.supabase.engine import create_engine
from nxt_domain.messaging.model import DeliveryStatus, Device, DeviceEvent, DeviceMessage, ExecutionStatus, Response
from nxt_domain.messaging.ports import Lease, RemoteStatusUnknown
from nxt_domain.messaging.stages import Stage
from nxt_domain.messaging.tuning import Tuning
from nxt_domain.messaging.use_cases import ApplyDeviceEvent, Dispatch, LeaseKeeper, Outcomes, Tick
from nxt_domain.messaging.use_cases.changes import Workshop
from nxt_domain.shared.errors import Unavailable

S = DeliveryStatus
LAPSE = timedelta(seconds=61)


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    engine = create_engine(request.getfixturevalue("relational_url"), pool_size=5)
    yield PostgresWorld(engine)
    await engine.dispose()


class Process:
    """One engine process, driven by hand."""

    def __init__(self, world: World, name: str, workshop: Workshop | None = None) -> None:
        plugins = plugins_of(world, push=Tuning(min_interval_ms=0), pull=Tuning(max_in_flight=0))
        workshop = workshop or workshop_of(world, plugins)
        self.world = world
        self.keeper = LeaseKeeper(workshop, Lease(owner=name))
        outcomes = Outcomes(workshop)
        self.dispatch = Dispatch(workshop, plugins.couriers, self.keeper, outcomes)
        self.tick = Tick(workshop, plugins, self.keeper, outcomes)
        self.apply = ApplyDeviceEvent(workshop)

    async def dies_while_sending(self) -> None:
        """Claim, begin to send, and be gone before the reply."""
        reached = asyncio.Event()

        async def never_replies(_: DeviceMessage) -> str:
            reached.set()
            await asyncio.Event().wait()
            raise AssertionError

        self.world.push.on_send = self.world.pull.on_send = never_replies
        await self.dispatch.run_pass()
        await reached.wait()
        await self.dispatch.drain(timedelta(0))
        self.world.push.on_send = self.world.pull.on_send = None

    async def send(self) -> None:
        await self.dispatch.run_pass()
        await self.dispatch.drain(timedelta(seconds=10))


async def enqueue(world: World, *messages: Any) -> list[str]:
    async with world.adopter() as queue:
        return list(await queue.enqueue(messages))


async def statuses(world: World) -> list[str]:
    return [body["message"]["deliveryStatus"] for body in await world.events()]


def answer(remote_id: str) -> DeviceEvent:
    return DeviceEvent(
        delivery_status=S.DELIVERY_SUCCESSFUL,
        delivery_queue_id=remote_id,
        device=Device(external_reference="1"),
        response=Response(status=ExecutionStatus.EXECUTION_SUCCESS),
    )


async def test_a_send_that_outlived_its_process_is_adopted_not_repeated(world: World) -> None:
    """[DM-17, DM-44, R20] The next engine finds the item in the network's queue."""
    (message_id,) = await enqueue(world, push_message())
    await Process(world, "engine-1").dies_while_sending()
    world.push.adoptable[message_id] = "r-1"
    second = Process(world, "engine-2")
    assert await second.tick.run(Stage.NS) == 0, "its lease still runs"
    await world.pass_time(LAPSE)
    assert await second.tick.run(Stage.NS) == 1
    row = (await world.live())[message_id]
    assert (row.delivery_status, row.delivery_queue_id, row.retry_count) == (S.DELIVERED_TO_NS, "r-1", 0)
    assert len(world.push.sent) == 1
    await second.apply("stub-push", answer("r-1"))
    assert await statuses(world) == ["SENT_TO_NS", "DELIVERY_SUCCESSFUL"]


async def test_an_answer_parked_meanwhile_ends_an_adopted_message(world: World) -> None:
    """[DM-59, R20] The radio was faster than the lease."""
    (message_id,) = await enqueue(world, push_message())
    await Process(world, "engine-1").dies_while_sending()
    world.push.adoptable[message_id] = "r-1"
    second = Process(world, "engine-2")
    await world.pass_time(LAPSE)
    await second.apply("stub-push", answer("r-1"))
    await second.tick.run(Stage.NS)
    assert await statuses(world) == ["SENT_TO_NS", "DELIVERY_SUCCESSFUL"]


@pytest.mark.parametrize("message", [push_message(), pull_message()])
async def test_a_send_that_left_no_trace_is_repeated(world: World, message: Any) -> None:
    """[DM-4, DM-33, R20] One failed attempt, then the next; the adopter hears of the first hand-over once."""
    (message_id,) = await enqueue(world, message)
    await Process(world, "engine-1").dies_while_sending()
    second = Process(world, "engine-2")
    await world.pass_time(LAPSE)
    assert await second.tick.run(Stage.NS) == 1
    row = (await world.live())[message_id]
    assert (row.delivery_status, row.retry_count) == (S.TO_RETRY, 1)
    assert row.failure_history[0].reason == "Timed out waiting for Network Server to accept message"
    await world.pass_time(timedelta(seconds=2))
    await second.tick.run(Stage.RETRY)
    await second.send()
    assert (await world.live())[message_id].delivery_status is S.DELIVERED_TO_NS
    assert await statuses(world) == ["SENT_TO_NS"]


async def test_an_unknown_fate_is_asked_about_again_not_resent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """[DM-17, R20]"""
    (message_id,) = await enqueue(world, push_message())
    await Process(world, "engine-1").dies_while_sending()

    async def no_answer(_: DeviceMessage) -> str | None:
        raise RemoteStatusUnknown("deadline exceeded")

    monkeypatch.setattr(world.push, "adopt", no_answer)
    second = Process(world, "engine-2")
    for _ in range(3):
        await world.pass_time(LAPSE)
        assert await second.tick.run(Stage.NS) == 1
        assert (await world.live())[message_id].delivery_status is S.SENT_TO_NS
    assert len(world.push.sent) == 1


async def test_equal_frames_may_share_one_item(world: World) -> None:
    """[R20] Both adopt the item that is there; its one answer ends both."""
    ids = await enqueue(world, push_message(1), push_message(2))
    first = Process(world, "engine-1")
    await first.dies_while_sending()
    world.push.adoptable = dict.fromkeys(ids, "r-1")
    second = Process(world, "engine-2")
    await world.pass_time(LAPSE)
    await second.tick.run(Stage.NS)
    await second.apply("stub-push", answer("r-1"))
    assert await world.live() == {}
    assert Counter(await statuses(world)) == {"SENT_TO_NS": 2, "DELIVERY_SUCCESSFUL": 2}


async def test_a_stalled_send_that_ends_late_leaves_its_id(world: World) -> None:
    """[DM-21, DM-55] Its attempt was given up; a late answer to it still counts."""
    (message_id,) = await enqueue(world, push_message())
    first, second = Process(world, "engine-1"), Process(world, "engine-2")
    reply: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def slow(_: DeviceMessage) -> str:
        return await reply

    world.push.on_send = slow
    await first.dispatch.run_pass()
    await asyncio.sleep(0)
    await world.pass_time(LAPSE)
    assert await second.tick.run(Stage.NS) == 1
    reply.set_result("r-late")
    await first.dispatch.drain(timedelta(seconds=5))
    row = (await world.live())[message_id]
    assert (row.delivery_status, row.past_delivery_queue_ids) == (S.TO_RETRY, ("r-late",))
    assert world.metrics.misses == ["ns"]
    await second.apply("stub-push", answer("r-late"))
    assert await statuses(world) == ["SENT_TO_NS", "DELIVERY_SUCCESSFUL"]


async def test_a_late_poll_of_an_earlier_attempt_does_not_fail_the_present_one(world: World) -> None:
    """[DM-16, DM-21] The gate holds although stage and status are the same again."""
    (message_id,) = await enqueue(world, pull_message())
    first, second = Process(world, "engine-1"), Process(world, "engine-2")
    await first.send()
    results: list[asyncio.Future[DeviceEvent | None]] = []

    async def poll(_: DeviceMessage) -> DeviceEvent | None:
        results.append(asyncio.get_running_loop().create_future())
        return await results[-1]

    world.pull.on_poll = poll
    failed = attrs.evolve(answer("x"), delivery_status=S.DELIVERY_FAILED, response=None)

    async def begin_to_poll(process: Process) -> asyncio.Task[int]:
        number = len(results)
        task = asyncio.create_task(process.tick.run(Stage.AWAITING_TASK))
        while len(results) == number:  # noqa: ASYNC110 - the plug-in under test knows no event
            await asyncio.sleep(0.001)
        return task

    await world.pass_time(timedelta(seconds=10))
    stalled = await begin_to_poll(first)
    await world.pass_time(LAPSE)
    quick = await begin_to_poll(second)
    results[1].set_result(failed)
    await quick
    await world.pass_time(timedelta(seconds=2))
    await second.tick.run(Stage.RETRY)
    await second.send()
    results[0].set_result(failed)
    await stalled
    row = (await world.live())[message_id]
    assert (row.delivery_status, row.retry_count) == (S.DELIVERED_TO_NS, 1)
    assert world.metrics.misses == ["awaitingTask"]


async def test_a_result_survives_an_outage_of_the_store(world: World) -> None:
    """[DM-189] The network has it and only this process knows: it holds on until the store is back."""
    (message_id,) = await enqueue(world, push_message())
    workshop = workshop_of(world, plugins_of(world, push=Tuning(min_interval_ms=0)))
    is_away = False

    def begin() -> Any:
        if is_away:
            raise Unavailable("The database can't be reached")
        return world.begin()

    process = Process(world, "engine-1", attrs.evolve(workshop, begin=begin))

    async def send(_: DeviceMessage) -> str:
        nonlocal is_away
        is_away = True
        return "r-1"

    world.push.on_send = send
    await process.dispatch.run_pass()
    await asyncio.sleep(0.2)
    assert (await world.live())[message_id].delivery_status is S.SENT_TO_NS
    is_away = False
    await process.dispatch.drain(timedelta(seconds=5))
    row = (await world.live())[message_id]
    assert (row.delivery_status, row.delivery_queue_id) == (S.DELIVERED_TO_NS, "r-1")
    assert len(world.push.sent) == 1


async def test_without_its_event_a_message_does_not_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """[DM-154] The outbox can't be written: the message stays, and the step is repeated at its next due time."""
    (message_id,) = await enqueue(world, push_message())
    process = Process(world, "engine-1")
    await process.send()
    remote_id = (await world.live())[message_id].delivery_queue_id
    refusing = True
    outbox = type(world.begin())

    async def add(_: Any, __: Any) -> None:
        if refusing:
            raise Unavailable("The database is busy or restarting")

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "outbox", property(lambda _: type("Full", (), {"add": add})()), raising=False)
        if isinstance(world, MemoryWorld):
            patch.setattr("nxt_adapters.memory.database.MemoryOutbox.add", add)
            patch.delattr(outbox, "outbox")
        with pytest.raises(Unavailable):
            await process.apply("stub-push", answer(remote_id))
    assert (await world.live())[message_id].delivery_status is S.DELIVERED_TO_NS
    await process.apply("stub-push", answer(remote_id))
    assert await statuses(world) == ["SENT_TO_NS", "DELIVERY_SUCCESSFUL"]


async def test_what_was_claimed_and_not_begun_is_given_back(world: World) -> None:
    """[DM-173] A stop releases the leases of polls that still waited for their turn."""
    ids = await enqueue(world, *[pull_message(number) for number in range(15)])
    process = Process(world, "engine-1")
    await process.send()
    may_end = asyncio.Event()

    async def poll(_: DeviceMessage) -> None:
        await may_end.wait()

    world.pull.on_poll = poll
    await world.pass_time(timedelta(seconds=10))
    looking = asyncio.create_task(process.tick.run(Stage.AWAITING_TASK))
    while len(world.pull.polled) < 10:  # noqa: ASYNC110 - the plug-in under test knows no event
        await asyncio.sleep(0.001)
    process.tick.stop()
    may_end.set()
    await looking
    assert len(world.pull.polled) == 10
    live = await world.live()
    assert all(live[key].lease_owner is None for key in ids)
    world.pull.on_poll = None
    assert await Process(world, "engine-2").tick.run(Stage.AWAITING_TASK) == 5
