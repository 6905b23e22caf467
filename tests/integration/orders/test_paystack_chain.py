"""A purchase through the second gateway, from the payer to the books: the domain knows no difference."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from tests.support.http_roles import Services
from tests.support.identity_world import ADMIN, IdentityWorld
from tests.support.payments_postgres import PostgresWorld
from tests.support.payments_stores import STORES, open_world, settle_all
from tests.support.payments_world import SYSTEM_WALLET, PaymentsWorld

from nxt_adapters.paystack.accounts import PaystackAccounts
from nxt_adapters.paystack.events import is_signed, read_event
from nxt_adapters.resilience import CallPolicy, RetryPolicy
from nxt_domain.orders.gateway import Charge
from nxt_domain.orders.merchants import MerchantKeys
from nxt_domain.orders.model import Order
from nxt_domain.orders.states import OrderStatus
from nxt_domain.orders.suspense import ResolutionState, SuspenseAction
from nxt_domain.orders.use_cases.gateway_events import ReceiveGatewayEvent
from nxt_domain.orders.use_cases.refund_suspense import RefundSuspense
from nxt_domain.orders.use_cases.resolve_suspense import ResolveSuspense
from nxt_domain.shared.errors import Unavailable
from nxt_entrypoints.api.app import build_api
from nxt_entrypoints.api.webhook_secrets import WebhookGuard
from nxt_entrypoints.simulators.paystack.simulator import Paystack, PaystackConfig
from nxt_entrypoints.simulators.paystack.webhook import Merchant
from nxt_entrypoints.simulators.state import StateStore

KEYS = MerchantKeys(public_key="pk_test_platform", secret_key="sk_test_platform")
QUICK = CallPolicy(timeout_s=2.0, retry=RetryPolicy(attempts=1))
LOOKS = 500


class Village:
    """The village whose platform is at Paystack; webhooks come in by the API's own route."""

    def __init__(self, world: PaymentsWorld, gateway: Paystack) -> None:
        self.world = world
        self.gateway = gateway

    async def pay(self, order: Order, amount: int, **more: object) -> None:
        """Let the payer pay; ``amount`` in kobo. The reference is what a checkout has to send."""
        reference = (order.external_reference or "").replace("_", "=5F").replace("+", "=2B").replace(":", "=3A")
        await self.post("/pay", {"reference": reference, "amount": amount, "currency": "NGN", **more})

    async def post(self, path: str, body: dict[str, object]) -> Any:
        url = f"{self.gateway.http.url}{path}"
        async with aiohttp.ClientSession() as payer, payer.post(url, json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def told(self) -> None:
        """Wait for a webhook, and work it off."""
        for _ in range(LOOKS):
            if waiting := await self.world.waiting_events():
                await self.world.process(waiting)
                return
            await asyncio.sleep(0.01)
        raise TimeoutError("no webhook came")

    async def verify(self, order: Order) -> None:
        """Ask the gateway, as reconciliation does."""
        await self.world.verification.by_reference(await self.world.order(order.id), await self.charge(order))

    async def charge(self, order: Order) -> Charge:
        async with self.world.begin() as tx:
            found: Charge | None = await tx.charges.find(order.id)
        assert found is not None
        return found


@pytest.fixture(params=STORES)
async def village(request: pytest.FixtureRequest) -> AsyncIterator[Village]:
    async with open_world(request) as world:
        if isinstance(world, PostgresWorld):
            world.all("insert into accounts (id) select generate_series(1, 9) on conflict do nothing returning id")
        services: Any = Services()
        async with TestServer(build_api(services, gate=IdentityWorld().gate)) as api:
            merchant = Merchant(secret_key=KEYS.secret_key, webhook_url=str(api.make_url("/flutterwave/webhook")))
            gateway = Paystack(PaystackConfig(merchants=(merchant,), webhook_retries=0), StateStore())
            await gateway.start()
            accounts = PaystackAccounts(base_url=gateway.http.url, platform=KEYS, policy=QUICK)
            world.accounts = accounts  # type: ignore[assignment]  # the real ones, where others have fakes
            services.webhook_guard = WebhookGuard(
                accounts,
                is_production=True,
                proves=lambda proof, key: is_signed(proof.body, proof.signature, key),
            )
            services.receive_gateway_event = ReceiveGatewayEvent(
                begin=world.begin, read_event=read_event, wake_ups=world.wake_ups
            )
            yield Village(world, gateway)
            await accounts.close()
            await gateway.stop()


async def test_a_payment_becomes_energy(village: Village) -> None:
    """[PAY-71] [PAY-74] [PAY-55] A refused card, then a transfer whose payer bears the fee; exact to the kobo."""
    order = await village.world.buy("1000.25")
    assert "+" in (order.external_reference or "")
    await village.pay(order, 100025, status="failed")
    await village.verify(order)
    assert (await village.world.order(order.id)).status is OrderStatus.FAILED
    await village.pay(order, 100025, channel="bank_transfer", is_fee_on_payer=True)
    await village.told()
    await settle_all(village.world)
    settled = await village.world.order(order.id)
    assert (settled.status, settled.payment_method) == (OrderStatus.COMPLETED, "BANK_TRANSFER")
    charge = await village.charge(order)
    assert (charge.charged_amount, charge.fee) == (Decimal("1015.25"), Decimal(15))
    assert await village.world.suspense() == 0


async def test_another_amount_is_suspended_and_given_back(village: Village) -> None:
    """[PAY-79] [PAY-92] The refund is booked when the gateway says that it is done, and asked for once."""
    world = village.world
    order = await world.buy("1000")
    await village.pay(order, 90050)
    await village.told()
    assert (await world.order(order.id)).failure_code == "AMOUNT_MISMATCH"
    assert await world.suspense() == Decimal("900.5")
    entry_id = await _suspense_entry(village, order)
    callers = IdentityWorld()
    finance = await callers.user(callers.token(ADMIN))
    resolve = ResolveSuspense(
        begin=world.begin, placement=world.placement, wake_ups=world.wake_ups, system_wallet_id=SYSTEM_WALLET
    )
    await resolve(finance, entry_id, SuspenseAction.REFUND, None, "payer mistyped")
    refund = RefundSuspense(begin=world.begin, accounts=world.accounts, clock=world.clock)
    for _ in range(2):
        with pytest.raises(Unavailable, match="pending"):
            await refund(entry_id)
    account = await world.accounts.for_merchant("platform")
    (asked,) = await account.gateway.refunds_of((await village.charge(order)).gateway_tx_id or "")
    await village.post("/settle-refund", {"id": int(asked.id), "status": "processed"})
    await refund(entry_id)
    assert await world.suspense() == 0
    async with world.begin() as tx:
        decided = await tx.suspense.find(entry_id)
    assert (decided.state, decided.gateway_refund_id) == (ResolutionState.REFUNDED, asked.id)


async def _suspense_entry(village: Village, order: Order) -> int:
    key = f"gateway:platform:{(await village.charge(order)).gateway_tx_id}:suspense"
    async with village.world.begin() as tx:
        return int((await tx.ledger.find([key]))[key].id)


async def test_a_buyer_who_left_may_come_back(village: Village) -> None:
    """[PAY-62] [PAY-89] An abandoned checkout fails nothing; without a webhook reconciliation finds the payment."""
    order = await village.world.buy("1000")
    await village.pay(order, 100000, status="abandoned")
    await village.verify(order)
    assert (await village.world.order(order.id)).status is OrderStatus.INITIALISED
    village.gateway.control.update({"loss_rate": 1.0})
    await village.pay(order, 100000)
    await village.verify(order)
    assert (await village.world.order(order.id)).status is OrderStatus.PENDING
