"""The meter's side of the CALIN wire format: requests in, answers out (device-messaging 9).

The adapter encodes requests and decodes answers; this module does the opposite, on its own.
"""

import struct
from datetime import datetime
from decimal import Decimal

import attrs

OFFSET = 0x33
READ, WRITE, TOKEN = 0x01, 0x04, 0x00
DONE, REFUSED = 0x80, 0xC0

DI_CREDIT = 0xE421
DI_ENERGY = 0x9010
DI_VOLTAGE = {0xB611: 0, 0xB612: 1, 0xB613: 2}
DI_CURRENT = {0xB621: 0, 0xB622: 1, 0xB623: 2}
DI_POWER = {0xB630: 0, 0xB631: 1, 0xB632: 2}
DI_DATE, DI_TIME = 0xC010, 0xC011
DI_RELAY_CLOSE, DI_RELAY_OPEN = 0xC03D, 0xC03C
DI_TOKEN, DI_REPORT = 0xA120, 0xC111

RELAY_CLOSE_CODE, RELAY_OPEN_CODE = 0x96, 0x35
PASSWORD = b"\0\0\0\0"

_POWER_LIMIT_GET = bytes.fromhex("c001c100470000110000ff0300")  # GET, class 71, 0.0.17.0.0.255, attribute 3
_DLMS_HEADER = struct.Struct(">HHHH")


class UnreadableFrameError(ValueError):
    """A meter hears something that isn't a frame; it stays silent then."""


@attrs.frozen(kw_only=True)
class Request:
    """A CALIN downlink, with the offset removed.

    Attributes:
        address: the 12 decimal digits the frame is for.
        control: `READ`, `WRITE` or `TOKEN`.
        identifier: data identifier, e.g. 0xE421.
        data: what follows it, in the order of the wire.
    """

    address: str
    control: int
    identifier: int
    data: bytes


def address_of(number: str) -> bytes:
    """Return the six address bytes of a meter number, least significant first [DM-70]."""
    return bytes.fromhex(number.rjust(12, "0"))[::-1]


def parse_request(frame: bytes) -> Request:
    """Read a CALIN downlink.

    Raises:
        UnreadableFrameError: wrong framing, length or checksum.
    """
    if len(frame) < 14 or frame[0] != 0x68 or frame[7] != 0x68 or frame[-1] != 0x16:
        raise UnreadableFrameError("no CALIN frame")
    if len(frame) != 12 + frame[9]:
        raise UnreadableFrameError(f"length says {frame[9]}, {len(frame) - 12} bytes are there")
    if sum(frame[:-2]) % 256 != frame[-2]:
        raise UnreadableFrameError("checksum")
    body = _shift(frame[10:-2], -OFFSET)
    return Request(
        address=frame[6:0:-1].hex(),
        control=frame[8],
        identifier=int.from_bytes(body[:2], "little"),
        data=body[2:],
    )


def is_power_limit_request(frame: bytes) -> bool:
    """Tell whether the downlink is the DLMS read of the power limit [DM-87]."""
    if len(frame) < _DLMS_HEADER.size:
        return False
    version, _source, _destination, length = _DLMS_HEADER.unpack_from(frame)
    payload = frame[_DLMS_HEADER.size :]
    return bool(version == 1 and length == len(payload) and payload == _POWER_LIMIT_GET)


def power_limit_answer(request: bytes, limit_w: int) -> bytes:
    """Return the DLMS answer to a power limit read, source and destination swapped [DM-88]."""
    version, source, destination, _length = _DLMS_HEADER.unpack_from(request)
    payload = bytes.fromhex("c401c10006") + limit_w.to_bytes(4, "big")
    return _DLMS_HEADER.pack(version, destination, source, len(payload)) + payload


def power_limit_refusal(request: bytes) -> bytes:
    """Return the DLMS answer of a meter that doesn't tell its power limit."""
    version, source, destination, _length = _DLMS_HEADER.unpack_from(request)
    payload = bytes.fromhex("c401c10103")
    return _DLMS_HEADER.pack(version, destination, source, len(payload)) + payload


