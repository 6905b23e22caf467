"""From decoded values to typed inputs, by the rules of each field [R11].

An input is an attrs class; a field's type brings its first rules, ``Annotated`` adds more::

    @attrs.frozen(kw_only=True)
    class Initialise:
        amount: Annotated[Decimal, POSITIVE, minimum(1)]
        currency: Currency
        external_reference: str | None = None

Fields that the class does not name are ignored [API-9]. A field with a default is optional, and ``null`` equals absence
[API-10]; where absence and ``null`` must differ, the type is ``X | None | UnsetType`` and the default ``UNSET``.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import attrs
from msgspec import UnsetType

from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.json import Json
from nxt_entrypoints.http.rules import (
    ARRAY,
    BOOLEAN,
    INTEGER,
    ISO_DATE,
    NUMBER,
    OBJECT,
    STRING,
    Rule,
    one_of_enum,
    read_instant,
)

NUMERIC_EXPECTED = "Validation failed (numeric string is expected)"
_INTEGER_TEXT = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_NUMBER_TEXT = re.compile(r"[+-]?\d{1,20}(\.\d{1,18})?", re.ASCII)


class ValidationFailed(InvalidInput):
    """One or more fields broke their rules; clients get all texts as an array."""

    default_code = "VALIDATION_FAILED"


@attrs.frozen
class _Field:
    name: str
    rules: Sequence[Rule]
    build: Callable[[Any], Any]
    base: Any
    is_required: bool
    clears_with_null: bool
    nested: Shape | None = None
    item: Shape | None = None

    def texts(self, values: Mapping[str, Any]) -> list[str]:
        value: Any = values.get(self.name)
        if value is None and not self.is_required:
            return []
        broken = [f"{self.name} {rule.text}" for rule in self.rules if not rule.holds(value)]
        if broken:
            return broken
        if self.nested is not None:
            return [f"{self.name}.{text}" for text in self.nested.texts(value)]
        if self.item is not None:
            return [f"{self.name}.{text}" for text in _item_texts(self.item, value)]
        return []


class Shape:
    """The compiled rules of one input class; made once per class by ``shape_of``.

    Args:
        cls: An attrs class.
    """

    def __init__(self, cls: type[Any]) -> None:
        self.cls = cls
        hints = get_type_hints(cls, include_extras=True)
        self.fields = tuple(_compile(field, hints[field.name]) for field in attrs.fields(cls))
        self._bases = {field.name: field.base for field in self.fields}

    def texts(self, values: Mapping[str, Any]) -> list[str]:
        """Return the texts of all broken rules; none: the values are fine."""
        return [text for field in self.fields for text in field.texts(values)]

    def build(self, values: Mapping[str, Any]) -> object:
        """Make the object from values that broke no rule."""
        present = {}
        for field in self.fields:
            value = values.get(field.name)
            if value is not None:
                present[field.name] = field.build(value)
            elif field.clears_with_null and field.name in values:
                present[field.name] = None
        return self.cls(**present)

    def read(self, values: Mapping[str, Any]) -> object:
        """Check and build.

        Raises:
            ValidationFailed: With the texts of all broken rules.
        """
        texts = self.texts(values)
        if texts:
            raise ValidationFailed(texts)
        return self.build(values)

    def read_texts(self, values: Mapping[str, str]) -> object:
        """Check and build from strings, as paths, queries and headers have them: numbers are read from their text."""
        bases = self._bases
        return self.read({name: _from_text(bases[name], text) for name, text in values.items() if name in bases})


_shapes: dict[object, Shape] = {}


def shape_of(cls: type[Any]) -> Shape:
    """Return the compiled rules of an input class."""
    shape = _shapes.get(cls)
    if shape is None:
        shape = _shapes[cls] = Shape(cls)
    return shape


def read_body(kind: Any, value: Json) -> object:  # noqa: ANN401 - a type hint, which has no type of its own
    """Read a decoded body as ``kind``: an attrs class, ``list`` of one, or ``object`` for any JSON.

    Raises:
        ValidationFailed: With the texts of all broken rules; those of an array's elements carry their index [API-23].
    """
    if kind is object:
        return value
    item = _item_of(kind)
    if item is not None:
        return _read_array(item, value)
    # ``null`` and no body at all have no fields, and are told which ones are missing.
    fields = {} if value is None else value
    if not isinstance(fields, dict):
        raise ValidationFailed(["body must be an object"])
    return shape_of(kind).read(fields)


@cache
def _item_of(kind: Any) -> Any:  # noqa: ANN401 - see above
    """Return what a list holds; None: it is no list."""
    return get_args(kind)[0] if get_origin(kind) is list else None


def _read_array(item: type[Any], value: Json) -> object:
    if not isinstance(value, list):
        raise ValidationFailed(["body must be an array"])
    if item is object:
        return value
    shape = shape_of(item)
    texts = _item_texts(shape, value)
    if texts:
        raise ValidationFailed(texts)
    return [shape.build(element) for element in value]


def _item_texts(shape: Shape, elements: Sequence[Any]) -> list[str]:
    texts: list[str] = []
    for index, element in enumerate(elements):
        found = shape.texts(element) if isinstance(element, dict) else ["element must be an object"]
        texts += [f"{index}.{text}" for text in found]
    return texts


def read_path(cls: type[Any], values: Mapping[str, str]) -> object:
    """Read path parameters; an id that is no base-10 integer is answered with one sentence [API-18].

    Raises:
        InvalidInput: ``Validation failed (numeric string is expected)``.
        ValidationFailed: Another rule is broken.
    """
    shape = shape_of(cls)
    for field in shape.fields:
        if field.base is int and _INTEGER_TEXT.fullmatch(values.get(field.name, "")) is None:
            raise InvalidInput(NUMERIC_EXPECTED, code="VALIDATION_FAILED")
    return shape.read_texts(values)


def _from_text(base: object, text: str) -> object:
    if base is int and _INTEGER_TEXT.fullmatch(text):
        return int(text)
    if base is Decimal and _NUMBER_TEXT.fullmatch(text):
        return Decimal(text)
    if base is bool and text in {"true", "false"}:
        return text == "true"
    return text


def _compile(field: attrs.Attribute[Any], hint: object) -> _Field:
    kind, rules, absent = _split(hint)
    base_rules, build = _by_type(kind)
    is_array = get_origin(kind) is list
    return _Field(
        name=field.name,
        rules=(*base_rules, *rules),
        build=build,
        base=kind,
        is_required=field.default is attrs.NOTHING,
        clears_with_null=absent >= {types.NoneType, UnsetType},
        nested=shape_of(kind) if attrs.has(kind) else None,
        item=shape_of(get_args(kind)[0]) if is_array and attrs.has(get_args(kind)[0]) else None,
    )


def _split(hint: object) -> tuple[Any, tuple[Rule, ...], frozenset[Any]]:
    """Take a type hint apart: the type of present values, its rules, and the words for absence that it allows."""
    rules: tuple[Rule, ...] = ()
    absent: frozenset[Any] = frozenset()
    while get_origin(hint) in {Annotated, Union, types.UnionType}:
        if get_origin(hint) is Annotated:
            hint, *extras = get_args(hint)
            rules = (*(extra for extra in extras if isinstance(extra, Rule)), *rules)
        else:
            members = frozenset(get_args(hint))
            absent |= members & {types.NoneType, UnsetType}
            kinds = [member for member in get_args(hint) if member not in {types.NoneType, UnsetType}]
            if len(kinds) != 1:
                return object, rules, absent
            hint = kinds[0]
    return hint, rules, absent


def _by_type(kind: object) -> tuple[tuple[Rule, ...], Callable[[Any], Any]]:
    if get_origin(kind) is list:
        item = get_args(kind)[0]
        build_items: Callable[[Any], Any] = shape_of(item).build if attrs.has(item) else _same
        return (ARRAY,), lambda values: [build_items(value) for value in values]
    if kind in _SCALARS:
        return _SCALARS[kind]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return (one_of_enum(kind),), kind
    if isinstance(kind, type) and attrs.has(kind):
        return (OBJECT,), shape_of(kind).build
    if get_origin(kind) is dict or kind is dict:
        return (OBJECT,), _same
    if kind is object:
        return (), _same
    raise TypeError(f"no rule for a field of type {kind!r}")


def _same(value: object) -> object:
    return value


_SCALARS: dict[Any, tuple[tuple[Rule, ...], Callable[[Any], Any]]] = {
    str: ((STRING,), _same),
    int: ((NUMBER, INTEGER), int),
    Decimal: ((NUMBER,), Decimal),
    bool: ((BOOLEAN,), _same),
    datetime: ((ISO_DATE,), read_instant),
}
