"""The payment routes over the real use cases, in memory and in PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.http_roles import HASH, Secrets, Services
from tests.support.identity_world import ADMIN, MEMBER, IdentityWorld
from tests.support.payments_memory import MemoryWorld
from tests.support.payments_postgres import PostgresWorld
from tests.support.payments_world import METER, PaymentsWorld

from nxt_adapters.supabase.engine import create_engine
from nxt_domain.orders.use_cases.public_orders import CancelPublicOrder, CheckPublicOrder
from nxt_domain.orders.use_cases.verify_order import VerifyOrder
from nxt_entrypoints.api.app import build_api
from nxt_entrypoints.api.own_orders import VerifyOwnOrder
from nxt_entrypoints.api.webhook_secrets import WebhookGuard
from nxt_entrypoints.http.app import HttpSettings

PURCHASE = {"meter_external_reference": METER, "amount": 1000, "currency": "NGN", "payment_channel": "NIFFLER"}
INITIALISE = "/orders/flutterwave/initialise/public"
CHECK = "/orders/flutterwave/check/public"
CANCEL = "/orders/flutterwave/cancel/public"
VERIFY = "/orders/flutterwave/verify"


@pytest.fixture(params=["memory", "postgres"])
async def village(request: pytest.FixtureRequest) -> AsyncIterator[PaymentsWorld]:
    if request.param == "memory":
        made: PaymentsWorld = MemoryWorld()
    else:
        url = request.getfixturevalue("relational_url")
        made = PostgresWorld(url, create_engine(url, pool_size=4))
    yield made
    await made.close()


@pytest.fixture
def callers() -> IdentityWorld:
    return IdentityWorld()


@pytest.fixture
async def api(village: PaymentsWorld, callers: IdentityWorld) -> AsyncIterator[Any]:
    services: Any = Services()
    services.initialise_public_order = village.initialise
    services.check_public_order = CheckPublicOrder(begin=village.begin)
    services.cancel_public_order = CancelPublicOrder(begin=village.begin)
    verify = VerifyOrder(begin=village.begin, verification=village.verification)
    services.verify_order = VerifyOwnOrder(begin=village.begin, verify=verify)
    services.webhook_guard = WebhookGuard(Secrets(), is_production=True)
    services.receive_gateway_event = village.receive
    limits = HttpSettings(public_requests_per_minute=1_000_000)
    async with TestClient(TestServer(build_api(services, gate=callers.gate, settings=limits))) as client:
        yield client


async def message(response: Any) -> tuple[int, Any]:
    return response.status, (await response.json()).get("message")


async def test_a_purchase_from_the_page_to_the_payment(api: Any, village: PaymentsWorld) -> None:
    """[PAY-53] [PAY-55] [PAY-56] [PAY-70] [PAY-71] Only the reference of a body counts."""
    begun = await api.post(INITIALISE, json=PURCHASE)
    made = await begun.json()
    assert begun.status == 201
    assert re.fullmatch(r"Sun_Power_Ltd\+47001771477__\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z", made["external_reference"])
    assert (made["organization_name"], made["grid_name"]) == ("Sun Power Ltd", "Kalonda")
    assert made["flutterwave_public_key"]
    state = await api.post(CHECK, json={"id": made["order_id"]})
    assert await state.json() == {"order_status": "INITIALISED", "amount": 1000}

    village.pay(await village.order(made["order_id"]))
    event = {"txRef": made["external_reference"], "id": 8321945, "status": "failed", "amount": 1, "event.type": "X"}
    headers = {"verif-hash": HASH}
    answers = await asyncio.gather(*(api.post("/flutterwave/webhook", json=event, headers=headers) for _ in range(5)))
    assert [(answer.status, await answer.text()) for answer in answers] == [(200, "{}")] * 5
    waiting = await village.waiting_events()
    assert len(waiting) == 1
    await village.process(waiting)
    state = await api.post(CHECK, json={"id": made["order_id"], "external_reference": made["external_reference"]})
    assert await state.json() == {"order_status": "PENDING", "amount": 1000}
    too_late = await api.post(CANCEL, json={"id": made["order_id"]})
    assert await message(too_late) == (406, "Can't cancel order that is being or has been processed")


async def test_refusals_of_the_page(api: Any) -> None:
    """[PAY-53] [PAY-56] [PAY-57] [PAY-58]"""
    first = await (await api.post(INITIALISE, json={**PURCHASE, "external_reference": "mine"})).json()
    taken = "Order with external reference mine already exists. Please try another external reference"
    assert await message(await api.post(INITIALISE, json={**PURCHASE, "external_reference": "mine"})) == (400, taken)
    unknown = await api.post(INITIALISE, json={**PURCHASE, "meter_external_reference": "1"})
    assert await message(unknown) == (404, "Could not find meter with external reference 1")
    lost = (404, "Could not find order with id 999999")
    for path in (CHECK, CANCEL):
        assert await message(await api.post(path, json={"id": 999_999})) == lost
        wrong = await api.post(path, json={"id": first["order_id"], "external_reference": "other"})
        assert wrong.status == 404
    assert await message(await api.post(CHECK, json={})) == (422, "Can't verify order with provided details")
    assert await message(await api.post(CANCEL, json={})) == (422, "Can't cancel order with provided details")
    cancelled = await api.post(CANCEL, json={"id": first["order_id"]})
    assert await cancelled.json() == {"id": first["order_id"], "order_status": "CANCELLED"}


async def test_a_foreign_order_answers_as_an_unknown_one(
    api: Any, village: PaymentsWorld, callers: IdentityWorld
) -> None:
    """[API-64] [R39] [PAY-59]"""
    order = await village.buy()
    village.pay(order)
    callers.accounts.put(attrs.evolve(MEMBER, organization_id=village.organization_id + 1000))
    headers = callers.bearer(MEMBER)
    by_id = await api.post(VERIFY, json={"id": order.id}, headers=headers)
    assert await message(by_id) == (404, f"Order with id {order.id} not found")
    by_reference = await api.post(VERIFY, json={"external_reference": order.external_reference}, headers=headers)
    assert await message(by_reference) == (404, f"Order with external reference {order.external_reference} not found")
    assert (await village.order(order.id)).status == "INITIALISED"


async def test_an_own_order_is_verified(api: Any, village: PaymentsWorld, callers: IdentityWorld) -> None:
    """[PAY-59]"""
    callers.accounts.put(attrs.evolve(MEMBER, organization_id=village.organization_id))
    headers = callers.bearer(MEMBER)
    for body in ({}, {"id": None, "external_reference": ""}):
        text = "We need an order id or an external reference to verify a Flutterwave transaction"
        assert await message(await api.post(VERIFY, json=body, headers=headers)) == (422, text)
    missing = await api.post(VERIFY, json={"external_reference": "nobody's\u0001"}, headers=headers)
    assert missing.status == 404

    order = await village.buy()
    unpaid = await api.post(VERIFY, json={"id": order.id}, headers=headers)
    text = f"Could not find corresponding FW transaction for tx ref: {order.external_reference}"
    assert await message(unpaid) == (404, text)
    village.pay(order)
    for _ in range(2):
        paid = await api.post(VERIFY, json={"id": order.id}, headers=headers)
        assert (paid.status, await paid.json()) == (201, {"id": order.id})
    assert (await api.post(VERIFY, json={"id": order.id}, headers=callers.bearer(ADMIN))).status == 201

    short = await village.buy()
    village.pay(short, tx_id="99", amount="1")
    refused = await api.post(VERIFY, json={"id": short.id}, headers=headers)
    assert await message(refused) == (500, f"Mismatching amount for order with tx ref {short.external_reference}")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["id", "external_reference", "txRef", "data", "tx_ref", "event", "event.type", "amount", *PURCHASE]


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    path=st.sampled_from([INITIALISE, CHECK, CANCEL, VERIFY, "/flutterwave/webhook"]),
    body=st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES) | JSON_VALUES,
    good=st.booleans(),
)
async def test_no_body_breaks_the_stores(api: Any, callers: IdentityWorld, path: str, body: Any, good: bool) -> None:
    """[API-38] With the real use cases and stores behind the frame."""
    if good and isinstance(body, dict):
        body = {**PURCHASE, **body}
    headers = {"verif-hash": HASH, "Content-Type": "application/json", **callers.bearer(ADMIN)}
    answer = await api.post(path, data=json.dumps(body).encode(), headers=headers)
    assert answer.status < 500, await answer.text()


@pytest.mark.parametrize("text", ["\ud800", "\x00", "a\x00b", "😀" * 300, "x" * 90_000, "'; drop table orders; --"])
@pytest.mark.parametrize("field", ["external_reference", "meter_external_reference", "txRef"])
async def test_odd_texts_do_no_harm(api: Any, field: str, text: str) -> None:
    """[API-38]"""
    for path in (INITIALISE, CHECK, "/flutterwave/webhook"):
        content = json.dumps({**PURCHASE, "id": 1, field: text}).encode()
        headers = {"verif-hash": HASH, "Content-Type": "application/json"}
        assert (await api.post(path, data=content, headers=headers)).status < 500
