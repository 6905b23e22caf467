"""Bad luck of device messaging: clocks that jump, poison in rows and answers, vendors that forget [DM 19]."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from sqlalchemy import text
from tests.support.messaging_process import Engine, answer, news
from tests.support.messaging_worlds import MemoryWorld, PostgresWorld, World, plugins_of, pull_message, push_message

from nxt_adapters.supabase.engine import create_engine
from nxt_domain.messaging.model import (
    DeliveryStatus,
    Device,
    DeviceEvent,
    DeviceMessage,
    EventHalf,
    ExecutionStatus,
    FailureContext,
    HalfKind,
    RelayNode,
    Response,
)
from nxt_domain.messaging.ports import PollFailed, SendFailed
from nxt_domain.messaging.stages import Stage
from nxt_domain.shared.ids import UlidFactory

S = DeliveryStatus
NUL, LONE_SURROGATE = "\x00", "\ud800"
POISON = f"Meter{NUL} said {LONE_SURROGATE}!"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    engine = create_engine(request.getfixturevalue("relational_url"), pool_size=5)
    yield PostgresWorld(engine)
    await engine.dispose()


@pytest.fixture
async def postgres(relational_url: str) -> AsyncIterator[PostgresWorld]:
    engine = create_engine(relational_url, pool_size=5)
    yield PostgresWorld(engine)
    await engine.dispose()


class JumpingClock:
    """A process's own clock, which is wrong."""

    def __init__(self, error: timedelta) -> None:
        self.error = error

    def now(self) -> datetime:
        return datetime.now(UTC) + self.error


def statuses(world: World, bodies: Any) -> Counter[str]:
    return Counter(body["message"]["deliveryStatus"] for body in bodies)


class TestClocks:
    """[DM-14] The database's clock alone decides."""

    @pytest.mark.parametrize("error", [timedelta(hours=-6), timedelta(hours=6)])
    async def test_a_process_with_a_wrong_clock_enqueues_and_sends(
        self, postgres: PostgresWorld, error: timedelta
    ) -> None:
        """[DM-14] Its messages are due, leased and expire like all others; nothing is sent twice or too early."""
        postgres.new_id = UlidFactory(JumpingClock(error))
        engine, other = Engine(postgres, "engine-with-wrong-clock"), Engine(postgres, "engine-2")
        before = await database_now(postgres)
        (message_id,) = await engine.enqueue(push_message())
        await engine.send()
        message = await engine.message(message_id)
        assert message.delivery_status is S.DELIVERED_TO_NS
        for instant, wait in ((message.enqueued_at, timedelta(0)), (message.due_at, timedelta(minutes=15))):
            assert instant is not None
            assert timedelta(0) <= instant - before - wait < timedelta(minutes=1)
        for stage in Stage:
            assert await other.tick.run(stage) == 0
        assert len(postgres.push.sent) == 1

    async def test_ids_grow_although_the_clock_steps_back(self, world: World) -> None:
        """[DM-5] Within one process: the older message stays the first."""
        clock = JumpingClock(timedelta(0))
        world.new_id = UlidFactory(clock)
        engine = Engine(world)
        ids = list(await engine.enqueue(push_message(1)))
        clock.error = timedelta(hours=-3)
        ids += await engine.enqueue(push_message(2), push_message(3))
        assert ids == sorted(ids)
        await engine.send()
        assert [message.id for message in world.push.sent] == ids

    async def test_the_database_s_clock_jumps_ahead(self, world: World) -> None:
        """[DM-17, DM-33] All is due at once: what was accepted is asked about, not sent again."""
        engine, other = Engine(world), Engine(world, "engine-2")
        ids = await engine.enqueue(*[push_message(number) for number in range(3)])
        await engine.send()
        await world.pass_time(DAY)
        for stage in Stage:
            await other.tick.run(stage)
        assert len(world.push.sent) == 3
        for message_id in ids:
            assert await engine.status(message_id) is S.DELIVERED_TO_NS
            await engine.apply("stub-push", answer((await engine.message(message_id)).delivery_queue_id))
        assert statuses(world, await engine.bodies())["DELIVERY_SUCCESSFUL"] == 3

    async def test_the_database_s_clock_jumps_back(self, world: World) -> None:
        """[DM-26] A claim that lies in the future holds its queue up no longer than one interval."""
        engine = Engine(world, plugins=plugins_of(world))
        await engine.enqueue(push_message(1), push_message(2), push_message(3))
        assert await engine.send() == 1
        await world.pass_time(-HOUR)
        assert await engine.send() == 1
        assert await engine.send() == 0
        await world.pass_time(timedelta(seconds=3))
        assert await engine.send() == 1
        assert len({message.id for message in world.push.sent}) == 3

    async def test_leases_end_although_the_clock_jumped_back(self, world: World) -> None:
        """[DM-17] Whoever held them is gone; nothing is lost, nothing sent twice."""
        engine, other = Engine(world), Engine(world, "engine-2")
        (message_id,) = await engine.enqueue(push_message())
        await engine.send()
        await world.pass_time(-HOUR)
        await engine.apply("stub-push", answer((await engine.message(message_id)).delivery_queue_id))
        assert await world.live() == {}
        (left,) = await engine.enqueue(pull_message(2))
        await engine.send()
        await world.pass_time(HOUR)
        assert await other.tick.run(Stage.AWAITING_TASK) == 1
        assert await other.status(left) is S.DELIVERED_TO_NS
        assert len(world.pull.sent) == 1


