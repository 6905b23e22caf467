"""The use cases of messaging on both stores: from enqueue to the one terminal event."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from tests.support.messaging_process import Engine, answer, news, refuse
from tests.support.messaging_worlds import World, push_message, token_message

from nxt_domain.messaging.model import (
    CommandType,
    DeliveryStatus,
    Device,
    DeviceMessage,
    EventHalf,
    ExecutionStatus,
    HalfKind,
    RelayNode,
    Response,
)
from nxt_domain.messaging.stages import Stage

S = DeliveryStatus


@pytest.fixture
def engine(world: World) -> Engine:
    return Engine(world)


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
        engine.world.push.on_send = refuse("Failed to enqueue message at ChirpStack")
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
        engine.world.push.on_send = refuse("Device not registered in Network Server (ChirpStack)", skip_retry=True)
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
