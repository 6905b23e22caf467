"""Port ``PaymentGateway``: one suite over the fake, and over each real adapter against its simulated gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Protocol

import aiohttp
import pytest

from nxt_adapters.flutterwave.gateway import FlutterwaveGateway
from nxt_adapters.memory.gateway_payments import MemoryGateway
from nxt_adapters.paystack.gateway import PaystackGateway
from nxt_adapters.paystack.wire import to_minor, to_wire
from nxt_adapters.resilience import CallPolicy, HttpCaller, RetryPolicy
from nxt_domain.grids.tariffs import MeterType, TariffFacts
from nxt_domain.orders.gateway import GatewayTransaction, PaymentState
from nxt_domain.orders.gateway_ports import GatewayFailed, PaymentGateway, RefundRefused, UnknownPayment
from nxt_domain.orders.model import PaymentMethod
from nxt_domain.orders.ports import MeterForSale
from nxt_domain.orders.suspense import RefundState
from nxt_domain.orders.ussd import UssdCharge
from nxt_domain.shared.money import Currency
from nxt_entrypoints.simulators.control import ControlPlane
from nxt_entrypoints.simulators.flutterwave import simulator as flutterwave
from nxt_entrypoints.simulators.flutterwave.webhook import Merchant as FlutterwaveMerchant
from nxt_entrypoints.simulators.paystack import simulator as paystack
from nxt_entrypoints.simulators.paystack.webhook import Merchant as PaystackMerchant
from nxt_entrypoints.simulators.state import StateStore

REFERENCE = "Sun_Power_Ltd+47001771477__2026-03-10T09:15:02.123Z"
QUICK = CallPolicy(timeout_s=2.0, retry=RetryPolicy(attempts=2, wait_initial_s=0.01, wait_max_s=0.01, jitter_s=0.0))
PAID, REFUSED, UNDECIDED = PaymentState.PAID, PaymentState.REFUSED, PaymentState.UNDECIDED
_WORDS = {PAID: "successful", REFUSED: "failed", UNDECIDED: "pending"}
_PAYSTACK_WORDS = {PAID: "success", REFUSED: "failed", UNDECIDED: "abandoned"}
_METHODS = {"card": PaymentMethod.CREDIT_CARD, "bank_transfer": PaymentMethod.BANK_TRANSFER}


class Gateway(Protocol):
    """A gateway under test, with its payers.

    Attributes:
        words: How it calls each state.
        odd_way: A way to pay that it has and we have no name for.
    """

    port: PaymentGateway
    words: dict[PaymentState, str]
    odd_way: str

    async def pay(
        self, amount: str, state: PaymentState = PAID, way: str = "card", reference: str = REFERENCE
    ) -> str: ...
    async def finish_refunds(self, *refund_ids: str) -> None: ...
    def go_down(self) -> None: ...


class FakeGateway:
    words = _WORDS
    odd_way = "opay"

    def __init__(self) -> None:
        self.fake = MemoryGateway()
        self.port: PaymentGateway = self.fake
        self._next = 1

    async def pay(self, amount: str, state: PaymentState = PAID, way: str = "card", reference: str = REFERENCE) -> str:
        self._next += 1
        self.fake.put(
            GatewayTransaction(
                id=str(self._next),
                reference=reference,
                state=state,
                status=self.words[state],
                amount=Decimal(amount),
                currency="NGN",
                payment_type=way,
                method=_METHODS.get(way),
            )
        )
        return str(self._next)

    async def finish_refunds(self, *refund_ids: str) -> None:
        """They are done at once."""

    def go_down(self) -> None:
        self.fake.failure = GatewayFailed("down")


class _Simulated:
    def __init__(self, control: ControlPlane, port: PaymentGateway, url: str) -> None:
        self._control = control
        self.port = port
        self._url = url

    def go_down(self) -> None:
        self._control.update({"down": True})

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        async with aiohttp.ClientSession() as payer, payer.post(f"{self._url}{path}", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()


class SimulatedFlutterwave(_Simulated):
    words = _WORDS
    odd_way = "opay"

    async def pay(self, amount: str, state: PaymentState = PAID, way: str = "card", reference: str = REFERENCE) -> str:
        words = {"status": self.words[state], "payment_type": way}
        paid = await self._post("/pay", {"tx_ref": reference, "amount": amount, "currency": "NGN", **words})
        return str(paid["id"])

    async def finish_refunds(self, *refund_ids: str) -> None:
        """They are done at once."""


class SimulatedPaystack(_Simulated):
    words = _PAYSTACK_WORDS
    odd_way = "qr"

    async def pay(self, amount: str, state: PaymentState = PAID, way: str = "card", reference: str = REFERENCE) -> str:
        asked = {"reference": to_wire(reference), "amount": to_minor(Decimal(amount)), "currency": "NGN"}
        paid = await self._post("/pay", {**asked, "status": self.words[state], "channel": way})
        return str(paid["id"])

    async def finish_refunds(self, *refund_ids: str) -> None:
        for refund_id in refund_ids:
            await self._post("/settle-refund", {"id": int(refund_id), "status": "processed"})


@asynccontextmanager
async def _memory() -> AsyncIterator[Gateway]:
    yield FakeGateway()


@asynccontextmanager
async def _flutterwave() -> AsyncIterator[Gateway]:
    merchant = FlutterwaveMerchant(secret_key="FLWSECK_TEST-platform")
    simulator = flutterwave.Flutterwave(flutterwave.FlutterwaveConfig(merchants=(merchant,)), StateStore())
    await simulator.start()
    url = simulator.http.url
    caller = HttpCaller("flutterwave", QUICK)
    port = FlutterwaveGateway(
        base_url=f"{url}/v3", secret_key=merchant.secret_key, caller=caller, fallback_email="a@b.example"
    )
    yield SimulatedFlutterwave(simulator.control, port, url)
    await caller.close()
    await simulator.stop()


@asynccontextmanager
async def _paystack() -> AsyncIterator[Gateway]:
    merchant = PaystackMerchant(secret_key="sk_test_platform")
    simulator = paystack.Paystack(paystack.PaystackConfig(merchants=(merchant,)), StateStore())
    await simulator.start()
    url = simulator.http.url
    caller = HttpCaller("paystack", QUICK)
    port = PaystackGateway(base_url=url, secret_key=merchant.secret_key, caller=caller, fallback_email="a@b.example")
    yield SimulatedPaystack(simulator.control, port, url)
    await caller.close()
    await simulator.stop()


_GATEWAYS = {"memory": _memory, "flutterwave": _flutterwave, "paystack": _paystack}


@pytest.fixture(params=_GATEWAYS)
async def gateway(request: pytest.FixtureRequest) -> AsyncIterator[Gateway]:
    async with _GATEWAYS[request.param]() as opened:
        yield opened


async def test_a_payment_is_found_by_reference_and_by_id(gateway: Gateway) -> None:
    """[PAY-61] [PAY-77] exact amounts; a ``+`` in a reference is no blank."""
    paid = await gateway.pay("1000.25")
    by_reference = await gateway.port.verify_by_reference(REFERENCE)
    assert (by_reference.id, by_reference.reference) == (paid, REFERENCE)
    assert (by_reference.amount, by_reference.currency) == (Decimal("1000.25"), "NGN")
    assert (by_reference.state, by_reference.method) == (PaymentState.PAID, PaymentMethod.CREDIT_CARD)
    assert (await gateway.port.verify_by_id(paid)).id == paid


async def test_what_the_gateway_does_not_know(gateway: Gateway) -> None:
    """[PAY-61] unknown is an answer, not a failure."""
    with pytest.raises(UnknownPayment):
        await gateway.port.verify_by_reference("nothing+of the kind")
    with pytest.raises(UnknownPayment):
        await gateway.port.verify_by_id("1")


@pytest.mark.parametrize("state", PaymentState)
async def test_states(gateway: Gateway, state: PaymentState) -> None:
    """[PAY-62]"""
    await gateway.pay("10", state)
    answer = await gateway.port.verify_by_reference(REFERENCE)
    assert (answer.status, answer.state) == (gateway.words[state], state)


async def test_an_unknown_way_to_pay_is_still_a_payment(gateway: Gateway) -> None:
    """[PAY-63]"""
    await gateway.pay("10", way=gateway.odd_way)
    answer = await gateway.port.verify_by_reference(REFERENCE)
    assert (answer.state, answer.payment_type, answer.method) == (PAID, gateway.odd_way, None)


async def test_of_several_attempts_the_newest_is_told(gateway: Gateway) -> None:
    """[PAY-76] a refused card, then a transfer; whether that is another transaction is the gateway's affair."""
    await gateway.pay("10", REFUSED)
    second = await gateway.pay("10", way="bank_transfer")
    answer = await gateway.port.verify_by_reference(REFERENCE)
    assert (answer.id, answer.state, answer.method) == (second, PAID, PaymentMethod.BANK_TRANSFER)


