"""JSON in and out, with exact numbers [R12, PAY-3]."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs
import msgspec

from nxt_domain.shared.clock import iso_millis
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.json import Json
from nxt_domain.shared.money import plain

MAX_DIGITS = 40
_LONGEST_EXPONENT = 4
_LONG_INTEGER = re.compile(rb"\d{%d}" % (MAX_DIGITS + 1))
_ESCAPED_NUL = b"\\u0000"


class MalformedJson(InvalidInput):
    """The body is not JSON, or holds what no store can keep."""

    default_code = "MALFORMED_JSON"


def decode(body: bytes) -> Json:
    """Read JSON; fractions become ``Decimal`` from their text, integers stay ``int``.

    Raises:
        MalformedJson: It is not JSON, nests too deeply, or has a number of more than 40 digits or a null character.
    """
    try:
        value: Json = _DECODER.decode(body)
    except RecursionError as error:
        raise MalformedJson("JSON is nested too deeply") from error
    except (ValueError, msgspec.MsgspecError) as error:  # bad UTF-8 and integers of thousands of digits, too
        raise MalformedJson(_parser_text(error)) from error
    if _ESCAPED_NUL in body or _LONG_INTEGER.search(body):
        _refuse_unstorable(value)
    return value


def encode(value: object) -> bytes:
    """Write a result as JSON: attrs objects as objects, decimals in plain notation, instants as ``…sssZ``."""
    return _ENCODER.encode(to_plain(value))


def stored(value: object) -> Json:
    """Reduce a result to plain JSON values, as ``encode`` would write them, to be kept and written again."""
    plain_value: Json = _STORED.decode(encode(value))
    return plain_value


def to_plain(value: object) -> object:
    """Reduce a result to what msgspec writes as the contract wants it; unset members are left out."""
    kind = value.__class__
    return value if kind in _PLAIN else (_reducers.get(kind) or _reducer_of(kind))(value)


# A page has thousands of values: what a class needs is found out once, and not for each of them.
_PLAIN = frozenset({type(None), bool, int, float, str})
_reducers: dict[type, Callable[[Any], object]] = {}


def _reducer_of(kind: type) -> Callable[[Any], object]:
    known: Sequence[tuple[type | UnionType, Callable[[Any], object]]] = (
        (enum.StrEnum, lambda value: value.value),
        (str | int | float, lambda value: value),
        (Mapping, _mapping),
        (Sequence, lambda value: [to_plain(item) for item in value]),
        (Decimal, _number),
        (datetime, _instant),
        (date, date.isoformat),
    )
    fitting = (reduce for base, reduce in known if issubclass(kind, base))
    reduce = next(fitting, None) or (_members_of(kind) if attrs.has(kind) else None)
    if reduce is None:
        raise TypeError(f"{kind.__name__} has no JSON form")
    _reducers[kind] = reduce
    return reduce


@lru_cache(maxsize=4096)
def _number(value: Decimal) -> msgspec.Raw:
    """Write a number; the same fees, tariffs and zeros come again and again, and equal numbers are written alike."""
    return msgspec.Raw(plain(value).encode())


@lru_cache(maxsize=16_384)
def _instant(value: datetime) -> str:
    """Write an instant; dashboards ask for the same rows again and again."""
    return iso_millis(value if value.tzinfo else value.replace(tzinfo=UTC))


def _mapping(value: Mapping[object, object]) -> object:
    return {str(key): to_plain(item) for key, item in value.items() if item is not msgspec.UNSET}


def _members_of(cls: type[Any]) -> Callable[[Any], object]:
    """Reduce an object's members, but for those whose declared type msgspec writes as it is: most of them."""
    names = [field.name for field in attrs.fields(cls)]
    hints = get_type_hints(cls)
    reduced = [name for name in names if not _is_plain(hints[name])]
    if _holds_members_alone(cls):
        return lambda value: _reduced(value.__dict__.copy(), reduced)
    if len(names) < 2:
        return lambda value: _reduced({name: getattr(value, name) for name in names}, reduced)
    all_of = attrgetter(*names)
    return lambda value: _reduced(dict(zip(names, all_of(value), strict=True)), reduced)


def _holds_members_alone(cls: type[Any]) -> bool:
    """Tell whether the dictionary of an object is that of its members, as those of classes without slots.

    The hundred wide rows of a page are then written, and made, in half the time.
    """
    parts = [part for base in cls.__mro__ for part in vars(base).items()]
    has_slots = any(name == "__slots__" and part for name, part in parts)
    return not has_slots and not any(isinstance(part, cached_property) for _, part in parts)


def _reduced(members: dict[str, object], names: Sequence[str]) -> dict[str, object]:
    reducer_of = _reducers.get
    for name in names:
        item = members[name]
        if item is None:
            continue
        if item is msgspec.UNSET:
            del members[name]
        else:
            reduce = reducer_of(item.__class__)
            members[name] = reduce(item) if reduce else to_plain(item)
    return members


def _is_plain(hint: object) -> bool:
    options = get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,)
    return all(isinstance(option, type) and issubclass(option, str | int | float | NoneType) for option in options)


def _read_fraction(text: str) -> Decimal:
    if len(text) <= MAX_DIGITS and "e" not in text and "E" not in text:
        return Decimal(text)
    # Judged by its text alone, before any arithmetic: 1E999999999 is short to write and must cost nothing.
    digits = _plain_digits(text)
    if digits > MAX_DIGITS:
        raise _too_long()
    return Decimal(text) if digits else Decimal(0)


def _plain_digits(text: str) -> int:
    """Count the digits of a number's plain notation without trailing zeros, from its text; 0 for zero."""
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    significant = digits.rstrip("0")
    if not significant:
        return 0
    if len(exponent.lstrip("+-").lstrip("0")) > _LONGEST_EXPONENT:
        return MAX_DIGITS + 1
    # The value is ``significant`` times ten to the ``power``.
    power = int(exponent or 0) - len(fraction) + len(digits) - len(significant)
    if power >= 0:
        return len(significant) + power
    return max(len(significant) + power, 1) - power


def _too_long() -> MalformedJson:
    return MalformedJson(f"a number has more than {MAX_DIGITS} digits", code="NUMBER_TOO_LONG")


def _refuse_unstorable(value: object) -> None:
    match value:
        case bool():
            return
        case int() if len(str(abs(value))) > MAX_DIGITS:
            raise _too_long()
        case str() if "\x00" in value:
            raise MalformedJson("null characters are not allowed")
        case dict():
            for key, item in value.items():
                _refuse_unstorable(key)
                _refuse_unstorable(item)
        case list():
            for item in value:
                _refuse_unstorable(item)


def _parser_text(error: Exception) -> str:
    # A codec's error repeats the bytes it stumbled over; the sender knows them.
    return "JSON is not valid UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


_DECODER = msgspec.json.Decoder(float_hook=_read_fraction)
_STORED = msgspec.json.Decoder(float_hook=Decimal)
# A decimal that is declared as something else is a number all the same.
_ENCODER = msgspec.json.Encoder(decimal_format="number")
