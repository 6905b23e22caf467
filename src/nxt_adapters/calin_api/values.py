"""Reading the vendors' answers: texts, numbers, dates. Total over any JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

import msgspec

from nxt_domain.messaging.model import (
    DeliveryStatus,
    Device,
    DeviceEvent,
    DeviceMessage,
    ExecutionStatus,
    FailureContext,
    Response,
)
from nxt_domain.shared.json import Json, JsonObject
from nxt_domain.shared.money import plain

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)", re.ASCII)
_MOST_DIGITS = 40
_LONGEST_TEXT = 200


class NotAsExpected(ValueError):
    """A value of an answer is not what its name says.

    Args:
        shown: What the vendor sent.
        expected: What should have been there, e.g. ``voltage number``.
    """

    def __init__(self, shown: str, expected: str) -> None:
        super().__init__(expected)
        self.shown = shown
        self.expected = expected


def text(value: Json) -> str:
    """Show any JSON value as one text; null is empty, numbers are in plain notation."""
    match value:
        case None:
            return ""
        case str():
            return value
        case Decimal() if _is_short(value):
            return plain(value)
        case _:
            return _as_json(value)


def _as_json(value: Json) -> str:
    try:
        return msgspec.json.encode(value).decode(errors="replace")
    except RecursionError:
        return "…"


def shortened(shown: str) -> str:
    """Cut a vendor's text to what a person reads."""
    return shown if len(shown) <= _LONGEST_TEXT else f"{shown[:_LONGEST_TEXT]}…"


def reason_of(value: Json) -> str:
    """Read a vendor's reason; empty when it gives none."""
    return shortened(" ".join(value.split())) if isinstance(value, str) else ""


def identifier(value: Json) -> str:
    """Read the id of a task, a text or a whole number; empty when there is none [DM-115, DM-127]."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def first_object(value: Json) -> JsonObject | None:
    """Take the first element of a list, if it is an object."""
    if isinstance(value, str) or not isinstance(value, Sequence) or not value:
        return None
    return value[0] if isinstance(value[0], Mapping) else None


def number(shown: str, expected: str, *, part: str | None = None) -> Decimal:
    """Read a decimal number; surrounding blanks are allowed [DM-118].

    Args:
        shown: What the vendor sent.
        expected: What should be there, e.g. ``voltage number``.
        part: Where in it the number stands; None: it is all of it.

    Raises:
        NotAsExpected: It is none, or one of more than 40 digits [R12].
    """
    trimmed = (shown if part is None else part).strip()
    if len(trimmed) > _MOST_DIGITS or not _NUMBER.fullmatch(trimmed):
        raise NotAsExpected(shown, expected)
    return Decimal(trimmed)


def day(shown: str, layout: re.Pattern[str], *, century: int = 0) -> JsonObject:
    """Read a date as three numbers [DM-118, DM-130].

    Args:
        shown: What the vendor sent.
        layout: With groups for year, month and day.
        century: Added to the year.

    Raises:
        NotAsExpected: It is laid out otherwise, or no such day exists.
    """
    match = layout.fullmatch(shown.strip())
    if match is None:
        raise NotAsExpected(shown, "date")
    try:
        read = date(century + int(match[1]), int(match[2]), int(match[3]))
    except ValueError as impossible:
        raise NotAsExpected(shown, "date") from impossible
    return {"year": read.year, "month": read.month, "day": read.day}


def unexpected(message: DeviceMessage, service: str, wrong: NotAsExpected) -> DeviceEvent:
    """Tell that a value makes no sense [DM-119]."""
    shown = shortened(wrong.shown)
    return not_executed(message, f'{service} responded with "{shown}" while we were expecting {wrong.expected}')


def succeeded(message: DeviceMessage, data: JsonObject | None) -> DeviceEvent:
    """Tell that a command was carried out."""
    return _ended(message, Response(status=ExecutionStatus.EXECUTION_SUCCESS, data=data))


def not_executed(message: DeviceMessage, reason: str, *, skip_retry: bool = False) -> DeviceEvent:
    """Tell that a command was delivered and not carried out; it is not retried [DM-10]."""
    failure = FailureContext(reason=reason, skip_retry=skip_retry)
    return _ended(message, Response(status=ExecutionStatus.EXECUTION_FAILURE), failure)


def not_delivered(message: DeviceMessage, failure: FailureContext) -> DeviceEvent:
    """Tell that a task came to nothing."""
    return _event(message, DeliveryStatus.DELIVERY_FAILED, failure=failure)


def _ended(message: DeviceMessage, response: Response, failure: FailureContext | None = None) -> DeviceEvent:
    return _event(message, DeliveryStatus.DELIVERY_SUCCESSFUL, response=response, failure=failure)


def _event(
    message: DeviceMessage,
    status: DeliveryStatus,
    *,
    response: Response | None = None,
    failure: FailureContext | None = None,
) -> DeviceEvent:
    return DeviceEvent(
        delivery_status=status,
        device=Device(external_reference=message.device.external_reference),
        delivery_queue_id=message.delivery_queue_id or None,
        command_type=message.command_type,
        response=response,
        failure=failure,
    )


def _is_short(value: Decimal) -> bool:
    # Plain notation of 1E999999999 would fill the memory [R12].
    return value.is_finite() and abs(value.adjusted()) < _MOST_DIGITS and len(value.as_tuple().digits) <= _MOST_DIGITS
