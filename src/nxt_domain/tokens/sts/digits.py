"""From 48 bits to 20 digits and back: checksum, encryption, class insertion [STS-28 to STS-33]."""

from __future__ import annotations

from typing import Final

from nxt_domain.tokens.sts.errors import CannotEncode, Refusal, TokenFault, UnreadableToken
from nxt_domain.tokens.sts.keys import DecoderKey

DIGITS: Final = 20
_LIMIT: Final = 1 << 66
_BLOCK: Final = (1 << 64) - 1
_CLASS_AT: Final = 27
_CLASS: Final = 3 << _CLASS_AT
_CLEAR_CLASS: Final = 1
_SEPARATORS: Final = str.maketrans("", "", " -")


def _crc_table() -> tuple[int, ...]:
    table = []
    for octet in range(256):
        register = octet
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
        table.append(register)
    return tuple(table)


_CRC: Final = _crc_table()


def crc16(octets: bytes) -> int:
    """Return the token checksum: CRC-16/MODBUS with its two octets exchanged [STS-28]."""
    register = 0xFFFF
    for octet in octets:
        register = register >> 8 ^ _CRC[(register ^ octet) & 0xFF]
    return (register & 0xFF) << 8 | register >> 8


def body_crc(token_class: int, body: int, *, is_currency: bool = False) -> int:
    """Return the checksum over class and body; currency credits add an octet [STS-15]."""
    return crc16((token_class << 48 | body).to_bytes(7, "big") + (b"\x01" if is_currency else b""))


def write_digits(token_class: int, body: int, key: DecoderKey | None) -> str:
    """Make the digits of a body.

    Args:
        token_class: 0, 1 or 2.
        body: 48 bits.
        key: Not used for class 1, which stays in clear.

    Raises:
        CannotEncode: ``DECODER_KEY_MISSING``.
    """
    block = body << 16 | body_crc(token_class, body)
    if token_class != _CLEAR_CLASS:
        if key is None:
            raise CannotEncode(Refusal.DECODER_KEY_MISSING, "The meter has no decoder key")
        block = key.cipher.encrypt(block)
    moved = (block & _CLASS) << 64 - _CLASS_AT
    return f"{moved | block & ~_CLASS | token_class << _CLASS_AT:020d}"


def read_digits(text: str) -> tuple[int, int]:
    """Take digits apart into class and block, which is encrypted unless the class is 1 [STS-55].

    Raises:
        UnreadableToken: ``FORMAT``.
    """
    digits = text.translate(_SEPARATORS)
    if len(digits) != DIGITS or not (digits.isascii() and digits.isdigit()):
        raise UnreadableToken(TokenFault.FORMAT, "A token has 20 decimal digits")
    number = int(digits)
    if number >= _LIMIT:
        raise UnreadableToken(TokenFault.FORMAT, "No token has this value: a digit is wrong")
    block = number & _BLOCK & ~_CLASS | number >> 64 << _CLASS_AT
    return number >> _CLASS_AT & 3, block


def in_groups(digits: str) -> str:
    """Show a token to people: five groups of four [STS-33]."""
    return " ".join(digits[start : start + 4] for start in range(0, DIGITS, 4))
