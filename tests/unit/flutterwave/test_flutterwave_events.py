"""Webhook bodies: both forms, and anything else [PAY-69]."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_adapters.flutterwave.events import read_event
from nxt_adapters.supabase.gateway_events import storable

CURRENT = {
    "event": "charge.completed",
    "data": {
        "id": 8321945,
        "tx_ref": "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
        "flw_ref": "8016915561111736846576262",
        "amount": 500,
        "currency": "NGN",
        "status": "successful",
        "payment_type": "bank_transfer",
        "customer": {},
    },
    "event.type": "BANK_TRANSFER_TRANSACTION",
}
FLAT = {
    "id": 8321945,
    "txRef": "1b4e28ba",
    "amount": 500,
    "status": "successful",
    "currency": "NGN",
    "event.type": "BANK_TRANSFER_TRANSACTION",
}
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.decimals(allow_nan=True, allow_infinity=True),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["data", "event", "id", "tx_ref", "txRef", "event.type", "status"]) | st.text(),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


def test_the_current_form() -> None:
    """[PAY-69]"""
    event = read_event(CURRENT)
    assert (event.gateway_tx_id, event.reference) == ("8321945", "1b4e28ba-2fa1-11d2-883f-0016d3cca427")
    assert (event.event, event.status, event.is_charge) == ("charge.completed", "successful", True)


def test_the_older_flat_form() -> None:
    """[PAY-69] [PAY-72] the reference is ``txRef``, the event is ``event.type``."""
    event = read_event(FLAT)
    assert (event.gateway_tx_id, event.reference) == ("8321945", "1b4e28ba")
    assert (event.event, event.status, event.is_charge) == ("BANK_TRANSFER_TRANSACTION", "successful", True)


@pytest.mark.parametrize(
    "body",
    [
        {"event": "transfer.completed", "data": {"id": 1, "tx_ref": "a"}},
        {"event": "subscription.cancelled", "data": {"tx_ref": "a"}},
        {"event.type": "Transfer", "txRef": "a"},
    ],
)
def test_other_kinds_are_no_charges(body: dict[str, object]) -> None:
    """[PAY-71]"""
    assert not read_event(body).is_charge  # type: ignore[arg-type]  # plain JSON


@given(anything)
def test_reading_never_fails_and_what_is_read_can_be_stored(body: object) -> None:
    """[PAY-71] [API-38] total over any JSON, and fit for ``jsonb``."""
    event = read_event(body)  # type: ignore[arg-type]  # any JSON
    assert event.reference is None or isinstance(event.reference, str)
    text = json.dumps(storable(event.payload), allow_nan=False)
    assert "\\u0000" not in text
    text.encode()


def test_monstrous_bodies_are_cut() -> None:
    """[API-38] numbers of a million digits, a thousand levels."""
    deep: object = 1
    for _ in range(1000):
        deep = [deep]
    assert len(json.dumps(storable(deep))) < 500  # type: ignore[arg-type]  # any JSON
    assert storable({"n": Decimal("1E+999999"), "i": 10**5000, "f": Decimal("0.10")}) == {
        "n": "1E+999999",
        "i": str(Decimal(10**5000))[:255],
        "f": "0.10",
    }
    assert read_event({"id": 10**5000, "txRef": "a"}).gateway_tx_id is None
