"""The pay page, and verification on request."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from tests.support.http_roles import Services, refusal
from tests.support.identity_world import (
    ADMIN,
    AGENT,
    CUSTOMER,
    LENDER,
    MEMBER,
    NOBODY,
    IdentityWorld,
)

from nxt_domain.orders.ports import PublicView
from nxt_domain.orders.states import OrderStatus
from nxt_domain.orders.use_cases.verify_order import VerificationFailed
from nxt_domain.shared.errors import Conflict, InvalidInput, NotAcceptable, NotFound, Unavailable, Unprocessable

PURCHASE = {
    "meter_external_reference": "47001771477",
    "amount": 1000,
    "currency": "NGN",
    "payment_channel": "NIFFLER",
}


async def test_a_purchase_begins(api: Any, services: Services) -> None:
    """[API-120] [PAY-53] [PAY-11]"""
    answer = await api.post("/orders/flutterwave/initialise/public", json={**PURCHASE, "order_status": "COMPLETED"})
    assert (answer.status, await answer.json()) == (
        201,
        {
            "order_id": 50,
            "external_reference": "made",
            "organization_name": "Sunny Grids",
            "grid_name": "Umuoke",
            "meter_external_reference": "47001771477",
            "customer_full_name": None,
            "flutterwave_public_key": "FLWPUBK_TEST-1",
        },
    )
    ((purchase,),) = services.initialise_public_order.calls
    assert (purchase.amount, purchase.external_reference) == (Decimal(1000), None)


@pytest.mark.parametrize(
    ("change", "texts"),
    [
        ({"meter_external_reference": 47001771477}, ["meter_external_reference must be a string"]),
        ({"currency": "GBP"}, ["currency must be one of the following values: USD, NGN, EUR"]),
        (
            {"payment_channel": "niffler"},
            ["payment_channel must be one of the following values: USSD, AYRTON, NIFFLER, TELEGRAM"],
        ),
        ({"external_reference": 5}, ["external_reference must be a string"]),
        ({"amount": 10_000_001}, ["amount must not be greater than 10000000"]),
        ({"amount": 0}, ["amount must be a positive number", "amount must not be less than 1"]),
        (
            {"amount": "1000"},
            [
                "amount must be a number conforming to the specified constraints",
                "amount must be a positive number",
                "amount must not be less than 1",
                "amount must not be greater than 10000000",
                "amount must have at most 2 decimal places",
            ],
        ),
    ],
)
async def test_a_purchase_is_validated(api: Any, services: Services, change: dict[str, Any], texts: list[str]) -> None:
    """[PAY-10] [PAY-53] [API-22] [R13]"""
    answer = await api.post("/orders/flutterwave/initialise/public", json={**PURCHASE, **change})
    assert await refusal(answer) == (400, texts)
    assert services.initialise_public_order.calls == []


async def test_a_third_decimal_place_is_refused(api: Any) -> None:
    """[PAY-4] The text of the number counts, not its binary neighbour."""
    raw = json.dumps(PURCHASE).replace("1000", "4922.265")
    answer = await api.post(
        "/orders/flutterwave/initialise/public", data=raw, headers={"Content-Type": "application/json"}
    )
    assert await refusal(answer) == (400, ["amount must have at most 2 decimal places"])


TAKEN = "Order with external reference r already exists. Please try another external reference"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInput(TAKEN, code="REFERENCE_TAKEN"), 400),
        (NotFound("Could not find meter with external reference 1"), 404),
        (Unprocessable("Amount is too large for meter 1"), 422),
        (Conflict("Too many purchases"), 409),
        (Unavailable("Payment gateway is not configured"), 503),
    ],
)
async def test_refusals_of_a_purchase(api: Any, services: Services, error: Any, status: int) -> None:
    """[PAY-13] [PAY-53] One sentence each, as it is."""
    services.initialise_public_order.answer = error
    answer = await api.post("/orders/flutterwave/initialise/public", json=PURCHASE)
    assert await refusal(answer) == (status, error.message)


async def test_a_purchase_is_watched(api: Any, services: Services) -> None:
    """[API-121] [PAY-56] [PAY-3] The last three keys are absent until a command exists."""
    early = await api.post("/orders/flutterwave/check/public", json={"id": 50})
    assert (early.status, await early.text()) == (201, '{"order_status":"PENDING","amount":5.5}')
    services.check_public_order.answer = PublicView(
        status=OrderStatus.COMPLETED,
        amount=Decimal(1000),
        external_reference="r",
        directive_status="SUCCESSFUL",
        token="12345678901234567890",
        energy_kwh=Decimal("7.0"),
    )
    late = await api.post("/orders/flutterwave/check/public", json={"id": 50, "external_reference": "r"})
    assert await late.json() == {
        "order_status": "COMPLETED",
        "amount": 1000,
        "directive_status": "SUCCESSFUL",
        "token": "12345678901234567890",
        "kwh": 7,
    }
    assert services.check_public_order.calls == [(50, None), (50, "r")]


@pytest.mark.parametrize("body", [{}, None, {"id": None}, {"external_reference": "r"}])
async def test_without_id_there_is_nothing_to_watch_or_cancel(api: Any, services: Services, body: Any) -> None:
    """[API-121] [API-122] [PAY-56] [PAY-57]"""
    for verb, path in ((services.check_public_order, "check"), (services.cancel_public_order, "cancel")):
        verb.answer = Unprocessable(f"Can't {path} order with provided details")
        answer = await api.post(f"/orders/flutterwave/{path}/public", json=body)
        assert await refusal(answer) == (422, f"Can't {path} order with provided details")
        assert verb.calls[-1][0] is None


@pytest.mark.parametrize("number", ["5", 1.5, True, [], 2**31, 0, -1])
async def test_an_id_is_a_positive_32_bit_integer(api: Any, services: Services, number: Any) -> None:
    """[API-11] [API-27]"""
    for path in ("check/public", "cancel/public"):
        answer = await api.post(f"/orders/flutterwave/{path}", json={"id": number})
        status, texts = await refusal(answer)
        assert status == 400
        assert all(text.startswith("id must ") for text in texts)
    assert services.check_public_order.calls == []


async def test_a_purchase_is_given_up(api: Any, services: Services) -> None:
    """[API-122] [PAY-57]"""
    answer = await api.post("/orders/flutterwave/cancel/public", json={"id": 50})
    assert (answer.status, await answer.json()) == (201, {"id": 50, "order_status": "CANCELLED"})
    text = "Can't cancel order that is being or has been processed"
    services.cancel_public_order.answer = NotAcceptable(text)
    assert await refusal(await api.post("/orders/flutterwave/cancel/public", json={"id": 50})) == (406, text)


async def test_verification_on_request(api: Any, services: Services, world: IdentityWorld) -> None:
    """[API-123] [PAY-59] Whoever has a role may ask; the caller goes along, for the tenant rule."""
    for account in (ADMIN, MEMBER, AGENT, CUSTOMER):
        answer = await api.post(
            "/orders/flutterwave/verify", json={"external_reference": "r"}, headers=world.bearer(account)
        )
        assert (answer.status, await answer.json()) == (201, {"id": 50})
        caller, order_id, reference = services.verify_order.calls[-1]
        assert (caller.account_id, order_id, reference) == (account.id, None, "r")
    for account in (NOBODY, LENDER):
        answer = await api.post("/orders/flutterwave/verify", json={"id": 50}, headers=world.bearer(account))
        assert answer.status == 403


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("NOT_VERIFIABLE", "FW transaction for ref: r is in IGNORED, so it cannot be verified"),
        ("GATEWAY_FAILED", "We received an error when trying to verify order with reference: r"),
        ("NOT_SUCCESSFUL", "The order with tx ref r came back as pending during verification"),
        ("AMOUNT_MISMATCH", "Mismatching amount for order with tx ref r"),
        ("CURRENCY_MISMATCH", "Mismatching currency for order with tx ref r"),
    ],
)
async def test_what_is_not_paid_keeps_its_old_status(
    api: Any, services: Services, world: IdentityWorld, code: str, text: str
) -> None:
    """[PAY-59] 500, with the sentence that clients show."""
    services.verify_order.answer = VerificationFailed(text, code=code)
    answer = await api.post("/orders/flutterwave/verify", json={"id": 50}, headers=world.bearer(MEMBER))
    assert await refusal(answer) == (500, text)
    assert (await answer.json())["code"] == code
