"""Every decision about a live message, as pure functions of (row, what happened, now) [DM 5, 6, 7].

Each is taken while the row is locked, so that it sees the stage the message is in at that moment, whatever its
reporter last saw [DM-53]. A decision whose gate fails changes nothing: someone else was first [DM-21].
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeAlias

import attrs

from nxt_domain.messaging.model import (
    DeliveryStatus,
    Device,
    DeviceEvent,
    DeviceMessage,
    FailureContext,
    FailureRecord,
    Response,
)
from nxt_domain.messaging.stages import Pipeline, Stage, accepted_stage, stage_of
from nxt_domain.messaging.tuning import RECHECK_WAIT, TASK_AGE_LIMIT, DeliveryPolicy, Lane
from nxt_domain.shared.json import storable_text

EMPTY_ID = "Plugin returned an empty deliveryQueueId after sendOne"
EXPIRED = "Message expired before it could be delivered"
_HIDDEN = "•••"
_SHORTEST_TOKEN = 8
NEGATIVE_RESPONSE = "Unable to deliver message after negative remote response"
TASK_TIMED_OUT = "Timed out waiting for remote task completion"
TIMED_OUT = {
    Stage.NS: "Timed out waiting for Network Server to accept message",
    Stage.RELAY_NODE: "Timed out waiting for relay node to transmit message to device",
    Stage.DEVICE: "Timed out waiting for device response after transmission",
}


@attrs.frozen(kw_only=True)
class Moment:
    """What a decision depends on beside the message.

    Attributes:
        now: The database's time [DM-14].
        lane: The message's plug-in.
        policy: What holds for all plug-ins.
        jitter: Uniform in [0, 1), drawn for this decision.
    """

    now: datetime
    lane: Lane
    policy: DeliveryPolicy
    jitter: float

    def stage(self, message: DeviceMessage) -> Stage | None:
        """Tell where a message waits."""
        return stage_of(message.delivery_status, self.lane.pipeline)


@attrs.frozen
class Moved:
    """The message goes on, or waits on.

    Attributes:
        message: The row to write.
        missed: The gate that failed although something is to be written.
    """

    message: DeviceMessage
    missed: Stage | None = None


@attrs.frozen
class Finished:
    """The message is at its end and leaves the store [DM-11].

    Attributes:
        message: With its terminal status and whole history.
        response: What the device answered.
    """

    message: DeviceMessage
    response: Response | None = None


@attrs.frozen
class Unmoved:
    """Nothing changes.

    Attributes:
        reason: For the log.
        missed: The gate that failed, if that is why [DM-21].
    """

    reason: str
    missed: Stage | None = None


Step: TypeAlias = Moved | Finished | Unmoved
Decision = Callable[[DeviceMessage, Moment], Step]


def enter(message: DeviceMessage, stage: Stage, at: Moment, *, remote_id: str | None = None) -> DeviceMessage:
    """Put a message into a stage with its status and due time [DM-33].

    Args:
        message: The row.
        stage: Where it goes.
        at: The moment.
        remote_id: What it is called from now on; None: as before.
    """
    return attrs.evolve(
        message,
        delivery_status=stage.status,
        delivery_queue_id=message.delivery_queue_id if remote_id is None else remote_id,
        due_at=at.now + at.lane.entry_wait(stage),
    )


def accepted(message: DeviceMessage, at: Moment, *, attempt: int, remote_id: str) -> Step:
    """Take note that a send ended well [DM-42].

    When the attempt was given up meanwhile, its id is kept among the earlier ones, so that a late answer to it still
    finishes the message [DM-55].

    Args:
        message: The row.
        at: The moment.
        attempt: ``retry_count`` when the send began.
        remote_id: What the network server or vendor called it; also one found in its queue afterwards [R20].
    """
    remote_id = storable_text(remote_id)
    if message.retry_count == attempt and message.delivery_status is DeliveryStatus.SENT_TO_NS:
        if not remote_id:
            return attempt_failed(message, at, FailureContext(reason=EMPTY_ID, skip_retry=True))
        return Moved(enter(message, accepted_stage(at.lane.pipeline), at, remote_id=remote_id))
    if remote_id and not message.knows(remote_id):
        past = (*message.past_delivery_queue_ids, remote_id)
        return Moved(attrs.evolve(message, past_delivery_queue_ids=past), missed=Stage.NS)
    return Unmoved("the attempt was settled by someone else", missed=Stage.NS)


def refused(message: DeviceMessage, at: Moment, *, attempt: int, failure: FailureContext) -> Step:
    """Take note that a send failed [DM-43]."""
    if message.retry_count != attempt or message.delivery_status is not DeliveryStatus.SENT_TO_NS:
        return Unmoved("the attempt was settled by someone else", missed=Stage.NS)
    return attempt_failed(message, at, failure)


def attempt_failed(message: DeviceMessage, at: Moment, failure: FailureContext) -> Step:
    """End an attempt: the message waits for the next one, or is given up [DM-52, DM-56]."""
    if not message.delivery_status.is_in_flight:
        return Unmoved("no attempt is under way", missed=Stage.RETRY)
    is_final = at.policy.retry.is_final(failure, message.retry_count)
    record = _record(message, message.delivery_status, failure, at.now, is_final=is_final)
    if is_final:
        return _given_up(message, record)
    history = (record, *message.failure_history)
    past = tuple(message.past_delivery_queue_ids)
    if message.delivery_queue_id:
        past = (*past, message.delivery_queue_id)
    return Moved(
        attrs.evolve(
            message,
            delivery_status=DeliveryStatus.TO_RETRY,
            retry_count=message.retry_count + 1,
            failure_history=history,
            delivery_queue_id="",
            past_delivery_queue_ids=past,
            due_at=at.now + at.policy.retry.back_off(message.retry_count, at.jitter),
        )
    )


def requeued(message: DeviceMessage) -> DeviceMessage:
    """Put a message whose back-off has passed into its ready queue again, at its old priority [DM-55]."""
    return attrs.evolve(message, delivery_status=DeliveryStatus.QUEUED, due_at=None)


def waits_on(message: DeviceMessage, at: Moment, *, wait: timedelta | None = None) -> Step:
    """Leave a message in its stage and look again later [DM-33, DM-39].

    Args:
        message: The row.
        at: The moment.
        wait: None: what the stage prescribes.
    """
    stage = at.stage(message)
    if stage is None or stage is Stage.RETRY:
        return Unmoved("the message left its stage", missed=stage)
    wait = at.lane.wait_again(stage, message.age(at.now)) if wait is None else wait
    return Moved(attrs.evolve(message, due_at=at.now + wait))


def timed_out(message: DeviceMessage, at: Moment) -> Step:
    """End an attempt whose stage took too long [DM-33]."""
    stage = at.stage(message)
    if stage not in TIMED_OUT:
        return Unmoved("the message left its stage", missed=stage)
    return attempt_failed(message, at, FailureContext(reason=TIMED_OUT[stage]))


def still_queued_remotely(message: DeviceMessage, at: Moment, *, status: DeliveryStatus) -> Step:
    """Apply what the network server said about a message it should still hold [DM-33, DM-46]."""
    if status is DeliveryStatus.DELIVERY_FAILED:
        return timed_out(message, at)
    return waits_on(message, at)


def not_told(message: DeviceMessage, at: Moment) -> Step:
    """Look again in a minute, since the question itself failed [DM-33]."""
    return waits_on(message, at, wait=RECHECK_WAIT)


def polled(message: DeviceMessage, at: Moment, *, event: DeviceEvent | None) -> Step:
    """Apply a poll's result to the polled message itself [DM-48, DM-51]."""
    return waits_on(message, at) if event is None else _answered(message, at, event)


