"""Messages as JSON: what is asked of the queue, and what a lookup shows [DM 2.2, DM 14.2, DM 14.3]."""

from __future__ import annotations

from nxt_domain.messaging.model import CommandType, DeliveryStatus, DeviceMessage, NewMessage, Phase
from nxt_domain.messaging.tuning import DeliveryPolicy
from nxt_domain.messaging.wire import (
    device_from_json,
    device_to_json,
    failure_to_json,
    failures_from_json,
    integer_of,
    number_of,
    object_of,
    optional,
    present,
    request_data_from_json,
    request_data_to_json,
    text_of,
    word_of,
)
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.ids import ulid_time
from nxt_domain.shared.json import JsonObject


def new_message_from_json(value: object) -> NewMessage:
    """Read the body of an enqueue request [DM-144].

    Raises:
        InvalidInput: It is not of that shape.
    """
    source = object_of(value, "message")
    phase, request = source.get("phase"), source.get("requestData")
    return NewMessage(
        command_type=word_of(CommandType, source.get("commandType"), "commandType"),
        priority=number_of(source.get("priority"), "priority"),
        plugin_id=text_of(source.get("pluginId"), "pluginId"),
        device=device_from_json(source.get("device")),
        request_data=None if request is None else request_data_from_json(request),
        phase=None if phase is None else word_of(Phase, phase, "phase"),
        network_id=optional(source.get("networkId"), integer_of, "networkId"),
        correlation_id=optional(source.get("correlationId"), text_of, "correlationId"),
    )


def new_message_to_json(message: NewMessage | DeviceMessage, *, with_token: bool = True) -> JsonObject:
    """Write what is asked of the queue: the body of an enqueue request."""
    request = message.request_data
    whole = {
        "commandType": message.command_type.value,
        "priority": int(message.priority) if message.priority.is_integer() else message.priority,
        "pluginId": message.plugin_id,
        "requestData": None if request is None else request_data_to_json(request, with_token=with_token),
        "phase": None if message.phase is None else message.phase.value,
        "correlationId": message.correlation_id,
        "device": device_to_json(message.device),
    }
    return {**present(whole), "networkId": message.network_id}


def message_to_json(message: DeviceMessage) -> JsonObject:
    """Write a live message as lookups show it; what is internal stays inside [DM-145, DM-146]."""
    return {
        "id": message.id,
        **new_message_to_json(message),
        "deliveryQueueId": message.delivery_queue_id,
        "deliveryStatus": message.delivery_status.value,
        "retryCount": message.retry_count,
        "failureHistory": [failure_to_json(record) for record in message.failure_history],
    }


def message_from_json(value: object) -> DeviceMessage:
    """Read a live message as lookups show it; what stays inside the service is unknown.

    Raises:
        InvalidInput: It is none.
    """
    source = object_of(value, "message")
    new = new_message_from_json(source)
    message_id = text_of(source.get("id"), "id")
    try:
        born = ulid_time(message_id)
    except ValueError as error:
        raise InvalidInput("id is no ULID") from error
    return DeviceMessage(
        id=message_id,
        command_type=new.command_type,
        priority=new.priority,
        plugin_id=new.plugin_id,
        device=new.device,
        ready_queue="",
        request_data=new.request_data,
        phase=new.phase,
        network_id=new.network_id,
        correlation_id=new.correlation_id,
        delivery_status=word_of(DeliveryStatus, source.get("deliveryStatus"), "deliveryStatus"),
        delivery_queue_id=text_of(source.get("deliveryQueueId"), "deliveryQueueId"),
        retry_count=integer_of(source.get("retryCount"), "retryCount"),
        failure_history=failures_from_json(source.get("failureHistory", ())),
        enqueued_at=born,
        expires_at=born + DeliveryPolicy().max_age,
    )
