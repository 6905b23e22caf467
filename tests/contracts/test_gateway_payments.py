"""Contract of payments through the gateway, over memory and PostgreSQL: webhooks, verification, reconciliation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import attrs
import pytest
from tests.support.payments_stores import STORES, open_world, settle_all
from tests.support.payments_world import PaymentsWorld

from nxt_adapters.memory.gateway_payments import MemoryGateway
from nxt_domain.orders.gateway import GatewayTransaction, PaymentState
from nxt_domain.orders.gateway_ports import GatewayFailed
from nxt_domain.orders.model import Order
from nxt_domain.orders.states import FailureCode, OrderStatus
from nxt_domain.orders.use_cases.public_orders import CancelPublicOrder


@pytest.fixture(params=STORES)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[PaymentsWorld]:
    async with open_world(request) as made:
        yield made


async def test_ten_webhooks_and_two_verifications_settle_once(world: PaymentsWorld) -> None:
    """[PAY-75] [PAY-122] [PAY-198] 1: everything at once; one entry, one command, one SMS."""
    order = await world.buy()
    world.pay(order)
    async with world.begin() as tx:
        charge = await tx.charges.find(order.id)
    await asyncio.gather(
        *(world.webhook(order) for _ in range(5)),
        *(world.webhook(order, status=f"again-{number}") for number in range(5)),
        *(world.verification.by_reference(order, charge) for _ in range(2)),
        *(world.settle()() for _ in range(3)),
    )
    await settle_all(world)
    assert (await world.order(order.id)).status is OrderStatus.COMPLETED
    assert await world.balance(world.meter_wallet) == Decimal(1000)
    assert len(world.top_ups.of(order.id)) == 1
    assert len(await world.rows(order.id)) == 2
    assert await world.messages() == ["+2348030000042: You received NGN 1000"]
    assert await world.suspense() == 0


async def test_a_repeated_delivery_changes_nothing(world: PaymentsWorld) -> None:
    """[PAY-72] the same event twice."""
    order = await world.buy()
    assert await world.webhook(order) is True
    assert await world.webhook(order) is False


async def test_events_that_are_no_charge_are_stored_and_ignored(world: PaymentsWorld) -> None:
    """[PAY-71] other kinds, no reference, any JSON at all."""
    for body in (None, [], [{}], {}, "x", 5, {"data": []}, {"event": "transfer.completed", "data": {"tx_ref": "a"}}):
        await world.receive("platform", body)
    assert await world.waiting_events() == []


async def test_failed_then_successful_is_credited(world: PaymentsWorld) -> None:
    """[PAY-76] [PAY-123] [PAY-198] 2: a refused card, then a transfer under the same reference: T5, then T4."""
    order = await world.buy()
    world.refuse(order, tx_id="1")
    await world.webhook(order, tx_id="1", status="failed")
    failed = await world.order(order.id)
    assert (failed.status, failed.failure_code) == (OrderStatus.FAILED, "GATEWAY_REJECTED")
    world.pay(order, tx_id="2")
    await world.webhook(order, tx_id="2")
    await settle_all(world)
    assert (await world.order(order.id)).status is OrderStatus.COMPLETED
    assert "LATE_PAYMENT" in await world.alerts()


async def test_a_late_failure_undoes_nothing(world: PaymentsWorld) -> None:
    """[PAY-46] [PAY-123] successful first, failed after."""
    order = await world.buy()
    world.pay(order, tx_id="2")
    await world.webhook(order, tx_id="2")
    await settle_all(world)
    world.refuse(order, tx_id="3")
    await world.webhook(order, tx_id="3", status="failed")
    assert (await world.order(order.id)).status is OrderStatus.COMPLETED
    assert await world.suspense() == 0


async def test_cancelled_then_paid_is_credited_with_an_alert(world: PaymentsWorld) -> None:
    """[PAY-57] [PAY-198] 4: money that arrives after a public cancel."""
    order = await world.buy()
    await CancelPublicOrder(begin=world.begin)(order.id)
    world.pay(order)
    await world.webhook(order)
    await settle_all(world)
    assert (await world.order(order.id)).status is OrderStatus.COMPLETED
    assert await world.alerts() == ["LATE_PAYMENT"]


async def test_another_amount_goes_to_suspense_once(world: PaymentsWorld) -> None:
    """[PAY-79] [PAY-198] 7: ordered 5000, paid 4000: FAILED, suspense +4000, an alert; repeats change nothing."""
    order = await world.buy("5000")
    world.pay(order, amount="4000")
    for status in ("successful", "again", "and-again"):
        await world.webhook(order, status=status)
    failed = await world.order(order.id)
    assert (failed.status, failed.failure_code) == (OrderStatus.FAILED, FailureCode.AMOUNT_MISMATCH)
    assert await world.suspense() == Decimal(4000)
    assert await world.balance(world.meter_wallet) == 0
    assert await world.alerts() == ["PAYMENT_IN_SUSPENSE"]


async def test_another_currency_goes_to_its_own_suspense(world: PaymentsWorld) -> None:
    """[PAY-74] [PAY-79] T6 in the currency of the receipt."""
    order = await world.buy("5000")
    world.pay(order, currency="USD")
    await world.webhook(order)
    assert (await world.order(order.id)).failure_code == FailureCode.CURRENCY_MISMATCH
    async with world.begin() as tx:
        balances = await tx.ledger.balances(["suspense:gateway:platform:USD"])
    assert balances["suspense:gateway:platform:USD"] == Decimal(5000)


async def test_paid_twice_under_one_reference(world: PaymentsWorld) -> None:
    """[PAY-77] [PAY-198] 20: one settlement, the other payment in suspense, however often it is announced."""
    order = await world.buy()
    world.pay(order, tx_id="1")
    await world.webhook(order, tx_id="1")
    world.pay(order, tx_id="2")
    await world.webhook(order, tx_id="2")
    await world.webhook(order, tx_id="2", status="again")
    await settle_all(world)
    assert (await world.order(order.id)).status is OrderStatus.COMPLETED
    assert await world.balance(world.meter_wallet) == Decimal(1000)
    assert await world.suspense() == Decimal(1000)


async def test_a_payment_that_belongs_to_another_order_is_not_believed(world: PaymentsWorld) -> None:
    """[PAY-74] the transaction's id must not belong to another order."""
    first, second = await world.buy(), await world.buy()
    world.pay(first, tx_id="1")
    await world.webhook(first, tx_id="1")
    world.pay(second, tx_id="1")
    await world.webhook(second, tx_id="1", status="forged")
    assert (await world.order(second.id)).status is OrderStatus.INITIALISED
    assert await world.alerts() == ["FOREIGN_PAYMENT"]


