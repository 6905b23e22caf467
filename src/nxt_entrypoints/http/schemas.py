"""JSON Schemas of the types that routes take and give."""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs
from msgspec import UnsetType

from nxt_entrypoints.http.rules import Rule

JsonDict = dict[str, Any]

_ABSENT = frozenset({types.NoneType, UnsetType})
_SCALARS: Mapping[Any, JsonDict] = {
    object: {},
    Any: {},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Decimal: {"type": "number"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
}


class Schemas:
    """Schemas of one document; attrs classes become its named components, each instance of a generic one its own."""

    def __init__(self) -> None:
        self.named: dict[str, JsonDict] = {}
        self._names: dict[Any, str] = {}

    def of(self, hint: Any) -> JsonDict:  # noqa: ANN401 - a type hint, which has no type of its own
        """Return the schema of a type hint, with the words of the rules beside it."""
        origin = get_origin(hint)
        if origin is Annotated:
            return self._annotated(hint)
        if origin in {Union, types.UnionType}:
            return self._union(hint)
        if hint in _SCALARS:
            return dict(_SCALARS[hint])
        if isinstance(hint, type) and issubclass(hint, Enum):
            return {"type": "string", "enum": [member.value for member in hint]}
        if is_object(hint):
            return self._component(hint)
        return self._container(hint, origin)

    def properties(self, cls: Any) -> Mapping[str, JsonDict]:  # noqa: ANN401 - a class, or an instance of a generic one
        """Return the schema of each field of an attrs class, with its default if plain, and its text."""
        plain = get_origin(cls) or cls
        variables = dict(zip(getattr(plain, "__parameters__", ()), get_args(cls), strict=False))
        hints = get_type_hints(plain, include_extras=True)
        texts = _texts(plain)[1]
        return {
            field.name: self.of(_substituted(hints[field.name], variables)) | _default(field) | _text(texts, field.name)
            for field in attrs.fields(plain)
        }

    def _annotated(self, hint: object) -> JsonDict:
        kind, *extras = get_args(hint)
        words: JsonDict = {}
        for extra in extras:
            words |= extra.schema if isinstance(extra, Rule) else {}
        return self.of(kind) | words

    def _union(self, hint: object) -> JsonDict:
        present = [self.of(member) for member in get_args(hint) if member not in _ABSENT]
        if types.NoneType in get_args(hint):
            present.append({"type": "null"})
        return present[0] if len(present) == 1 else {"anyOf": present}

    def _container(self, hint: object, origin: object) -> JsonDict:
        if origin is Literal:
            return {"enum": list(get_args(hint))}
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(get_args(hint)[1])}
        if isinstance(origin, type) and issubclass(origin, Sequence | AbstractSet):
            return {"type": "array", "items": self.of(get_args(hint)[0])}
        return {"type": "object"} if hint in {dict, Mapping} else {}

    def _component(self, hint: Any) -> JsonDict:  # noqa: ANN401 - as above
        name = self._names.get(hint)
        if name is None:
            name = self._names[hint] = self._free_name(hint)
            self.named[name] = {}  # against endless recursion
            self.named[name] = self._object(hint)
        return {"$ref": f"#/components/schemas/{name}"}

    def _free_name(self, hint: Any) -> str:  # noqa: ANN401 - as above
        name = _name(hint)
        if name not in self.named:
            return name
        room = str((get_origin(hint) or hint).__module__).rpartition(".")[2]
        return f"{room.title().replace('_', '')}{name}"

    def _object(self, hint: Any) -> JsonDict:  # noqa: ANN401 - as above
        cls = get_origin(hint) or hint
        required = [field.name for field in attrs.fields(cls) if field.default is attrs.NOTHING]
        schema: JsonDict = {"type": "object", "properties": dict(self.properties(hint))}
        summary = _texts(cls)[0]
        return schema | ({"required": required} if required else {}) | ({"description": summary} if summary else {})


def is_object(hint: Any) -> bool:  # noqa: ANN401 - a type hint
    """Tell whether a hint names an attrs class, or an instance of a generic one such as ``Page[GridView]``."""
    kind = get_origin(hint) or hint
    return isinstance(kind, type) and attrs.has(kind)


def without_none(hint: Any) -> tuple[Any, bool]:  # noqa: ANN401 - a type hint
    """Split ``X | None`` into ``X`` and whether None is possible."""
    if get_origin(hint) not in {Union, types.UnionType}:
        return hint, False
    present = tuple(member for member in get_args(hint) if member is not types.NoneType)
    return Union[present], len(present) < len(get_args(hint))  # noqa: UP007 - made of a tuple


def _name(hint: Any) -> str:  # noqa: ANN401 - a type hint
    """``Page[GridView]`` is ``PageOfGridView``."""
    arguments = get_args(hint)
    kind = get_origin(hint) or hint
    own = getattr(kind, "__name__", "Value")
    return f"{own}Of{'And'.join(_name(argument) for argument in arguments)}" if arguments else str(own)


def _substituted(hint: Any, variables: Mapping[Any, Any]) -> Any:  # noqa: ANN401 - type hints
    if isinstance(hint, TypeVar):
        return variables.get(hint, object)
    parameters = getattr(hint, "__parameters__", ())
    if not parameters:
        return hint
    return hint[tuple(variables.get(parameter, object) for parameter in parameters)]


def _texts(cls: type[Any]) -> tuple[str, Mapping[str, str]]:
    """Read a class's docstring: what it is, and what each of its attributes is."""
    summary, _, attributes = (inspect.getdoc(cls) or "").partition("\n\nAttributes:\n")
    texts: dict[str, str] = {}
    for line in attributes.splitlines():
        name, colon, text = line.strip().partition(": ")
        if line.startswith("    ") and not line.startswith("     ") and colon:
            texts[name] = text
        elif texts and line.strip():
            texts[list(texts)[-1]] += f" {line.strip()}"
    return summary, texts


def _text(texts: Mapping[str, str], name: str) -> JsonDict:
    return {"description": texts[name]} if name in texts else {}


def _default(field: attrs.Attribute[Any]) -> JsonDict:
    is_plain = isinstance(field.default, bool | int | str) and not isinstance(field.default, Enum)
    return {"default": field.default} if is_plain else {}
