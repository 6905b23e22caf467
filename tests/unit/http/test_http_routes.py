"""Every declared route of every role, with fakes behind it: inputs, answers, guards, and no input that breaks it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from tests.support.identity_world import (
    ADMIN,
    AGENT,
    CUSTOMER,
    INGRESS_KEY,
    INTERNAL_KEY,
    LENDER,
    MEMBER,
    NOBODY,
    IdentityWorld,
)

from nxt_adapters.chirpstack.ingress import ChirpStackIngress, IngressMetrics
from nxt_adapters.memory.database import MemoryClock
from nxt_domain.messaging.model import DeliveryStatus, DeviceEvent
from nxt_domain.orders.ports import PublicView
from nxt_domain.orders.states import OrderStatus
from nxt_domain.orders.use_cases.public_orders import InitialisedPurchase, PublicPurchase
from nxt_domain.orders.use_cases.verify_order import VerificationFailed
from nxt_domain.shared.errors import Conflict, InvalidInput, NotAcceptable, NotFound, Unavailable, Unprocessable
from nxt_domain.telemetry.model import HourlyReport, IgnoredReason, IgnoredReport, RecordedReports
from nxt_entrypoints.api.app import build_api
from nxt_entrypoints.api.webhook_secrets import WebhookGuard
from nxt_entrypoints.http.app import HttpSettings
from nxt_entrypoints.http.catalogue import openapi_documents, routes_by_role
from nxt_entrypoints.http.routes import Guard, Route
from nxt_entrypoints.jobs.http import build_jobs
from nxt_entrypoints.provisioning.app import build_provisioning
from nxt_entrypoints.telemetry_api.app import build_telemetry

LOTS = HttpSettings(public_requests_per_minute=1_000_000)
PURCHASE = {
    "meter_external_reference": "47001771477",
    "amount": 1000,
    "currency": "NGN",
    "payment_channel": "NIFFLER",
}
HASH = "secret-hash"


class Verb:
    """A use case that answers, or refuses, as told; remembers how it was called."""

    def __init__(self, answer: object = None) -> None:
        self.answer = answer
        self.calls: list[tuple[Any, ...]] = []

    async def __call__(self, *args: Any) -> Any:
        self.calls.append(args)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer(*args) if callable(self.answer) else self.answer


class Secrets:
    def __init__(self) -> None:
        self.secrets: dict[str, str | None] = {"platform": HASH, "org:7": "hash-of-7"}

    async def webhook_secret(self, merchant: str) -> str | None:
        return self.secrets.get(merchant)


class Reports:
    def __init__(self) -> None:
        self.reports: list[HourlyReport] = []
        self.bodies: list[object] = []
        self.outcome: RecordedReports | Exception = RecordedReports(accepted=1)

    async def record(self, reports: list[HourlyReport]) -> RecordedReports:
        self.reports += reports
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def record_bodies(self, bodies: list[object]) -> RecordedReports:
        self.bodies = bodies
        return await self.record([])


class Services:
    """The use cases of all roles."""

    def __init__(self) -> None:
        self.initialise_public_order = Verb(_initialised)
        self.check_public_order = Verb(
            PublicView(status=OrderStatus.PENDING, amount=Decimal("5.50"), external_reference="r")
        )
        self.cancel_public_order = Verb(OrderStatus.CANCELLED)
        self.verify_order = Verb(50)
        self.secrets = Secrets()
        self.webhook_guard = WebhookGuard(self.secrets, is_production=True)
        self.receive_gateway_event = Verb(True)
        self.chirpstack_ingress = ChirpStackIngress(lambda: INGRESS_KEY, metrics=IngressMetrics(CollectorRegistry()))
        self.apply_device_event = Verb()
        self.record_hourly_reports = Reports()
        self.clock = MemoryClock()


def _initialised(purchase: PublicPurchase) -> InitialisedPurchase:
    return InitialisedPurchase(
        order_id=50,
        external_reference=purchase.external_reference or "made",
        organization_name="Sunny Grids",
        grid_name="Umuoke",
        meter_external_reference=purchase.meter_external_reference,
        customer_full_name=None,
        public_key="FLWPUBK_TEST-1",
    )


def application(role: str, services: Any, world: IdentityWorld) -> Any:
    match role:
        case "api":
            return build_api(services, gate=world.gate, settings=LOTS)
        case "telemetry":
            return build_telemetry(services, gate=world.gate, settings=LOTS)
        case "jobs":
            return build_jobs(gate=world.gate, settings=LOTS)
        case _:
            return build_provisioning(gate=world.gate, settings=LOTS)


@pytest.fixture
def world() -> IdentityWorld:
    return IdentityWorld()


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
async def api(services: Services, world: IdentityWorld) -> Any:
    async with TestClient(TestServer(application("api", services, world))) as client:
        yield client


@pytest.fixture
async def telemetry(services: Services, world: IdentityWorld) -> Any:
    async with TestClient(TestServer(application("telemetry", services, world))) as client:
        yield client


async def refusal(response: Any) -> tuple[int, Any]:
    body = await response.json()
    assert body["statusCode"] == response.status
    return response.status, body["message"]


# --- the pay page ---


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


# --- verification on request ---


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


# --- payment webhooks ---


async def test_a_webhook_is_stored_and_answered(api: Any, services: Services) -> None:
    """[API-124] [PAY-67] [PAY-68] [PAY-70] 200 and ``{}``; the body is any JSON, or none."""
    bodies: list[Any] = [{"txRef": "r", "event.type": "X"}, {"data": {"tx_ref": "r"}}, [], "x", None, 5, [{}]]
    for body in bodies:
        answer = await api.post("/flutterwave/webhook", json=body, headers={"verif-hash": HASH})
        assert (answer.status, await answer.text()) == (200, "{}")
    own = await api.post("/flutterwave/webhook/7", json={"txRef": "r"}, headers={"Verif-Hash": "hash-of-7"})
    assert (own.status, await own.text()) == (200, "{}")
    assert services.receive_gateway_event.calls == [("platform", body) for body in bodies] + [("org:7", {"txRef": "r"})]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/flutterwave/webhook", {}),
        ("/flutterwave/webhook", {"verif-hash": ""}),
        ("/flutterwave/webhook", {"verif-hash": "wrong"}),
        ("/flutterwave/webhook", {"verif-hash": "hash-of-7"}),
        ("/flutterwave/webhook", {"verif-hash": HASH.upper()}),
        ("/flutterwave/webhook/7", {"verif-hash": HASH}),
        ("/flutterwave/webhook/7", {}),
    ],
)
async def test_a_forged_webhook_has_no_effect(api: Any, services: Services, path: str, headers: dict[str, str]) -> None:
    """[PAY-68] [PAY-198] 6: wrong, missing, and another organization's hash."""
    answer = await api.post(path, json={"txRef": "r"}, headers=headers)
    body = await answer.json()
    assert {name: body[name] for name in ("statusCode", "message", "error")} == {
        "statusCode": 400,
        "message": "Invalid webhook signature",
        "error": "Bad Request",
    }
    assert services.receive_gateway_event.calls == []


