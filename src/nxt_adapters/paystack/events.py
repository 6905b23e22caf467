"""Reading the gateway's webhooks, and knowing them by their signature. Total over any JSON."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from nxt_adapters.paystack.wire import from_wire
from nxt_domain.orders.gateway import IncomingEvent
from nxt_domain.shared.json import Json

_LARGEST_ID = 2**64


def sign(body: bytes, secret_key: str) -> str:
    """Make the header ``x-paystack-signature``: HMAC-SHA512 of the body as it was sent, hexadecimal."""
    return hmac.new(secret_key.encode(), body, hashlib.sha512).hexdigest()


def is_signed(body: bytes, presented: str | None, secret_key: str) -> bool:
    """Tell, in constant time, whether a webhook carries the signature of its body.

    Args:
        body: As received, byte by byte.
        presented: The header; None: it is missing.
        secret_key: The merchant account's own; there is no other secret for webhooks.
    """
    return hmac.compare_digest((presented or "").encode(errors="replace"), sign(body, secret_key).encode())


def read_event(body: Json) -> IncomingEvent:
    """Read a webhook's body; what is no event of a charge is only told apart, never refused."""
    outer = body if isinstance(body, Mapping) else {}
    data = _inner(outer, "data")
    event = _text(outer.get("event"))
    is_charge = event is None or (event.startswith("charge.") and not event.startswith("charge.dispute."))
    # Disputes tell the transaction they are about, refunds only its reference.
    subject = data if is_charge else _inner(data, "transaction")
    reference = _text(subject.get("reference")) or _text(data.get("transaction_reference"))
    return IncomingEvent(
        gateway_tx_id=_id(subject.get("id")),
        reference=None if reference is None else from_wire(reference),
        event=event,
        status=_text(data.get("status")),
        is_charge=is_charge,
        payload=body,
    )


def _inner(outer: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    value = outer.get(name)
    return value if isinstance(value, Mapping) else {}


def _id(value: Json) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if 0 <= value < _LARGEST_ID else None
    return _text(value)


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None
