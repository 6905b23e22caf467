"""From the words of the messaging module to those that clients read in ``result_value`` [DM-184]."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from nxt_domain.shared.json import Json, JsonObject

_CAMEL_CASE = re.compile(r"[a-z]+[A-Za-z0-9]*", re.ASCII)
_SEGMENT_START = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[0-9])(?=[A-Z])", re.ASCII)


def result_key(key: str) -> str:
    """Write one camelCase key in snake_case; a digit after a word is a segment of its own: ``source_1``.

    A key that is not camelCase, such as the phase ``A``, stays as it is.
    """
    if not _CAMEL_CASE.fullmatch(key):
        return key
    return _SEGMENT_START.sub("_", key).lower()


def result_value(data: JsonObject) -> dict[str, Json]:
    """Rename all keys of a device's answer, nested ones too; values are not touched."""
    return {result_key(key): _renamed(value) for key, value in data.items()}


def _renamed(value: Json) -> Json:
    if isinstance(value, Mapping):
        return result_value(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_renamed(item) for item in value]
    return value