async def database_now(world: PostgresWorld) -> datetime:
    async with world.engine.connect() as connection:
        now: datetime = (await connection.execute(text("select clock_timestamp()"))).scalar_one()
    return now


class TestPoison:
    """One bad record never stops the others [DM-15, DM-39]."""

    @pytest.mark.parametrize(
        ("stage", "message"),
        [
            (Stage.NS, push_message),
            (Stage.RELAY_NODE, push_message),
            (Stage.DEVICE, push_message),
            (Stage.AWAITING_TASK, pull_message),
            (Stage.RETRY, push_message),
        ],
    )
    async def test_a_row_that_can_not_be_read_in_any_stage(
        self, postgres: PostgresWorld, stage: Stage, message: Callable[..., Any]
    ) -> None:
        """[DM-15] It leaves its queue, is counted, and its neighbours go on."""
        engine = Engine(postgres)
        bad, *good = await engine.enqueue(*[message(number) for number in range(3)])
        await put_into(postgres, stage)
        await postgres.spoil(bad)
        await postgres.pass_time(timedelta(hours=2))
        await engine.tick.run(stage)
        await engine.send()
        assert postgres.metrics.corrupt_rows == 1
        assert set(await postgres.live()) <= set(good)
        moved = [each for each in await rows(postgres) if each.id in good]
        assert all(each.due_at is None or each.due_at > each.now for each in moved)
        assert [each.id for each in await rows(postgres) if each.ready_queue.startswith("unreadable:")] == [bad]

    @pytest.mark.parametrize("table", ["parked_events", "event_halves"])
    async def test_news_that_can_not_be_read(self, postgres: PostgresWorld, table: str) -> None:
        """[DM-59, DM-104] Kept by a version of tomorrow, or edited by hand: the message that it belongs to goes on."""
        engine = Engine(postgres)

        async def send(_: DeviceMessage) -> str:
            await engine.apply("stub-push", news(S.SENT_TO_DEVICE, "q-1"))
            await engine.apply("stub-push", half(HalfKind.ACK, "q-1"))
            async with postgres.engine.begin() as connection:
                column = "event" if table == "parked_events" else "payload"
                await connection.execute(text(f"update messaging.{table} set {column} = '[1]'"))
            return "q-1"

        postgres.push.on_send = send
        (message_id,) = await engine.enqueue(push_message())
        await engine.send()
        assert (await engine.message(message_id)).delivery_queue_id == "q-1"
        await engine.apply("stub-push", half(HalfKind.UP))
        await engine.apply("stub-push", answer("q-1"))
        assert await postgres.live() == {}
        assert postgres.metrics.corrupt_rows == 1
        assert len(postgres.push.sent) == 1

    async def test_a_refusal_with_text_that_no_store_takes(self, world: World) -> None:
        """[DM-56] NUL and halves of characters: the attempt is recorded, its neighbours too."""
        engine = Engine(world)

        async def send(message: DeviceMessage) -> str:
            if message.correlation_id == "1":
                raise SendFailed(FailureContext(reason=POISON, error_code=POISON, details=POISON))
            return f"q-{message.correlation_id}"

        world.push.on_send = send
        first, second = await engine.enqueue(push_message(1), push_message(2))
        await engine.send()
        assert [await engine.status(each) for each in (first, second)] == [S.TO_RETRY, S.DELIVERED_TO_NS]
        (record,) = (await engine.message(first)).failure_history
        assert record.reason == "Meter\ufffd said \ufffd!"

    async def test_an_answer_with_text_that_no_store_takes(self, world: World) -> None:
        """[DM-62] The message ends; what can't be stored is replaced."""
        engine = Engine(world)
        first, second = await engine.enqueue(push_message(1), push_message(2))
        await engine.send()
        poisoned = DeviceEvent(
            delivery_status=S.DELIVERY_SUCCESSFUL,
            delivery_queue_id=(await engine.message(first)).delivery_queue_id,
            device=Device(external_reference=POISON, relay_node=RelayNode(external_reference=POISON)),
            response=Response(
                status=ExecutionStatus.EXECUTION_SUCCESS,
                data={"version": POISON, "nested": {"list": [POISON, float("nan")]}, POISON: 1},
            ),
            failure=FailureContext(reason=POISON),
        )
        sound = answer((await engine.message(second)).delivery_queue_id)
        await asyncio.gather(engine.apply("stub-push", poisoned), engine.apply("stub-push", sound))
        assert await world.live() == {}
        ends = [body["message"] for body in await engine.bodies() if "response" in body["message"]]
        assert sorted(end["correlationId"] for end in ends) == ["1", "2"]
        data = next(end["response"]["data"] for end in ends if end["correlationId"] == "1")
        assert data == {
            "version": "Meter\ufffd said \ufffd!",
            "nested": {"list": ["Meter\ufffd said \ufffd!", None]},
            "Meter\ufffd said \ufffd!": 1,
        }

    async def test_news_of_the_meters_own_accord_that_no_store_takes(self, world: World) -> None:
        """[DM-57]"""
        engine = Engine(world)
        spoken = DeviceEvent(
            delivery_status=S.DELIVERY_SUCCESSFUL,
            device=Device(external_reference=POISON),
            response=Response(status=ExecutionStatus.EXECUTION_SUCCESS, data={"freezeTime": POISON}),
            unsolicited=True,
        )
        await engine.apply("stub-push", spoken)
        assert len(await engine.bodies()) == 1

    @pytest.mark.parametrize("remote_id", [f"q{NUL}1", LONE_SURROGATE])
    async def test_an_id_that_no_store_takes(self, world: World, remote_id: str) -> None:
        """[DM-58, DM-59] From a vendor's answer and in its events: it is the same id in both."""
        engine = Engine(world)

        async def send(_: DeviceMessage) -> str:
            return remote_id

        world.push.on_send = send
        await engine.enqueue(push_message())
        await engine.send()
        await engine.apply("stub-push", answer(remote_id))
        assert await world.live() == {}