async def test_a_webhook_for_nobody(api: Any, services: Services) -> None:
    """[PAY-68]"""
    assert (await api.post("/flutterwave/webhook/8", json={}, headers={"verif-hash": HASH})).status == 404
    assert (await api.post("/flutterwave/webhook/x", json={})).status == 400


async def test_without_a_configured_secret(api: Any, services: Services) -> None:
    """[PAY-68] 503 in production, so that the gateway delivers again; accepted elsewhere."""
    services.secrets.secrets["platform"] = None
    assert (await api.post("/flutterwave/webhook", json={}, headers={"verif-hash": "x"})).status == 503
    services.webhook_guard = WebhookGuard(services.secrets, is_production=False)
    assert (await api.post("/flutterwave/webhook", json={})).status == 200


async def test_a_webhook_that_cannot_be_stored_is_delivered_again(api: Any, services: Services) -> None:
    """[PAY-70]"""
    services.receive_gateway_event.answer = Unavailable("The database can't be reached")
    answer = await api.post("/flutterwave/webhook", json={}, headers={"verif-hash": HASH})
    assert answer.status == 503


# --- the network server ---

TXACK = {"downlinkId": 2682863327, "queueItemId": "q-1", "deviceInfo": {"devEui": "0000047003333771"}}


@pytest.mark.parametrize(
    "path", ["/chirpstack/calin?event=txack", "/chirpstack/calin", "/ChirpStack/CALIN/?event=txack"]
)
async def test_an_event_of_the_network_server_reaches_the_engine(api: Any, services: Services, path: str) -> None:
    """[API-12] [API-13] [API-130] [DM-186]"""
    answer = await api.post(path, json=TXACK, headers={"X-API-KEY": INGRESS_KEY})
    assert (answer.status, await answer.read()) == (201, b"")
    ((plugin, news),) = services.apply_device_event.calls
    assert plugin == "calin-chirpstack"
    assert isinstance(news, DeviceEvent)
    assert (news.delivery_status, news.delivery_queue_id) == (DeliveryStatus.SENT_TO_DEVICE, "q-1")
    assert news.device.external_reference == "47003333771"


