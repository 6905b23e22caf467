"""The CALIN frame (after DL/T 645): layout, offset, address, checksum, BCD [DM 9.1].

Bytes: ``68``, address (6, low first), ``68``, control, size L, data identifier (2, low first), data, checksum, ``16``.
Everything between size and checksum is sent with 0x33 added.
"""

from __future__ import annotations

import re

import attrs

from nxt_adapters.chirpstack.calin.errors import CannotEncode, FrameFault, UndecodableFrame

START = 0x68
END = 0x16
OFFSET = 0x33
DATA_AT = 10
"""Where the data identifier begins."""
VALUES_AT = 12
"""Where the data behind it begin."""
TRAILER = 2
"""Checksum and end byte."""
MAX_BYTES = 512
"""Twice what LoRaWAN and the one-byte size can carry; longer input is refused unread."""
MAX_DATA_BYTES = 0xFF
"""What the size byte can say: identifier and data."""

_REFERENCE = re.compile(r"[0-9A-Fa-f]{1,12}", re.ASCII)
_ADD = bytes((value + OFFSET) % 256 for value in range(256))
_REMOVE = bytes((value - OFFSET) % 256 for value in range(256))


@attrs.frozen(kw_only=True)
class Frame:
    """A received frame whose envelope holds.

    Attributes:
        raw: From the first ``68`` up to and including the last byte that belongs to it.
        control: Control code.
        address: 12 lower-case hex digits, most significant first.
    """

    raw: bytes
    control: int
    address: str

    @property
    def size(self) -> int:
        """The size L it states, bytes."""
        return self.raw[9]

    @property
    def identifier(self) -> int | None:
        """The data identifier, e.g. 0xE421; None when there is no room for one."""
        if len(self.raw) < VALUES_AT + TRAILER:
            return None
        return int.from_bytes(self.values(DATA_AT, VALUES_AT), "little")

    def values(self, start: int, stop: int) -> bytes:
        """Return bytes of the frame without the offset [DM-69]."""
        return self.raw[start:stop].translate(_REMOVE)

    def bcd(self, start: int, stop: int) -> int:
        """Read a decimal number, low byte first [DM-73].

        Raises:
            UndecodableFrame: A nibble is above 9.
        """
        digits = self.values(start, stop)[::-1].hex()
        if not digits.isdigit():
            raise UndecodableFrame(FrameFault.BCD, "a decimal number in it has a digit above 9")
        return int(digits)

    def unsigned(self, start: int, stop: int) -> int:
        """Read an unsigned binary number, low byte first [DM-89]."""
        return int.from_bytes(self.values(start, stop), "little")

    def two_digits(self, position: int) -> str:
        """Return one byte as its two hex digits, as they stand [DM-85]."""
        return self.values(position, position + 1).hex()


def build_frame(reference: str, control: int, identifier: int, data: bytes = b"") -> bytes:
    """Make a downlink frame.

    Args:
        reference: Meter number.
        control: Control code.
        identifier: Data identifier, e.g. 0xE421.
        data: What follows it, in wire order, without the offset.

    Raises:
        CannotEncode: The reference is no address, or the data don't fit.
    """
    body = (identifier.to_bytes(2, "little") + data).translate(_ADD)
    if len(body) > MAX_DATA_BYTES:
        raise CannotEncode("the data are longer than a frame can hold")
    head = bytes((START, *meter_address(reference), START, control, len(body)))
    return head + body + bytes((_checksum(head + body), END))


def meter_address(reference: str) -> bytes:
    """Return the 6 address bytes of a meter, low byte first: ``47003333771`` → ``71 37 33 03 70 04`` [DM-70].

    Raises:
        CannotEncode: The reference is not hexadecimal, empty or longer than 12 digits.
    """
    if not _REFERENCE.fullmatch(reference):
        raise CannotEncode("the meter reference is no number of at most 12 hexadecimal digits")
    return bytes.fromhex(reference.rjust(12, "0"))[::-1]


def open_frame(raw: bytes, upward_codes: frozenset[int]) -> Frame:
    """Check a frame's envelope, in the order of DM-80.

    Args:
        raw: What a meter sent.
        upward_codes: The control codes that meters use.

    Raises:
        UndecodableFrame: It is not a frame.
    """
    if len(raw) < DATA_AT + TRAILER:
        raise UndecodableFrame(FrameFault.TOO_SHORT, f"{len(raw)} bytes are too few for a frame")
    if raw[0] != START or raw[7] != START:
        raise UndecodableFrame(FrameFault.START, "bytes 0 and 7 are not both 68")
    if raw[-1] != END:
        raise UndecodableFrame(FrameFault.END, "the last byte is not 16")
    if raw[8] not in upward_codes:
        raise UndecodableFrame(FrameFault.CONTROL, f"{raw[8]:02X} is no control code of an answer")
    return Frame(raw=raw[: _covered(raw)], control=raw[8], address=raw[6:0:-1].hex())


def _covered(raw: bytes) -> int:
    """Return how many bytes belong to the frame, trailer included.

    The checksum stands before the last byte, or where the size says when a frame is longer than that [DM-82]. Whatever
    lies behind the checksum is covered by nothing, so no value is read from it.
    """
    stated = DATA_AT + raw[9]
    for position in (len(raw) - TRAILER, stated):
        if position <= len(raw) - TRAILER and _checksum(raw[:position]) == raw[position]:
            return position + TRAILER
    raise UndecodableFrame(FrameFault.CHECKSUM, "the checksum does not match")


def _checksum(content: bytes) -> int:
    return sum(content) % 256