def half(kind: HalfKind, remote_id: str | None = None) -> EventHalf:
    response = Response(status=ExecutionStatus.EXECUTION_SUCCESS, data={"kwhCreditAvailable": 1})
    return EventHalf(
        kind=kind,
        deduplication_id="d-1",
        device=Device(external_reference="47003330001"),
        delivery_queue_id=remote_id,
        response=response if kind is HalfKind.UP else None,
    )


async def put_into(world: PostgresWorld, stage: Stage) -> None:
    async with world.engine.begin() as connection:
        await connection.execute(
            text(
                "update messaging.device_messages set delivery_status = :status, due_at = now() + interval '1 hour',"
                " delivery_queue_id = case when :status in ('SENT_TO_NS', 'TO_RETRY') then '' else 'q-' || id end"
            ),
            {"status": stage.status.value},
        )


async def rows(world: PostgresWorld) -> list[Any]:
    async with world.engine.connect() as connection:
        found = await connection.execute(
            text(
                "select id, ready_queue, due_at, delivery_status, now() as now"
                " from messaging.device_messages order by id"
            )
        )
        return list(found)


class TestVendors:
    async def test_a_network_server_that_accepts_and_forgets(self, world: World) -> None:
        """[DM-33, DM-46] [DM-55] The item is gone without a word: tried again under a new id, the same message."""
        engine = Engine(world)
        (message_id,) = await engine.enqueue(push_message())
        await engine.send()
        forgotten = (await engine.message(message_id)).delivery_queue_id
        world.push.remote_statuses[forgotten] = S.DELIVERY_FAILED
        await world.pass_time(timedelta(minutes=16))
        await engine.tick.run(Stage.RELAY_NODE)
        assert await engine.status(message_id) is S.TO_RETRY
        await world.pass_time(HOUR)
        await engine.tick.run(Stage.RETRY)
        await engine.send()
        message = await engine.message(message_id)
        assert message.delivery_queue_id not in {"", forgotten}
        assert list(message.past_delivery_queue_ids) == [forgotten]
        await engine.apply("stub-push", answer(message.delivery_queue_id))
        await engine.apply("stub-push", answer(forgotten))  # it remembers after all
        assert statuses(world, await engine.bodies()) == {"SENT_TO_NS": 1, "DELIVERY_SUCCESSFUL": 1}

    async def test_a_vendor_whose_task_never_ends(self, world: World) -> None:
        """[DM-47] After two days it is given up; the command is never sent a second time."""
        engine = Engine(world)
        born = [JumpingClock(timedelta(0)), JumpingClock(timedelta(hours=-49))]
        if isinstance(world, MemoryWorld):
            (message_id,) = await engine.enqueue(pull_message())
        else:
            world.new_id = UlidFactory(born[1])
            (message_id,) = await Engine(world).enqueue(pull_message())
        await engine.send()
        if isinstance(world, MemoryWorld):
            for _ in range(48):
                await world.pass_time(HOUR)
                await engine.tick.run(Stage.AWAITING_TASK)
        else:
            await world.pass_time(timedelta(minutes=1))
            await engine.tick.run(Stage.AWAITING_TASK)
        assert await world.archived() == {message_id: "DELIVERY_FAILED"}
        (last,) = [
            body["message"] for body in await engine.bodies() if body["message"]["deliveryStatus"] == "DELIVERY_FAILED"
        ]
        newest = last["failureHistory"][0]
        assert (newest["status"], newest["reason"], newest["isFinal"]) == (
            "DELIVERED_TO_NS",
            "Timed out waiting for remote task completion",
            True,
        )
        assert len(world.pull.sent) == 1

    async def test_a_task_without_a_name_waits_on(self, world: World) -> None:
        """[DM-50] There is nothing to ask for; it is looked at again, and never polled."""
        engine = Engine(world)
        (message_id,) = await engine.enqueue(pull_message())
        await engine.send()
        async with world.begin() as store:
            batch = await store.rows.lock([message_id])
            await store.rows.save([attrs.evolve(batch.messages[0], delivery_queue_id="")])
            await store.commit()
        await world.pass_time(timedelta(minutes=1))
        before = (await engine.message(message_id)).due_at
        assert await engine.tick.run(Stage.AWAITING_TASK) == 1
        after = await engine.message(message_id)
        assert after.delivery_status is S.DELIVERED_TO_NS
        assert before is not None
        assert after.due_at is not None
        assert after.due_at > before
        assert world.pull.polled == []

    async def test_an_outage_of_days_while_polling_sends_nothing_again(self, world: World) -> None:
        """[DM-49] [DM-189] Polling goes on, on the ladder."""
        engine = Engine(world)

        async def away(_: DeviceMessage) -> Any:
            raise PollFailed("the vendor is away")

        world.pull.on_poll = away
        await engine.enqueue(pull_message())
        await engine.send()
        for _ in range(5):
            await world.pass_time(timedelta(minutes=2))
            assert await engine.tick.run(Stage.AWAITING_TASK) == 1
        assert world.metrics.polls_failed == 5
        assert len(world.pull.sent) == 1

    async def test_a_duplicate_for_every_event(self, world: World) -> None:
        """[DM-68] [DM-19] One end, whatever comes twice and in whatever order."""
        engine = Engine(world)
        (message_id,) = await engine.enqueue(push_message())
        await engine.send()
        remote_id = (await engine.message(message_id)).delivery_queue_id
        told: list[Awaitable[None]] = [
            engine.apply("stub-push", event)
            for event in (
                answer(remote_id),
                news(S.SENT_TO_DEVICE, remote_id),
                answer(remote_id),
                news(S.DELIVERY_FAILED, remote_id),
                news(S.SENT_TO_DEVICE, remote_id),
                answer(remote_id),
            )
        ]
        await asyncio.gather(*told)
        assert statuses(world, await engine.bodies()) == {"SENT_TO_NS": 1, "DELIVERY_SUCCESSFUL": 1}
        assert world.metrics.ends == ["DELIVERY_SUCCESSFUL"]


