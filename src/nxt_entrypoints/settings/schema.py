"""JSON Schema of the artifact, generated from the classes that decode it [API-190]."""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Mapping
from typing import Any

import attrs

from nxt_entrypoints.settings.artifact import SCHEMA_VERSION, Artifact
from nxt_entrypoints.settings.fields import Key, Slot, slots_of

JsonSchema = dict[str, Any]

_PRIMITIVES: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}


def artifact_schema() -> JsonSchema:
    """The schema of the whole document (draft 2020-12); unknown keys are errors in it too."""
    schema = _object(Artifact)
    schema["properties"]["$schemaVersion"] = {"const": SCHEMA_VERSION}
    schema["properties"]["$schema"] = {"type": "string"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of an nxt-backend deployment",
        **schema,
    }


def _object(cls: type) -> JsonSchema:
    slots = list(slots_of(cls))
    required = [slot.key.name for slot in slots if slot.key.required]
    schema: JsonSchema = {
        "type": "object",
        "description": (cls.__doc__ or "").strip().partition("\n")[0],
        "properties": {slot.key.name: _slot(slot) for slot in slots},
        "additionalProperties": False,
    }
    return {**schema, "required": required} if required else schema


def _slot(slot: Slot) -> JsonSchema:
    schema = _of(slot.type, slot.key)
    if slot.key.doc:
        schema["description"] = slot.key.doc
    if slot.default is not attrs.NOTHING and not attrs.has(type(slot.default)) and not slot.key.required:
        schema["default"] = list(slot.default) if isinstance(slot.default, tuple) else slot.default
    return schema


def _of(kind: Any, declared: Key) -> JsonSchema:  # noqa: ANN401 - any type of a field
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    schema: JsonSchema = {}
    if origin in (types.UnionType, typing.Union):
        inner = next(a for a in arguments if a is not types.NoneType)
        schema = {"anyOf": [_of(inner, declared), {"type": "null"}]}
    elif origin is tuple:
        schema = {"type": "array", "items": _of(arguments[0], declared)}
    elif origin is Mapping:
        item = _of(arguments[1], declared)
        either = {"anyOf": [{"type": "string"}, item]} if declared.shorthand else item
        schema = {"type": "object", "additionalProperties": either}
    elif kind is not Any:
        schema = _class(kind, declared)
    return schema


def _class(kind: type, declared: Key) -> JsonSchema:
    if attrs.has(kind):
        return _object(kind)
    if issubclass(kind, enum.StrEnum):
        return {"enum": [item.value for item in kind]}
    return _scalar(kind, declared)


def _scalar(kind: type, declared: Key) -> JsonSchema:
    if declared.choices is not None:
        return {"enum": list(declared.choices)}
    schema: JsonSchema = {"type": _PRIMITIVES[kind]}
    if declared.minimum is not None:
        schema["minimum"] = declared.minimum
    if declared.maximum is not None:
        schema["maximum"] = declared.maximum
    return schema
