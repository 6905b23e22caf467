"""Contract of the payments' stores, over memory and PostgreSQL: orders, charges, events, settlement."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import attrs
import pytest
from tests.support.payments_world import METER, NEW_METER, UNREADY_METER, MemoryWorld, PaymentsWorld, PostgresWorld, Row

from nxt_adapters.memory.gateway_payments import MemoryGateway
from nxt_adapters.supabase.engine import create_engine
from nxt_domain.orders.gateway import GatewayTransaction, PaymentState
from nxt_domain.orders.meta import order_meta
from nxt_domain.orders.model import NewOrder, Order, OrderType, PaymentChannel
from nxt_domain.orders.ports import GatewayFailed, ReferenceTaken
from nxt_domain.orders.states import FailureCode, OrderStatus
from nxt_domain.orders.use_cases.public_orders import CancelPublicOrder, CheckPublicOrder
from nxt_domain.shared.clock import iso_millis
from nxt_domain.shared.errors import InvalidInput, NotAcceptable, NotFound, Unprocessable
from nxt_domain.shared.money import Currency


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[PaymentsWorld]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    url = request.getfixturevalue("relational_url")
    made = PostgresWorld(url, create_engine(url, pool_size=8))
    yield made
    await made.close()


async def settle_all(world: PaymentsWorld) -> None:
    while (await world.settle()()).found_work:
        pass


async def test_a_public_purchase_is_stored_with_its_record_and_charge(world: PaymentsWorld) -> None:
    """[PAY-53] [PAY-55] [PAY-73] the answer of the initialise route, the order, and its charge due in 2 minutes."""
    order = await world.buy("1000")
    assert order.status is OrderStatus.INITIALISED
    assert order.external_reference == f"Sun_Power_Ltd+{METER}__{iso_millis(world.clock.now())}"
    assert (order.amount, order.payment_channel) == (Decimal(1000), PaymentChannel.NIFFLER)
    assert (order.historical_grid_id, order.organization_id) == (world.grid_id, world.organization_id)
    async with world.begin() as tx:
        charge = await tx.charges.find(order.id)
    assert (charge.merchant, charge.reference) == ("platform", order.external_reference)
    assert charge.next_verify_at == world.clock.now() + timedelta(minutes=2)


async def test_generated_references_that_collide_move_on_by_a_millisecond(world: PaymentsWorld) -> None:
    """[PAY-55] two purchases of one meter at one instant."""
    first, second = await world.buy(), await world.buy()
    assert first.external_reference.endswith(iso_millis(world.clock.now()))
    assert second.external_reference.endswith(iso_millis(world.clock.now() + timedelta(milliseconds=1)))


async def test_a_reference_is_used_once(world: PaymentsWorld) -> None:
    """[PAY-53] an explicit reference that exists is refused, also when two requests race."""
    await world.buy(reference="shop-1")
    with pytest.raises(InvalidInput, match=r"Order with external reference shop-1 already exists\. Please try another"):
        await world.buy(reference="shop-1")
    draft = attrs.evolve(await _draft(world), external_reference="shop-1")
    with pytest.raises(ReferenceTaken):
        async with world.begin() as tx:
            await tx.orders.add([draft])


async def test_what_cannot_be_bought(world: PaymentsWorld) -> None:
    """[PAY-53] [PAY-54] [PAY-20] [MET-17] [MET-48] each refusal in its words."""
    with pytest.raises(NotFound, match=r"^Could not find meter with external reference 00\x00$"):
        await world.buy(meter="00\0")
    with pytest.raises(NotFound, match=r"^Could not find meter with external reference 47009999999$"):
        await world.buy(meter="47009999999")
    with pytest.raises(InvalidInput, match=rf"^Meter {UNREADY_METER} is not successfully installed \(yet\)$"):
        await world.buy(meter=UNREADY_METER)
    with pytest.raises(Unprocessable, match=rf"^Amount is too large for meter {METER}$"):
        await world.buy("3000000.01")
    with pytest.raises(Unprocessable, match=r"^Currency of the order does not match the wallets$"):
        await world.buy(currency=Currency.USD)
    with pytest.raises(InvalidInput, match="amount must have at most 2 decimal places"):
        await world.buy("1.001")
    assert (await world.reconcile()).asked == 0


async def test_a_meter_without_wallet_gets_one(world: PaymentsWorld) -> None:
    """[PAY-19] in the operation that needs it, once."""
    first, second = await world.buy(meter=NEW_METER), await world.buy(meter=NEW_METER)
    assert first.receiver_wallet_id == second.receiver_wallet_id
    world.pay(first)
    await world.webhook(first)
    await settle_all(world)
    assert await world.balance(first.receiver_wallet_id) == Decimal(1000)


async def test_an_organization_switched_on_or_off_strands_no_order(world: PaymentsWorld) -> None:
    """[PAY-86] [PAY-88] [PAY-198] an order is verified with the account it was made with."""
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


async def _draft(world: PaymentsWorld) -> NewOrder:
    async with world.begin() as tx:
        parties = await tx.orders.parties([world.system, world.meter_wallet])
    meta = order_meta(
        sender=parties[world.system],
        receiver=parties[world.meter_wallet],
        author=None,
        platform_organization_id=2,
    )
    assert meta.order_type is OrderType.ENERGY_TOPUP
    return NewOrder(
        status=OrderStatus.INITIALISED,
        amount=Decimal(10),
        currency=Currency.NGN,
        sender_wallet_id=world.system,
        receiver_wallet_id=world.meter_wallet,
        meta=meta,
    )


async def test_the_pay_page_watches_and_gives_up(world: PaymentsWorld) -> None:
    """[PAY-56] [PAY-57] check and cancel, with their refusals."""
    order = await world.buy()
    check, cancel = CheckPublicOrder(begin=world.begin), CancelPublicOrder(begin=world.begin)
    view = await check(order.id)
    assert (view.status, view.amount, view.directive_status, view.token, view.energy_kwh) == (
        OrderStatus.INITIALISED,
        Decimal(1000),
        None,
        None,
        None,
    )
    with pytest.raises(Unprocessable, match="Can't verify order with provided details"):
        await check(None)
    with pytest.raises(Unprocessable, match="Can't cancel order with provided details"):
        await cancel(None)
    with pytest.raises(NotFound, match="Could not find order with id 999999"):
        await check(999999)
    with pytest.raises(NotFound):
        await cancel(order.id, "somebody-elses")
    assert await cancel(order.id, order.external_reference) is OrderStatus.CANCELLED
    with pytest.raises(NotAcceptable, match="Can't cancel order that is being or has been processed"):
        await cancel(order.id)


async def test_strict_installations_demand_the_reference(world: PaymentsWorld) -> None:
    """[PAY-58] an id alone is not enough."""
    order = await world.buy()
    check = CheckPublicOrder(begin=world.begin, is_reference_required=True)
    with pytest.raises(Unprocessable):
        await check(order.id)
    assert (await check(order.id, order.external_reference)).status is OrderStatus.INITIALISED


async def test_the_worked_example_of_the_ledger(world: PaymentsWorld) -> None:
    """[PAY-34] [PAY-35] [PAY-36] [PAY-198] the five orders of section 5.7, balances, rows and energy."""
    topped = await world.buy("100000")  # stands in for order 1: money from the gateway
    world.pay(topped)
    await world.fund(world.organization_wallet, "100000")
    second = await world.send(world.organization_wallet, world.agent_wallet, "20000")
    await settle_all(world)
    third = await world.send(world.agent_wallet, world.meter_wallet, "1000")
    fourth = await world.buy("500")
    world.pay(fourth, tx_id="77")
    await world.webhook(fourth, tx_id="77")
    await settle_all(world)
    fifth = await world.send(world.agent_wallet, world.meter_wallet, "25000")
    await settle_all(world)

    assert [(await world.order(o.id)).status for o in (second, third, fourth, fifth)] == [
        OrderStatus.COMPLETED,
        OrderStatus.COMPLETED,
        OrderStatus.COMPLETED,
        OrderStatus.FAILED,
    ]
    assert (await world.order(fifth.id)).failure_code == "INSUFFICIENT_BALANCE"
    assert [await world.balance(w) for w in (world.organization_wallet, world.agent_wallet, world.meter_wallet)] == [
        Decimal(80000),
        Decimal(19000),
        Decimal(1500),
    ]
    assert world.top_ups.of(third.id)[0].energy_kwh == Decimal("3.4")
    assert world.top_ups.of(fourth.id)[0].energy_kwh == Decimal("1.7")
    assert world.top_ups.of(fifth.id) == []
    meter, agent = world.meter_wallet, world.agent_wallet
    assert await world.rows(third.id) == [
        _row("1000", meter, "SUCCESSFUL", "0", "1000"),
        _row("-1000", agent, "SUCCESSFUL", "20000", "19000"),
    ]
    assert await world.rows(fourth.id) == [
        _row("500", meter, "SUCCESSFUL", "1000", "1500"),
        _row("-500", world.system, "SUCCESSFUL", "-1", "-1"),
    ]
    assert await world.rows(fifth.id) == [
        _row("25000", meter, "FAILED", "1500", "1500"),
        _row("-25000", agent, "FAILED", "19000", "19000"),
    ]
    settled = await world.order(third.id)
    assert (settled.tariff, settled.tariff_type, settled.settled_at is not None) == (Decimal(300), "HPS", True)


def _row(amount: str, wallet_id: int, status: str, before: str, after: str) -> Row:
    return Row(amount=Decimal(amount), wallet_id=wallet_id, status=status, before=Decimal(before), after=Decimal(after))


async def test_text_messages_of_settled_and_refused_orders(world: PaymentsWorld) -> None:
    """[PAY-120] who is told what, once."""
    await world.fund(world.agent_wallet, "1000")
    await world.send(world.agent_wallet, world.meter_wallet, "700.50")
    await settle_all(world)
    await world.send(world.agent_wallet, world.meter_wallet, "700.50")
    await settle_all(world)
    assert await world.messages() == [
        "+2348030000042: You received NGN 700.5",
        f"+2348030000041: Sent NGN 700.5 to meter {METER}",
        "+2348030000041: Could not send NGN 700.5: balance too low",
    ]


async def test_connection_fees_are_counted_both_ways(world: PaymentsWorld) -> None:
    """[PAY-106] payment 10 000, refund 2 500."""
    await world.fund(world.agent_wallet, "10000")
    await world.send(world.agent_wallet, world.connection_wallet, "10000")
    await settle_all(world)
    assert await world.paid_fees() == Decimal(10000)
    refund = await world.send(world.connection_wallet, world.organization_wallet, "2500")
    await settle_all(world)
    assert (await world.order(refund.id)).status is OrderStatus.COMPLETED
    assert await world.paid_fees() == Decimal(7500)
    assert await world.balance(world.connection_wallet) == Decimal(7500)


async def test_one_sender_settles_in_id_order(world: PaymentsWorld) -> None:
    """[PAY-105] [PAY-129] of one sender's orders only the oldest can be claimed; money from outside knows no queue."""
    await world.fund(world.agent_wallet, "1000")
    first = await world.send(world.agent_wallet, world.meter_wallet, "700")
    second = await world.send(world.agent_wallet, world.meter_wallet, "700")
    third = await world.send(world.agent_wallet, world.meter_wallet, "300")
    async with world.begin() as tx:
        assert [item.order.id for item in await tx.settlements.claim(10)] == [first.id]
    await settle_all(world)
    statuses = [(await world.order(o.id)).status for o in (first, second, third)]
    assert statuses == [OrderStatus.COMPLETED, OrderStatus.FAILED, OrderStatus.COMPLETED]
    assert await world.balance(world.agent_wallet) == 0


