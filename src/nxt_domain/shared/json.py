"""JSON as the domain sees it: plain values, with exact numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

from nxt_domain.shared.money import plain

Json: TypeAlias = "str | int | float | bool | Decimal | Sequence[Json] | Mapping[str, Json] | None"
JsonObject: TypeAlias = Mapping[str, Json]


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
