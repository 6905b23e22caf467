"""Port ``PaymentGateway``: one suite over the fake, and over Flutterwave's adapter against the simulated gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, Protocol

import aiohttp
import pytest

from nxt_adapters.flutterwave.gateway import FlutterwaveGateway
from nxt_adapters.memory.gateway_payments import MemoryGateway
from nxt_adapters.resilience import CallPolicy, HttpCaller, RetryPolicy
from nxt_domain.grids.tariffs import MeterType, TariffFacts
from nxt_domain.orders.gateway import GatewayTransaction, PaymentState
from nxt_domain.orders.model import PaymentMethod
from nxt_domain.orders.ports import GatewayFailed, MeterForSale, PaymentGateway, RefundRefused, UnknownPayment
from nxt_domain.orders.suspense import RefundState
from nxt_domain.orders.ussd import UssdCharge
from nxt_domain.shared.money import Currency
from nxt_entrypoints.simulators.flutterwave.simulator import Flutterwave, FlutterwaveConfig
from nxt_entrypoints.simulators.flutterwave.webhook import Merchant
from nxt_entrypoints.simulators.state import StateStore

REFERENCE = "Sun_Power_Ltd+47001771477__2026-03-10T09:15:02.123Z"
QUICK = CallPolicy(timeout_s=2.0, retry=RetryPolicy(attempts=2, wait_initial_s=0.01, wait_max_s=0.01, jitter_s=0.0))
_STATES = {"successful": PaymentState.PAID, "failed": PaymentState.REFUSED, "pending": PaymentState.UNDECIDED}
_METHODS = {"card": PaymentMethod.CREDIT_CARD, "bank_transfer": PaymentMethod.BANK_TRANSFER}


class Gateway(Protocol):
    """A gateway under test, with its payers."""

    port: PaymentGateway

    async def pay(self, amount: str, status: str = "successful", payment_type: str = "card") -> str: ...
    def go_down(self) -> None: ...


class FakeGateway:
    def __init__(self) -> None:
        self.fake = MemoryGateway()
        self.port: PaymentGateway = self.fake
        self._next = 1

    async def pay(self, amount: str, status: str = "successful", payment_type: str = "card") -> str:
        self._next += 1
        self.fake.put(
            GatewayTransaction(
                id=str(self._next),
                reference=REFERENCE,
                state=_STATES[status],
                status=status,
                amount=Decimal(amount),
                currency="NGN",
                payment_type=payment_type,
                method=_METHODS.get(payment_type),
            )
        )
        return str(self._next)

    def go_down(self) -> None:
        self.fake.failure = GatewayFailed("down")


class SimulatedGateway:
    def __init__(self, simulator: Flutterwave, port: PaymentGateway, url: str) -> None:
        self._simulator = simulator
        self.port = port
        self._url = url

    async def pay(self, amount: str, status: str = "successful", payment_type: str = "card") -> str:
        body: dict[str, Any] = {
            "tx_ref": REFERENCE,
            "amount": amount,
            "currency": "NGN",
            "status": status,
            "payment_type": payment_type,
        }
        async with aiohttp.ClientSession() as payer, payer.post(f"{self._url}/pay", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return str((await answer.json())["id"])

    def go_down(self) -> None:
        self._simulator.control.update({"down": True})


@pytest.fixture(params=["memory", "flutterwave"])
async def gateway(request: pytest.FixtureRequest) -> AsyncIterator[Gateway]:
    if request.param == "memory":
        yield FakeGateway()
        return
    merchant = Merchant(secret_key="FLWSECK_TEST-platform")
    simulator = Flutterwave(FlutterwaveConfig(merchants=(merchant,)), StateStore())
    await simulator.start()
    url = simulator.http.url
    caller = HttpCaller("flutterwave", QUICK)
    port = FlutterwaveGateway(
        base_url=f"{url}/v3", secret_key=merchant.secret_key, caller=caller, fallback_email="a@b.example"
    )
    yield SimulatedGateway(simulator, port, url)
    await caller.close()
    await simulator.stop()


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


@pytest.mark.parametrize(("status", "state"), _STATES.items())
async def test_states(gateway: Gateway, status: str, state: PaymentState) -> None:
    """[PAY-62]"""
    await gateway.pay("10", status=status)
    answer = await gateway.port.verify_by_reference(REFERENCE)
    assert (answer.status, answer.state) == (status, state)


async def test_an_unknown_way_to_pay_is_still_a_payment(gateway: Gateway) -> None:
    """[PAY-63]"""
    await gateway.pay("10", payment_type="opay")
    answer = await gateway.port.verify_by_reference(REFERENCE)
    assert (answer.state, answer.payment_type, answer.method) == (PaymentState.PAID, "opay", None)


async def test_of_several_attempts_the_newest_is_told(gateway: Gateway) -> None:
    """[PAY-76] a refused card, then a transfer."""
    await gateway.pay("10", status="failed")
    second = await gateway.pay("10", payment_type="bank_transfer")
    assert (await gateway.port.verify_by_reference(REFERENCE)).id == second


async def test_a_gateway_that_is_down_tells_nothing(gateway: Gateway) -> None:
    """[PAY-130] silence is an error, never an empty result."""
    await gateway.pay("10")
    gateway.go_down()
    with pytest.raises(GatewayFailed):
        await gateway.port.verify_by_reference(REFERENCE)
    with pytest.raises(GatewayFailed):
        await gateway.port.verify_by_id("1")


async def test_a_payment_is_given_back_once(gateway: Gateway) -> None:
    """[PAY-92] A refund is listed under its transaction; more than was paid is refused."""
    paid, other = await gateway.pay("1000.25"), await gateway.pay("70")
    assert await gateway.port.refunds_of(paid) == []
    refund = await gateway.port.refund(paid, Decimal("1000.25"), comment="mistyped")
    assert (refund.gateway_tx_id, refund.amount, refund.state) == (paid, Decimal("1000.25"), RefundState.DONE)
    assert [known.id for known in await gateway.port.refunds_of(paid)] == [refund.id]
    assert await gateway.port.refunds_of(other) == []
    with pytest.raises(RefundRefused):
        await gateway.port.refund(paid, Decimal("0.01"), comment="again")
    with pytest.raises(RefundRefused):
        await gateway.port.refund(await gateway.pay("10", status="failed"), Decimal(10), comment="never paid")


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
