"""Members of a test bench's orders: numbers and codes as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

import attrs

from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.json import JsonObject
from nxt_domain.tokens.sts import Algorithm, BaseDate, CannotEncode, Derivation, Refusal

_LONGEST = 80
_WHOLE = re.compile(r"-?[0-9]{1,40}|0[xX][0-9A-Fa-f]{1,40}", re.ASCII)
_DECIMAL = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?", re.ASCII)
_BASES = {key: base for base in BaseDate for key in (str(int(base)), base.code)}


@attrs.frozen
class Members:
    """The members of one line, by name; a null counts as absent."""

    content: JsonObject

    def has(self, name: str) -> bool:
        """Whether a member is there."""
        return self.content.get(name) is not None

    def text(self, name: str) -> str:
        """Return a member that is a text.

        Raises:
            InvalidInput: ``INVALID_MEMBER``.
        """
        value = self.content.get(name)
        if not isinstance(value, str) or len(value) > _LONGEST:
            raise _bad(name, "must be a text")
        return value.strip()

    def code(self, name: str, digits: int, default: str | None = None) -> str:
        """Return a decimal code, filled with zeros on the left.

        Raises:
            InvalidInput: ``INVALID_MEMBER``.
        """
        value = self.content.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, int) and not isinstance(value, bool):
            return f"{value:0{digits}d}"
        if not isinstance(value, str) or len(value) > _LONGEST:
            raise _bad(name, f"must be a code of {digits} digits")
        return value.strip().zfill(digits)

    def whole(self, name: str, default: int | None = None) -> int:
        """Return a whole number, given as a number, its digits, or hexadecimal text with ``0x``.

        Raises:
            InvalidInput: ``INVALID_MEMBER``.
        """
        value = self.content.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        text = value if isinstance(value, str) else ""
        if not _WHOLE.fullmatch(text):
            raise _bad(name, "must be a whole number")
        return int(text, 16 if text[:2] in {"0x", "0X"} else 10)

    def decimal(self, name: str) -> Decimal:
        """Return an exact number, given as a number or its text.

        Raises:
            InvalidInput: ``INVALID_MEMBER``.
        """
        value = self.content.get(name)
        if isinstance(value, Decimal | int) and not isinstance(value, bool):
            return Decimal(value)
        if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
            raise _bad(name, "must be a number")
        return Decimal(value)

    def base_date(self, name: str, default: BaseDate = BaseDate.Y2014) -> BaseDate:
        """Return a base date, written ``2014`` or ``14``.

        Raises:
            InvalidInput: ``INVALID_MEMBER``.
        """
        if not self.has(name):
            return default
        base = _BASES.get(self.code(name, 2))
        if base is None:
            raise _bad(name, "must be 1993, 2014 or 2035")
        return base

    def algorithm(self) -> Algorithm:
        """Return the encryption algorithm; 07 if none is named.

        Raises:
            CannotEncode: ``ALGORITHM_UNSUPPORTED``.
        """
        code = self.code("ea", 2, default="07")
        if code not in set(Algorithm):
            raise CannotEncode(Refusal.ALGORITHM_UNSUPPORTED, "ea must be 07 or 11")
        return Algorithm(code)

    def derivation(self) -> Derivation:
        """Return the decoder key generation algorithm.

        Raises:
            CannotEncode: ``ALGORITHM_UNSUPPORTED``.
        """
        code = self.code("dkga", 2)
        if code not in set(Derivation):
            raise CannotEncode(Refusal.ALGORITHM_UNSUPPORTED, "dkga must be 02 or 04")
        return Derivation(code)

    def instant(self, name: str) -> datetime:
        """Return an instant; without an offset it is UTC.

        Raises:
            CannotEncode: ``TOKEN_ISSUE_TIME_INVALID``.
        """
        return instant_of(self.text(name), name)


def instant_of(text: str, name: str) -> datetime:
    """Read ISO 8601 with date and time; without an offset it is UTC.

    Raises:
        CannotEncode: ``TOKEN_ISSUE_TIME_INVALID``.
    """
    message = f"{name} must be an ISO 8601 date and time, such as 2024-03-15T10:30"
    if len(text) <= len("2024-03-15"):
        raise CannotEncode(Refusal.ISSUE_TIME_INVALID, message)
    try:
        instant = datetime.fromisoformat(text)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise CannotEncode(Refusal.ISSUE_TIME_INVALID, message) from None


def _bad(name: str, what: str) -> InvalidInput:
    return InvalidInput(f"{name} {what}", code="INVALID_MEMBER")
