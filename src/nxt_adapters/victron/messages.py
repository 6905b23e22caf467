"""Topics and bodies on the vendor's brokers (telemetry 5.2)."""

from __future__ import annotations

import math
import re
from typing import Final

import msgspec

from nxt_domain.telemetry.model import Phase, PowerReading

KEEP_ALIVE_BODY: Final = b'{"keepalive-options":["suppress-republish"]}'
"""Asks for changes only; an empty body asks for every value once [TEL-54]."""

_TOPIC: Final = re.compile(r"N/([^/]+)/system/0/Ac/ConsumptionOnOutput/(L[123])/Power")


def power_topic(portal_id: str) -> str:
    """Return the topic that a gateway's power is subscribed by."""
    return f"N/{portal_id}/system/0/Ac/ConsumptionOnOutput/+/Power"


def keep_alive_topic(portal_id: str) -> str:
    """Return the topic that keeps a gateway publishing."""
    return f"R/{portal_id}/keepalive"


def parse_power(topic: str, payload: bytes) -> PowerReading | None:
    """Read a power message; None for other topics and for what is no JSON object [TEL-155].

    A value that is null, absent or not a finite number is a reading of unknown power.
    """
    found = _TOPIC.fullmatch(topic)
    if found is None:
        return None
    try:
        body = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not isinstance(body, dict):
        return None
    return PowerReading(portal_id=found[1], phase=Phase(found[2]), power_w=_watts(body.get("value")))


def _watts(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        watts = float(value)
    except OverflowError:
        return None
    return watts if math.isfinite(watts) else None
