"""Bytes to answers [DM 9.3, 9.4]. Any input gives an answer or ``UndecodableFrame``, in time linear in its length."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping
from decimal import Decimal

import attrs

from nxt_adapters.chirpstack.calin import identifiers as di
from nxt_adapters.chirpstack.calin.errors import FrameFault, UndecodableFrame
from nxt_adapters.chirpstack.calin.frames import MAX_BYTES, VALUES_AT, Frame, open_frame
from nxt_adapters.chirpstack.calin.report import MINIMUM_BYTES, read_report
from nxt_domain.messaging.model import CommandType, Phase
from nxt_domain.shared.json import Json, JsonObject

TOKEN_NOT_ACCEPTED = "Delivery was successful but the token was not accepted"  # noqa: S105 - a sentence
WRITE_NOT_EXECUTED = "Delivery was successful but the command was not (successfully) executed"
READ_NOT_EXECUTED = "Delivery was successful but the readout was not (successfully) executed"

_DLMS = 0x00
_DLMS_MINIMUM_BYTES = 12
_MAX_BASE64 = 4 * (MAX_BYTES // 3 + 2)


@attrs.frozen(kw_only=True)
class MeterAnswer:
    """What a meter said.

    Attributes:
        data: Values under the module's camelCase names [DM 9]; exact decimals in kWh, V, W, A.
        failure_reason: None when the meter did what it was told; else why not, for people.
        is_report: Whether it spoke of its own accord: a periodic report.
        address: The meter's address as 12 hex digits; None for a power limit's answer, which carries none.
        command_type: What it answers, as far as the frame tells: tokens all look alike, refusals seldom tell.
    """

    data: JsonObject
    failure_reason: str | None = None
    is_report: bool = False
    address: str | None = None
    command_type: CommandType | None = None

    @property
    def is_success(self) -> bool:
        """Whether the meter executed the command."""
        return self.failure_reason is None


def decode_uplink(data: str) -> MeterAnswer:
    """Read an uplink's payload as ChirpStack gives it.

    Args:
        data: Base64 text of the payload on fPort 1.

    Raises:
        UndecodableFrame: It is not a meter's answer.
    """
    if len(data) > _MAX_BASE64:
        raise UndecodableFrame(FrameFault.TOO_LONG, f"{len(data)} characters are more than LoRaWAN can carry")
    try:
        raw = binascii.a2b_base64(data.encode("ascii"), strict_mode=True)
    except (UnicodeEncodeError, binascii.Error) as garbage:
        raise UndecodableFrame(FrameFault.BASE64, "the payload is no base64 text") from garbage
    return decode_frame(raw)


def decode_frame(raw: bytes) -> MeterAnswer:
    """Read an uplink's bytes.

    Args:
        raw: One frame: a CALIN frame, or the DLMS answer about the power limit.

    Raises:
        UndecodableFrame: It is not a meter's answer.
    """
    if not raw:
        raise UndecodableFrame(FrameFault.EMPTY, "the payload is empty")
    if len(raw) > MAX_BYTES:
        raise UndecodableFrame(FrameFault.TOO_LONG, f"{len(raw)} bytes are more than LoRaWAN can carry")
    if raw[0] == _DLMS:
        return _power_limit(raw)
    frame = open_frame(raw, di.UPWARD_CODES)
    fixed = _FIXED_ANSWERS.get(frame.control)
    if fixed is not None:
        key, reason = fixed
        command = _WRITES.get(frame.identifier or 0) if frame.control in _WRITE_ANSWERS else None
        return MeterAnswer(
            data={key: reason is None}, failure_reason=reason, address=frame.address, command_type=command
        )
    return _read_answer(frame, len(raw))


# Answers that the control code alone decides [DM-81].
_FIXED_ANSWERS: Mapping[int, tuple[str, str | None]] = {
    di.TOKEN_ACCEPTED: ("tokenAccepted", None),
    di.TOKEN_REFUSED: ("tokenAccepted", TOKEN_NOT_ACCEPTED),
    di.WRITE_DONE: ("onOffToggleAccepted", None),
    di.WRITE_REFUSED: ("onOffToggleAccepted", WRITE_NOT_EXECUTED),
}


_WRITE_ANSWERS = frozenset({di.WRITE_DONE, di.WRITE_REFUSED})


def _read_answer(frame: Frame, received_bytes: int) -> MeterAnswer:
    if received_bytes < VALUES_AT + frame.size:
        raise UndecodableFrame(FrameFault.TOO_SHORT, "it is shorter than its size says")
    identifier = frame.identifier
    parser, minimum = _PARSERS.get(identifier, (None, 0)) if identifier is not None else (None, 0)
    is_readable = parser is not None and len(frame.raw) >= minimum
    if frame.control == di.READ_REFUSED:
        data = parser(frame) if parser is not None and is_readable else {}
        command = _READS.get(identifier or 0) if is_readable else None
        return MeterAnswer(data=data, failure_reason=READ_NOT_EXECUTED, address=frame.address, command_type=command)
    if parser is None:
        raise UndecodableFrame(FrameFault.IDENTIFIER, "its data identifier is unknown")
    if not is_readable:
        raise UndecodableFrame(FrameFault.TOO_SHORT, "it is too short for its data identifier")
    return MeterAnswer(
        data=parser(frame),
        is_report=identifier == di.REPORT,
        address=frame.address,
        command_type=_READS.get(identifier or 0),
    )


def _credit(frame: Frame) -> dict[str, Json]:
    return {
        "kwhCreditAvailable": Decimal(frame.bcd(12, 16)).scaleb(-2),
        "creditLevel": frame.unsigned(16, 17),
        "isOn": frame.unsigned(17, 18) == 0,
    }


def _date(frame: Frame) -> dict[str, Json]:
    return {
        "day": frame.two_digits(13),
        "month": frame.two_digits(14),
        "year": "20" + frame.two_digits(15),
    }


def _time(frame: Frame) -> dict[str, Json]:
    return {
        "hour": frame.two_digits(14),
        "minute": frame.two_digits(13),
        "second": frame.two_digits(12),
    }


_Parser = Callable[[Frame], Mapping[str, Json]]


def _measured(name: str, start: int, stop: int, places: int, phase: Phase) -> _Parser:
    """Make the parser of one decimal number with ``places`` decimals."""

    def parse(frame: Frame) -> dict[str, Json]:
        return {name: Decimal(frame.bcd(start, stop)).scaleb(-places), "phase": phase.value}

    return parse


# Data identifier -> parser and the fewest bytes a frame must have for it [DM-84].
_PARSERS: Mapping[int, tuple[_Parser, int]] = {
    di.CREDIT: (_credit, 20),
    di.DATE: (_date, 18),
    di.TIME: (_time, 17),
    di.REPORT: (read_report, MINIMUM_BYTES),
    **{code: (_measured("voltage", 13, 16, 2, phase), 18) for phase, code in di.VOLTAGE.items()},
    **{code: (_measured("power", 12, 16, 1, phase), 18) for phase, code in di.POWER.items()},
    **{code: (_measured("current", 12, 14, 2, phase), 16) for phase, code in di.CURRENT.items()},
}

# What a data identifier stands for in answers to reads, and in answers to writes.
_READS: Mapping[int, CommandType] = {
    di.CREDIT: CommandType.READ_CREDIT,
    di.DATE: CommandType.READ_DATE,
    di.TIME: CommandType.READ_TIME,
    di.REPORT: CommandType.READ_REPORT,
    **dict.fromkeys(di.VOLTAGE.values(), CommandType.READ_VOLTAGE),
    **dict.fromkeys(di.POWER.values(), CommandType.READ_POWER),
    **dict.fromkeys(di.CURRENT.values(), CommandType.READ_CURRENT),
}
_WRITES: Mapping[int, CommandType] = {
    di.CLOSE_RELAY: CommandType.TURN_ON,
    di.OPEN_RELAY: CommandType.TURN_OFF,
    di.DATE: CommandType.SET_DATE,
    di.TIME: CommandType.SET_TIME,
}


def _power_limit(raw: bytes) -> MeterAnswer:
    """Read the DLMS answer [DM-88]; it has no checksum and no address."""
    if len(raw) < _DLMS_MINIMUM_BYTES:
        raise UndecodableFrame(FrameFault.TOO_SHORT, f"{len(raw)} bytes are too few for a power limit")
    if raw[8:10] == b"\xc4\x01" and raw[11] == 1:
        return MeterAnswer(data={}, failure_reason=READ_NOT_EXECUTED, command_type=CommandType.READ_POWER_LIMIT)
    limit_w = int.from_bytes(raw[-4:], "big")
    return MeterAnswer(data={"powerLimit": limit_w}, command_type=CommandType.READ_POWER_LIMIT)
