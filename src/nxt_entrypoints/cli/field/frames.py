"""Frames of CALIN meters for a field engineer: bytes to words, words to bytes [DM 2.5, DM 9, R55]."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final

from nxt_adapters.chirpstack.calin import (
    CannotEncode,
    MeterAnswer,
    UndecodableFrame,
    decode_frame,
    decode_uplink,
    encode_command,
)
from nxt_domain.messaging.model import CommandType, ExecutionStatus, SetDate, SetTime
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.json import Json, JsonObject
from nxt_entrypoints.cli.field.json_lines import read_object

_HEXADECIMAL: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+", re.ASCII)
_PAYLOADS: Final[Mapping[CommandType, type[SetDate] | type[SetTime]]] = {
    CommandType.SET_DATE: SetDate,
    CommandType.SET_TIME: SetTime,
}
_METER_DIGITS: Final = 11


def words_of_line(line: str) -> JsonObject:
    """Decode one frame, written as hexadecimal with or without blanks, or as base64.

    Raises:
        InvalidInput: It is no meter's answer; the code names the fault, such as ``CHECKSUM``.
    """
    try:
        return _words(_read(line))
    except UndecodableFrame as broken:
        raise InvalidInput(broken.message, code=broken.fault.value.upper()) from broken


def _read(line: str) -> MeterAnswer:
    """Take the text as what it can be; a text that could be both is base64 if as hexadecimal it makes no frame."""
    text = "".join(line.split())
    if not _HEXADECIMAL.fullmatch(text):
        return decode_uplink(text)
    try:
        return decode_frame(bytes.fromhex(text))
    except UndecodableFrame:
        if not _is_frame(text):
            raise
        return decode_uplink(text)


def _is_frame(text: str) -> bool:
    try:
        decode_uplink(text)
    except (UndecodableFrame, binascii.Error):
        return False
    return True


def _words(answer: MeterAnswer) -> JsonObject:
    status = ExecutionStatus.EXECUTION_SUCCESS if answer.is_success else ExecutionStatus.EXECUTION_FAILURE
    words: dict[str, Json] = {}
    if answer.address is not None:
        words["deviceIdentifier"] = meter_reference(answer.address)
    if answer.command_type is not None:
        words["commandType"] = answer.command_type.value
    words["unsolicited"] = answer.is_report
    words["response"] = {"status": status.value, "data": answer.data}
    if answer.failure_reason is not None:
        words["failureContext"] = {"reason": answer.failure_reason}
    return words


def meter_reference(address: str) -> str:
    """Return the meter number of a frame's address: 12 digits, of which a number has 11 unless all are needed."""
    return address[1:] if len(address) == _METER_DIGITS + 1 and address.startswith("0") else address


def frame_of_line(line: str) -> JsonObject:
    """Encode the command that one line of JSON names.

    Raises:
        InvalidInput: ``CANNOT_ENCODE``, or the line is no such object.
    """
    order = read_object(line)
    command = _command(order.get("commandType"))
    frame = encode_command(
        _text(order, "deviceIdentifier") or "",
        command,
        phase=_text(order, "phase"),
        token=_text(order, "token"),
        payload=_payload(command, order.get("payload")),
    )
    return {"hex": frame.hex(), "base64": base64.b64encode(frame).decode()}


def _command(name: Json) -> CommandType:
    if not isinstance(name, str) or name not in set(CommandType):
        raise CannotEncode("commandType is no command")
    return CommandType(name)


def _text(order: JsonObject, name: str) -> str | None:
    value = order.get(name)
    if value is not None and not isinstance(value, str):
        raise CannotEncode(f"{name} is no text")
    return value


def _payload(command: CommandType, given: Json) -> SetDate | SetTime | None:
    """Read the values of a clock command; superfluous ones of other commands are ignored."""
    kind = _PAYLOADS.get(command)
    if kind is None or given is None:
        return None
    if not isinstance(given, Mapping):
        raise CannotEncode("payload is no object")
    values = {name: value for name, value in given.items() if value is not None}
    if any(not isinstance(value, int) or isinstance(value, bool) for value in values.values()):
        raise CannotEncode("a date or time part is no whole number")
    try:
        return kind(**values)  # type: ignore[arg-type]  # checked just above; unknown names raise
    except (TypeError, ValueError) as wrong:
        raise CannotEncode("the payload is no date or time") from wrong