async def test_two_messages_of_one_correlation_id_are_two(world: World) -> None:
    """[DM-67] Both are delivered and each tells its own end; a lookup shows the newer one."""
    engine = Engine(world)
    older, newer = await engine.enqueue(push_message(7), push_message(7))
    async with world.adopter() as queue:
        shown = await queue.get("7")
    assert shown is not None
    assert shown.id == newer
    await engine.send()
    for message_id in (newer, older):
        await engine.apply("stub-push", answer((await engine.message(message_id)).delivery_queue_id))
        async with world.adopter() as queue:
            left = await queue.get("7")
        assert (None if left is None else left.id) == (older if message_id == newer else None)
    ends = [
        body["message"] for body in await engine.bodies() if body["message"]["deliveryStatus"] == "DELIVERY_SUCCESSFUL"
    ]
    assert {end["id"] for end in ends} == {older, newer}
    assert {end["correlationId"] for end in ends} == {"7"}


async def test_every_instant_of_the_queue_has_its_zone(postgres: PostgresWorld) -> None:
    """[DM-14] [DM-12] A time without zone would mean another moment on another machine."""
    async with postgres.engine.connect() as connection:
        found = await connection.execute(
            text(
                "select table_name || '.' || column_name, data_type from information_schema.columns"
                " where table_schema = 'messaging' and data_type ~ '^(timestamp|time|date)'"
            )
        )
        columns = dict(tuple(row) for row in found)
    assert {"device_messages.due_at", "device_messages.lease_until", "admission.last_claim_at"} <= set(columns)
    assert set(columns.values()) == {"timestamp with time zone"}