@pytest.mark.parametrize("body", [None, [], {}, "x", 5, {"deviceInfo": {"devEui": 5}}, {**TXACK, "deviceInfo": None}])
@pytest.mark.parametrize("event", ["status", "txack", "up", "ack", ""])
async def test_events_of_no_use_are_ignored(api: Any, services: Services, event: str, body: Any) -> None:
    """[API-130] [DM-100] [DM-101]"""
    answer = await api.post(f"/chirpstack/calin?event={event}", json=body, headers={"X-API-KEY": INGRESS_KEY})
    assert (answer.status, await answer.read()) == (201, b"")
    assert services.apply_device_event.calls == []


async def test_the_engine_that_cannot_store_is_told(api: Any, services: Services) -> None:
    services.apply_device_event.answer = Unavailable("The database can't be reached")
    assert (await api.post("/chirpstack/calin", json=TXACK, headers={"X-API-KEY": INGRESS_KEY})).status == 503


async def test_who_may_post_events(api: Any, world: IdentityWorld) -> None:
    """[API-59] [API-68] Keys and the platform's users."""
    path = "/chirpstack/calin"
    assert (await api.post(path, json=TXACK)).status == 401
    assert (await api.post(path, json=TXACK, headers={"X-API-KEY": "wrong"})).status == 401
    assert (await api.post(path, json=TXACK, headers={"X-API-KEY": await world.api_key(MEMBER)})).status == 201
    assert (await api.post(path, json=TXACK, headers=world.bearer(ADMIN))).status == 201
    assert (await api.post(path, json=TXACK, headers=world.bearer(AGENT))).status == 403


# --- hourly reports ---

INNER = {"X-API-KEY": INTERNAL_KEY}
REPORT = {
    "meter_id": 5,
    "created_at": "2026-03-10T10:00:00+01:00",
    "counter_kwh": 123.456,
    "kwh_credit_available": None,
    "freeze_time": "2026-3-10 9:0",
}


async def test_a_report_is_recorded(telemetry: Any, services: Services) -> None:
    """[API-156] [TEL-178]"""
    answer = await telemetry.post("/meter-snapshot-1-h/hourly-report", json=REPORT, headers=INNER)
    assert (answer.status, await answer.text()) == (201, "{}")
    assert services.record_hourly_reports.reports == [
        HourlyReport(
            meter_id=5,
            created_at=datetime(2026, 3, 10, 9, tzinfo=UTC),
            counter_kwh=123.456,
            kwh_credit_available=None,
            freeze_time="2026-3-10 9:0",
        )
    ]