def expired(message: DeviceMessage, now: datetime) -> Finished:
    """Give up a message that has become too old [DM-40]."""
    return _finally(message, now, EXPIRED)


def task_lost(message: DeviceMessage, at: Moment) -> Step:
    """Give up a vendor task that is two days old [DM-47]."""
    return _finally(message, at.now, TASK_TIMED_OUT)


def is_task_lost(message: DeviceMessage, now: datetime) -> bool:
    """Whether a vendor task has no result after so long that none will come [DM-47]."""
    return message.age(now) >= TASK_AGE_LIMIT


def orphaned(message: DeviceMessage, now: datetime) -> Finished:
    """Give up a message whose plug-in is gone from the configuration [DM-38]."""
    return _finally(message, now, f"Unknown or disabled pluginId: {message.plugin_id}")


def event_applied(message: DeviceMessage, at: Moment, event: DeviceEvent, *, remote_id: str) -> Step:
    """Apply what a vendor said about one attempt of a message [DM-60 to DM-63].

    Args:
        message: The row.
        at: The moment.
        event: The news.
        remote_id: The attempt it speaks of; for all but an answer it must be the present one [DM-55].
    """
    if event.delivery_status is DeliveryStatus.DELIVERY_SUCCESSFUL:
        return _answered(message, at, event)
    if remote_id != message.delivery_queue_id:
        return Unmoved("late news of an earlier attempt")
    return _answered(message, at, event)