async def test_a_gateway_that_is_down_tells_nothing(gateway: Gateway) -> None:
    """[PAY-130] silence is an error, never an empty result."""
    await gateway.pay("10")
    gateway.go_down()
    with pytest.raises(GatewayFailed):
        await gateway.port.verify_by_reference(REFERENCE)
    with pytest.raises(GatewayFailed):
        await gateway.port.verify_by_id("1")


async def test_a_payment_is_given_back_once(gateway: Gateway) -> None:
    """[PAY-92] A refund is listed under its transaction, and done sooner or later; more than was paid is refused."""
    paid, other = await gateway.pay("1000.25"), await gateway.pay("70", reference="other")
    assert await gateway.port.refunds_of(paid) == []
    refund = await gateway.port.refund(paid, Decimal("1000.25"), comment="mistyped")
    assert (refund.gateway_tx_id, refund.amount) == (paid, Decimal("1000.25"))
    assert refund.state in {RefundState.DONE, RefundState.UNDER_WAY}
    with pytest.raises(RefundRefused):
        await gateway.port.refund(paid, Decimal("0.01"), comment="again")
    await gateway.finish_refunds(refund.id)
    done = [(known.id, known.amount, known.state) for known in await gateway.port.refunds_of(paid)]
    assert done == [(refund.id, Decimal("1000.25"), RefundState.DONE)]
    assert await gateway.port.refunds_of(other) == []
    unpaid = await gateway.pay("10", REFUSED, reference="unpaid")
    with pytest.raises(RefundRefused):
        await gateway.port.refund(unpaid, Decimal(10), comment="never paid")


