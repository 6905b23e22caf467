"""What the first generation's answer to a poll means: pure, and total over any JSON [DM 11.4]."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import structlog

from nxt_adapters.calin_api.v1.tasks import REJECTED, is_rejection
from nxt_adapters.calin_api.values import (
    NotAsExpected,
    day,
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
from nxt_domain.shared.json import JsonObject

TOKEN_REJECTED = "The token was rejected, possibly already delivered."  # noqa: S105 - a sentence about tokens
NO_STATUS = "CALIN API V1 gave no status or data for this task"
NOT_EXECUTED = "Delivery was successful but execution of the command failed"
EMPTY_VALUE = "CALIN API-V1 responded with an empty value"

_CENTURY = 2000
_DATE = re.compile(r"([0-9]{2})-([0-9]{2})-([0-9]{2})(?:\s+[0-9]{1,2})?", re.ASCII)
_PHASES = frozenset("ABC")
_WORDS = {"Voltage": "voltage", "Power": "power", "Current": "current"}
_FIXED: Mapping[str, JsonObject] = {
    "Switch On": {"turnOnAccepted": True},
    "Switch Off": {"turnOffAccepted": True},
    "Token": {"tokenAccepted": True},
}
_log = structlog.get_logger(__name__, module="messaging", plugin_id="calin-api-v1")

Reader = Callable[[str, DeviceMessage], JsonObject]


class _EmptyValue(ValueError):
    pass


def interpret(answer: JsonObject, message: DeviceMessage) -> DeviceEvent | None:
    """Turn an answer into news of the message; None: not yet [DM-117]."""
    result = answer.get("Result")
    if not isinstance(result, Mapping):
        return _without_result(answer, message)
    match result.get("Status"):
        case None | "" | "unknown":
            return None
        case "True":
            return _answered(result, message)
        case "False":
            reason = reason_of(answer.get("Reason"))
            return not_executed(message, reason if reason not in {"", "OK"} else NOT_EXECUTED)
        case unknown:
            _log.warning("CALIN API-V1 gave an unknown status", status=shortened(text(unknown)))
            return None


def _answered(result: JsonObject, message: DeviceMessage) -> DeviceEvent:
    try:
        return succeeded(message, _data(text(result.get("DataItem")).strip(), text(result.get("Data")), message))
    except _EmptyValue:
        return not_executed(message, EMPTY_VALUE)
    except NotAsExpected as wrong:
        return unexpected(message, "CALIN API-V1", wrong)


def _without_result(answer: JsonObject, message: DeviceMessage) -> DeviceEvent:
    if is_rejection(answer.get("ResultCode")):
        rejected = FailureContext(reason=TOKEN_REJECTED, error_code=int(REJECTED), skip_retry=True)
        return not_delivered(message, rejected)
    return not_delivered(message, FailureContext(reason=reason_of(answer.get("Reason")) or NO_STATUS))


def _data(item: str, shown: str, message: DeviceMessage) -> JsonObject | None:
    """Read a value by the name that the vendor gives it [DM-118]."""
    if item in _FIXED:
        return _FIXED[item]
    reader = _READERS.get(item)
    if reader is not None:
        return reader(shown, message)
    word, letter = (item[:-1], item[-1:]) if item[-1:] in _PHASES else (item, "")
    if item.startswith("Voltage"):
        word = "Voltage"
    if word in _WORDS:
        return _measured(_WORDS[word], letter, shown, message)
    if item == "Date" and message.command_type is CommandType.READ_DATE:
        return day(shown, _DATE, century=_CENTURY)
    if item == "Date" and message.command_type is CommandType.SET_DATE:
        return {"dateAccepted": True}
    _log.warning("CALIN API-V1 answered about something unknown", item=shortened(item))
    return None


def _measured(name: str, letter: str, shown: str, message: DeviceMessage) -> JsonObject:
    data = {name: number(shown, f"{name} number", part=_first_word(shown))}
    phase = letter or message.phase
    return data if phase is None else {**data, "phase": str(phase)}


def _credit(shown: str, _message: DeviceMessage) -> JsonObject:
    if not shown.strip():
        raise _EmptyValue
    kwh, _, relay = shown.partition(",")
    return {"kwhCreditAvailable": number(shown, "kWh and relay status", part=kwh), "isOn": relay.strip() == "ON"}


def _power_limit(shown: str, _message: DeviceMessage) -> JsonObject:
    return {"powerLimit": number(shown, "power limit number", part=_first_word(shown))}


def _version(shown: str, _message: DeviceMessage) -> JsonObject:
    return {"version": shown}


def _first_word(shown: str) -> str:
    return next(iter(shown.split()), "")


_READERS: Mapping[str, Reader] = {
    "Current Credit Register": _credit,
    "Maximum power threshold": _power_limit,
    "Version": _version,
}
