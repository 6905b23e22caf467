"""Strict bodies: one declaration says what is admitted, what is wrong where, and what OpenAPI tells [DM-143].

Unlike ``inputs``, nothing is passed over: keys that are not declared are refused at any level, and ``null`` is a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import attrs

from nxt_entrypoints.http.rules import is_integer, is_number
from nxt_entrypoints.http.schemas import JsonDict


@attrs.frozen
class Issue:
    """One thing that is wrong.

    Attributes:
        path: Dotted, ``device.externalReference``; empty for the whole.
    """

    path: str
    message: str


class Node(Protocol):
    """What a value may be."""

    def issues(self, value: object, path: str = "") -> Iterator[Issue]:
        """Tell what is wrong with a value."""

    def schema(self) -> JsonDict:
        """Describe it."""


@attrs.frozen(kw_only=True)
class Text:
    """A string."""

    min_length: int = 0
    max_length: int | None = None
    description: str = ""

    def issues(self, value: object, path: str = "") -> Iterator[Issue]:
        """See ``Node.issues``."""
        if not isinstance(value, str):
            yield Issue(path, "must be a string")
        elif len(value) < self.min_length:
            yield Issue(path, "must not be empty")
        elif self.max_length is not None and len(value) > self.max_length:
            yield Issue(path, f"must not be longer than {self.max_length} characters")

    def schema(self) -> JsonDict:
        """See ``Node.schema``."""
        return _described(
            {"type": "string"}
            | ({"minLength": self.min_length} if self.min_length else {})
            | ({"maxLength": self.max_length} if self.max_length is not None else {}),
            self.description,
        )


@attrs.frozen(kw_only=True)
class Number:
    """A number between two limits, both included."""

    is_whole: bool = False
    minimum: int | None = None
    maximum: int | None = None
    description: str = ""

    def issues(self, value: object, path: str = "") -> Iterator[Issue]:
        """See ``Node.issues``."""
        kind = "an integer" if self.is_whole else "a number"
        if not isinstance(value, int | Decimal) or not (is_integer(value) if self.is_whole else is_number(value)):
            yield Issue(path, f"must be {kind}")
        elif self.minimum is not None and value < self.minimum:
            yield Issue(path, f"must not be less than {self.minimum}")
        elif self.maximum is not None and value > self.maximum:
            yield Issue(path, f"must not be greater than {self.maximum}")

    def schema(self) -> JsonDict:
        """See ``Node.schema``."""
        return _described(
            {"type": "integer" if self.is_whole else "number"}
            | ({"minimum": self.minimum} if self.minimum is not None else {})
            | ({"maximum": self.maximum} if self.maximum is not None else {}),
            self.description,
        )


@attrs.frozen
class Words:
    """One of some words."""

    words: Sequence[str]

    def issues(self, value: object, path: str = "") -> Iterator[Issue]:
        """See ``Node.issues``."""
        if not isinstance(value, str) or value not in self.words:
            yield Issue(path, f"must be one of: {', '.join(self.words)}")

    def schema(self) -> JsonDict:
        """See ``Node.schema``."""
        return {"type": "string", "enum": list(self.words)}


@attrs.frozen
class OrNull:
    """A value, or ``null``."""

    node: Node

    def issues(self, value: object, path: str = "") -> Iterator[Issue]:
        """See ``Node.issues``."""
        if value is not None:
            yield from self.node.issues(value, path)

    def schema(self) -> JsonDict:
        """See ``Node.schema``."""
        return {"anyOf": [self.node.schema(), {"type": "null"}]}


@attrs.frozen(kw_only=True)
class Members:
    """An object with these members and no others."""

    required: Mapping[str, Node] = attrs.field(factory=dict)
    optional: Mapping[str, Node] = attrs.field(factory=dict)

    def issues(self, value: object, path: str = "") -> Iterator[Issue]:
        """See ``Node.issues``."""
        if not isinstance(value, dict):
            yield Issue(path, "must be an object")
            return
        known = {**self.required, **self.optional}
        for name in value:
            if name not in known:
                yield Issue(_below(path, name), "is not a known key")
        for name, node in known.items():
            if name in value:
                yield from node.issues(value[name], _below(path, name))
            elif name in self.required:
                yield Issue(_below(path, name), "is required")

    def schema(self) -> JsonDict:
        """See ``Node.schema``."""
        properties = {name: node.schema() for name, node in {**self.required, **self.optional}.items()}
        required = {"required": list(self.required)} if self.required else {}
        return {"type": "object", "properties": properties, **required, "additionalProperties": False}


@attrs.frozen(kw_only=True)
class Items:
    """A list."""

    item: Node
    min_items: int = 0

    def issues(self, value: object, path: str = "") -> Iterator[Issue]:
        """See ``Node.issues``."""
        if not isinstance(value, list):
            yield Issue(path, "must be an array")
            return
        if len(value) < self.min_items:
            yield Issue(path, f"must have at least {self.min_items} element")
        for index, element in enumerate(value):
            yield from self.item.issues(element, _below(path, str(index)))

    def schema(self) -> JsonDict:
        """See ``Node.schema``."""
        return {"type": "array", "items": self.item.schema(), "minItems": self.min_items}


@attrs.frozen(kw_only=True)
class Either:
    """One of some kinds; whatever is none of them has one issue."""

    kinds: Sequence[Node]
    message: str

    def issues(self, value: object, path: str = "") -> Iterator[Issue]:
        """See ``Node.issues``."""
        if all(any(kind.issues(value, path)) for kind in self.kinds):
            yield Issue(path, self.message)

    def schema(self) -> JsonDict:
        """See ``Node.schema``."""
        return {"anyOf": [kind.schema() for kind in self.kinds]}


@attrs.frozen(kw_only=True)
class Tagged:
    """An object whose other members depend on one of them.

    Attributes:
        tag: Name of that one.
        kinds: By its value; each kind declares the tag, too.
    """

    tag: str
    kinds: Mapping[str, Members]

    def issues(self, value: object, path: str = "") -> Iterator[Issue]:
        """See ``Node.issues``."""
        if not isinstance(value, dict):
            yield Issue(path, "must be an object")
            return
        word = value.get(self.tag)
        if isinstance(word, str) and word in self.kinds:
            yield from self.kinds[word].issues(value, path)
        else:
            yield Issue(_below(path, self.tag), f"must be one of: {', '.join(self.kinds)}")

    def schema(self) -> JsonDict:
        """See ``Node.schema``."""
        return {"oneOf": [kind.schema() for kind in self.kinds.values()]}


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _described(schema: JsonDict, description: str) -> JsonDict:
    return {**schema, "description": description} if description else schema
