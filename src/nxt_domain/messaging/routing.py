"""Which ready queue a new message waits in, and what may not be enqueued at all [DM-144]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from nxt_domain.messaging.admission import owner_of
from nxt_domain.messaging.model import CancelResult, DeliveryStatus, DeviceMessage, NewMessage
from nxt_domain.messaging.ports import Intake
from nxt_domain.shared.errors import InvalidInput

CANCELLABLE = frozenset({DeliveryStatus.QUEUED, DeliveryStatus.TO_RETRY})
"""Statuses in which no attempt is under way [DM-65]."""


def ready_queues(messages: Sequence[NewMessage], couriers: Mapping[str, Intake]) -> Sequence[str]:
    """Name the ready queue of each message, in the same order.

    Raises:
        InvalidInput: A plug-in is unknown, does not know a command, or lacks what it routes by.
    """
    return [_ready_queue(message, couriers) for message in messages]


def _ready_queue(message: NewMessage, couriers: Mapping[str, Intake]) -> str:
    plugin_id = message.plugin_id
    courier = couriers.get(plugin_id)
    if courier is None:
        raise InvalidInput(f"Unknown or disabled pluginId: {plugin_id}", code="UNKNOWN_PLUGIN")
    if message.command_type not in courier.supported_commands:
        raise InvalidInput(
            f"Plugin {plugin_id} does not support commandType: {message.command_type}", code="UNSUPPORTED_COMMAND"
        )
    try:
        queue = courier.ready_queue(message)
    except InvalidInput as refusal:
        raise InvalidInput(f"Plugin {plugin_id}: {refusal.message}", code=refusal.code) from refusal
    if owner_of(queue) != plugin_id:
        raise InvalidInput(f"Plugin {plugin_id}: malformed ready queue {queue}")
    return queue


def newborn(
    message: NewMessage, *, message_id: str, ready_queue: str, now: datetime, max_age: timedelta
) -> DeviceMessage:
    """Make the row of a new message."""
    return DeviceMessage(
        id=message_id,
        command_type=message.command_type,
        priority=message.priority,
        plugin_id=message.plugin_id,
        device=message.device,
        ready_queue=ready_queue,
        request_data=message.request_data,
        phase=message.phase,
        network_id=message.network_id,
        correlation_id=message.correlation_id,
        enqueued_at=now,
        expires_at=now + max_age,
    )


def is_cancellable(message: DeviceMessage, now: datetime) -> bool:
    """Whether a message can still be taken back: nothing was handed over, and no engine holds it [DM-16]."""
    is_leased = message.lease_until is not None and message.lease_until > now
    return message.delivery_status in CANCELLABLE and not is_leased


def cancel_result(*, found: int, cancelled: int) -> CancelResult:
    """Sum up what became of all messages of one correlation id [DM-65]."""
    if found == 0:
        return CancelResult.NOT_FOUND
    return CancelResult.CANCELLED if cancelled == found else CancelResult.NOT_CANCELLABLE


def current_of(messages: Sequence[DeviceMessage]) -> DeviceMessage | None:
    """Choose what a lookup shows: the newest without phase, else the newest of the first phase there is [DM-64]."""
    if not messages:
        return None
    first_phase = min((message.phase or "") for message in messages)
    return max((message for message in messages if (message.phase or "") == first_phase), key=lambda found: found.id)
