"""Reading the gateway's webhooks, in both of its forms [PAY-69]. Total over any JSON."""

from __future__ import annotations

from collections.abc import Mapping

from nxt_domain.orders.gateway import IncomingEvent
from nxt_domain.shared.json import Json

_LARGEST_ID = 10**18
_TRANSFER = "TRANSFER"


def read_event(body: Json) -> IncomingEvent:
    """Read a webhook's body; what is no event of a charge is only told apart, never refused.

    Args:
        body: Any JSON: the current form (``event``, ``data``), the older flat form (``txRef``), or anything else.
    """
    outer = body if isinstance(body, Mapping) else {}
    inner = outer.get("data")
    data: Mapping[str, Json] = inner if isinstance(inner, Mapping) else {}
    flat_reference = _text(outer.get("txRef"))
    facts = outer if flat_reference is not None or not data else data
    event = _text(outer.get("event")) or _text(outer.get("event.type"))
    return IncomingEvent(
        gateway_tx_id=_id(facts.get("id")),
        reference=flat_reference or _text(data.get("tx_ref")),
        event=event,
        status=_text(facts.get("status")),
        is_charge=_is_charge(event, is_flat=flat_reference is not None),
        payload=body,
    )


def _is_charge(event: str | None, *, is_flat: bool) -> bool:
    if event is None or event.startswith("charge."):
        return True
    return is_flat and _TRANSFER not in event.upper().split("_")[:1]


def _id(value: Json) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if 0 <= value < _LARGEST_ID else None
    return _text(value)


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None
