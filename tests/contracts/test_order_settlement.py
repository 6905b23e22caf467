"""Contract of settlement, over memory and PostgreSQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import attrs
import pytest
from tests.support.payments_postgres import PostgresWorld
from tests.support.payments_stores import STORES, open_world, settle_all, top_up_draft
from tests.support.payments_world import METER, PaymentsWorld, Row

from nxt_domain.orders.gateway_ports import GatewayFailed
from nxt_domain.orders.model import Order, PaymentChannel
from nxt_domain.orders.notices import Contact
from nxt_domain.orders.states import FailureCode, OrderStatus
from nxt_domain.orders.use_cases.place_order import OrderDraft
from nxt_domain.orders.use_cases.public_orders import PublicPurchase
from nxt_domain.shared.errors import Unprocessable
from nxt_domain.shared.money import Currency


@pytest.fixture(params=STORES)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[PaymentsWorld]:
    async with open_world(request) as made:
        yield made


async def test_the_worked_example_of_the_ledger(world: PaymentsWorld) -> None:
    """[REL-65] [PAY-34] [PAY-35] [PAY-36] [PAY-198] 16: the table of 5.7, row by row; balances, rows and energy."""
    first = await _begin_payment(world, world.organization_wallet, "100000")
    world.pay(first, tx_id="76")
    await world.webhook(first, tx_id="76")
    await settle_all(world)
    second = await world.send(world.organization_wallet, world.agent_wallet, "20000")
    await settle_all(world)
    third = await world.send(world.agent_wallet, world.meter_wallet, "1000")
    fourth = await world.buy("500")
    world.pay(fourth, tx_id="77")
    await world.webhook(fourth, tx_id="77")
    await settle_all(world)
    fifth = await world.send(world.agent_wallet, world.meter_wallet, "25000")
    await settle_all(world)

    outside = "external:gateway:platform"
    organization, agent, meter = (
        f"wallet:{wallet_id}" for wallet_id in (world.organization_wallet, world.agent_wallet, world.meter_wallet)
    )
    table = [
        (first, {outside: -100_000, organization: 100_000}, OrderStatus.COMPLETED, []),
        (second, {organization: -20_000, agent: 20_000}, OrderStatus.COMPLETED, []),
        (third, {agent: -1_000, meter: 1_000}, OrderStatus.COMPLETED, [Decimal("3.4")]),
        (fourth, {outside: -500, meter: 500}, OrderStatus.COMPLETED, [Decimal("1.7")]),
        (fifth, {}, OrderStatus.FAILED, []),
    ]
    totals: Counter[str] = Counter()
    for order, movement, status, energy in table:
        key = f"order:{order.id}:settle"
        async with world.begin() as tx:
            entry = (await tx.ledger.find([key])).get(key)
        assert ({leg.account: leg.amount for leg in entry.postings} if entry else {}) == movement
        totals.update(movement)
        assert (await world.order(order.id)).status is status
        assert [request.energy_kwh for request in world.top_ups.of(order.id)] == energy
    assert totals == {outside: -100_500, organization: 80_000, agent: 19_000, meter: 1_500}
    assert sum(totals.values()) == 0
    assert (await world.order(fifth.id)).failure_code == "INSUFFICIENT_BALANCE"
    assert [await world.balance(w) for w in (world.organization_wallet, world.agent_wallet, world.meter_wallet)] == [
        Decimal(80000),
        Decimal(19000),
        Decimal(1500),
    ]
    assert await world.rows(third.id) == [
        _row("1000", world.meter_wallet, "SUCCESSFUL", "0", "1000"),
        _row("-1000", world.agent_wallet, "SUCCESSFUL", "20000", "19000"),
    ]
    assert await world.rows(fourth.id) == [
        _row("500", world.meter_wallet, "SUCCESSFUL", "1000", "1500"),
        _row("-500", world.system, "SUCCESSFUL", "-1", "-1"),
    ]
    assert await world.rows(fifth.id) == [
        _row("25000", world.meter_wallet, "FAILED", "1500", "1500"),
        _row("-25000", world.agent_wallet, "FAILED", "19000", "19000"),
    ]
    settled = await world.order(third.id)
    assert (settled.tariff, settled.tariff_type, settled.settled_at is not None) == (Decimal(300), "HPS", True)


async def _begin_payment(world: PaymentsWorld, receiver: int, amount: str) -> Order:
    """Begin a payment into any wallet through the gateway, as staff do."""
    draft = OrderDraft(
        sender_wallet_id=world.system,
        receiver_wallet_id=receiver,
        amount=Decimal(amount),
        currency=Currency.NGN,
        channel=PaymentChannel.AYRTON,
    )
    async with world.begin() as tx:
        order = await world.placement.through_gateway(tx, draft, merchant="platform", reference=f"topped up {amount}")
        await tx.commit()
    return order


def _row(amount: str, wallet_id: int, status: str, before: str, after: str) -> Row:
    return Row(amount=Decimal(amount), wallet_id=wallet_id, status=status, before=Decimal(before), after=Decimal(after))


async def test_text_messages_of_settled_and_refused_orders(world: PaymentsWorld) -> None:
    """[PAY-120] [REL-29] who is told what, once; accounts' numbers have no plus, messages go to numbers with one."""
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


