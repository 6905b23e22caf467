"""What the adopter is told, and in which shape [DM 15]."""

from __future__ import annotations

from datetime import datetime

from nxt_domain.messaging.model import (
    CommandType,
    DeliveryEvent,
    DeliveryStatus,
    DeviceEvent,
    DeviceMessage,
    Phase,
    Response,
)
from nxt_domain.messaging.wire import (
    device_from_json,
    device_to_json,
    failure_to_json,
    failures_from_json,
    instant_of,
    object_of,
    response_from_json,
    response_to_json,
    text_of,
    word_of,
)
from nxt_domain.shared.clock import iso_millis
from nxt_domain.shared.json import Json, JsonObject
from nxt_domain.shared.outbox import OutboxTask

DELIVERY_EVENT = "DELIVERY_EVENT"
"""Kind of the outbox task that carries an event to the adopter; it is never given up [R18]."""


def message_event(
    message: DeviceMessage, *, event_id: str, now: datetime, response: Response | None = None
) -> DeliveryEvent:
    """Tell the adopter where a message stands: its first hand-over, or its end [DM-152]."""
    return DeliveryEvent(
        event_id=event_id,
        occurred_at=now,
        plugin_id=message.plugin_id,
        delivery_status=message.delivery_status,
        device=message.device,
        message_id=message.id,
        correlation_id=message.correlation_id,
        command_type=message.command_type,
        phase=message.phase,
        response=response,
        failure_history=message.failure_history,
    )


def unsolicited_event(event: DeviceEvent, *, plugin_id: str, event_id: str, now: datetime) -> DeliveryEvent:
    """Tell the adopter what a meter said of its own accord [DM-57]."""
    return DeliveryEvent(
        event_id=event_id,
        occurred_at=now,
        plugin_id=plugin_id,
        delivery_status=event.delivery_status,
        device=event.device,
        command_type=event.command_type,
        response=event.response,
        unsolicited=True,
    )


def message_stream(correlation_id: str) -> str:
    """Name the stream of a message's events [R18]."""
    return f"message:{correlation_id}"


def delivery_task(event: DeliveryEvent) -> OutboxTask:
    """Wrap an event for the outbox; events of one correlation id stay in order [R18]."""
    if event.unsolicited:
        stream = f"meter:{event.device.external_reference}"
    else:
        stream = message_stream(event.correlation_id or event.message_id or "")
    return OutboxTask(
        kind=DELIVERY_EVENT,
        dedupe_key=f"delivery:{event.event_id}",
        stream_key=stream,
        payload=delivery_event_to_payload(event),
    )


def delivery_event_to_payload(event: DeliveryEvent) -> JsonObject:
    """Write the body of [DM-153]; what a command carried is never part of it."""
    message: dict[str, Json] = {
        "deliveryStatus": event.delivery_status.value,
        "device": device_to_json(event.device),
        "id": event.message_id,
        "correlationId": event.correlation_id,
        "commandType": event.command_type.value if event.command_type else None,
        "phase": event.phase.value if event.phase else None,
        "response": response_to_json(event.response) if event.response else None,
        "failureHistory": _history(event),
        "unsolicited": True if event.unsolicited else None,
    }
    return {
        "eventId": event.event_id,
        "occurredAt": iso_millis(event.occurred_at),
        "pluginId": event.plugin_id,
        "message": {name: value for name, value in message.items() if value is not None},
    }


def _history(event: DeliveryEvent) -> Json:
    # A message read from the store always has a history; a meter's own news has none.
    return None if event.unsolicited else [failure_to_json(record) for record in event.failure_history]


def delivery_event_from_payload(payload: object) -> DeliveryEvent:
    """Read the body of [DM-153].

    Raises:
        InvalidInput: It is not of that shape.
    """
    body = object_of(payload, "event")
    message = object_of(body.get("message"), "message")
    command, phase, response = message.get("commandType"), message.get("phase"), message.get("response")
    return DeliveryEvent(
        event_id=text_of(body.get("eventId"), "eventId"),
        occurred_at=instant_of(body.get("occurredAt"), "occurredAt"),
        plugin_id=text_of(body.get("pluginId"), "pluginId"),
        delivery_status=word_of(DeliveryStatus, message.get("deliveryStatus"), "message.deliveryStatus"),
        device=device_from_json(message.get("device")),
        message_id=_text_or_none(message, "id"),
        correlation_id=_text_or_none(message, "correlationId"),
        command_type=None if command is None else word_of(CommandType, command, "message.commandType"),
        phase=None if phase is None else word_of(Phase, phase, "message.phase"),
        response=None if response is None else response_from_json(response),
        failure_history=failures_from_json(message.get("failureHistory", ())),
        unsolicited=message.get("unsolicited") is True,
    )


def _text_or_none(source: JsonObject, name: str) -> str | None:
    value = source.get(name)
    return None if value is None else text_of(value, f"message.{name}")
