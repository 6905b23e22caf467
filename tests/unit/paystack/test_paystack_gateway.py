"""What Paystack is sent, byte for byte, by a small server that says what it is told."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from decimal import Decimal
from types import SimpleNamespace
from typing import cast

import pytest
from aiohttp import web

from nxt_adapters.paystack.gateway import DEFAULT_POLICY, PaystackGateway
from nxt_adapters.resilience import BreakerPolicy, CallPolicy, HttpCaller, RetryPolicy
from nxt_domain.orders.gateway_ports import ChargeRefused, GatewayFailed, RefundRefused, UnknownPayment
from nxt_domain.orders.ussd import UssdCharge
from nxt_domain.shared.money import Currency

REFERENCE = "Sun_Power_Ltd+47001771477__2026-03-10T09:15:02.123Z"
UNKNOWN = '{"status":false,"message":"Transaction reference not found.","code":"transaction_not_found"}'
QUICK = CallPolicy(
    timeout_s=1.0,
    retry=RetryPolicy(attempts=4, wait_initial_s=0.01, wait_max_s=0.02, jitter_s=0.0),
    breaker=BreakerPolicy(failures=100),
)


class Server:
    """Answers in the order given, the last one for ever; keeps what was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, str]] = []
        self.asked: list[tuple[str, str, str]] = []
        self.keys: set[str] = set()
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.raw_path, await request.text()))
        self.keys.add(request.headers.get("Authorization", ""))
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=status, text=body, content_type="application/json")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = site.name
    yield made
    await runner.cleanup()


@pytest.fixture
async def gateway(server: Server) -> AsyncIterator[PaystackGateway]:
    caller = HttpCaller("paystack", QUICK)
    yield PaystackGateway(
        base_url=f"{server.url}/", secret_key="sk_test_1", caller=caller, fallback_email="till@example.org"
    )
    await caller.close()


def charge(amount: str = "1000.25", bank_code: str = "058") -> UssdCharge:
    meter = SimpleNamespace(
        organization_name="Sun Power Ltd",
        grid_name="Kalonda",
        customer_name="Customer of Kalonda",
        external_reference="47001771477",
    )
    # Only what is sent along of the meter.
    return cast(
        "UssdCharge",
        SimpleNamespace(
            reference="phone_1",
            bank_code=bank_code,
            amount=Decimal(amount),
            currency=Currency.NGN,
            phone="+2348030000099",
            meter=meter,
        ),
    )


async def test_verifying(server: Server, gateway: PaystackGateway) -> None:
    """[PAY-60] [PAY-61] The reference is in the path, in the gateway's own alphabet; the key is a bearer."""
    server.answers = [(400, UNKNOWN)]
    with pytest.raises(UnknownPayment):
        await gateway.verify_by_reference(REFERENCE)
    with pytest.raises(UnknownPayment):
        await gateway.verify_by_id("302961")
    path = "/transaction/verify/Sun=5FPower=5FLtd=2B47001771477=5F=5F2026-03-10T09=3A15=3A02.123Z"
    assert server.asked == [("GET", path, ""), ("GET", "/transaction/302961", "")]
    assert server.keys == {"Bearer sk_test_1"}


@pytest.mark.parametrize("odd", ["", "../refund", "1?x=y", "٣"])
async def test_nothing_odd_becomes_part_of_an_address(server: Server, gateway: PaystackGateway, odd: str) -> None:
    """[PAY-71] Ids and references come from outside."""
    with pytest.raises(UnknownPayment):
        await gateway.verify_by_id(odd)
    assert server.asked == []
    server.answers = [(400, UNKNOWN)]
    with pytest.raises(UnknownPayment):
        await gateway.verify_by_reference(odd)
    assert all(re.fullmatch(r"/transaction/verify/[A-Za-z0-9.=-]+", path) for _, path, _ in server.asked)