def build(number: str, control: int, body: bytes) -> bytes:
    """Frame a body (identifier and data without offset) for or from a meter."""
    frame = b"\x68" + address_of(number) + b"\x68" + bytes([control, len(body)]) + _shift(body, OFFSET)
    return frame + bytes([sum(frame) % 256, 0x16])


def read_done(number: str, identifier: int, data: bytes) -> bytes:
    """Return the answer to a successful read."""
    return build(number, READ | DONE, identifier.to_bytes(2, "little") + data)


def write_done(number: str, identifier: int) -> bytes:
    """Return the answer to a successful write."""
    return build(number, WRITE | DONE, identifier.to_bytes(2, "little"))


def token_accepted(number: str) -> bytes:
    """Return the answer to a token that counted."""
    return build(number, TOKEN | DONE, b"\x00")


def refused(number: str, control: int, error: int) -> bytes:
    """Return a refusal: one error byte and no identifier [DM-83]."""
    return build(number, control | REFUSED, bytes([error]))


def bcd(value: int, size: int) -> bytes:
    """Return a number as BCD, least significant byte first [DM-73].

    Raises:
        ValueError: the number doesn't fit.
    """
    digits = f"{value:0{2 * size}d}"
    if value < 0 or len(digits) > 2 * size:
        raise ValueError(f"{value} does not fit into {size} BCD bytes")
    return bytes.fromhex(digits)[::-1]


def scaled_bcd(value: Decimal, factor: int, size: int) -> bytes:
    """Return ``value * factor``, cut to an integer, as BCD; the greatest number when it overflows."""
    return bcd(min(int(value * factor), 100**size - 1), size)


def from_bcd(byte: int) -> int:
    """Read one BCD byte.

    Raises:
        ValueError: a nibble above 9.
    """
    high, low = divmod(byte, 16)
    if high > 9 or low > 9:
        raise ValueError(f"{byte:02x} is not BCD")
    return 10 * high + low


def date_bytes(moment: datetime) -> bytes:
    """Return weekday (0 = Sunday), day, month and year in BCD, as on the wire."""
    return b"".join(bcd(part, 1) for part in (moment.isoweekday() % 7, moment.day, moment.month, moment.year % 100))


def time_bytes(moment: datetime) -> bytes:
    """Return second, minute and hour in BCD, as on the wire."""
    return b"".join(bcd(part, 1) for part in (moment.second, moment.minute, moment.hour))


@attrs.frozen(kw_only=True)
class Report:
    """The fields of a periodic report (device-messaging 9.5).

    Attributes:
        frozen_at: local time of the meter's own clock.
        counter_kwh: cumulative consumption of source 1.
        credit_kwh: remaining credit of source 1.
        demand: interval demand, in the vendor's unit.
        voltage_v: in V.
        current_a: in A.
        status: status bits, bit 0 = relay open.
    """

    frozen_at: datetime
    counter_kwh: Decimal
    credit_kwh: Decimal
    demand: int
    voltage_v: Decimal
    current_a: Decimal
    status: int


def report_frame(number: str, report: Report) -> bytes:
    """Return the unsolicited report C111 [DM-89]."""
    moment = report.frozen_at
    freeze = bytes(1) + b"".join(
        bcd(part, 1) for part in (moment.minute, moment.hour, moment.day, moment.month, moment.year % 100)
    )
    body = struct.pack(
        "<IfIfIHIB",
        int(report.counter_kwh * 100) % 2**32,
        float(report.credit_kwh),
        0,
        0.0,
        report.demand,
        int(report.voltage_v * 10),
        int(report.current_a * 1000),
        report.status,
    )
    return read_done(number, DI_REPORT, freeze + body)


def _shift(data: bytes, by: int) -> bytes:
    return bytes((byte + by) % 256 for byte in data)
