"""Tokens to digits and back. Pure and total: equal inputs give equal outputs, any text a token or a named error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import attrs

from nxt_domain.tokens.sts.catalogue import (
    CURRENCY_CREDITS,
    KEY_CHANGES,
    TIMED,
    CurrencyCredit,
    KeyChangePart,
    MeterTest,
    OpaqueToken,
    TimedToken,
    Token,
    TokenType,
    currency_amount,
)
from nxt_domain.tokens.sts.digits import body_crc, read_digits, write_digits
from nxt_domain.tokens.sts.errors import TokenFault, UnreadableToken
from nxt_domain.tokens.sts.keys import DecoderKey
from nxt_domain.tokens.sts.times import BaseDate, minute_of_tid

_CONTENT: Final = (1 << 44) - 1
_RESERVED_CLASS: Final = 3
_TYPES: Final[Mapping[tuple[int, int], TokenType]] = {(kind.token_class, kind.subclass): kind for kind in TokenType}


@attrs.frozen(kw_only=True)
class DecodedToken:
    """A token that was read.

    Attributes:
        crc: Its checksum, which matched.
        issued_at: The minute it names, aware UTC; None for tokens without one.
    """

    token: Token
    crc: int
    issued_at: datetime | None


def encode(token: TimedToken | MeterTest | KeyChangePart, key: DecoderKey | None = None) -> str:
    """Return the 20 digits of a token.

    Args:
        token: What it says.
        key: The meter's; tests need none. Key changes take the **old** one.

    Raises:
        CannotEncode: ``DECODER_KEY_MISSING``.
    """
    return write_digits(token.kind.token_class, token.body, key)


def decode(
    digits: str,
    key: DecoderKey | None = None,
    base: BaseDate = BaseDate.Y2014,
    *,
    allows_unconfirmed: bool = False,
) -> DecodedToken:
    """Read 20 digits [STS-55].

    A match of the checksum is strong evidence, not absolute: one wrong key in 65536 passes [STS-57].

    Args:
        digits: With or without blanks and dashes.
        key: The meter's, whose length tells the algorithm; tests need none.
        base: Base date of the key.
        allows_unconfirmed: Whether negative amounts of money are read, which no vector proves.

    Raises:
        UnreadableToken: With the fault that STS-55 names.
    """
    token_class, block = read_digits(digits)
    if token_class == _RESERVED_CLASS:
        raise UnreadableToken(TokenFault.UNSUPPORTED, "Tokens of class 3 are reserved", token_class=token_class)
    if token_class != 1:
        if key is None:
            text = f"A token of class {token_class} needs the meter's decoder key"
            raise UnreadableToken(TokenFault.KEY_MISSING, text, token_class=token_class)
        block = key.cipher.decrypt(block)
    body, crc = block >> 16, block & 0xFFFF
    kind = _TYPES.get((token_class, body >> 44))
    if crc != body_crc(token_class, body, is_currency=kind in CURRENCY_CREDITS):
        raise UnreadableToken(TokenFault.CRC, "Mistyped, or for another meter or key", token_class=token_class)
    if kind is None:
        text = f"Tokens of class {token_class}.{body >> 44} are unknown"
        raise UnreadableToken(TokenFault.UNSUPPORTED, text, token_class=token_class, body=body)
    token = _readers[kind](kind, body)
    if isinstance(token, CurrencyCredit) and token.amount.is_signed() and not allows_unconfirmed:
        text = "Negative amounts of money are unconfirmed; allow them if you must"
        raise UnreadableToken(TokenFault.UNSUPPORTED, text, token_class=token_class, body=body)
    issued_at = minute_of_tid(token.tid, base) if isinstance(token, TimedToken | CurrencyCredit) else None
    return DecodedToken(token=token, crc=crc, issued_at=issued_at)


def _timed(kind: TokenType, body: int) -> TimedToken:
    return TimedToken(kind=kind, nonce=body >> 40 & 15, tid=body >> 16 & 0xFFFFFF, field=body & 0xFFFF)


def _currency(kind: TokenType, body: int) -> CurrencyCredit:
    return CurrencyCredit(kind=kind, tid=body >> 16 & 0xFFFFFF, amount=currency_amount(body >> 40 & 15, body & 0xFFFF))


def _test(kind: TokenType, body: int) -> Token:
    bits = 8 if kind is TokenType.TEST_SHORT else 16
    manufacturer = body & (1 << bits) - 1
    if manufacturer > (99 if bits == 8 else 9999):
        text = "It names a manufacturer that no decimal digits name"
        raise UnreadableToken(TokenFault.UNSUPPORTED, text, token_class=1, body=body)
    return MeterTest(kind=kind, control=(body & _CONTENT) >> bits, manufacturer=manufacturer)


def _key_change(kind: TokenType, body: int) -> KeyChangePart:
    return KeyChangePart(section=KEY_CHANGES.index(kind) + 1, content=body & _CONTENT)


def _opaque(kind: TokenType, body: int) -> OpaqueToken:
    return OpaqueToken(kind=kind, body=body)


_readers: Final[Mapping[TokenType, Callable[[TokenType, int], Token]]] = {
    **dict.fromkeys(TIMED, _timed),
    **dict.fromkeys(CURRENCY_CREDITS, _currency),
    TokenType.TEST_SHORT: _test,
    TokenType.TEST_LONG: _test,
    **dict.fromkeys(KEY_CHANGES, _key_change),
    TokenType.EXTENDED_SET: _opaque,
    TokenType.EXTENDED_READ: _opaque,
}
