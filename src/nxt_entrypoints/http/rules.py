"""The vocabulary of validation: each rule has its text for clients, its check, and its words for OpenAPI [API-22].

Rules are written beside a field's type, ``Annotated[Decimal, POSITIVE, minimum(1)]``; the type itself brings the first
ones. Each rule judges alone and fails on a value of the wrong type, so that all texts come together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum

import attrs
import phonenumbers

from nxt_domain.shared.money import decimal_places

ID_MAX = 2_147_483_647
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?=.{1,253}$)([A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}")
_DEGREES = re.compile(r"[+-]?\d{1,3}(\.\d{1,20})?", re.ASCII)
_LONGEST_PHONE = 40
_NUMBERS = (int, Decimal)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?", re.ASCII)


@attrs.frozen(eq=False)
class Rule:
    """One check of one value.

    Attributes:
        text: What clients read, after the field's name.
        holds: Judges a decoded value of any type.
        schema: What OpenAPI says of it.
    """

    text: str
    holds: Callable[[object], bool]
    schema: Mapping[str, object] = attrs.field(factory=dict)


def is_number(value: object) -> bool:
    """Tell a JSON number from everything else; numeric strings are none [API-11]."""
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)


def is_integer(value: object) -> bool:
    """Tell whether a JSON number is whole, however it is written: 5, 5.0, 1E2."""
    if isinstance(value, Decimal):
        return value == value.to_integral_value()
    return isinstance(value, int) and not isinstance(value, bool)


STRING = Rule("must be a string", lambda value: isinstance(value, str), {"type": "string"})
NUMBER = Rule("must be a number conforming to the specified constraints", is_number, {"type": "number"})
INTEGER = Rule("must be an integer number", is_integer, {"type": "integer"})
BOOLEAN = Rule("must be a boolean value", lambda value: isinstance(value, bool), {"type": "boolean"})
OBJECT = Rule("must be an object", lambda value: isinstance(value, dict), {"type": "object"})
ARRAY = Rule("must be an array", lambda value: isinstance(value, list), {"type": "array"})
NOT_EMPTY = Rule("should not be empty", lambda value: value is not None and value != "", {"minLength": 1})
NOT_BLANK = Rule(
    "should not be empty",
    lambda value: value is not None and not (isinstance(value, str) and not value.strip()),
    {"minLength": 1, "pattern": r"\S"},
)
POSITIVE = Rule(
    "must be a positive number", lambda value: _compares(value, lambda number: number > 0), {"exclusiveMinimum": 0}
)


def minimum(bound: int) -> Rule:
    """Not less than ``bound``."""
    return Rule(
        f"must not be less than {bound}",
        lambda value: _compares(value, lambda number: number >= bound),
        {"minimum": bound},
    )


def maximum(bound: int) -> Rule:
    """Not greater than ``bound``."""
    return Rule(
        f"must not be greater than {bound}",
        lambda value: _compares(value, lambda number: number <= bound),
        {"maximum": bound},
    )


def places(most: int) -> Rule:
    """At most so many decimal places, as written without trailing zeros [PAY-4, PAY-10]."""
    return Rule(
        f"must have at most {most} decimal places",
        lambda value: _compares(value, lambda number: decimal_places(Decimal(number)) <= most),
        {"multipleOf": 10**-most},
    )


def max_length(most: int) -> Rule:
    """At most so many characters."""
    return Rule(
        f"must be shorter than or equal to {most} characters",
        lambda value: isinstance(value, str) and len(value) <= most,
        {"maxLength": most},
    )


def one_of(values: Sequence[str]) -> Rule:
    """One of some words, named in their order [API-31]."""
    allowed = tuple(values)
    return Rule(
        f"must be one of the following values: {', '.join(allowed)}",
        lambda value: isinstance(value, str) and value in allowed,
        {"type": "string", "enum": list(allowed)},
    )


def one_of_enum(kind: type[Enum]) -> Rule:
    """One of an enumeration's words, in its order."""
    return one_of([str(member.value) for member in kind])


EMAIL = Rule(
    "must be an email",
    lambda value: isinstance(value, str) and _EMAIL.fullmatch(value) is not None,
    {"format": "email"},
)
PHONE = Rule(
    "must be a valid phone number",
    lambda value: read_phone(value) is not None,
    {"pattern": r"^\+[0-9]", "examples": ["+2348031234567"]},
)
LATITUDE = Rule("must be a latitude string or number", lambda value: _is_degrees(value, 90))
LONGITUDE = Rule("must be a longitude string or number", lambda value: _is_degrees(value, 180))
ISO_DATE = Rule(
    "must be a valid ISO 8601 date string",
    lambda value: read_instant(value) is not None,
    {"type": "string", "format": "date-time"},
)


def read_instant(value: object) -> datetime | None:
    """Read an ISO 8601 date or time; without offset it means UTC [API-28].

    Returns:
        The instant in UTC; None: it is none.
    """
    if not isinstance(value, str) or _ISO_DATE.fullmatch(value) is None:
        return None
    try:
        instant = datetime.fromisoformat(value)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def read_phone(value: object) -> str | None:
    """Read a phone number in international form, valid in its country [API-24].

    Returns:
        Plus and digits only (E.164); None: it is none.
    """
    if not isinstance(value, str) or not value.startswith("+") or len(value) > _LONGEST_PHONE:
        return None
    try:
        number = phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _compares(value: object, holds: Callable[[int | Decimal], bool]) -> bool:
    # Booleans are numbers to Python, never to a client.
    return isinstance(value, _NUMBERS) and not isinstance(value, bool) and holds(value)


def _is_degrees(value: object, bound: int) -> bool:
    if isinstance(value, str):
        if _DEGREES.fullmatch(value) is None:
            return False
        try:
            value = Decimal(value)
        except InvalidOperation:
            return False
    return _compares(value, lambda degrees: -bound <= degrees <= bound)
