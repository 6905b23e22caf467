"""Waiting, polling, giving up: the rest of a message's life, on both stores."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from tests.support.messaging_process import Engine, answer, news, refuse
from tests.support.messaging_worlds import World, pull_message, push_message

from nxt_domain.messaging.model import (
    CancelResult,
    DeliveryStatus,
    DeviceMessage,
    FailureContext,
)
from nxt_domain.messaging.plugins import PluginSet
from nxt_domain.messaging.ports import PollFailed, RemoteStatusUnknown
from nxt_domain.messaging.stages import Stage

S = DeliveryStatus


@pytest.fixture
def engine(world: World) -> Engine:
    return Engine(world)


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
        engine.world.push.on_send = refuse("no answer")
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