async def test_callers_whose_banks_refuse_are_told(world: PaymentsWorld) -> None:
    """[PAY-78] one SMS to each, also when the refusals come together; who paid by other means hears nothing."""
    agent = await world.phone_session("2348030000041", world.agent_account_id)
    stranger = await world.phone_session("+2348030000099")
    async with world.begin() as tx:
        contacts = await tx.orders.session_contacts([agent, stranger, stranger + 1])
    assert contacts == {
        agent: Contact(account_id=world.agent_account_id, phone="2348030000041"),
        stranger: Contact(account_id=None, phone="+2348030000099"),
    }
    orders = [await _by_phone(world, agent), await _by_phone(world, stranger), await world.buy()]
    for number, order in enumerate(orders):
        world.refuse(order, tx_id=str(number))
        await world.receive("platform", _refusal(order, number))
    await world.process(await world.waiting_events())
    assert [(await world.order(order.id)).status for order in orders] == [OrderStatus.FAILED] * 3
    assert sorted(await world.messages()) == [
        "+2348030000041: Your bank rejected the payment",
        "+2348030000099: Your bank rejected the payment",
    ]


async def _by_phone(world: PaymentsWorld, session_id: int) -> Order:
    draft = OrderDraft(
        sender_wallet_id=world.system,
        receiver_wallet_id=world.meter_wallet,
        amount=Decimal(500),
        currency=Currency.NGN,
        channel=PaymentChannel.USSD,
        ussd_session_id=session_id,
    )
    async with world.begin() as tx:
        order = await world.placement.through_gateway(tx, draft, merchant="platform", reference=f"call-{session_id}")
        await tx.commit()
    return order


def _refusal(order: Order, number: int) -> dict[str, Any]:
    facts = {"id": number, "tx_ref": order.external_reference, "status": "failed", "amount": 1}
    return {"event": "charge.completed", "data": facts}


async def test_connection_fees_are_counted_both_ways(world: PaymentsWorld) -> None:
    """[REL-67] [PAY-106] [PAY-143] payment 10 000, refund 2 500; one of more than is left fails, and counts nothing."""
    await world.fund(world.agent_wallet, "10000")
    await world.send(world.agent_wallet, world.connection_wallet, "10000")
    await settle_all(world)
    assert await world.paid_fees() == Decimal(10000)
    refund = await world.send(world.connection_wallet, world.organization_wallet, "2500")
    await settle_all(world)
    assert (await world.order(refund.id)).status is OrderStatus.COMPLETED
    assert await world.paid_fees() == Decimal(7500)
    if isinstance(world, PostgresWorld):
        assert world.one("select max(total_connection_paid) from customers") == 7500
        assert world.one("select meta_order_type from orders where id = %s", refund.id) == "CONNECTION_REFUND"
    assert await world.balance(world.connection_wallet) == Decimal(7500)
    too_much = await world.send(world.connection_wallet, world.organization_wallet, "7500.01")
    await settle_all(world)
    failed = await world.order(too_much.id)
    assert (failed.status, failed.failure_code) == (OrderStatus.FAILED, FailureCode.INSUFFICIENT_BALANCE)
    assert (await world.paid_fees(), await world.balance(world.connection_wallet)) == (Decimal(7500), Decimal(7500))


