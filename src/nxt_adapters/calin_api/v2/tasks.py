"""Commands as tasks of the second generation, and polls of them: pure [DM 12.2, 12.3]."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from nxt_adapters.calin_api.commands import Kind, date_of, kind_of, token_of
from nxt_adapters.calin_api.values import first_object, identifier, reason_of
from nxt_domain.messaging.model import TOKEN_COMMANDS, CommandType, DeviceMessage, FailureContext
from nxt_domain.messaging.ports import SendFailed
from nxt_domain.shared.json import JsonObject

_PREFIX = "/API/RemoteMeterTask"
_TOKEN_PROTOCOL = 30000
_PROTOCOLS: Mapping[CommandType, int] = {
    CommandType.READ_CREDIT: 39,
    CommandType.READ_VOLTAGE: 5,
    CommandType.READ_CURRENT: 8,
    CommandType.READ_POWER: 11,
    CommandType.READ_DATE: 29,
    CommandType.READ_VERSION: 45,
    CommandType.READ_POWER_LIMIT: 46,
    CommandType.TURN_ON: 20000,
    CommandType.TURN_OFF: 20001,
    CommandType.SET_DATE: 10000,
    **dict.fromkeys(TOKEN_COMMANDS, _TOKEN_PROTOCOL),
}


@attrs.frozen(kw_only=True)
class Task:
    """A call that creates a task: its path, and what it says beside who we are."""

    path: str
    fields: JsonObject = attrs.field(repr=False)


def task_of(message: DeviceMessage) -> Task:
    """Write a command as a task; any phase is ignored [DM-126, DM-9].

    Raises:
        SendFailed: It can't be written, for good [DM-127].
    """
    kind = kind_of(message)
    fields: dict[str, str | int] = {
        "meterId": message.device.external_reference,
        "protocolId": _PROTOCOLS[message.command_type],
    }
    if kind is Kind.WRITE:
        fields["data"] = f"{date_of(message):%Y-%m-%d} 00:00:00"
    if kind is Kind.TOKEN:
        fields["data"] = token_of(message)
    return Task(path=f"{_PREFIX}/Create{kind}Task", fields=fields)


def poll_path(message: DeviceMessage) -> str:
    """Name where a command's task is asked about [DM-128].

    Raises:
        SendFailed: It has none.
    """
    return f"{_PREFIX}/Get{kind_of(message)}Task"


def task_id(answer: JsonObject) -> str:
    """Read the id of a new task [DM-127].

    Raises:
        SendFailed: The service made none; it may do so next time.
    """
    first = first_object(answer.get("result"))
    found = "" if first is None else identifier(first.get("id"))
    if not found:
        reason = reason_of(answer.get("reason")) or "unknown"
        raise SendFailed(FailureContext(reason=f"CALIN API-V2 did not schedule task because: {reason}"))
    return found


def numbered(delivery_queue_id: str) -> int | str:
    """Give a task's id as a number, which it is at this vendor [DM-128]."""
    is_number = delivery_queue_id.isascii() and delivery_queue_id.isdigit()
    return int(delivery_queue_id) if is_number and len(delivery_queue_id) < 20 else delivery_queue_id
