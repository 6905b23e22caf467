"""Answers that are no plain yes."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_adapters.paystack.answers import read_refund, read_refunds, read_to_dial, read_transaction
from nxt_adapters.resilience import HttpReply
from nxt_domain.orders.gateway import PaymentState
from nxt_domain.orders.gateway_ports import (
    ChargeRefused,
    GatewayFailed,
    GatewayRefusedCredentials,
    RefundRefused,
    UnknownPayment,
)
from nxt_domain.orders.model import PaymentMethod
from nxt_domain.orders.suspense import RefundState

PAID: dict[str, Any] = {
    "id": 4099260516,
    "status": "success",
    "reference": "re4lyvq3s3",
    "amount": 40333,
    "requested_amount": 30050,
    "channel": "card",
    "currency": "NGN",
    "fees": 10283,
    "paid_at": "2026-03-10T09:15:02.000Z",
}
MADE: dict[str, Any] = {"reference": "phone-1", "status": "pay_offline", "ussd_code": "*737*000*4791#"}
REFUND: dict[str, Any] = {"id": 1234, "transaction": 302961, "amount": 690005, "status": "processed"}


def reply(body: object, status: int = 200) -> HttpReply:
    return HttpReply(status=status, headers={}, body=json.dumps(body).encode())


def good(data: object, **more: object) -> HttpReply:
    return reply({"status": True, "message": "fine", "data": data, **more})


def bad(message: str, status: int = 400, **more: object) -> HttpReply:
    return reply({"status": False, "message": message, **more}, status)


def test_a_payment_whose_payer_bears_the_fee() -> None:
    """[PAY-74] Compared is what was asked for, not what the payer was charged."""
    paid = read_transaction(good(PAID))
    assert (paid.amount, paid.charged_amount, paid.fee) == (Decimal("300.50"), Decimal("403.33"), Decimal("102.83"))
    assert (paid.id, paid.reference, paid.state) == ("4099260516", "re4lyvq3s3", PaymentState.PAID)
    assert (paid.payment_type, paid.method) == ("card", PaymentMethod.CREDIT_CARD)


def test_a_payment_of_a_part() -> None:
    """[PAY-74] Less than was asked is not what was asked."""
    assert read_transaction(good({**PAID, "amount": 20000})).amount == Decimal(200)
    assert read_transaction(good({**PAID, "requested_amount": None, "fees": None})).amount == Decimal("403.33")


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("failed", PaymentState.REFUSED),
        ("reversed", PaymentState.REFUSED),
        ("abandoned", PaymentState.UNDECIDED),
        ("ongoing", PaymentState.UNDECIDED),
        ("reversal-pending", PaymentState.UNDECIDED),
        ("new word", PaymentState.UNDECIDED),
    ],
)
def test_words_of_payments(word: str, state: PaymentState) -> None:
    """[PAY-62] A buyer who left the checkout may come back to it."""
    assert read_transaction(good({**PAID, "status": word})).state is state


@pytest.mark.parametrize(
    "unknown",
    [
        bad("Transaction reference not found.", code="transaction_not_found"),
        bad("Transaction reference not found"),
        bad("Transaction not found", 404),
    ],
)
def test_there_is_no_such_payment(unknown: HttpReply) -> None:
    """[PAY-61]"""
    with pytest.raises(UnknownPayment):
        read_transaction(unknown)


@pytest.mark.parametrize("refused", [bad("Invalid key"), bad("Invalid key", 401), reply({}, 403)])
def test_a_key_that_is_not_accepted(refused: HttpReply) -> None:
    """[PAY-130] Says nothing about the payment."""
    for read in (read_transaction, read_to_dial, read_refund, read_refunds):
        with pytest.raises(GatewayRefusedCredentials):
            read(refused)


@pytest.mark.parametrize(
    "broken",
    [
        bad("Validation error"),
        reply({"message": "no route"}, 404),
        reply([]),
        good(None),
        good([]),
        reply({"status": "success", "data": PAID}),
        good({**PAID, "amount": "403.33"}),
        good({**PAID, "amount": 403.33}),
        good({**PAID, "amount": True}),
        good({**PAID, "amount": -1}),
        good({**PAID, "id": None}),
        good({**PAID, "id": "../../refund"}),
        good({**PAID, "status": 1}),
        good({**PAID, "reference": ""}),
        good({**PAID, "currency": None}),
        HttpReply(status=200, headers={}, body=b'{"status":tr\xff<html>'),
    ],
)
def test_no_answer_to_our_question(broken: HttpReply) -> None:
    """[PAY-130] Nonsense is neither a payment nor the lack of one."""
    with pytest.raises(GatewayFailed):
        read_transaction(broken)


@given(st.binary(max_size=60), st.sampled_from([200, 201, 302, 400, 404, 422]))
def test_any_bytes_are_an_answer_or_none(body: bytes, status: int) -> None:
    """[PAY-130] No other error escapes."""
    with pytest.raises((GatewayFailed, UnknownPayment)):
        read_transaction(HttpReply(status=status, headers={}, body=body))


def test_what_to_dial() -> None:
    """[PAY-64] Anything but a code to dial is a failed charge; a known reference may have been paid."""
    assert read_to_dial(good(MADE)) == "*737*000*4791#"
    for broken in ({**MADE, "status": "send_otp"}, {**MADE, "ussd_code": None}, {**MADE, "ussd_code": "*1#; call me"}):
        with pytest.raises(ChargeRefused, match="nothing to dial"):
            read_to_dial(good(broken))
    with pytest.raises(ChargeRefused, match="minimum"):
        read_to_dial(bad("Amount is below the minimum"))
    with pytest.raises(GatewayFailed, match="before"):
        read_to_dial(bad("Duplicate Transaction Reference", code="duplicate_reference"))
    with pytest.raises(GatewayFailed):
        read_to_dial(good(None))


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("processed", RefundState.DONE),
        ("failed", RefundState.REFUSED),
        ("pending", RefundState.UNDER_WAY),
        ("needs-attention", RefundState.UNDER_WAY),
        ("new word", RefundState.UNDER_WAY),
    ],
)
def test_words_of_refunds(word: str, state: RefundState) -> None:
    """[PAY-92] Only a clear word books anything."""
    refund = read_refund(good({**REFUND, "status": word, "transaction": {"id": 302961, "reference": "phone-1"}}))
    assert (refund.state, refund.gateway_tx_id, refund.amount) == (state, "302961", Decimal("6900.05"))


def test_refunds_that_are_none() -> None:
    """[PAY-92]"""
    with pytest.raises(RefundRefused, match="fully reversed"):
        read_refund(bad("Transaction has been fully reversed"))
    for broken in (None, {}, {**REFUND, "amount": 0}, {**REFUND, "id": None}, {**REFUND, "transaction": {}}):
        with pytest.raises(GatewayFailed):
            read_refund(good(broken))


def test_pages_of_refunds() -> None:
    """[PAY-92] The last page is known by its number; without numbers there is one."""
    refunds, is_last = read_refunds(good([REFUND], meta={"page": 1, "pageCount": 2}))
    assert ([refund.gateway_tx_id for refund in refunds], is_last) == (["302961"], False)
    assert read_refunds(good([REFUND]))[1]
    assert read_refunds(good([], meta={"page": 1, "pageCount": 2}))[1]
    with pytest.raises(GatewayFailed):
        read_refunds(good("none"))
