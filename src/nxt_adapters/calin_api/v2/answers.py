"""What the second generation's answer to a poll means: pure, and total over any JSON [DM 12.3]."""

from __future__ import annotations

import re
from collections.abc import Mapping

import structlog

from nxt_adapters.calin_api.values import (
    NotAsExpected,
    day,
    first_object,
    not_delivered,
    not_executed,
    number,
    reason_of,
    shortened,
    succeeded,
    text,
    unexpected,
)
from nxt_domain.messaging.model import CommandType, DeviceEvent, DeviceMessage, FailureContext
from nxt_domain.shared.json import Json, JsonObject

TOKEN_REJECTED = "The token was rejected, possibly already delivered"  # noqa: S105 - a sentence about tokens
NO_STATUS = "CALIN API-V2 gave no status or data for this task"
NOT_EXECUTED = "Delivery was successful but execution of the command failed"

_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)?", re.ASCII)
_NUMBERS: Mapping[str, tuple[str, str]] = {
    "Current Credit Balance": ("kwhCreditAvailable", "credit number"),
    "Phase-A Voltage": ("voltage", "voltage number"),
    "Power": ("power", "power number"),
    "Phase-A Current(A)": ("current", "current number"),
    "Maximum power threshold": ("powerLimit", "power limit number"),
}
_log = structlog.get_logger(__name__, module="messaging", plugin_id="calin-api-v2")


def interpret(answer: JsonObject, message: DeviceMessage) -> DeviceEvent | None:
    """Turn an answer into news of the message; None: not yet [DM-129]."""
    result = answer.get("result")
    task = first_object(result.get("data")) if isinstance(result, Mapping) else None
    reason = reason_of(answer.get("reason"))
    if task is None:
        return not_delivered(message, FailureContext(reason=reason or NO_STATUS))
    match _status(task.get("status")):
        case 0:
            return None
        case 1:
            return _answered(task, message)
        case 3:
            return not_executed(message, TOKEN_REJECTED, skip_retry=True)
        case int(status) if status > 1:
            return not_executed(message, reason if reason not in {"", "success"} else NOT_EXECUTED)
        case _:
            _log.warning("CALIN API-V2 gave an unknown status", status=shortened(text(task.get("status"))))
            return None


def _answered(task: JsonObject, message: DeviceMessage) -> DeviceEvent:
    try:
        return succeeded(message, _data(text(task.get("name")).strip(), text(task.get("data")), message))
    except NotAsExpected as wrong:
        return unexpected(message, "CALIN API-V2", wrong)


def _status(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _data(name: str, shown: str, message: DeviceMessage) -> JsonObject | None:
    """Read a value by the name that the vendor gives it [DM-130]."""
    if name in _NUMBERS:
        key, expected = _NUMBERS[name]
        return {key: number(shown, expected)}
    if name == "Token":
        return {"tokenAccepted": True}
    if name == "Clock(time)":
        return {"dateAccepted": True} if message.command_type is CommandType.SET_DATE else day(shown, _DATE)
    if name == "Relay On/Off":
        return {"turnOnAccepted": True} if shown == "Connected" else {"turnOffAccepted": True}
    if name == "Meter Firmware Version":
        return {"version": shown}
    _log.warning("CALIN API-V2 answered about something unknown", name=shortened(name))
    return None