async def test_an_agents_credit_comes_back(world: PaymentsWorld) -> None:
    """[PAY-144] From the agent's wallet to the organization's, as far as the credit goes."""
    await world.fund(world.agent_wallet, "1000")
    returned = await world.send(world.agent_wallet, world.organization_wallet, "400")
    if isinstance(world, PostgresWorld):
        assert world.one("select meta_order_type from orders where id = %s", returned.id) == "AGENT_WITHDRAWAL"
    beyond = await world.send(world.agent_wallet, world.organization_wallet, "601")
    await settle_all(world)
    assert (await world.order(returned.id)).status is OrderStatus.COMPLETED
    assert (await world.order(beyond.id)).failure_code == FailureCode.INSUFFICIENT_BALANCE
    assert await world.balance(world.agent_wallet) == Decimal(600)
    assert await world.balance(world.organization_wallet) == Decimal(400)


async def test_agents_are_funded_by_their_organization_and_through_the_gateway(world: PaymentsWorld) -> None:
    """[PAY-94] Both bring the whole amount, and what is left goes back to the organization."""
    await world.fund(world.organization_wallet, "1000")
    given = await world.send(world.organization_wallet, world.agent_wallet, "600")
    async with world.begin() as tx:
        draft = OrderDraft(
            sender_wallet_id=world.system,
            receiver_wallet_id=world.agent_wallet,
            amount=Decimal(250),
            currency=Currency.NGN,
            channel=PaymentChannel.AYRTON,
        )
        paid = await world.placement.through_gateway(tx, draft, merchant="platform", reference="agent-1")
        await tx.commit()
    world.pay(await world.order(paid.id))
    await world.webhook(await world.order(paid.id))
    await settle_all(world)
    assert await world.balance(world.agent_wallet) == Decimal(850)
    back = await world.send(world.agent_wallet, world.organization_wallet, "850")
    await settle_all(world)
    assert (await world.balance(world.agent_wallet), await world.balance(world.organization_wallet)) == (0, 1250)
    if isinstance(world, PostgresWorld):
        kinds = [world.one("select meta_order_type from orders where id = %s", one.id) for one in (given, paid, back)]
        assert kinds == ["AGENT_TOPUP", "AGENT_TOPUP", "AGENT_WITHDRAWAL"]


async def test_balances_are_read_and_never_summed_up(world: PaymentsWorld) -> None:
    """[PAY-23] Without its history, a wallet shows and spends what it holds."""
    if not isinstance(world, PostgresWorld):
        pytest.skip("rows that contradict each other exist in a database alone")
    await world.fund(world.agent_wallet, "1000")
    world.owner.execute("set session_replication_role = replica")  # as no role of the product can
    for table in ("internal.ledger_hot_deltas", "internal.ledger_postings", "internal.ledger_entries"):
        world.owner.execute(f"delete from {table}")
    assert await world.balance(world.agent_wallet) == Decimal(1000)
    order = await world.send(world.agent_wallet, world.organization_wallet, "1000")
    await settle_all(world)
    assert (await world.order(order.id)).status is OrderStatus.COMPLETED
    assert world.one("select balance from wallets where id = %s", world.organization_wallet) == 1000


