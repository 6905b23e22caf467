"""Declares keys of the artifact: spelling, limits and further checks travel with the attrs field."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any

import attrs
from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_META = "nxt.key"


@frozen(kw_only=True)
class Key:
    """How a field stands in the JSON document.

    Attributes:
        name: Its key.
        doc: One line for the schema.
        minimum: Smallest number.
        maximum: Largest number.
        choices: Texts that are allowed, if only some are.
        check: Gives the complaint about a value, or ``None``.
        required: Whether the key has to be there.
        shorthand: Key of each value of a mapping that a bare text stands for.
    """

    name: str = ""
    doc: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] | None = None
    check: Callable[[Any], str | None] | None = None
    required: bool = False
    shorthand: str = ""


def about(declared: Key) -> dict[str, Key]:
    """Metadata of an attrs field that is a key of the artifact."""
    return {_META: declared}


def key(
    default: Any,  # noqa: ANN401 - the annotation of the field types it
    *,
    doc: str = "",
    name: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] | None = None,
    check: Callable[[Any], str | None] | None = None,
    required: bool = False,
) -> Any:  # noqa: ANN401 - as attrs.field: the annotation of the field types it
    """An attrs field with a plain default and a declaration."""
    declared = Key(
        name=name,
        doc=doc,
        minimum=minimum,
        maximum=maximum,
        choices=choices,
        check=check,
        required=required,
    )
    return attrs.field(default=default, metadata=about(declared))


@frozen(kw_only=True)
class Slot:
    """One key of a class: the attribute behind it, its type and its declaration."""

    attribute: str
    type: Any
    default: Any
    key: Key


def slots_of(cls: type) -> Iterator[Slot]:
    """All keys of an attrs class, in their order, with types resolved."""
    hints = typing.get_type_hints(cls)
    for field in attrs.fields(cls):
        declared: Key = field.metadata.get(_META, Key())
        default = field.default
        factory = getattr(default, "factory", None)
        yield Slot(
            attribute=field.name,
            type=hints[field.name],
            default=default if factory is None else factory(),
            key=attrs.evolve(declared, name=declared.name or camel(field.name)),
        )


def camel(name: str) -> str:
    """``public_requests_per_minute`` → ``publicRequestsPerMinute``."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