@pytest.mark.parametrize("stage", [None, Stage.NS, Stage.DEVICE, Stage.RETRY])
async def test_a_repaired_row_goes_on(postgres: PostgresWorld, stage: Stage | None) -> None:
    """[DM-15] As the page for operators tells: repair it, cut the prefix off, make it due."""
    engine = Engine(postgres)
    (message_id,) = await engine.enqueue(push_message())
    if stage is not None:
        await put_into(postgres, stage)
        await postgres.pass_time(timedelta(hours=2))
    await postgres.spoil(message_id)
    for each in Stage:
        await engine.tick.run(each)
    await engine.send()
    assert [row.ready_queue for row in await rows(postgres)] == ["unreadable:queue:stub-push:network:42"]
    async with postgres.engine.begin() as connection:
        await connection.execute(
            text(
                "update messaging.device_messages set ready_queue = replace(ready_queue, 'unreadable:', ''),"
                """ device = '{"type": "ELECTRICITY_METER", "externalReference": "47003330001"}',"""
                " due_at = case when delivery_status <> 'QUEUED' then now() end"
            )
        )
    for each in Stage:
        await engine.tick.run(each)
    await engine.send()
    # Nobody knows how far it had come: that attempt counts as failed, and the next one delivers.
    assert await engine.status(message_id) is S.TO_RETRY
    await postgres.pass_time(timedelta(minutes=1))
    await engine.tick.run(Stage.RETRY)
    await engine.send()
    assert await engine.status(message_id) is S.DELIVERED_TO_NS
