"""Commands as tasks of the first generation, and polls of them: pure [DM 11.2, 11.3]."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import attrs

from nxt_adapters.calin_api.commands import Kind, date_of, kind_of, token_of
from nxt_adapters.calin_api.values import identifier, reason_of, text
from nxt_domain.messaging.model import CommandType, DeviceMessage, FailureContext
from nxt_domain.messaging.ports import SendFailed
from nxt_domain.shared.json import Json, JsonObject

REJECTED = "99"

_CREATE: Mapping[Kind, str] = {
    Kind.READ: "/COMM_RemoteReading",
    Kind.CONTROL: "/COMM_RemoteControl",
    Kind.WRITE: "/COMM_RemoteWrite",
    Kind.TOKEN: "/COMM_RemoteToken",
}
_ITEMS: Mapping[CommandType, str] = {
    CommandType.READ_CREDIT: "Current Credit Register",
    CommandType.READ_VOLTAGE: "Voltage",
    CommandType.READ_CURRENT: "Current",
    CommandType.READ_POWER: "Power",
    CommandType.READ_POWER_LIMIT: "Maximum power threshold",
    CommandType.READ_VERSION: "Version",
    CommandType.READ_DATE: "Date",
    CommandType.TURN_ON: "Switch On",
    CommandType.TURN_OFF: "Switch Off",
    CommandType.SET_DATE: "Date",
}
_PER_PHASE = frozenset({CommandType.READ_VOLTAGE, CommandType.READ_CURRENT})
_SUNDAY = 7


@attrs.frozen(kw_only=True)
class Task:
    """A call that creates a task: its path, and its fields beside the credentials."""

    path: str
    fields: Mapping[str, str] = attrs.field(repr=False)


def task_of(message: DeviceMessage) -> Task:
    """Write a command as a task [DM-112].

    Raises:
        SendFailed: It can't be written, for good [DM-113, DM-114].
    """
    kind = kind_of(message)
    fields = {"MeterNo": message.device.external_reference}
    if kind is Kind.TOKEN:
        return Task(path=_CREATE[kind], fields={**fields, "Token": token_of(message)})
    fields["DataItem"] = _ITEMS[message.command_type]
    if message.phase is not None and message.command_type in _PER_PHASE:
        fields["DataItem"] += message.phase
    if kind is Kind.WRITE:
        fields["Data"] = date_payload(date_of(message))
    return Task(path=_CREATE[kind], fields=fields)


def poll_path(message: DeviceMessage) -> str:
    """Name where a command's task is asked about [DM-116].

    Raises:
        SendFailed: It has none.
    """
    return f"{_CREATE[kind_of(message)]}Task"


def date_payload(day: date) -> str:
    """Write a date with its weekday, 00 being Sunday: 2026-08-05 → ``26080503`` [DM-113]."""
    return f"{day:%y%m%d}{day.isoweekday() % _SUNDAY:02d}"


def task_number(answer: JsonObject, message: DeviceMessage) -> str:
    """Read the number of a new task [DM-115].

    Raises:
        SendFailed: The service made none.
    """
    result = answer.get("Result")
    number = identifier(result.get("TaskNo")) if isinstance(result, Mapping) else ""
    if number:
        return number
    code = answer.get("ResultCode")
    is_rejected = is_rejection(code)
    reason = f"CALIN API-V1 did not schedule task because: {reason_of(answer.get('Reason')) or 'unknown'}"
    if is_rejected and kind_of(message) is Kind.TOKEN:
        meter = message.device.external_reference
        reason = f"Token {token_of(message)} was immediately rejected for meter {meter}, possibly already delivered"
    raise SendFailed(FailureContext(reason=reason, error_code=code_number(code), skip_retry=is_rejected))


def is_rejection(code: Json) -> bool:
    """Whether a result code says that no repetition can help."""
    return text(code).strip() == REJECTED


def code_number(code: Json) -> int | None:
    """Read a result code as a number; None when it is none."""
    shown = text(code).strip()
    return int(shown) if shown.isascii() and shown.isdigit() and len(shown) <= len("2147483647") else None
