"""Signatures, amounts and references as Paystack has them, byte for byte; and webhooks of any kind."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_adapters.paystack.events import is_signed, read_event, sign
from nxt_adapters.paystack.wire import from_wire, to_major, to_minor, to_wire

REFERENCE = "Sun_Power_Ltd+47001771477__2026-03-10T09:15:02.123Z"
# Signed with another implementation of HMAC: openssl dgst -sha512 -hmac sk_test_golden
BODY = (
    '{"event":"charge.success","data":{"id":302961,"reference":"Sun=5FPower=2B47","amount":100025,'
    '"status":"success","note":"caf\\u00e9 ₦"}}'
).encode()
SIGNATURE = (
    "8b0c0f096103f0d79605fa397010ed6d48c74be076a07c0c0babf5d052ee5b77"
    "43fec9006b67a7930d8914fa50cc079da59c56b187981f695a5c4f60e04674e3"
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "event", "id", "reference", "transaction", "status"]) | st.text(),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


def test_the_signature_is_that_of_the_bytes() -> None:
    """[PAY-68] One other byte, another key, or no header: not signed."""
    assert sign(BODY, "sk_test_golden") == SIGNATURE
    assert is_signed(BODY, SIGNATURE, "sk_test_golden")
    assert not is_signed(BODY + b" ", SIGNATURE, "sk_test_golden")
    assert not is_signed(BODY, SIGNATURE, "sk_test_other")
    for nothing in (None, "", SIGNATURE[:-1], "naïve \udcff"):
        assert not is_signed(BODY, nothing, "sk_test_golden")


@pytest.mark.parametrize(
    ("major", "minor"),
    [("1000.25", 100025), ("0.01", 1), ("500.50", 50050), ("1E+3", 100000), ("999999999999.99", 99999999999999)],
)
def test_amounts_are_whole_hundredths(major: str, minor: int) -> None:
    """[PAY-1] Never a float between naira and kobo."""
    assert to_minor(Decimal(major)) == minor
    assert to_major(minor) == to_major(str(minor)) == Decimal(major)


@given(st.integers(1, 10**15))
def test_an_amount_comes_back(minor: int) -> None:
    """[PAY-1]"""
    assert to_minor(to_major(minor)) == minor


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "10.005", "NaN", "Infinity"])
def test_what_can_not_be_paid(amount: str) -> None:
    """[PAY-1] Nothing is rounded on its way to a payer."""
    with pytest.raises(ValueError, match="hundredths"):
        to_minor(Decimal(amount))


@pytest.mark.parametrize("minor", [None, True, -1, "-1", 1.5, "1.50", "1e3", "", "٣", [], "9" * 18])
def test_what_is_no_amount(minor: object) -> None:
    """[PAY-1]"""
    with pytest.raises(ValueError, match="hundredths"):
        to_major(minor)


def test_references_in_the_gateways_alphabet() -> None:
    """[PAY-55] Its alphabet lacks three characters of our references."""
    wire = "Sun=5FPower=5FLtd=2B47001771477=5F=5F2026-03-10T09=3A15=3A02.123Z"
    assert to_wire(REFERENCE) == wire
    assert from_wire(wire) == REFERENCE
    assert to_wire("1b4e28ba-2fa1-11d2-883f-0016d3cca427") == "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
    assert to_wire("..") == "=2E."


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_reference_comes_back(reference: str) -> None:
    """[PAY-61] Two orders never share one, and none leads elsewhere in a path."""
    wire = to_wire(reference)
    assert re.fullmatch(r"[A-Za-z0-9=-][A-Za-z0-9.=-]*", wire)
    assert from_wire(wire) == reference


@given(st.text())
def test_a_reference_that_others_made_stays(wire: str) -> None:
    """[PAY-71] What we did not write is not read as something else."""
    assert from_wire(wire) == wire or to_wire(from_wire(wire)) == wire


def test_a_charge() -> None:
    """[PAY-71] The order's own reference is told."""
    data = {"id": 302961, "reference": to_wire(REFERENCE), "status": "success", "amount": 100025}
    event = read_event({"event": "charge.success", "data": data})
    assert (event.gateway_tx_id, event.reference) == ("302961", REFERENCE)
    assert (event.event, event.status, event.is_charge) == ("charge.success", "success", True)


def test_what_is_no_charge() -> None:
    """[PAY-71] Refunds, disputes and transfers are only stored."""
    refund = {"status": "processed", "transaction_reference": "phone-1", "amount": "5000"}
    event = read_event({"event": "refund.processed", "data": refund})
    assert (event.gateway_tx_id, event.reference, event.is_charge) == (None, "phone-1", False)
    dispute = {"id": 7, "status": "awaiting-merchant-feedback", "transaction": {"id": 302961, "reference": "phone-1"}}
    event = read_event({"event": "charge.dispute.create", "data": dispute})
    assert (event.gateway_tx_id, event.reference, event.is_charge) == ("302961", "phone-1", False)
    event = read_event({"event": "transfer.success", "data": {"id": 9, "reference": "phone-1"}})
    assert (event.gateway_tx_id, event.reference, event.is_charge) == (None, None, False)


@given(anything)
def test_any_json_is_an_event(body: object) -> None:
    """[PAY-71] Total: nonsense is stored like the rest."""
    event = read_event(body)  # type: ignore[arg-type]  # any JSON
    assert event.payload is body
    assert event.gateway_tx_id is None or isinstance(event.gateway_tx_id, str)
