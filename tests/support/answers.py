"""What HTTP brings back, with exact numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs


@attrs.frozen
class Answer:
    """An HTTP answer; numbers of JSON bodies are ``Decimal`` where they have a fraction."""

    status: int
    body: Any
    text: str = attrs.field(repr=False, default="")


def header_names(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def encode(body: object) -> bytes:
    return json.dumps(body, default=_plain).encode()


def decode(text: str) -> Any:
    try:
        return json.loads(text, parse_float=Decimal)
    except ValueError:
        return None


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(type(value).__name__)
