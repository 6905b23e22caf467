"""The module's own JSON: camelCase, absent members left out. Storage, the outbox and HTTP all use it [DM 2.1]."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from nxt_domain.messaging.model import (
    CommandType,
    DeliveryStatus,
    Device,
    DeviceEvent,
    EventHalf,
    ExecutionStatus,
    FailureContext,
    FailureRecord,
    HalfKind,
    RelayNode,
    RequestData,
    Response,
    SetDate,
    SetTime,
)
from nxt_domain.shared.clock import iso_millis
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.json import Json, JsonObject

T = TypeVar("T")


def device_to_json(device: Device) -> JsonObject:
    """Write a device."""
    node = device.relay_node
    return present(
        {
            "type": device.type,
            "externalReference": device.external_reference,
            "relayNode": None
            if node is None
            else present(
                {"id": node.id, "externalReference": node.external_reference, "snr": node.snr, "rssi": node.rssi}
            ),
        }
    )


def device_from_json(value: object) -> Device:
    """Read a device.

    Raises:
        InvalidInput: It is none.
    """
    source = object_of(value, "device")
    node = source.get("relayNode")
    return Device(
        type=text_of(source.get("type", "ELECTRICITY_METER"), "device.type"),
        external_reference=text_of(source.get("externalReference"), "device.externalReference"),
        relay_node=None if node is None else _relay_node(object_of(node, "device.relayNode")),
    )


def _relay_node(source: Mapping[str, object]) -> RelayNode:
    return RelayNode(
        id=optional(source.get("id"), integer_of, "device.relayNode.id"),
        external_reference=optional(source.get("externalReference"), text_of, "device.relayNode.externalReference"),
        snr=optional(source.get("snr"), number_of, "device.relayNode.snr"),
        rssi=optional(source.get("rssi"), number_of, "device.relayNode.rssi"),
    )


def request_data_to_json(request: RequestData, *, with_token: bool = True) -> JsonObject:
    """Write what a command carries; the archive leaves the token out [R49]."""
    payload: Json = None
    match request.payload:
        case SetDate(year=year, month=month, day=day):
            payload = {"year": year, "month": month, "day": day}
        case SetTime(hour=hour, minute=minute, second=second):
            payload = present({"hour": hour, "minute": minute, "second": second})
    return present({"token": request.token if with_token else None, "payload": payload})


def request_data_from_json(value: object) -> RequestData:
    """Read what a command carries.

    Raises:
        InvalidInput: It is not of that shape.
    """
    source = object_of(value, "requestData")
    payload = source.get("payload")
    return RequestData(
        token=optional(source.get("token"), text_of, "requestData.token"),
        payload=None if payload is None else _clock_payload(object_of(payload, "requestData.payload")),
    )


def _clock_payload(source: Mapping[str, object]) -> SetDate | SetTime:
    parts = {name: integer_of(value, f"requestData.payload.{name}") for name, value in source.items()}
    kind = SetDate if "year" in parts else SetTime
    try:
        return kind(**parts)
    except (TypeError, ValueError) as error:
        raise InvalidInput("requestData.payload is neither a date nor a time") from error


def failure_to_json(record: FailureRecord) -> JsonObject:
    """Write an entry of a failure history [DM-56]."""
    return present(
        {
            "timestamp": iso_millis(record.timestamp),
            "status": record.status.value,
            "reason": record.reason,
            "errorCode": record.error_code,
            "details": record.details,
            "isFinal": record.is_final,
        }
    )


def failures_from_json(value: object) -> Sequence[FailureRecord]:
    """Read a failure history, newest first.

    Raises:
        InvalidInput: It is not of that shape.
    """
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise InvalidInput("failureHistory must be an array")
    return tuple(_failure_record(object_of(entry, "failureHistory")) for entry in value)


def _failure_record(source: Mapping[str, object]) -> FailureRecord:
    return FailureRecord(
        timestamp=instant_of(source.get("timestamp"), "failureHistory.timestamp"),
        status=word_of(DeliveryStatus, source.get("status"), "failureHistory.status"),
        reason=text_of(source.get("reason"), "failureHistory.reason"),
        error_code=_error_code(source.get("errorCode")),
        details=optional(source.get("details"), text_of, "failureHistory.details"),
        is_final=source.get("isFinal") is True,
    )


def response_to_json(response: Response) -> JsonObject:
    """Write a device's answer; exact numbers become JSON numbers."""
    return present({"status": response.status.value, "data": None if response.data is None else _plain(response.data)})


def response_from_json(value: object) -> Response:
    """Read a device's answer; its numbers stay as the JSON reader gave them.

    Raises:
        InvalidInput: It is not of that shape.
    """
    source = object_of(value, "response")
    data = source.get("data")
    return Response(
        status=word_of(ExecutionStatus, source.get("status"), "response.status"),
        data=None if data is None else object_of(data, "response.data"),
    )


