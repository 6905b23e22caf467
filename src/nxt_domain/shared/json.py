"""JSON as the domain sees it: plain values, with exact numbers."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

from nxt_domain.shared.money import plain

Json: TypeAlias = "str | int | float | bool | Decimal | Sequence[Json] | Mapping[str, Json] | None"
JsonObject: TypeAlias = Mapping[str, Json]


_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


def storable_text(text: str) -> str:
    """Replace what no database takes in a text: NUL, and halves of characters that stand alone."""
    return text if text.isprintable() else _UNSTORABLE.sub(_REPLACEMENT, text)


def storable(value: Json) -> Json:
    """Replace what no database takes, however deep it stands; numbers that are none become null."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {storable_text(name): storable(member) for name, member in value.items()}
    if isinstance(value, Sequence):
        return [storable(item) for item in value]
    return value


def canonical(value: Json) -> bytes:
    """Write JSON in its one canonical form: members sorted, no blanks, numbers in plain notation, UTF-8.

    Raises:
        RecursionError: It is nested too deeply.
    """
    return _canonical(value).encode(errors="surrogatepass")


def _canonical(value: Json) -> str:
    if isinstance(value, Mapping):
        members = (f"{json.dumps(name, ensure_ascii=False)}:{_canonical(value[name])}" for name in sorted(value))
        return f"{{{','.join(members)}}}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{','.join(_canonical(item) for item in value)}]"
    return plain(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
