"""Flutterwave's answers, byte for byte, from a small server that says what it is told."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator
from decimal import Decimal

import attrs
import pytest
from aiohttp import web

from nxt_adapters.flutterwave.accounts import FlutterwaveAccounts
from nxt_adapters.flutterwave.gateway import DEFAULT_POLICY, FlutterwaveGateway
from nxt_adapters.resilience import BreakerPolicy, CallPolicy, HttpCaller, RetryPolicy
from nxt_domain.orders.gateway import PaymentState
from nxt_domain.orders.gateway_ports import GatewayFailed, GatewayRefusedCredentials, UnknownPayment
from nxt_domain.orders.merchants import MerchantKeys, OrganizationKeys
from nxt_domain.orders.model import PaymentMethod
from nxt_domain.shared.errors import Unavailable

REFERENCE = "Sun_Power_Ltd+47001771477__2026-03-10T09:15:02.123Z"
EXAMPLE = (
    '{"status":"success","message":"Transaction fetched successfully","data":{"id":288200108,'
    f'"tx_ref":"{REFERENCE}","flw_ref":"FLW275407301","amount":1000,"currency":"NGN","charged_amount":1014,'
    '"app_fee":14,"merchant_fee":0,"processor_response":"Approved","status":"successful","payment_type":"card",'
    '"created_at":"2026-03-10T09:16:40.000Z","customer":{"id":1}}}'
)
QUICK = CallPolicy(
    timeout_s=1.0,
    retry=RetryPolicy(attempts=4, wait_initial_s=0.01, wait_max_s=0.09, jitter_s=0.0),
    breaker=BreakerPolicy(failures=100),
)


class Server:
    """Answers in the order given; keeps what was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, str]] = []
        self.asked: list[tuple[str, str, float]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.raw_path, request.headers.get("Authorization", ""), time.monotonic()))
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=status, text=body, content_type="application/json")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    app = web.Application()
    app.router.add_get("/{path:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = site.name
    yield made
    await runner.cleanup()


@pytest.fixture
async def gateway(server: Server) -> AsyncIterator[FlutterwaveGateway]:
    caller = HttpCaller("flutterwave", QUICK)
    yield FlutterwaveGateway(base_url=f"{server.url}/v3", secret_key="FLWSECK_TEST-1", caller=caller)
    await caller.close()


async def test_the_worked_example(server: Server, gateway: FlutterwaveGateway) -> None:
    """[PAY-60] [PAY-61] address, key, and the fields of the example answer."""
    server.answers = [(200, EXAMPLE)]
    answer = await gateway.verify_by_reference(REFERENCE)
    path, key, _ = server.asked[0]
    assert path == ("/v3/transactions/verify_by_reference?tx_ref=Sun_Power_Ltd%2B47001771477__2026-03-10T09:15:02.123Z")
    assert key == "Bearer FLWSECK_TEST-1"
    assert (answer.id, answer.reference, answer.flw_ref) == ("288200108", REFERENCE, "FLW275407301")
    assert (answer.amount, answer.charged_amount, answer.fee) == (Decimal(1000), Decimal(1014), Decimal(14))
    assert (answer.state, answer.method) == (PaymentState.PAID, PaymentMethod.CREDIT_CARD)


async def test_by_id(server: Server, gateway: FlutterwaveGateway) -> None:
    """[PAY-77] and nothing but digits becomes part of an address."""
    server.answers = [(200, EXAMPLE)]
    await gateway.verify_by_id("288200108")
    assert server.asked[0][0] == "/v3/transactions/288200108/verify"
    for forged in ("../../me", "1/2", "", "٣", "1?x"):
        with pytest.raises(UnknownPayment):
            await gateway.verify_by_id(forged)
    assert len(server.asked) == 1


async def test_amounts_are_exact(server: Server, gateway: FlutterwaveGateway) -> None:
    """[PAY-1] decimals come from the text of the number."""
    server.answers = [(200, EXAMPLE.replace('"amount":1000', '"amount":4922.26'))]
    assert (await gateway.verify_by_reference(REFERENCE)).amount == Decimal("4922.26")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, '{"status":"error","message":"No transaction was found for this id","data":null}'),
        (404, '{"status":"error","message":"No transaction was found for this id","data":null}'),
        (200, '{"status":"success","message":"Transaction fetched successfully","data":null}'),
    ],
)
async def test_unknown_references(server: Server, gateway: FlutterwaveGateway, status: int, body: str) -> None:
    """[PAY-61] both ways to say so."""
    server.answers = [(status, body)]
    with pytest.raises(UnknownPayment):
        await gateway.verify_by_reference(REFERENCE)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>",
        "[]",
        "null",
        "{}",
        '{"status":"error","data":null}',
        '{"status":"success","data":[]}',
        '{"status":"success","data":{}}',
        EXAMPLE.replace("288200108", "true"),
        EXAMPLE.replace("288200108", '"../x"'),
        EXAMPLE.replace('"amount":1000', '"amount":"1000"'),
        EXAMPLE.replace('"amount":1000', '"amount":1E999999999'),
        EXAMPLE.replace('"amount":1000', '"amount":-1000'),
        EXAMPLE.replace('"amount":1000', '"amount":1e40'),
        EXAMPLE.replace(f'"tx_ref":"{REFERENCE}"', '"tx_ref":null'),
        EXAMPLE.replace('"status":"successful"', '"status":7'),
        "[" * 100_000,
    ],
)
async def test_garbage_is_never_an_answer(server: Server, gateway: FlutterwaveGateway, body: str) -> None:
    """[PAY-130] and is not asked for again."""
    server.answers = [(200, body)]
    with pytest.raises(GatewayFailed):
        await gateway.verify_by_reference(REFERENCE)
    assert len(server.asked) == 1


