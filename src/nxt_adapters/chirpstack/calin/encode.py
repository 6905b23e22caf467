"""Commands to bytes [DM 9.2]."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date

import attrs

from nxt_adapters.chirpstack.calin import identifiers as di
from nxt_adapters.chirpstack.calin.errors import CannotEncode
from nxt_adapters.chirpstack.calin.frames import build_frame, meter_address
from nxt_domain.messaging.model import TOKEN_COMMANDS, CommandType, Phase, SetDate, SetTime
from nxt_domain.shared.errors import InvalidInput

_PASSWORD = bytes(4)
_RELAY_ON = bytes((0x96,))
_RELAY_OFF = bytes((0x35,))
_TOKEN = re.compile(r"(?:[0-9A-Fa-f]{2})+", re.ASCII)

_PHASE_READS: Mapping[CommandType, Mapping[Phase, int]] = {
    CommandType.READ_VOLTAGE: di.VOLTAGE,
    CommandType.READ_CURRENT: di.CURRENT,
    CommandType.READ_POWER: di.POWER,
}
_PLAIN_READS: Mapping[CommandType, int] = {
    CommandType.READ_CREDIT: di.CREDIT,
    CommandType.READ_DATE: di.DATE,
    CommandType.READ_TIME: di.TIME,
}


@attrs.frozen(kw_only=True)
class _Request:
    reference: str
    command_type: CommandType
    phase: Phase | str | None
    token: str | None
    payload: SetDate | SetTime | None


def encode_command(
    reference: str,
    command_type: CommandType,
    *,
    phase: Phase | str | None = None,
    token: str | None = None,
    payload: SetDate | SetTime | None = None,
) -> bytes:
    """Return the downlink frame of a command.

    Args:
        reference: Meter number, at most 12 hexadecimal digits.
        command_type: One of ``SUPPORTED_COMMANDS``.
        phase: For per-phase reads; none means A [DM-75]. Other commands ignore it.
        token: For token commands: an even number of hexadecimal digits [DM-78].
        payload: For ``SET_DATE`` and ``SET_TIME``, in the grid's local time [DM-76, DM-77].

    Raises:
        CannotEncode: The command is not supported, or a parameter is missing or out of range.
    """
    encoder = _ENCODERS.get(command_type)
    if encoder is None:
        raise CannotEncode(f"{command_type} is not supported over LoRaWAN")
    return encoder(_Request(reference=reference, command_type=command_type, phase=phase, token=token, payload=payload))


def _plain_read(request: _Request) -> bytes:
    return build_frame(request.reference, di.READ, _PLAIN_READS[request.command_type])


def _phase_read(request: _Request) -> bytes:
    try:
        phase = Phase.A if request.phase is None else Phase(request.phase)
    except ValueError as unknown:
        raise CannotEncode("the phase is not A, B or C") from unknown
    return build_frame(request.reference, di.READ, _PHASE_READS[request.command_type][phase])


def _power_limit_read(request: _Request) -> bytes:
    meter_address(request.reference)  # the frame is the same for all meters, but it must be for one
    return di.READ_POWER_LIMIT_FRAME


def _turn_on(request: _Request) -> bytes:
    return build_frame(request.reference, di.WRITE, di.CLOSE_RELAY, _PASSWORD + _RELAY_ON)


def _turn_off(request: _Request) -> bytes:
    return build_frame(request.reference, di.WRITE, di.OPEN_RELAY, _PASSWORD + _RELAY_OFF)


def _set_date(request: _Request) -> bytes:
    day = _calendar_date(request.payload)
    weekday = day.isoweekday() % 7  # 0 = Sunday
    data = _bcd(weekday, day.day, day.month, day.year - 2000)
    return build_frame(request.reference, di.WRITE, di.DATE, _PASSWORD + data)


def _calendar_date(payload: object) -> date:
    if not isinstance(payload, SetDate):
        raise CannotEncode("SET_DATE needs a date")
    try:
        return payload.on_calendar()
    except InvalidInput as impossible:
        raise CannotEncode(impossible.message) from impossible


def _set_time(request: _Request) -> bytes:
    payload = request.payload
    if not isinstance(payload, SetTime):
        raise CannotEncode("SET_TIME needs a time")
    second = _whole(0 if payload.second is None else payload.second, 0, 59)
    data = _bcd(second, _whole(payload.minute, 0, 59), _whole(payload.hour, 0, 23))
    return build_frame(request.reference, di.WRITE, di.TIME, _PASSWORD + data)


def _deliver_token(request: _Request) -> bytes:
    if not isinstance(request.token, str) or not _TOKEN.fullmatch(request.token):
        raise CannotEncode("the token is no even number of digits")
    return build_frame(request.reference, di.DELIVER_TOKEN, di.TOKEN, bytes.fromhex(request.token)[::-1])


def _whole(value: object, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise CannotEncode(f"a part of the time is no whole number from {least} to {most}")
    return value


def _bcd(*parts: int) -> bytes:
    return bytes(part // 10 << 4 | part % 10 for part in parts)


_ENCODERS: Mapping[CommandType, Callable[[_Request], bytes]] = {
    **dict.fromkeys(_PLAIN_READS, _plain_read),
    **dict.fromkeys(_PHASE_READS, _phase_read),
    CommandType.READ_POWER_LIMIT: _power_limit_read,
    CommandType.TURN_ON: _turn_on,
    CommandType.TURN_OFF: _turn_off,
    CommandType.SET_DATE: _set_date,
    CommandType.SET_TIME: _set_time,
    **dict.fromkeys(TOKEN_COMMANDS, _deliver_token),
}

SUPPORTED_COMMANDS: frozenset[CommandType] = frozenset(_ENCODERS)
"""What a CALIN meter can be told over LoRaWAN [DM-6]."""
