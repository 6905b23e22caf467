"""Answers about charges and refunds that are no plain yes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nxt_adapters.flutterwave.answers import read_refund, read_refunds, read_ussd_note
from nxt_adapters.resilience import HttpReply
from nxt_domain.orders.gateway_ports import ChargeRefused, GatewayFailed, GatewayRefusedCredentials, RefundRefused
from nxt_domain.orders.suspense import RefundState

MADE: dict[str, Any] = {
    "status": "success",
    "data": {"status": "pending"},
    "meta": {"authorization": {"mode": "ussd", "note": "*889*767*1234#"}},
}
REFUND = {"id": 75923, "tx_id": 908790, "amount_refunded": 6900, "status": "completed"}


def reply(body: object, status: int = 200) -> HttpReply:
    return HttpReply(status=status, headers={}, body=json.dumps(body).encode())


def test_the_note_of_a_charge() -> None:
    """[PAY-64] Anything but a success with something to dial is a failed charge."""
    assert read_ussd_note(reply(MADE)) == "*889*767*1234#"
    for broken in (
        {**MADE, "status": "error"},
        {**MADE, "data": None},
        {**MADE, "meta": {}},
        {**MADE, "meta": {"authorization": {"mode": "pin", "note": "*1#"}}},
        {**MADE, "meta": {"authorization": {"mode": "ussd"}}},
    ):
        with pytest.raises(ChargeRefused):
            read_ussd_note(reply(broken))
    with pytest.raises(ChargeRefused, match="not supported"):
        read_ussd_note(reply({"status": "error", "message": "Bank not supported"}, 400))
    with pytest.raises(GatewayRefusedCredentials):
        read_ussd_note(reply({}, 401))
    with pytest.raises(GatewayFailed):
        read_ussd_note(HttpReply(status=200, headers={}, body=b"<html>"))


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("completed", RefundState.DONE),
        ("failed", RefundState.REFUSED),
        ("pending", RefundState.UNDER_WAY),
        ("new word", RefundState.UNDER_WAY),
    ],
)
def test_words_of_refunds(word: str, state: RefundState) -> None:
    """[PAY-92] Only a clear word books anything."""
    assert read_refund(reply({"status": "success", "data": {**REFUND, "status": word}})).state is state


def test_refunds_that_are_none() -> None:
    """[PAY-92]"""
    with pytest.raises(RefundRefused, match="not refundable"):
        read_refund(reply({"status": "error", "message": "not refundable"}, 400))
    for broken in (None, {}, {**REFUND, "amount_refunded": 0}, {**REFUND, "id": None}):
        with pytest.raises(GatewayFailed):
            read_refund(reply({"status": "success", "data": broken}))


def test_pages_of_refunds() -> None:
    """[PAY-92] The last page is known by its number; without numbers there is one."""
    info = {"page_info": {"current_page": 1, "total_pages": 2}}
    refunds, is_last = read_refunds(reply({"status": "success", "data": [REFUND], "meta": info}))
    assert ([refund.gateway_tx_id for refund in refunds], is_last) == (["908790"], False)
    assert read_refunds(reply({"status": "success", "data": [REFUND]}))[1]
    assert read_refunds(reply({"status": "success", "data": []}))[1]
    with pytest.raises(GatewayFailed):
        read_refunds(reply({"status": "success", "data": "none"}))