async def test_a_missing_tariff_stops_wallets_but_not_money_from_outside(world: PaymentsWorld) -> None:
    """[PAY-104] [PAY-198] wallet-paid is refused at settlement; gateway-paid settles, its top-up waits (R1)."""
    with pytest.raises(Unprocessable, match="No tariff is defined for meter 47001771485"):
        await world.send(world.agent_wallet, world.free_meter_wallet, "100")
    draft = attrs.evolve(await _draft(world), receiver_wallet_id=world.free_meter_wallet, status=OrderStatus.PENDING)
    await world.fund(world.agent_wallet, "1000")
    async with world.begin() as tx:
        outside, inside = await tx.orders.add([draft, attrs.evolve(draft, sender_wallet_id=world.agent_wallet)])
        await tx.commit()
    await settle_all(world)
    assert (await world.order(outside.id)).status is OrderStatus.COMPLETED
    assert [request.energy_kwh for request in world.top_ups.of(outside.id)] == [None]
    refused = await world.order(inside.id)
    assert (refused.status, refused.failure_code) == (OrderStatus.FAILED, FailureCode.TARIFF_MISSING)
    assert await world.balance(world.agent_wallet) == Decimal(1000)
    assert "+2348030000041: Could not send NGN 10: not possible now" in await world.messages()