@pytest.mark.parametrize("reason", [IgnoredReason.METER_NOT_FOUND, IgnoredReason.NO_CUSTOMER, IgnoredReason.NO_GRID])
async def test_what_the_sender_cannot_mend_is_no_error(
    telemetry: Any, services: Services, reason: IgnoredReason
) -> None:
    """[TEL-179]"""
    ignored = (IgnoredReport(index=0, reason=reason),)
    services.record_hourly_reports.outcome = RecordedReports(accepted=0, ignored=ignored)
    answer = await telemetry.post("/meter-snapshot-1-h/hourly-report", json=REPORT, headers=INNER)
    assert (answer.status, await answer.json()) == (201, {"ignored": reason.value})


@pytest.mark.parametrize(
    "change",
    [
        {"meter_id": None},
        {"meter_id": "5"},
        {"created_at": None},
        {"created_at": "yesterday"},
        {"created_at": "2026-03-11T09:15:01Z"},
        {"counter_kwh": "1"},
        {"freeze_time": 5},
    ],
)
async def test_a_malformed_report_is_refused(telemetry: Any, services: Services, change: dict[str, Any]) -> None:
    """[TEL-180] [API-26]"""
    assert services.clock.now() + timedelta(days=1) < datetime(2026, 3, 11, 9, 15, 1, tzinfo=UTC)
    answer = await telemetry.post("/meter-snapshot-1-h/hourly-report", json={**REPORT, **change}, headers=INNER)
    status, texts = await refusal(answer)
    assert status == 400
    assert all(text.startswith(next(iter(change))) for text in texts)
    assert services.record_hourly_reports.reports == []


async def test_a_list_of_reports(telemetry: Any, services: Services) -> None:
    """[TEL-182] Malformed elements don't stop the others; more than 5,000 are too many."""
    ignored = (IgnoredReport(index=1, reason=IgnoredReason.INVALID),)
    services.record_hourly_reports.outcome = RecordedReports(accepted=1, ignored=ignored)
    answer = await telemetry.post("/meter-snapshot-1-h/hourly-reports", json=[REPORT, "x"], headers=INNER)
    assert (answer.status, await answer.json()) == (
        201,
        {"accepted": 1, "ignored": [{"index": 1, "reason": "INVALID"}]},
    )
    assert len(services.record_hourly_reports.bodies) == 2
    many = await telemetry.post("/meter-snapshot-1-h/hourly-reports", json=[0] * 5001, headers=INNER)
    assert await refusal(many) == (413, "request entity too large")
    assert (await telemetry.post("/meter-snapshot-1-h/hourly-reports", json=[0] * 5000, headers=INNER)).status == 201
    for body in ({}, None, "x"):
        assert (await telemetry.post("/meter-snapshot-1-h/hourly-reports", json=body, headers=INNER)).status == 400


async def test_bodies_of_5_mib_and_no_more(telemetry: Any) -> None:
    """[TEL-168] [API-8]"""
    path, headers = "/meter-snapshot-1-h/hourly-reports", {**INNER, "Content-Type": "application/json"}
    fits = b"[" + b" " * (5 * 1024 * 1024 - 2) + b"]"
    assert (await telemetry.post(path, data=fits, headers=headers)).status == 201
    assert (await telemetry.post(path, data=fits + b" ", headers=headers)).status == 413


async def test_a_store_that_is_away(telemetry: Any, services: Services) -> None:
    """[TEL-169]"""
    services.record_hourly_reports.outcome = Unavailable("The series store can't be reached")
    answer = await telemetry.post("/meter-snapshot-1-h/hourly-report", json=REPORT, headers=INNER)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


# --- all routes ---

ALL = [(role, declared) for role, routes in routes_by_role().items() for declared in routes]
IDS = [f"{role} {declared.method} {declared.path}" for role, declared in ALL]
SURVIVED: list[bytes | None] = [None, b"", b"null", b"[]", b"[{}]", b"{}", b'"a string"', b"5", b"true", b"{bad"]
SURVIVED += [b"[" * 20_000, b'{"id":1E999999999}', b'"\xff"', b'{"id":"\\u0000"}']


def credentials(declared: Route, world: IdentityWorld) -> dict[str, str]:
    match declared.guard:
        case Guard.INTERNAL:
            return {"X-API-KEY": INTERNAL_KEY}
        case Guard.USER_OR_KEY:
            return world.bearer(ADMIN)
        case _:
            return {"verif-hash": HASH}


