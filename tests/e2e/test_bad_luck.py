"""What is wrong is refused with the status and body of the specification, and no row changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from tests.support.running import Answer, Product

pytestmark = pytest.mark.e2e

_FINITE = "amount must be a number conforming to the specified constraints"
_TABLES = (
    "orders",
    "notifications",
    "internal.gateway_charges",
    "internal.gateway_events",
    "internal.ledger_entries",
    "internal.ledger_postings",
)
_POSITIVE = ["amount must be a positive number", "amount must not be less than 1"]
_MOST = "amount must not be greater than 10000000"
_PLACES = "amount must have at most 2 decimal places"
_BAD_AMOUNTS: Sequence[tuple[object, Sequence[str]]] = [
    (0, _POSITIVE),
    (-5, _POSITIVE),
    (10.005, [_PLACES]),
    (10_000_001, [_MOST]),
    ("100", [_FINITE, *_POSITIVE, _MOST, _PLACES]),
    (None, [_FINITE, *_POSITIVE, _MOST, _PLACES]),
]


@pytest.mark.parametrize(("amount", "texts"), _BAD_AMOUNTS, ids=[str(amount) for amount, _ in _BAD_AMOUNTS])
async def test_an_amount_that_is_none(product: Product, amount: object, texts: Sequence[str]) -> None:
    """[PAY-4] [API-22]: all violations of the amount in one 400, in the specification's words."""
    before = _rows(product)
    answer = await product.initialise(product.meters()[0], amount)
    assert answer.status == 400
    assert sorted(answer.body["message"]) == sorted(texts)
    assert (answer.body["statusCode"], answer.body["error"]) == (400, "Bad Request")
    assert _rows(product) == before


async def test_a_number_that_is_huge_costs_nothing(product: Product) -> None:
    """R12: ``1E999999999`` is refused before any arithmetic."""
    # No encoder of ours would write it.
    body = b'{"meter_external_reference":"1","amount":1E999999999,"currency":"NGN","payment_channel":"NIFFLER"}'
    answer = await product.post("/orders/flutterwave/initialise/public", None, data=body)
    assert answer.status == 400
    assert "40 digits" in answer.body["message"]


async def test_an_unknown_meter(product: Product) -> None:
    """[PAY-53]"""
    before = _rows(product)
    answer = await product.initialise("47999999999", 100)
    _refused(answer, 404, "Could not find meter with external reference 47999999999", "Not Found")
    assert _rows(product) == before


async def test_another_currency(product: Product) -> None:
    """[PAY-53]: a currency that is none is 400, one that the meter's wallet doesn't have is 422."""
    before = _rows(product)
    unknown = await product.initialise(product.meters()[0], 100, currency="XXX")
    assert unknown.status == 400
    assert any(text.startswith("currency must be one of the following values: ") for text in unknown.body["message"])
    other = await product.initialise(product.meters()[0], 100, currency="USD")
    assert (other.status, other.body["statusCode"], other.body["error"]) == (422, 422, "Unprocessable Entity")
    assert _rows(product) == before


async def test_a_reference_that_is_known(product: Product) -> None:
    """[PAY-53]: one reference is one order."""
    meter = product.meters()[0]
    first = await product.initialise(meter, 100, external_reference="page-4711")
    assert first.status == 201
    before = _rows(product)
    again = await product.initialise(meter, 100, external_reference="page-4711")
    text = "Order with external reference page-4711 already exists. Please try another external reference"
    _refused(again, 400, text, "Bad Request")
    assert _rows(product) == before


async def test_a_body_that_is_no_json(product: Product) -> None:
    """[API-17] [API-18]"""
    before = _rows(product)
    answer = await product.post("/orders/flutterwave/initialise/public", None, data=b'{"amount": 100')
    assert (answer.status, answer.body["statusCode"], answer.body["error"]) == (400, 400, "Bad Request")
    assert isinstance(answer.body["message"], str)
    assert _rows(product) == before


async def test_a_body_that_is_too_large(product: Product) -> None:
    """[API-17]"""
    before = _rows(product)
    for path in ("/orders/flutterwave/initialise/public", "/flutterwave/webhook"):
        answer = await product.post(path, None, data=b'{"a":"' + b"x" * 12_000_000 + b'"}')
        assert (answer.status, answer.body["statusCode"]) == (413, 413), path
    assert _rows(product) == before


@pytest.mark.parametrize("signature", [{}, {"verif_hash": "wrong"}], ids=["none", "another"])
async def test_a_webhook_that_is_not_signed(product: Product, signature: Mapping[str, str]) -> None:
    """[PAY-68]: refused and forgotten."""
    order = await product.order(product.meters()[0], 100)
    before = _rows(product)
    event = {"event": "charge.completed", "data": {"id": 1, "tx_ref": order.reference, "status": "successful"}}
    answer = await product.post("/flutterwave/webhook", event, **signature)
    _refused(answer, 400, "Invalid webhook signature", "Bad Request")
    assert _rows(product) == before


async def test_a_forged_amount(product: Product) -> None:
    """[PAY-71]: nothing in a webhook counts but the reference; the gateway is asked, and it knows of no payment."""
    order = await product.order(product.meters()[0], 5000)
    secret = product.secret("flutterwave_webhook_secret")
    data = {"id": 9, "tx_ref": order.reference, "amount": 5000, "currency": "NGN", "status": "successful"}
    answer = await product.post("/flutterwave/webhook", {"event": "charge.completed", "data": data}, verif_hash=secret)
    assert (answer.status, answer.body) == (200, {})
    await _until_processed(product, order.reference)
    assert (await product.check(order))["order_status"] == "INITIALISED"
    assert product.rows("select 1 from internal.ledger_entries where order_id = %s", order.order_id) == []