async def test_an_order_that_keeps_failing_waits_while_others_go_on(world: PaymentsWorld) -> None:
    """[PAY-104] five failures, then 1, 2, 4 … minutes; an alert; never FAILED; the batch goes on singly (R3)."""
    bad, good = await _pending(world), await _pending(world)

    def refuse(request: object) -> None:
        if request.order_id == bad:  # type: ignore[attr-defined]
            raise RuntimeError("no such meter driver")

    world.top_ups.refuse = refuse
    report = await world.settle()()
    assert (list(report.completed), [order_id for order_id, _ in report.errors]) == ([good], [bad])
    assert isinstance(report.batch_error, RuntimeError)
    for _ in range(4):
        assert (await world.settle()()).errors
    assert (await world.order(bad)).status is OrderStatus.PENDING
    assert await world.alerts() == ["SETTLEMENT_FAILING"]
    assert not (await world.settle()()).errors, "it waits"
    assert world.top_ups.of(bad) == []


async def _pending(world: PaymentsWorld) -> int:
    draft = attrs.evolve(await _draft(world), status=OrderStatus.PENDING)
    async with world.begin() as tx:
        (order,) = await tx.orders.add([draft])
        await tx.commit()
    return int(order.id)


async def test_ten_webhooks_and_two_verifications_settle_once(world: PaymentsWorld) -> None:
    """[PAY-75] [PAY-122] [PAY-198] everything at once; one entry, one command, one SMS."""
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
    """[PAY-76] [PAY-123] [PAY-198] a refused card, then a transfer under the same reference: T5, then T4."""
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
    """[PAY-57] [PAY-198] money that arrives after a public cancel."""
    order = await world.buy()
    await CancelPublicOrder(begin=world.begin)(order.id)
    world.pay(order)
    await world.webhook(order)
    await settle_all(world)
    assert (await world.order(order.id)).status is OrderStatus.COMPLETED
    assert await world.alerts() == ["LATE_PAYMENT"]


async def test_another_amount_goes_to_suspense_once(world: PaymentsWorld) -> None:
    """[PAY-79] [PAY-198] ordered 5000, paid 4000: FAILED, suspense +4000, an alert; repeats change nothing."""
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
    """[PAY-77] [PAY-198] one settlement, the other payment in suspense, however often it is announced."""
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


async def test_reconciliation_finds_a_payment_without_webhook(world: PaymentsWorld) -> None:
    """[PAY-89] [PAY-198] undecided when the webhook came; completed by reconciliation."""
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