async def test_reading_is_repeated(server: Server, gateway: PaystackGateway) -> None:
    """[PAY-60] After 429 and 5xx, up to three times; then nothing is known."""
    server.answers = [(500, "{}"), (429, "{}"), (400, UNKNOWN)]
    with pytest.raises(UnknownPayment):
        await gateway.verify_by_reference("a")
    assert len(server.asked) == 3
    server.answers = [(503, "{}")]
    with pytest.raises(GatewayFailed):
        await gateway.verify_by_reference("a")
    assert len(server.asked) == 3 + 4
    assert DEFAULT_POLICY.retry.attempts == 4


async def test_a_charge(server: Server, gateway: PaystackGateway) -> None:
    """[PAY-64] [PAY-1] Whole kobo, the bank's menu, and never twice."""
    server.answers = [(200, '{"status":true,"data":{"status":"pay_offline","ussd_code":"*737*000*4791#"}}')]
    assert await gateway.charge_by_ussd(charge()) == "*737*000*4791#"
    body = (
        '{"reference":"phone=5F1","ussd":{"type":"737"},"amount":100025,"currency":"NGN",'
        '"email":"till@example.org","metadata":{"phone_number":"+2348030000099","organization":"Sun Power Ltd",'
        '"grid":"Kalonda","customer_full_name":"Customer of Kalonda","meter_external_reference":"47001771477",'
        '"type":"meter_topup"}}'
    )
    assert server.asked == [("POST", "/charge", body)]
    server.answers = [(503, "{}")]
    with pytest.raises(GatewayFailed):
        await gateway.charge_by_ussd(charge())
    assert len(server.asked) == 2


async def test_charges_that_the_gateway_can_not_make(server: Server, gateway: PaystackGateway) -> None:
    """[PAY-64] It reaches four banks by phone, and counts in kobo; it is not even asked."""
    with pytest.raises(ChargeRefused, match="bank"):
        await gateway.charge_by_ussd(charge(bank_code="011"))
    with pytest.raises(ChargeRefused, match="hundredths"):
        await gateway.charge_by_ussd(charge("10.005"))
    assert server.asked == []


async def test_a_refund(server: Server, gateway: PaystackGateway) -> None:
    """[PAY-92] By the transaction's id, in kobo, once."""
    server.answers = [
        (200, '{"status":true,"data":{"id":9,"transaction":{"id":302961},"amount":"100025","status":"pending"}}')
    ]
    assert (await gateway.refund("302961", Decimal("1000.25"), comment="mistyped")).amount == Decimal("1000.25")
    body = '{"transaction":"302961","amount":100025,"merchant_note":"mistyped"}'
    assert server.asked == [("POST", "/refund", body)]
    with pytest.raises(RefundRefused, match="hundredths"):
        await gateway.refund("302961", Decimal("0.001"), comment="too fine")
    server.answers = [(500, "{}")]
    with pytest.raises(GatewayFailed):
        await gateway.refund("302961", Decimal(1), comment="mistyped")
    assert len(server.asked) == 2


async def test_refunds_over_pages(server: Server, gateway: PaystackGateway) -> None:
    """[PAY-92] Of this transaction alone, whatever else is listed."""
    mine, other = (
        f'{{"id":{number},"transaction":{owner},"amount":100,"status":"processed"}}'
        for number, owner in ((12, 302961), (7, 8))
    )
    first, last = ('"meta":{"page":1,"pageCount":2}', '"meta":{"page":2,"pageCount":2}')
    server.answers = [
        (200, f'{{"status":true,"data":[{mine},{other}],{first}}}'),
        (200, f'{{"status":true,"data":[{mine.replace("12", "9")}],{last}}}'),
    ]
    assert [refund.id for refund in await gateway.refunds_of("302961")] == ["9", "12"]
    assert [path for _, path, _ in server.asked] == [
        f"/refund?transaction=302961&perPage=100&page={page}" for page in (1, 2)
    ]