async def test_an_event_of_another_merchant_touches_nothing(world: PaymentsWorld) -> None:
    """[PAY-87] stored, ignored and alerted."""
    order = await world.buy()
    world.pay(order)
    body = {"event": "charge.completed", "data": {"id": 1, "tx_ref": order.external_reference, "status": "successful"}}
    await world.receive("org:5", body)
    await world.process(await world.waiting_events())
    assert (await world.order(order.id)).status is OrderStatus.INITIALISED
    assert await world.alerts() == ["EVENT_OF_OTHER_MERCHANT"]
    assert await world.waiting_events() == []


async def test_reconciliation_finds_what_was_pending_when_the_webhook_came(world: PaymentsWorld) -> None:
    """[PAY-62] [PAY-74] [PAY-198] 3: the gateway says pending; completed later without any webhook."""
    order = await world.buy()
    world.pay(order, state=PaymentState.UNDECIDED, status="pending")
    await world.webhook(order)
    assert (await world.order(order.id)).status is OrderStatus.INITIALISED
    assert await world.waiting_events() == []
    world.pay(order)
    world.clock.advance(timedelta(minutes=5))
    assert (await world.reconcile()).found == 1
    await settle_all(world)
    assert (await world.order(order.id)).status is OrderStatus.COMPLETED
    assert await world.balance(world.meter_wallet) == Decimal(1000)