def event_to_json(event: DeviceEvent) -> JsonObject:
    """Write a normalised event, as parked ones are stored [DM 2.5]."""
    return present(
        {
            "deliveryQueueId": event.delivery_queue_id,
            "deliveryStatus": event.delivery_status.value,
            "commandType": event.command_type,
            "device": device_to_json(event.device),
            "response": None if event.response is None else response_to_json(event.response),
            "failureContext": _failure_context_to_json(event.failure),
            "unsolicited": True if event.unsolicited else None,
        }
    )


def event_from_json(value: object) -> DeviceEvent:
    """Read a normalised event; also the body of ``stub-push``'s ingress [DM-168].

    Raises:
        InvalidInput: It is not of that shape.
    """
    source = object_of(value, "event")
    response, failure = source.get("response"), source.get("failureContext")
    command = optional(source.get("commandType"), text_of, "commandType")
    return DeviceEvent(
        delivery_queue_id=optional(source.get("deliveryQueueId"), text_of, "deliveryQueueId"),
        delivery_status=word_of(DeliveryStatus, source.get("deliveryStatus"), "deliveryStatus"),
        command_type=None if command is None else word_of(CommandType, command, "commandType"),
        device=device_from_json(source.get("device")),
        response=None if response is None else response_from_json(response),
        failure=None if failure is None else _failure_context_from_json(failure),
        unsolicited=source.get("unsolicited") is True,
    )


def half_to_json(half: EventHalf) -> JsonObject:
    """Write what a half holds beside its kind and deduplication id."""
    return present(
        {
            "deliveryQueueId": half.delivery_queue_id,
            "device": device_to_json(half.device),
            "response": None if half.response is None else response_to_json(half.response),
            "failureContext": _failure_context_to_json(half.failure),
        }
    )


def half_from_json(kind: HalfKind, deduplication_id: str, value: object) -> EventHalf:
    """Read a half.

    Raises:
        InvalidInput: It is not of that shape.
    """
    source = object_of(value, "half")
    response, failure = source.get("response"), source.get("failureContext")
    return EventHalf(
        kind=kind,
        deduplication_id=deduplication_id,
        device=device_from_json(source.get("device")),
        delivery_queue_id=optional(source.get("deliveryQueueId"), text_of, "deliveryQueueId"),
        response=None if response is None else response_from_json(response),
        failure=None if failure is None else _failure_context_from_json(failure),
    )


def _failure_context_to_json(failure: FailureContext | None) -> Json:
    if failure is None:
        return None
    return present(
        {
            "reason": failure.reason,
            "errorCode": failure.error_code,
            "details": failure.details,
            "skipRetry": True if failure.skip_retry else None,
        }
    )


def _failure_context_from_json(value: object) -> FailureContext:
    source = object_of(value, "failureContext")
    return FailureContext(
        reason=text_of(source.get("reason"), "failureContext.reason"),
        error_code=_error_code(source.get("errorCode")),
        details=optional(source.get("details"), text_of, "failureContext.details"),
        skip_retry=source.get("skipRetry") is True,
    )


def object_of(value: object, path: str) -> JsonObject:
    """Take a JSON object.

    Raises:
        InvalidInput: It is something else.
    """
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{path} must be an object")
    return value


def text_of(value: object, path: str) -> str:
    """Take a JSON string.

    Raises:
        InvalidInput: It is something else.
    """
    if not isinstance(value, str):
        raise InvalidInput(f"{path} must be a string")
    return value


def word_of(kind: Callable[[str], T], value: object, path: str) -> T:
    """Take a word of a closed vocabulary.

    Raises:
        InvalidInput: It is not one of them.
    """
    try:
        return kind(text_of(value, path))
    except ValueError as error:
        raise InvalidInput(f"{path} is unknown: {value}") from error


def instant_of(value: object, path: str) -> datetime:
    """Take an ISO-8601 instant.

    Raises:
        InvalidInput: It is something else.
    """
    try:
        return datetime.fromisoformat(text_of(value, path))
    except ValueError as error:
        raise InvalidInput(f"{path} must be an instant") from error


def _error_code(value: object) -> int | str | None:
    if value is None or isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise InvalidInput("errorCode must be a number or a string")


def integer_of(value: object, path: str) -> int:
    """Take a whole JSON number.

    Raises:
        InvalidInput: It is something else.
    """
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)  # 5.0 is whole, however it is written
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(f"{path} must be an integer")
    return value


def number_of(value: object, path: str) -> float:
    """Take a JSON number.

    Raises:
        InvalidInput: It is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise InvalidInput(f"{path} must be a number")
    return float(value)


def optional(value: object, read: Callable[[object, str], T], path: str) -> T | None:
    """Read a value, if there is one."""
    return None if value is None else read(value, path)


def present(members: Mapping[str, Json]) -> JsonObject:
    """Leave absent members out."""
    return {name: value for name, value in members.items() if value is not None}


def _plain(value: Json) -> Json:
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case Mapping():
            return {name: _plain(member) for name, member in value.items()}
        case str():
            return value
        case Sequence():
            return [_plain(member) for member in value]
        case _:
            return value