async def test_less_was_paid_than_ordered(product: Product) -> None:
    """[PAY-79]: T6: the receipt goes to suspense, the order gives nothing, the books balance."""
    order = await product.order(product.meters()[0], 5000)
    await product.pay(order, amount=50)
    await _until_processed(product, order.reference)
    assert (await product.check(order))["order_status"] == "FAILED"
    assert "directive_status" not in await product.check(order)
    (suspense,) = product.rows(
        """
        select p.amount from internal.ledger_postings p
        join internal.ledger_entries e on e.id = p.entry_id join internal.ledger_accounts a on a.id = p.account_id
        where e.idempotency_key like 'gateway:platform:%%:suspense' and a.code like 'suspense:%%'
        order by p.id desc limit 1
        """
    )
    assert suspense["amount"] == 50
    assert product.value("select sum(amount) from internal.ledger_postings") == 0


async def test_a_public_order_that_is_unknown(product: Product) -> None:
    """[PAY-56] [PAY-57] [PAY-58]"""
    for act in ("check", "cancel"):
        url = f"/orders/flutterwave/{act}/public"
        text = {"check": "verify", "cancel": "cancel"}[act]
        _refused(await product.post(url, {}), 422, f"Can't {text} order with provided details", "Unprocessable Entity")
        _refused(await product.post(url, {"id": 999_999}), 404, "Could not find order with id 999999", "Not Found")
    order = await product.order(product.meters()[0], 100)
    mismatch = await product.post(
        "/orders/flutterwave/check/public", {"id": order.order_id, "external_reference": "another"}
    )
    assert mismatch.status == 404


async def test_money_for_a_cancelled_order_is_still_credited(product: Product) -> None:
    """[PAY-57]: T7, then T4."""
    order = await product.order(product.meters()[1], 500)
    cancelled = await product.post("/orders/flutterwave/cancel/public", {"id": order.order_id})
    assert (cancelled.status, cancelled.body) == (201, {"id": order.order_id, "order_status": "CANCELLED"})
    again = await product.post("/orders/flutterwave/cancel/public", {"id": order.order_id})
    _refused(again, 406, "Can't cancel order that is being or has been processed", "Not Acceptable")
    await product.pay(order)
    view = await product.until_command(order, "SUCCESSFUL")
    assert view["order_status"] == "COMPLETED"


async def test_a_refused_card_then_a_transfer(product: Product) -> None:
    """[PAY-76]: T5 followed by a success under one reference settles once."""
    order = await product.order(product.meters()[2], 500)
    await product.pay(order, status="failed")
    await _until_processed(product, order.reference)
    assert (await product.check(order))["order_status"] == "FAILED"
    await product.pay(order, payment_type="bank_transfer")
    await product.until_command(order, "SUCCESSFUL")
    entries = product.rows("select id from internal.ledger_entries where order_id = %s", order.order_id)
    assert len(entries) == 1


async def test_one_address_asks_too_often(product: Product) -> None:
    """[PAY-58] (R8): 30 a minute and address, then 429 with the time to wait; others are served."""
    body = {"id": 1}
    statuses = []
    for _ in range(31):
        answer = await product.post("/orders/flutterwave/check/public", body, X_Forwarded_For="203.0.113.9")
        statuses.append(answer.status)
    assert 429 not in statuses[:30]
    assert statuses[30] == 429
    assert answer.body["message"] == "Too many requests"
    other = await product.post("/orders/flutterwave/check/public", body, X_Forwarded_For="203.0.113.10")
    assert other.status != 429


async def test_without_credentials(product: Product) -> None:
    """[API-18] [PAY-59]: the guarded route tells nothing to a stranger, and answers its owner."""
    order = await product.order(product.meters()[0], 100)
    body = {"id": order.order_id}
    nobody = await product.post("/orders/flutterwave/verify", body)
    assert (nobody.status, nobody.body["message"]) == (401, "Unauthorized")
    stranger = await product.post("/orders/flutterwave/verify", body, Authorization="Bearer nonsense")
    assert (stranger.status, stranger.body["message"]) == (401, "Invalid or expired token")
    unpaid = await product.post(
        "/orders/flutterwave/verify", body, Authorization=f"Bearer {product.told['credentials']['access_token']}"
    )
    text = f"Could not find corresponding FW transaction for tx ref: {order.reference}"
    _refused(unpaid, 404, text, "Not Found")


async def test_an_event_of_the_network_server_without_key(product: Product) -> None:
    """Uplinks are believed only from the network server; nothing of a stranger's is stored [DM-102]."""
    url = "/chirpstack/calin?event=up"
    before = product.value("select count(*) from meter_interactions")
    answer = await product.post(url, {"deviceInfo": {"devEui": "0000000000000001"}, "data": "AA=="})
    assert answer.status == 401
    assert product.value("select count(*) from meter_interactions") == before


async def _until_processed(product: Product, reference: str) -> None:
    processed = "select bool_and(processed_at is not null) from internal.gateway_events where tx_ref = %s"
    await product.until_value(True, processed, reference, within_s=10)


def _rows(product: Product) -> dict[str, Any]:
    """Count the rows that money lives in."""
    return {table: product.value(f"select count(*) from {table}") for table in _TABLES}


def _refused(answer: Answer, status: int, message: str, reason: str) -> None:
    given = {name: answer.body[name] for name in ("statusCode", "message", "error")}
    assert (answer.status, given) == (status, {"statusCode": status, "message": message, "error": reason})
    assert answer.body["code"].isupper()
    assert answer.body["requestId"]