def address(declared: Route) -> str:
    return "/".join("7" if part.startswith("{") else part for part in declared.path.split("/"))


@pytest.mark.parametrize(("role", "declared"), ALL, ids=IDS)
async def test_no_input_breaks_a_route(role: str, declared: Route, world: IdentityWorld) -> None:
    """[API-38] No body, null, [], [{}], {}, a string, wrong types in every field: answered, never 500."""
    fields = [name for kind in declared.inputs.values() for name in getattr(kind, "__annotations__", {})]
    wrong = [json.dumps(dict.fromkeys(fields, value)).encode() for value in (None, "x", -1, 1.5, True, [], {}, [{}])]
    async with TestClient(TestServer(application(role, Services(), world))) as client:
        for content in (*SURVIVED, *wrong):
            for kind in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
                headers = {**credentials(declared, world), "Content-Type": kind}
                answer = await client.request(declared.method, address(declared), data=content, headers=headers)
                assert answer.status < 500, (content, kind, await answer.text())
                if answer.status >= 400:
                    assert (await answer.json())["statusCode"] == answer.status


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
async def served(world: IdentityWorld) -> AsyncIterator[dict[str, Any]]:
    """All roles, each with a client, for a whole test."""
    async with AsyncExitStack() as stack:
        yield {
            role: await stack.enter_async_context(TestClient(TestServer(application(role, Services(), world))))
            for role in routes_by_role()
        }


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@pytest.mark.parametrize(("role", "declared"), ALL, ids=IDS)
@given(data=st.data())
async def test_any_json_is_answered_below_500(
    role: str, declared: Route, world: IdentityWorld, served: dict[str, Any], data: st.DataObject
) -> None:
    """[API-38] Property: any JSON, also under the route's own field names."""
    names = [name for kind in declared.inputs.values() for name in getattr(kind, "__annotations__", {})]
    named = st.dictionaries(st.sampled_from([*names, "x"]), JSON_VALUES)
    body = data.draw(named | st.lists(named, max_size=3) | JSON_VALUES)
    headers = {**credentials(declared, world), "Content-Type": "application/json"}
    content = json.dumps(body).encode()
    answer = await served[role].request(declared.method, address(declared), data=content, headers=headers)
    assert answer.status < 500, await answer.text()


@pytest.mark.parametrize(("role", "declared"), ALL, ids=IDS)
async def test_every_guarded_route_refuses_a_stranger(role: str, declared: Route, world: IdentityWorld) -> None:
    """[API-42] [API-71]"""
    async with TestClient(TestServer(application(role, Services(), world))) as client:
        answer = await client.request(declared.method, address(declared), json={})
        is_guarded = declared.guard not in {Guard.PUBLIC, Guard.VENDOR}
        assert (answer.status == 401) is is_guarded
        wrong = await client.request(declared.method, address(declared), json={}, headers={"X-API-KEY": "wrong"})
        assert (wrong.status == 401) is is_guarded


@pytest.mark.parametrize("role", ["api", "provisioning", "jobs", "telemetry"])
async def test_every_role_has_its_operational_endpoints(role: str, world: IdentityWorld) -> None:
    """[API-40] [API-35]"""
    async with TestClient(TestServer(application(role, Services(), world))) as client:
        for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"):
            answer = await client.get(path)
            assert answer.status == 200
            assert ("Access-Control-Allow-Origin" in answer.headers) is (role == "api")
        document = await (await client.get("/openapi.json")).json()
        declared = {(route.method.lower(), route.path) for route in routes_by_role()[role]}
        documented = {(method, path) for path, item in document["paths"].items() for method in item}
        assert declared <= documented
        assert document == openapi_documents()[role]


@pytest.mark.parametrize("path", ["/agents", "/organizations", "/accounts", "/api-keys", "/wallets", "/jira"])
async def test_what_is_reached_by_other_ways_has_no_route(api: Any, path: str) -> None:
    """[API-1] [API-117]"""
    assert await refusal(await api.get(path)) == (404, f"Cannot GET {path}")