async def test_trouble_is_asked_again_with_growing_pauses(server: Server, gateway: FlutterwaveGateway) -> None:
    """[PAY-60] up to three repeats on 429 and 5xx, each pause three times the last."""
    server.answers = [(503, ""), (429, ""), (500, ""), (200, EXAMPLE)]
    assert (await gateway.verify_by_reference(REFERENCE)).id == "288200108"
    times = [when for _, _, when in server.asked]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(pauses) == 3
    assert pauses[0] >= 0.01
    assert pauses[1] >= 0.03
    assert pauses[2] >= 0.09


def test_the_pauses_and_time_outs_of_the_specification() -> None:
    """[PAY-60] 1 s, 3 s, 9 s; connect 5 s, total 35 s."""
    assert (DEFAULT_POLICY.connect_timeout_s, DEFAULT_POLICY.timeout_s) == (5.0, 35.0)
    retry = DEFAULT_POLICY.retry
    assert (retry.attempts, retry.wait_initial_s, retry.wait_max_s) == (4, 1.0, 9.0)


async def test_lasting_trouble_is_named(server: Server, gateway: FlutterwaveGateway) -> None:
    """[PAY-60] four calls, then nothing is known."""
    server.answers = [(503, "")]
    with pytest.raises(GatewayFailed):
        await gateway.verify_by_reference(REFERENCE)
    assert len(server.asked) == 4


async def test_refused_keys(server: Server, gateway: FlutterwaveGateway) -> None:
    """[PAY-84] not repeated; the text shows no key."""
    server.answers = [(401, '{"status":"error","message":"Invalid authorization key","data":null}')]
    with pytest.raises(GatewayRefusedCredentials) as refused:
        await gateway.verify_by_reference(REFERENCE)
    assert "FLWSECK" not in str(refused.value)
    assert len(server.asked) == 1


def keys(name: str) -> MerchantKeys:
    return MerchantKeys(public_key=f"PUB-{name}", secret_key=f"SEC-{name}", webhook_secret=f"HASH-{name}")


class Credentials:
    """The encrypted store, as a test fills it."""

    def __init__(self) -> None:
        self.stored: dict[int, OrganizationKeys] = {}
        self.reads = 0

    async def read(self, organization_id: int) -> OrganizationKeys | None:
        self.reads += 1
        return self.stored.get(organization_id)


@attrs.define
class Time:
    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


async def test_which_account_takes_the_money(server: Server) -> None:
    """[PAY-84] [PAY-86] own account if switched on; payments under way keep theirs when it is switched off."""
    store = Credentials()
    store.stored[9] = OrganizationKeys(keys=keys("org"), is_enabled=False)
    accounts = FlutterwaveAccounts(base_url=server.url, platform=keys("platform"), credentials=store, policy=QUICK)
    assert (await accounts.for_organization(None)).merchant == "platform"
    assert (await accounts.for_organization(9)).public_key == "PUB-platform"
    assert (await accounts.for_organization(8)).merchant == "platform"
    assert (await accounts.for_merchant("org:9")).public_key == "PUB-org"
    store.stored[9] = OrganizationKeys(keys=keys("org"), is_enabled=True)
    fresh = FlutterwaveAccounts(base_url=server.url, platform=keys("platform"), credentials=store, policy=QUICK)
    assert (await fresh.for_organization(9)).merchant == "org:9"
    assert await fresh.webhook_secret("org:9") == "HASH-org"
    assert await fresh.webhook_secret("platform") == "HASH-platform"
    assert await fresh.webhook_secret("org:8") is None


async def test_keys_are_kept_for_a_while(server: Server) -> None:
    """[PAY-84] [PAY-85] bounded in time; unknown organizations are remembered too."""
    store, clock = Credentials(), Time()
    accounts = FlutterwaveAccounts(
        base_url=server.url, platform=keys("p"), credentials=store, credentials_ttl_s=300, monotonic=clock
    )
    for _ in range(3):
        await accounts.for_organization(9)
    assert store.reads == 1
    clock.now_s = 301
    await accounts.for_organization(9)
    assert store.reads == 2
    for organization_id in range(1000, 1300):
        await accounts.for_organization(organization_id)
    await accounts.for_organization(9)
    assert store.reads == 2 + 300 + 1, "the least recently used leave first"


async def test_rotated_keys_take_effect_at_the_first_refusal(server: Server) -> None:
    """[PAY-84] a 401 drops the cached keys and asks once more."""
    store = Credentials()
    store.stored[9] = OrganizationKeys(keys=keys("old"), is_enabled=True)
    accounts = FlutterwaveAccounts(base_url=server.url, platform=keys("p"), credentials=store, policy=QUICK)
    account = await accounts.for_organization(9)
    store.stored[9] = OrganizationKeys(keys=keys("new"), is_enabled=True)
    server.answers = [(401, "{}"), (200, EXAMPLE)]
    assert (await account.gateway.verify_by_reference(REFERENCE)).id == "288200108"
    assert [key for _, key, _ in server.asked] == ["Bearer SEC-old", "Bearer SEC-new"]
    await accounts.close()


async def test_without_keys_payments_answer_unavailable(server: Server) -> None:
    """[PAY-13]"""
    accounts = FlutterwaveAccounts(base_url=server.url, platform=None)
    with pytest.raises(Unavailable, match="Payment gateway is not configured"):
        await accounts.for_organization(None)
    with pytest.raises(Unavailable):
        await accounts.for_merchant("org:9")
    assert "SEC" not in repr(keys("x"))
