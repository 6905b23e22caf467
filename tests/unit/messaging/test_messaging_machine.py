"""Every decision about a message, one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from nxt_domain.messaging import machine
from nxt_domain.messaging.machine import Finished, Moment, Moved, Unmoved
from nxt_domain.messaging.model import (
    CommandType,
    DeliveryStatus,
    Device,
    DeviceEvent,
    DeviceMessage,
    ExecutionStatus,
    FailureContext,
    FailureRecord,
    RelayNode,
    RequestData,
    Response,
)
from nxt_domain.messaging.stages import Pipeline, Stage
from nxt_domain.messaging.tuning import DeliveryPolicy, Lane
from nxt_domain.shared.ids import UlidFactory

NOW = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)
S = DeliveryStatus
READ = Response(status=ExecutionStatus.EXECUTION_SUCCESS, data={"kwhCreditAvailable": 123.45})


class _At:
    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant


def message(status: S = S.SENT_TO_NS, *, age: timedelta = timedelta(0), **changes: Any) -> DeviceMessage:
    values: dict[str, Any] = {
        "id": UlidFactory(_At(NOW - age))(),
        "command_type": CommandType.READ_CREDIT,
        "priority": 30.0,
        "plugin_id": "stub-push",
        "device": Device(external_reference="47003333771", relay_node=RelayNode(id=7)),
        "ready_queue": "queue:stub-push:network:42",
        "delivery_status": status,
        "delivery_queue_id": "r-1" if status in {S.DELIVERED_TO_NS, S.SENT_TO_DEVICE} else "",
        "enqueued_at": NOW - age,
        "expires_at": NOW - age + timedelta(days=6),
    }
    return DeviceMessage(**(values | changes))


def at(pipeline: Pipeline = Pipeline.PUSH, jitter: float = 0.0) -> Moment:
    return Moment(now=NOW, lane=Lane(pipeline=pipeline), policy=DeliveryPolicy(), jitter=jitter)


def moved(step: machine.Step) -> DeviceMessage:
    assert isinstance(step, Moved)
    return step.message


def finished(step: machine.Step) -> Finished:
    assert isinstance(step, Finished)
    return step


def event(status: S, **changes: Any) -> DeviceEvent:
    values: dict[str, Any] = {"device": Device(external_reference="47003333771"), "delivery_queue_id": "r-1"}
    return DeviceEvent(delivery_status=status, **(values | changes))


class TestSending:
    @pytest.mark.parametrize(("pipeline", "wait_s"), [(Pipeline.PUSH, 900), (Pipeline.PULL, 10)])
    def test_an_accepted_send_goes_on(self, pipeline: Pipeline, wait_s: int) -> None:
        """[DM-34, DM-42]"""
        row = moved(machine.accepted(message(), at(pipeline), attempt=0, remote_id="r-1"))
        assert (row.delivery_status, row.delivery_queue_id) == (S.DELIVERED_TO_NS, "r-1")
        assert row.due_at == NOW + timedelta(seconds=wait_s)

    def test_an_empty_id_is_final(self) -> None:
        """[DM-42]"""
        end = finished(machine.accepted(message(), at(), attempt=0, remote_id=""))
        assert end.message.delivery_status is S.DELIVERY_FAILED
        assert end.message.failure_history[0].reason == "Plugin returned an empty deliveryQueueId after sendOne"
        assert end.message.failure_history[0].is_final

    def test_a_send_that_ends_after_its_attempt_was_given_up_leaves_its_id(self) -> None:
        """[DM-21, DM-55] A late answer to it must still find the message."""
        given_up = message(S.TO_RETRY, retry_count=1, past_delivery_queue_ids=("r-0",))
        step = machine.accepted(given_up, at(), attempt=0, remote_id="r-1")
        assert isinstance(step, Moved)
        assert step.missed is Stage.NS
        assert step.message == attrs.evolve(given_up, past_delivery_queue_ids=("r-0", "r-1"))

    def test_an_adopted_send_that_ends_after_all_changes_nothing(self) -> None:
        """[R20] Both found the same item."""
        adopted = message(S.DELIVERED_TO_NS)
        step = machine.accepted(adopted, at(), attempt=0, remote_id="r-1")
        assert step == Unmoved("the attempt was settled by someone else", missed=Stage.NS)

    def test_a_refused_send_waits_out_its_back_off(self) -> None:
        """[DM-43, DM-54, DM-56]"""
        failure = FailureContext(reason="Failed to enqueue message at ChirpStack", error_code=14, details="refused")
        row = moved(machine.refused(message(retry_count=3), at(jitter=0.5), attempt=3, failure=failure))
        assert (row.delivery_status, row.retry_count) == (S.TO_RETRY, 4)
        assert row.due_at == NOW + timedelta(seconds=20)
        assert row.failure_history == (
            FailureRecord(
                timestamp=NOW,
                status=S.SENT_TO_NS,
                reason="Failed to enqueue message at ChirpStack",
                error_code=14,
                details="refused",
            ),
        )

    @pytest.mark.parametrize(
        "row", [message(S.DELIVERED_TO_NS), message(S.SENT_TO_NS, retry_count=1), message(S.QUEUED)]
    )
    def test_a_refusal_of_a_settled_attempt_is_a_miss(self, row: DeviceMessage) -> None:
        """[DM-21]"""
        step = machine.refused(row, at(), attempt=0, failure=FailureContext(reason="late"))
        assert isinstance(step, Unmoved)
        assert step.missed is Stage.NS

    def test_the_last_failure_ends_the_message(self) -> None:
        """[DM-52, DM-56] Newest first; only the last one is final."""
        old = FailureRecord(timestamp=NOW, status=S.SENT_TO_NS, reason="before")
        end = finished(machine.timed_out(message(retry_count=11, failure_history=(old,)), at()))
        assert [(record.reason, record.is_final) for record in end.message.failure_history] == [
            ("Timed out waiting for Network Server to accept message", True),
            ("before", False),
        ]


class TestWaiting:
    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            (S.SENT_TO_NS, "Timed out waiting for Network Server to accept message"),
            (S.DELIVERED_TO_NS, "Timed out waiting for relay node to transmit message to device"),
            (S.SENT_TO_DEVICE, "Timed out waiting for device response after transmission"),
        ],
    )
    def test_time_outs(self, status: S, reason: str) -> None:
        """[DM-33, DM-16] The attempt fails; its remote id stays known."""
        row = moved(machine.timed_out(message(status), at()))
        assert row.delivery_status is S.TO_RETRY
        assert row.failure_history[0].reason == reason
        assert row.failure_history[0].status is status
        assert row.delivery_queue_id == ""
        assert row.past_delivery_queue_ids == (() if status is S.SENT_TO_NS else ("r-1",))

    def test_what_the_network_still_holds_waits_again(self) -> None:
        """[DM-33]"""
        row = moved(machine.still_queued_remotely(message(S.DELIVERED_TO_NS), at(), status=S.QUEUED))
        assert (row.delivery_status, row.due_at) == (S.DELIVERED_TO_NS, NOW + timedelta(seconds=900))

    def test_what_the_network_lost_is_tried_again(self) -> None:
        """[DM-33, DM-46]"""
        row = moved(machine.still_queued_remotely(message(S.DELIVERED_TO_NS), at(), status=S.DELIVERY_FAILED))
        assert row.delivery_status is S.TO_RETRY

    def test_an_unanswered_question_is_asked_again_in_a_minute(self) -> None:
        """[DM-33]"""
        row = moved(machine.not_told(message(S.DELIVERED_TO_NS), at()))
        assert row.due_at == NOW + timedelta(seconds=60)

    def test_a_task_without_result_is_polled_by_age(self) -> None:
        """[DM-48]"""
        row = moved(
            machine.polled(message(S.DELIVERED_TO_NS, age=timedelta(seconds=60)), at(Pipeline.PULL), event=None)
        )
        assert row.due_at == NOW + timedelta(seconds=20)

    def test_a_task_is_lost_after_two_days(self) -> None:
        """[DM-47]"""
        old = message(S.DELIVERED_TO_NS, age=timedelta(hours=48))
        assert machine.is_task_lost(old, NOW)
        assert not machine.is_task_lost(message(age=timedelta(hours=47, minutes=59)), NOW)
        newest = finished(machine.task_lost(old, at(Pipeline.PULL))).message.failure_history[0]
        assert (newest.status, newest.reason, newest.is_final) == (
            S.DELIVERED_TO_NS,
            "Timed out waiting for remote task completion",
            True,
        )

    def test_expiry_and_lost_plugins_are_final(self) -> None:
        """[DM-38, DM-40]"""
        assert machine.expired(message(S.QUEUED), NOW).message.failure_history[0].reason == (
            "Message expired before it could be delivered"
        )
        end = machine.orphaned(message(S.TO_RETRY), NOW).message
        assert end.delivery_status is S.DELIVERY_FAILED
        assert end.failure_history[0].reason == "Unknown or disabled pluginId: stub-push"
        assert end.failure_history[0].is_final


class TestEvents:
    @pytest.mark.parametrize("status", [S.QUEUED, S.SENT_TO_NS, S.DELIVERED_TO_NS, S.SENT_TO_DEVICE, S.TO_RETRY])
    def test_an_answer_finishes_from_anywhere(self, status: S) -> None:
        """[DM-62] Also a late one to an earlier attempt; it brings the gateway."""
        gateway = RelayNode(external_reference="gw-best", snr=10, rssi=-90)
        answer = event(
            S.DELIVERY_SUCCESSFUL,
            response=READ,
            device=Device(external_reference="47003333771", relay_node=gateway),
        )
        row = message(status, past_delivery_queue_ids=("r-0",))
        end = finished(machine.event_applied(row, at(), answer, remote_id="r-0"))
        assert end.response == READ
        assert end.message.delivery_status is S.DELIVERY_SUCCESSFUL
        assert end.message.device.relay_node == gateway
        assert end.message.failure_history == ()

    def test_an_answer_without_gateway_leaves_the_device(self) -> None:
        """[DM-62]"""
        end = finished(machine.event_applied(message(), at(), event(S.DELIVERY_SUCCESSFUL), remote_id="r-1"))
        assert end.message.device.relay_node == RelayNode(id=7)

    def test_a_failed_execution_is_a_delivery(self) -> None:
        """[DM-10, DM-56] It is never retried, and its reason is kept."""
        refusal = event(
            S.DELIVERY_SUCCESSFUL,
            response=Response(status=ExecutionStatus.EXECUTION_FAILURE, data={"tokenAccepted": False}),
            failure=FailureContext(reason="Delivery was successful but the token was not accepted"),
        )
        end = finished(machine.event_applied(message(S.SENT_TO_DEVICE), at(), refusal, remote_id="r-1"))
        (record,) = end.message.failure_history
        assert (record.status, record.is_final) == (S.DELIVERY_SUCCESSFUL, True)

    def test_a_token_in_a_vendors_words_is_not_kept(self) -> None:
        """[R49, DM-171] The history goes to the outbox, the archive and dashboards."""
        token = "12345678901234567890"
        words = f"Token {token} was immediately rejected"
        failure = FailureContext(reason=words, details=f"({token})", error_code=99, skip_retry=True)
        row = message(request_data=RequestData(token=token))
        (record,) = finished(machine.refused(row, at(), attempt=0, failure=failure)).message.failure_history
        assert (record.reason, record.details) == ("Token ••• was immediately rejected", "(•••)")
        blank = message(request_data=RequestData(token=" "))
        (record,) = finished(machine.refused(blank, at(), attempt=0, failure=failure)).message.failure_history
        assert record.reason == words

    def test_radiated(self) -> None:
        """[DM-60]"""
        row = moved(machine.event_applied(message(S.DELIVERED_TO_NS), at(), event(S.SENT_TO_DEVICE), remote_id="r-1"))
        assert (row.delivery_status, row.due_at) == (S.SENT_TO_DEVICE, NOW + timedelta(seconds=12))

    @pytest.mark.parametrize(
        ("row", "pipeline"),
        [
            (message(S.SENT_TO_DEVICE), Pipeline.PUSH),
            (message(S.DELIVERED_TO_NS), Pipeline.PULL),
            (message(S.TO_RETRY, delivery_queue_id="r-1"), Pipeline.PUSH),
        ],
    )
    def test_radiated_elsewhere_has_no_effect(self, row: DeviceMessage, pipeline: Pipeline) -> None:
        """[DM-60]"""
        step = machine.event_applied(row, at(pipeline), event(S.SENT_TO_DEVICE), remote_id="r-1")
        assert isinstance(step, Unmoved)

    @pytest.mark.parametrize("status", [S.DELIVERED_TO_NS, S.SENT_TO_DEVICE])
    def test_a_nack_is_honoured_wherever_the_message_is(self, status: S) -> None:
        """[DM-53, DM-61]"""
        row = moved(machine.event_applied(message(status), at(), event(S.DELIVERY_FAILED), remote_id="r-1"))
        assert row.delivery_status is S.TO_RETRY
        assert row.failure_history[0].reason == "Unable to deliver message after negative remote response"
        assert row.failure_history[0].status is status

    def test_a_nack_brings_its_own_reason(self) -> None:
        """[DM-61]"""
        nack = event(S.DELIVERY_FAILED, failure=FailureContext(reason="not acknowledged"))
        row = moved(machine.event_applied(message(S.SENT_TO_DEVICE), at(), nack, remote_id="r-1"))
        assert row.failure_history[0].reason == "not acknowledged"

    @pytest.mark.parametrize("status", [S.DELIVERY_FAILED, S.SENT_TO_DEVICE])
    def test_late_news_of_an_earlier_attempt_is_ignored(self, status: S) -> None:
        """[DM-55]"""
        row = message(S.DELIVERED_TO_NS, past_delivery_queue_ids=("r-0",))
        assert isinstance(machine.event_applied(row, at(), event(status), remote_id="r-0"), Unmoved)

    @pytest.mark.parametrize("status", [S.QUEUED, S.SENT_TO_NS, S.DELIVERED_TO_NS, S.TO_RETRY])
    def test_any_other_status_is_dropped(self, status: S) -> None:
        """[DM-63]"""
        step = machine.event_applied(message(S.DELIVERED_TO_NS), at(), event(status), remote_id="r-1")
        assert isinstance(step, Unmoved)