@pytest.mark.parametrize("answer", ["successful", "failed"])
async def test_a_slow_verification_that_others_overtook_changes_nothing(world: PaymentsWorld, answer: str) -> None:
    """[PAY-46] [PAY-75] [PAY-198] 5: it ends after another one settled the order, whatever it was told."""
    order = await world.buy()
    asked, may_go_on = asyncio.Event(), asyncio.Event()
    gateway = world.accounts.platform
    at_once = gateway.verify_by_reference

    async def slowly(reference: str) -> GatewayTransaction:
        told = await at_once(reference)
        asked.set()
        await may_go_on.wait()
        return told

    world.pay(order) if answer == "successful" else world.refuse(order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateway, "verify_by_reference", slowly)
        async with world.begin() as tx:
            charge = await tx.charges.find(order.id)
        slow = asyncio.create_task(world.verification.by_reference(order, charge))
        await asked.wait()
    world.pay(order)
    await world.webhook(order)
    await settle_all(world)
    settled, rows = await world.order(order.id), await world.rows(order.id)
    assert settled.status is OrderStatus.COMPLETED
    may_go_on.set()
    await slow
    await settle_all(world)
    assert await world.order(order.id) == settled
    assert await world.rows(order.id) == rows
    assert (await world.balance(world.meter_wallet), await world.suspense()) == (Decimal(1000), Decimal(0))


async def test_reconciliation_finds_a_payment_without_webhook(world: PaymentsWorld) -> None:
    """[PAY-89] when its time has come, and not before."""
    order = await world.buy()
    assert (await world.reconcile()).asked == 0, "not before two minutes"
    world.clock.advance(timedelta(minutes=2))
    assert (await world.reconcile()).asked == 1
    assert (await world.reconcile()).asked == 0, "the next time is five minutes later"
    world.pay(order)
    world.clock.advance(timedelta(minutes=5))
    assert (await world.reconcile()).found == 1
    await settle_all(world)
    assert (await world.order(order.id)).status is OrderStatus.COMPLETED


async def test_unpaid_orders_time_out_once_the_gateway_could_be_asked(world: PaymentsWorld) -> None:
    """[PAY-90] [PAY-91] T8 after 24 h, not while the gateway is unreachable; a late payment still counts."""
    order = await world.buy()
    world.accounts.platform.failure = GatewayFailed("down")
    world.clock.advance(timedelta(hours=25))
    async with world.begin() as tx:
        created = (await tx.orders.find(order_id=order.id)).created_at
    world.clock.advance(created + timedelta(hours=25) - world.clock.now())
    assert (await world.reconcile()).timed_out == 0
    world.accounts.platform.failure = None
    world.clock.advance(timedelta(minutes=10))
    assert (await world.reconcile()).timed_out == 1
    assert (await world.order(order.id)).status is OrderStatus.TIMED_OUT
    world.pay(order)
    world.clock.advance(timedelta(days=1, minutes=1))
    assert (await world.reconcile()).found == 1
    await settle_all(world)
    assert (await world.order(order.id)).status is OrderStatus.COMPLETED


async def test_wakes_whoever_follows(world: PaymentsWorld) -> None:
    """[PAY-102] the worker is woken when an order becomes PENDING; hints follow commits (R4)."""
    order = await world.buy()
    world.pay(order)
    await world.webhook(order)
    assert "settlement" in world.wake_ups.hinted
    await settle_all(world)
    assert {"outbox", "messaging", "notifications"} <= set(world.wake_ups.hinted)


async def test_an_organization_switched_on_or_off_strands_no_order(world: PaymentsWorld) -> None:
    """[PAY-86] [PAY-88] [PAY-198] 18: an order is verified with the account it was made with."""
    own = world.accounts.organizations[world.organization_id] = MemoryGateway()
    before = await world.buy()
    world.accounts.enabled.add(world.organization_id)
    during = await world.buy()
    world.accounts.enabled.clear()
    assert (before.routing_organization_id, during.routing_organization_id) == (None, world.organization_id)
    own.put(attrs.evolve(paid_answer(during), id="9"))
    merchant = f"org:{world.organization_id}"
    body = {"event": "charge.completed", "data": {"id": 9, "tx_ref": during.external_reference}}
    await world.receive(merchant, body)
    await world.process(await world.waiting_events())
    await settle_all(world)
    assert (await world.order(during.id)).status is OrderStatus.COMPLETED
    assert (await world.order(before.id)).status is OrderStatus.INITIALISED
    async with world.begin() as tx:
        assert (await tx.charges.find(during.id)).merchant == merchant


def paid_answer(order: Order) -> GatewayTransaction:
    return GatewayTransaction(
        id="1",
        reference=order.external_reference or "",
        state=PaymentState.PAID,
        status="successful",
        amount=order.amount,
        currency="NGN",
    )