def _answered(message: DeviceMessage, at: Moment, event: DeviceEvent) -> Step:
    match event.delivery_status:
        case DeliveryStatus.DELIVERY_SUCCESSFUL:
            return _delivered(message, at, event)
        case DeliveryStatus.DELIVERY_FAILED:
            return attempt_failed(message, at, event.failure or FailureContext(reason=NEGATIVE_RESPONSE))
        case DeliveryStatus.SENT_TO_DEVICE:
            return _radiated(message, at)
        case _:
            return Unmoved(f"{event.delivery_status} moves no message")


def _radiated(message: DeviceMessage, at: Moment) -> Step:
    if at.lane.pipeline is Pipeline.PUSH and at.stage(message) is Stage.RELAY_NODE:
        return Moved(enter(message, Stage.DEVICE, at))
    return Unmoved("radiated, but not waiting for that")


def _delivered(message: DeviceMessage, at: Moment, event: DeviceEvent) -> Finished:
    history = message.failure_history
    if event.failure is not None:
        record = _record(message, DeliveryStatus.DELIVERY_SUCCESSFUL, event.failure, at.now, is_final=True)
        history = (record, *history)
    done = attrs.evolve(
        message,
        delivery_status=DeliveryStatus.DELIVERY_SUCCESSFUL,
        device=_heard_by(message.device, event.device),
        failure_history=history,
        due_at=None,
    )
    return Finished(done, event.response)


def _heard_by(device: Device, event_device: Device) -> Device:
    # A push answer brings the gateway that heard it and its signal [DM-62].
    return device if event_device.relay_node is None else attrs.evolve(device, relay_node=event_device.relay_node)


def _finally(message: DeviceMessage, now: datetime, reason: str) -> Finished:
    failure = FailureContext(reason=reason)
    return _given_up(message, _record(message, message.delivery_status, failure, now, is_final=True))


def _given_up(message: DeviceMessage, record: FailureRecord) -> Finished:
    return Finished(
        attrs.evolve(
            message,
            delivery_status=DeliveryStatus.DELIVERY_FAILED,
            failure_history=(record, *message.failure_history),
            due_at=None,
        )
    )


def _record(
    message: DeviceMessage, status: DeliveryStatus, failure: FailureContext, now: datetime, *, is_final: bool
) -> FailureRecord:
    return FailureRecord(
        timestamp=now,
        status=status,
        reason=_without_token(message, failure.reason),
        error_code=failure.error_code,
        details=None if failure.details is None else _without_token(message, failure.details),
        is_final=is_final,
    )


def _without_token(message: DeviceMessage, text: str) -> str:
    # Vendors name the token that they refuse; the history goes into the outbox, where no token may be [R49, DM-171].
    token = message.request_data.token if message.request_data else None
    return text.replace(token, _HIDDEN) if token and len(token.strip()) >= _SHORTEST_TOKEN else text