async def test_the_browsers_checkout_needs_no_call_to_the_gateway(world: PaymentsWorld) -> None:
    """[PAY-65] The answer brings key and reference; the outcome is learned when somebody asks."""
    world.accounts.platform.failure = GatewayFailed("Nobody may ask it now")
    bought = await world.initialise(
        PublicPurchase(
            meter_external_reference=METER,
            amount=Decimal(1000),
            currency=Currency.NGN,
            payment_channel=PaymentChannel.NIFFLER,
        )
    )
    assert (bought.public_key, bought.external_reference.startswith("Sun_Power_Ltd+")) == ("PUBLIC-platform", True)
    world.accounts.platform.failure = None
    order = await world.order(bought.order_id)
    world.pay(order, payment_type="bank_transfer")
    world.clock.advance(timedelta(minutes=3))
    await world.reconcile()
    assert (await world.order(order.id)).status is OrderStatus.PENDING


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


@pytest.mark.parametrize("seed", range(4))
async def test_what_is_claimed_of_many_senders_orders(world: PaymentsWorld, seed: int) -> None:
    """[PAY-102] [PAY-104] [PAY-105] lowest id first; all from outside, the oldest of each sender that doesn't wait."""
    chance = Random(seed)
    senders = [world.system, world.organization_wallet, world.agent_wallet, world.connection_wallet]
    if isinstance(world, PostgresWorld):
        senders.append(_wallet_behind_the_system(world))
    draft = attrs.evolve(await top_up_draft(world), status=OrderStatus.PENDING)
    async with world.begin() as tx:
        stored = await tx.orders.add([attrs.evolve(draft, sender_wallet_id=chance.choice(senders)) for _ in range(30)])
        await tx.commit()
    waiting = set(chance.sample([order.id for order in stored], 8))
    async with world.begin() as tx:
        for order_id in waiting:
            await tx.settlement_failures.count(order_id, "nobody listens")
            await tx.settlement_failures.wait(order_id, timedelta(hours=1))
        await tx.commit()
    ready = [order for order in stored if order.id not in waiting]
    oldest = {order.sender_wallet_id: order.id for order in reversed(ready)}
    due = [order.id for order in ready if order.sender_wallet_id == world.system or order.id in oldest.values()]
    for only in (None, chance.sample([order.id for order in stored], 12)):
        for limit in (1, 4, 100):
            async with world.begin() as tx:
                claimed = [item.order.id for item in await tx.settlements.claim(limit, only=only)]
            assert claimed == [order_id for order_id in due if only is None or order_id in only][:limit]


def _wallet_behind_the_system(world: PostgresWorld) -> int:
    """Add a wallet whose id is higher than that of the system wallet; those of the village are lower."""
    customer = world.add_customer(world.grid_id, "2348030000044")
    new = "insert into wallets (id, customer_id, wallet_type) values (%s, %s, 'REAL') returning id"
    return int(world.one(new, world.system + 1000, customer))


async def test_a_report_tells_whether_more_orders_are_likely_to_wait(world: PaymentsWorld) -> None:
    """[PAY-102] a batch that holds as many orders as it may is full; the next one is not."""
    for _ in range(3):
        await _pending(world)
    settle = world.settle(batch_size=2)
    reports = [await settle() for _ in range(3)]
    assert [(len(report.completed), report.is_full) for report in reports] == [(2, True), (1, False), (0, False)]


async def test_a_missing_tariff_stops_wallets_but_not_money_from_outside(world: PaymentsWorld) -> None:
    """[PAY-104] [PAY-198] 12: wallet-paid is refused at settlement; gateway-paid settles, its top-up waits (R1)."""
    with pytest.raises(Unprocessable, match="No tariff is defined for meter 47001771485"):
        await world.send(world.agent_wallet, world.free_meter_wallet, "100")
    draft = attrs.evolve(
        await top_up_draft(world), receiver_wallet_id=world.free_meter_wallet, status=OrderStatus.PENDING
    )
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
    draft = attrs.evolve(await top_up_draft(world), status=OrderStatus.PENDING)
    async with world.begin() as tx:
        (order,) = await tx.orders.add([draft])
        await tx.commit()
    return int(order.id)
