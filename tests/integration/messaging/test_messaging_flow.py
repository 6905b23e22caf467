"""The use cases of messaging on both stores: from enqueue to the one terminal event."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from tests.support.messaging_worlds import World, plugins_of, pull_message, push_message, token_message, workshop_of

from nxt_domain.messaging.model import (
    CancelResult,
    CommandType,
    DeliveryStatus,
    Device,
    DeviceEvent,
    DeviceMessage,
    EventHalf,
    ExecutionStatus,
    FailureContext,
    HalfKind,
    NewMessage,
    RelayNode,
    Response,
)
from nxt_domain.messaging.plugins import PluginSet
from nxt_domain.messaging.ports import Lease, PollFailed, RemoteStatusUnknown, SendFailed
from nxt_domain.messaging.stages import Stage
from nxt_domain.messaging.tuning import Tuning
from nxt_domain.messaging.use_cases import ApplyDeviceEvent, Dispatch, LeaseKeeper, Outcomes, Sweep, Tick

S = DeliveryStatus
UNPACED = {"push": Tuning(min_interval_ms=0), "pull": Tuning(max_in_flight=0)}


class Engine:
    """The use cases of one process, driven by hand."""

    def __init__(self, world: World, name: str = "engine-1", plugins: PluginSet | None = None) -> None:
        self.world = world
        plugins = plugins or plugins_of(world, **UNPACED)
        workshop = workshop_of(world, plugins)
        self.keeper = LeaseKeeper(workshop, Lease(owner=name))
        outcomes = Outcomes(workshop)
        self.dispatch = Dispatch(workshop, plugins.couriers, self.keeper, outcomes)
        self.tick = Tick(workshop, plugins, self.keeper, outcomes)
        self.apply = ApplyDeviceEvent(workshop)
        self.sweep = Sweep(workshop)

    async def enqueue(self, *messages: NewMessage) -> Sequence[str]:
        async with self.world.adopter() as queue:
            return await queue.enqueue(messages)

    async def send(self) -> int:
        """One pass, and wait for its sends."""
        result = await self.dispatch.run_pass()
        await self.dispatch.drain(timedelta(seconds=10))
        return result.claimed

    async def message(self, message_id: str) -> DeviceMessage:
        return (await self.world.live())[message_id]

    async def status(self, message_id: str) -> DeliveryStatus:
        return (await self.message(message_id)).delivery_status

    async def events(self) -> Sequence[tuple[str | None, str]]:
        return [
            (body["message"].get("correlationId"), body["message"]["deliveryStatus"]) for body in await self.bodies()
        ]

    async def bodies(self) -> Sequence[Mapping[str, Any]]:
        return await self.world.events()


@pytest.fixture
def engine(world: World) -> Engine:
    return Engine(world)


def news(status: DeliveryStatus, remote_id: str | None, **changes: Any) -> DeviceEvent:
    values = {"device": Device(external_reference="47003330001"), "delivery_queue_id": remote_id} | changes
    return DeviceEvent(delivery_status=status, **values)


def answer(remote_id: str) -> DeviceEvent:
    response = Response(status=ExecutionStatus.EXECUTION_SUCCESS, data={"kwhCreditAvailable": 123.45})
    return news(S.DELIVERY_SUCCESSFUL, remote_id, response=response)


class TestPush:
    async def test_from_enqueue_to_answer(self, engine: Engine) -> None:
        """[DM-11, DM-41, DM-42, DM-60, DM-62, DM-152] Two events: the first hand-over and the end."""
        (message_id,) = await engine.enqueue(token_message())
        assert await engine.send() == 1
        row = await engine.message(message_id)
        assert row.delivery_status is S.DELIVERED_TO_NS
        assert row.delivery_queue_id.startswith("stub-ext-")
        assert row.lease_owner is None
        await engine.apply("stub-push", news(S.SENT_TO_DEVICE, row.delivery_queue_id))
        assert await engine.status(message_id) is S.SENT_TO_DEVICE
        await engine.apply("stub-push", answer(row.delivery_queue_id))
        assert await engine.world.live() == {}
        assert await engine.events() == [("1", "SENT_TO_NS"), ("1", "DELIVERY_SUCCESSFUL")]
        first, last = await engine.bodies()
        assert first["eventId"] < last["eventId"]
        assert last["message"]["response"] == {"status": "EXECUTION_SUCCESS", "data": {"kwhCreditAvailable": 123.45}}
        assert "12345678901234567890" not in str(await engine.bodies())
        assert engine.world.metrics.ends == ["DELIVERY_SUCCESSFUL"]

    async def test_the_pair_of_the_worked_example(self, engine: Engine) -> None:
        """[DM-104, DM-62] txack, up and ack; the gateway and its signal come with the answer."""
        (message_id,) = await engine.enqueue(push_message())
        await engine.send()
        remote_id = (await engine.message(message_id)).delivery_queue_id
        await engine.apply("stub-push", news(S.SENT_TO_DEVICE, remote_id))
        gateway = RelayNode(external_reference="gw-best", snr=10, rssi=-90)
        device = Device(external_reference="47003333771", relay_node=gateway)
        response = Response(
            status=ExecutionStatus.EXECUTION_SUCCESS,
            data={"kwhCreditAvailable": 123.45, "creditLevel": 0, "isOn": True},
        )
        up = EventHalf(kind=HalfKind.UP, deduplication_id="d-1", device=device, response=response)
        ack = EventHalf(kind=HalfKind.ACK, deduplication_id="d-1", device=device, delivery_queue_id=remote_id)
        await engine.apply("stub-push", up)
        assert await engine.status(message_id) is S.SENT_TO_DEVICE
        await engine.apply("stub-push", ack)
        last = (await engine.bodies())[-1]["message"]
        assert last["response"]["data"] == {"kwhCreditAvailable": 123.45, "creditLevel": 0, "isOn": True}
        assert last["device"]["relayNode"] == {"externalReference": "gw-best", "snr": 10, "rssi": -90}

    async def test_an_acknowledgement_that_overtakes_the_send(self, engine: Engine) -> None:
        """[DM-59] It is kept, and applied right after the advance."""
        (message_id,) = await engine.enqueue(push_message())

        async def radiated_before_the_reply(_: DeviceMessage) -> str:
            await engine.apply("stub-push", news(S.SENT_TO_DEVICE, "r-1"))
            return "r-1"

        engine.world.push.on_send = radiated_before_the_reply
        await engine.send()
        assert await engine.status(message_id) is S.SENT_TO_DEVICE

    async def test_an_answer_that_overtakes_the_send(self, engine: Engine) -> None:
        """[DM-59] Even the end may come first."""
        await engine.enqueue(push_message())

        async def answered_before_the_reply(_: DeviceMessage) -> str:
            await engine.apply("stub-push", answer("r-1"))
            return "r-1"

        engine.world.push.on_send = answered_before_the_reply
        await engine.send()
        assert await engine.world.live() == {}
        assert await engine.events() == [("1", "SENT_TO_NS"), ("1", "DELIVERY_SUCCESSFUL")]

    async def test_a_failed_send_is_repeated_under_its_own_id(self, engine: Engine) -> None:
        """[DM-41, DM-43, DM-55, DM-152] The adopter hears of the first hand-over only once."""
        (message_id,) = await engine.enqueue(push_message())
        engine.world.push.on_send = _refuse("Failed to enqueue message at ChirpStack")
        await engine.send()
        row = await engine.message(message_id)
        assert (row.delivery_status, row.retry_count) == (S.TO_RETRY, 1)
        assert row.failure_history[0].reason == "Failed to enqueue message at ChirpStack"
        engine.world.push.on_send = None
        await engine.world.pass_time(timedelta(seconds=2))
        assert await engine.tick.run(Stage.RETRY) == 1
        assert await engine.send() == 1
        assert await engine.status(message_id) is S.DELIVERED_TO_NS
        assert await engine.events() == [("1", "SENT_TO_NS")]

    async def test_a_permanent_refusal_is_final(self, engine: Engine) -> None:
        """[DM-52]"""
        await engine.enqueue(push_message())
        engine.world.push.on_send = _refuse("Device not registered in Network Server (ChirpStack)", skip_retry=True)
        await engine.send()
        last = (await engine.bodies())[-1]["message"]
        assert last["deliveryStatus"] == "DELIVERY_FAILED"
        assert last["failureHistory"][0]["isFinal"] is True
        assert "skipRetry" not in str(last)

    async def test_a_plugin_that_breaks_fails_only_its_attempt(self, engine: Engine) -> None:
        """[DM-43]"""
        ids = await engine.enqueue(push_message(1), push_message(2))

        async def break_on_the_first(message: DeviceMessage) -> str:
            if message.id == ids[0]:
                raise ZeroDivisionError
            return "r-2"

        engine.world.push.on_send = break_on_the_first
        await engine.send()
        assert [await engine.status(key) for key in ids] == [S.TO_RETRY, S.DELIVERED_TO_NS]

    async def test_a_late_answer_prevents_a_second_send(self, engine: Engine) -> None:
        """[DM-55, DM-62] The device timed out, the repetition waits in its ready queue, the answer finishes it."""
        (message_id,) = await engine.enqueue(push_message())
        await engine.send()
        remote_id = (await engine.message(message_id)).delivery_queue_id
        await engine.apply("stub-push", news(S.SENT_TO_DEVICE, remote_id))
        await engine.world.pass_time(timedelta(seconds=12))
        assert await engine.tick.run(Stage.DEVICE) == 1
        await engine.world.pass_time(timedelta(seconds=2))
        await engine.tick.run(Stage.RETRY)
        assert await engine.status(message_id) is S.QUEUED
        await engine.apply("stub-push", news(S.DELIVERY_FAILED, remote_id))
        assert await engine.status(message_id) is S.QUEUED
        await engine.apply("stub-push", answer(remote_id))
        assert await engine.send() == 0
        assert await engine.events() == [("1", "SENT_TO_NS"), ("1", "DELIVERY_SUCCESSFUL")]

    async def test_repeated_events_are_harmless(self, engine: Engine) -> None:
        """[DM-19, DM-68] One end, however many paths reach it at once."""
        (message_id,) = await engine.enqueue(push_message())
        await engine.send()
        remote_id = (await engine.message(message_id)).delivery_queue_id
        others = [Engine(engine.world, f"engine-{number}") for number in range(4)]
        await asyncio.gather(*(other.apply("stub-push", answer(remote_id)) for other in others for _ in range(5)))
        assert await engine.events() == [("1", "SENT_TO_NS"), ("1", "DELIVERY_SUCCESSFUL")]
        assert engine.world.metrics.ends == ["DELIVERY_SUCCESSFUL"]

    async def test_a_nack_of_the_radio_is_an_attempt(self, engine: Engine) -> None:
        """[DM-53, DM-61]"""
        (message_id,) = await engine.enqueue(push_message())
        await engine.send()
        remote_id = (await engine.message(message_id)).delivery_queue_id
        await engine.apply("stub-push", news(S.DELIVERY_FAILED, remote_id))
        row = await engine.message(message_id)
        assert (row.delivery_status, row.past_delivery_queue_ids) == (S.TO_RETRY, (remote_id,))

    async def test_news_without_an_id_are_dropped(self, engine: Engine) -> None:
        """[DM-58]"""
        await engine.apply("stub-push", news(S.SENT_TO_DEVICE, None))
        assert await engine.events() == []

    async def test_what_nobody_claims_is_counted(self, engine: Engine) -> None:
        """[DM-59]"""
        await engine.apply("stub-push", answer("nobody's"))
        await engine.world.pass_time(timedelta(seconds=61))
        await engine.sweep()
        assert engine.world.metrics.orphans == 1

    async def test_news_of_the_meters_own_accord(self, engine: Engine) -> None:
        """[DM-57] Stored at once, without id and correlation id."""
        report = news(S.DELIVERY_SUCCESSFUL, None, command_type=CommandType.READ_REPORT, unsolicited=True)
        await engine.apply("stub-push", report)
        (body,) = await engine.bodies()
        assert body["message"] == {
            "deliveryStatus": "DELIVERY_SUCCESSFUL",
            "device": {"type": "ELECTRICITY_METER", "externalReference": "47003330001"},
            "commandType": "READ_REPORT",
            "unsolicited": True,
        }


class TestRelayNode:
    async def test_what_is_still_queued_remotely_waits(self, engine: Engine) -> None:
        """[DM-33]"""
        (message_id,) = await engine.enqueue(push_message())
        await engine.send()
        await engine.world.pass_time(timedelta(seconds=900))
        assert await engine.tick.run(Stage.RELAY_NODE) == 1
        assert await engine.status(message_id) is S.DELIVERED_TO_NS
        assert await engine.tick.run(Stage.RELAY_NODE) == 0

    async def test_what_is_gone_is_tried_again(self, engine: Engine) -> None:
        """[DM-33]"""
        (message_id,) = await engine.enqueue(push_message())
        await engine.send()
        engine.world.push.remote_statuses[(await engine.message(message_id)).delivery_queue_id] = S.DELIVERY_FAILED
        await engine.world.pass_time(timedelta(seconds=900))
        await engine.tick.run(Stage.RELAY_NODE)
        row = await engine.message(message_id)
        assert row.delivery_status is S.TO_RETRY
        assert row.failure_history[0].reason == "Timed out waiting for relay node to transmit message to device"

    @pytest.mark.parametrize(("trouble", "wait_s"), [(RemoteStatusUnknown("?"), 60), (ZeroDivisionError(), 900)])
    async def test_a_question_that_fails_moves_the_due_time(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch, trouble: Exception, wait_s: int
    ) -> None:
        """[DM-33, DM-39] An unanswered question is asked again in a minute, a defect waits as usual."""
        (message_id,) = await engine.enqueue(push_message())
        await engine.send()

        async def fail(_: DeviceMessage) -> DeliveryStatus:
            raise trouble

        monkeypatch.setattr(engine.world.push, "remote_status", fail)
        await engine.world.pass_time(timedelta(seconds=900))
        assert await engine.tick.run(Stage.RELAY_NODE) == 1
        await engine.world.pass_time(timedelta(seconds=wait_s - 2))
        assert await engine.tick.run(Stage.RELAY_NODE) == 0
        await engine.world.pass_time(timedelta(seconds=2))
        assert await engine.tick.run(Stage.RELAY_NODE) == 1
        assert await engine.status(message_id) is S.DELIVERED_TO_NS


class TestPull:
    async def test_from_enqueue_to_result(self, engine: Engine) -> None:
        """[DM-11, DM-48, DM-51]"""
        (message_id,) = await engine.enqueue(pull_message())
        await engine.send()
        assert await engine.tick.run(Stage.AWAITING_TASK) == 0
        await engine.world.pass_time(timedelta(seconds=10))
        assert await engine.tick.run(Stage.AWAITING_TASK) == 1
        row = await engine.message(message_id)
        assert row.delivery_status is S.DELIVERED_TO_NS
        engine.world.pull.results[row.delivery_queue_id] = answer(row.delivery_queue_id)
        await engine.world.pass_time(timedelta(seconds=10))
        await engine.tick.run(Stage.AWAITING_TASK)
        assert await engine.events() == [("1", "SENT_TO_NS"), ("1", "DELIVERY_SUCCESSFUL")]

    async def test_an_outage_while_polling_is_no_evidence(self, engine: Engine) -> None:
        """[DM-4, DM-49] Counted, and polled again; never sent again."""
        (message_id,) = await engine.enqueue(pull_message())
        await engine.send()

        async def fail(_: DeviceMessage) -> None:
            raise PollFailed("HTTP 502")

        engine.world.pull.on_poll = fail
        for _ in range(3):
            await engine.world.pass_time(timedelta(seconds=30))
            assert await engine.tick.run(Stage.AWAITING_TASK) == 1
        assert await engine.status(message_id) is S.DELIVERED_TO_NS
        assert engine.world.metrics.polls_failed == 3
        assert len(engine.world.pull.sent) == 1

    async def test_a_failed_task_is_an_attempt(self, engine: Engine) -> None:
        """[DM-61]"""
        (message_id,) = await engine.enqueue(pull_message())
        await engine.send()
        remote_id = (await engine.message(message_id)).delivery_queue_id
        engine.world.pull.results[remote_id] = news(
            S.DELIVERY_FAILED, remote_id, failure=FailureContext(reason="Meter offline", error_code="22")
        )
        await engine.world.pass_time(timedelta(seconds=10))
        await engine.tick.run(Stage.AWAITING_TASK)
        row = await engine.message(message_id)
        assert (row.delivery_status, row.failure_history[0].error_code) == (S.TO_RETRY, "22")

    async def test_polls_are_bounded(self, engine: Engine) -> None:
        """[DM-36] Ten at once."""
        await engine.enqueue(*[pull_message(number) for number in range(25)])
        await engine.send()
        at_once, most = 0, 0

        async def poll(_: DeviceMessage) -> None:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.01)
            at_once -= 1

        engine.world.pull.on_poll = poll
        await engine.world.pass_time(timedelta(seconds=10))
        assert await engine.tick.run(Stage.AWAITING_TASK) == 25
        assert most == 10


class TestEnds:
    async def test_a_message_whose_plugin_is_gone(self, engine: Engine) -> None:
        """[DM-38]"""
        await engine.enqueue(pull_message())
        await engine.send()
        await engine.world.pass_time(timedelta(seconds=10))
        without_pull = PluginSet.of(push=[engine.world.push])
        later = Engine(engine.world, "engine-2", without_pull)
        assert await later.tick.run(Stage.AWAITING_TASK) == 0
        assert await later.tick.run_stranded() == 1
        last = (await engine.bodies())[-1]["message"]
        assert last["failureHistory"][0]["reason"] == "Unknown or disabled pluginId: stub-pull"

    async def test_a_message_that_became_too_old_in_its_ready_queue(self, engine: Engine) -> None:
        """[DM-40]"""
        await engine.enqueue(push_message(1), push_message(2))
        await engine.world.pass_time(timedelta(seconds=601_201))
        assert await engine.send() == 0
        assert await engine.sweep() == 2
        assert await engine.events() == [("1", "DELIVERY_FAILED"), ("2", "DELIVERY_FAILED")]
        history = (await engine.bodies())[0]["message"]["failureHistory"]
        assert history[0]["reason"] == "Message expired before it could be delivered"

    async def test_a_message_that_became_too_old_in_a_stage(self, engine: Engine) -> None:
        """[DM-40]"""
        await engine.enqueue(push_message())
        await engine.send()
        await engine.world.pass_time(timedelta(seconds=601_201))
        await engine.tick.run(Stage.RELAY_NODE)
        assert (await engine.events())[-1] == ("1", "DELIVERY_FAILED")

    async def test_a_cancelled_message_is_never_sent(self, engine: Engine) -> None:
        """[DM-65, DM-66]"""
        await engine.enqueue(push_message())
        async with engine.world.adopter() as queue:
            assert await queue.cancel(["1"]) == {"1": CancelResult.CANCELLED}
        assert await engine.send() == 0
        assert await engine.events() == []

    async def test_twelve_attempts_then_the_end(self, engine: Engine) -> None:
        """[DM-52, DM-54, DM-56] Without jitter the waits are 2, 4, … 2048 s."""
        (message_id,) = await engine.enqueue(push_message())
        engine.world.push.on_send = _refuse("no answer")
        for attempt in range(12):
            assert await engine.send() == 1
            if attempt < 11:
                await engine.world.pass_time(timedelta(seconds=2 ** (attempt + 1) - 1))
                assert await engine.tick.run(Stage.RETRY) == 0
                await engine.world.pass_time(timedelta(seconds=1))
                assert await engine.tick.run(Stage.RETRY) == 1
        last = (await engine.bodies())[-1]["message"]
        assert (last["id"], last["deliveryStatus"], len(last["failureHistory"])) == (message_id, "DELIVERY_FAILED", 12)
        assert [entry["isFinal"] for entry in last["failureHistory"]] == [True, *[False] * 11]
        assert await engine.events() == [("1", "SENT_TO_NS"), ("1", "DELIVERY_FAILED")]


def _refuse(reason: str, *, skip_retry: bool = False) -> Any:
    async def refuse(_: DeviceMessage) -> str:
        raise SendFailed(FailureContext(reason=reason, skip_retry=skip_retry))

    return refuse