async def test_a_gateway_that_is_down_refunds_nothing_for_sure(gateway: Gateway) -> None:
    """[PAY-92] [PAY-130] Silence is neither yes nor no."""
    paid = await gateway.pay("10")
    gateway.go_down()
    with pytest.raises(GatewayFailed):
        await gateway.port.refund(paid, Decimal(10), comment="mistyped")
    with pytest.raises(GatewayFailed):
        await gateway.port.refunds_of(paid)


PURCHASE = UssdCharge(
    reference="phone-1",
    bank_code="058",
    amount=Decimal("500.5"),
    currency=Currency.NGN,
    phone="+2348030000099",
    meter=MeterForSale(
        id=1,
        external_reference="47001771477",
        wallet_id=2,
        is_ready=True,
        customer_id=3,
        customer_name="Customer of Kalonda",
        grid_id=4,
        grid_name="Kalonda",
        organization_id=5,
        organization_name="Sun Power Ltd",
        tariffs=TariffFacts(
            meter_type=MeterType.HPS,
            own_tariff=None,
            essential_tariff=Decimal(300),
            full_tariff=None,
            is_dual_meter_grid=False,
        ),
    ),
)


async def test_a_bank_is_charged_by_a_code_to_dial(gateway: Gateway) -> None:
    """[PAY-64] The charge waits under its reference until the buyer has dialled."""
    note = await gateway.port.charge_by_ussd(PURCHASE)
    assert note.startswith("*")
    assert note.endswith("#")
    waiting = await gateway.port.verify_by_reference("phone-1")
    assert (waiting.state, waiting.amount) == (PaymentState.UNDECIDED, Decimal("500.5"))
    gateway.go_down()
    with pytest.raises(GatewayFailed):
        await gateway.port.charge_by_ussd(PURCHASE)
