"""A purchase by phone: order, charge and the code to dial, whatever gets lost on the way [PAY-99, PAY-100]."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from tests.support.payments_postgres import PostgresWorld
from tests.support.payments_stores import STORES, open_world, settle_all
from tests.support.payments_world import METER, SYSTEM_WALLET, PaymentsWorld

from nxt_domain.orders.gateway_ports import GatewayFailed
from nxt_domain.orders.notices import Contact
from nxt_domain.orders.states import FailureCode, OrderStatus
from nxt_domain.orders.use_cases.ussd_purchase import ChargeByUssd, PlaceUssdOrder
from nxt_domain.orders.ussd import UssdSession
from nxt_domain.shared.errors import Conflict, NotFound, Unprocessable

CALLER = "+2348030000099"
CODE = f"{CALLER}: USSD code: *058*000*0001#"


@pytest.fixture(params=STORES)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[PaymentsWorld]:
    async with open_world(request) as made:
        yield made


def placing(world: PaymentsWorld) -> PlaceUssdOrder:
    references = iter(f"phone-{number}" for number in range(100))
    return PlaceUssdOrder(
        begin=world.begin,
        placement=world.placement,
        accounts=world.accounts,
        new_reference=lambda: next(references),
        wake_ups=world.wake_ups,
        system_wallet_id=SYSTEM_WALLET,
    )


def charging(world: PaymentsWorld) -> ChargeByUssd:
    return ChargeByUssd(begin=world.begin, accounts=world.accounts, wake_ups=world.wake_ups)


async def session(world: PaymentsWorld, amount: str | None = "500") -> int:
    """A caller without account who has chosen a meter and a bank, and perhaps an amount."""
    if isinstance(world, PostgresWorld):
        bank = world.one(
            "insert into banks (name, external_id) values ('Guaranty Trust Bank', '058')"
            " on conflict (name) do update set external_id = '058' returning id"
        )
        meter = world.one("select id from meters where external_reference = %s", METER)
        return int(
            world.one(
                "insert into ussd_sessions (phone, amount, external_system, meter_id, bank_id)"
                " values (%s, %s, 'AFRICASTALKING', %s, %s) returning id",
                CALLER,
                amount,
                meter,
                bank,
            )
        )
    async with world.begin() as tx:
        meter = await tx.orders.meter_for_sale(METER)
        caller = Contact(account_id=None, phone=CALLER)
        wanted = None if amount is None else Decimal(amount)
        tx.ussd_sessions.know(UssdSession(id=3, caller=caller, amount=wanted, meter=meter, bank_code="058"))
        tx.orders.know_session(3, caller)
        await tx.commit()
    return 3


async def test_from_the_session_to_the_light(world: PaymentsWorld) -> None:
    """[PAY-64] [PAY-99] The order is there before anybody can pay; the code comes by SMS; the payment settles it."""
    order_id = await placing(world)(await session(world))
    order = await world.order(order_id)
    assert (order.status, order.payment_channel, order.external_reference) == ("INITIALISED", "USSD", "phone-0")
    await charging(world)(order_id)
    (charge,) = world.accounts.platform.charges
    assert (charge.reference, charge.bank_code, charge.amount, charge.phone) == (
        "phone-0",
        "058",
        Decimal(500),
        CALLER,
    )
    assert await world.messages() == [CODE]
    world.pay(order)
    await world.webhook(order)
    await settle_all(world)
    assert (await world.order(order_id)).status is OrderStatus.COMPLETED
    assert await world.balance(world.meter_wallet) == Decimal(500)


async def test_a_repeat_after_the_charge_makes_no_second_one(world: PaymentsWorld) -> None:
    """[PAY-100] [PAY-128] Asked, and then the process died: the gateway knows the reference, so nothing is repeated."""
    order_id = await placing(world)(await session(world))
    world.accounts.platform.forgets_answer = True
    with pytest.raises(GatewayFailed):
        await charging(world)(order_id)
    world.accounts.platform.forgets_answer = False
    for _ in range(3):
        await charging(world)(order_id)
    assert len(world.accounts.platform.charges) == 1
    assert (await world.order(order_id)).status is OrderStatus.INITIALISED
    assert await world.messages() == []


async def test_a_charge_that_never_arrived_is_tried_once_more(world: PaymentsWorld) -> None:
    """[PAY-100] Unknown to the gateway after a failure: asked again, once; then the order ends."""
    order_id = await placing(world)(await session(world))
    world.accounts.platform.failure = GatewayFailed("down")
    for _ in range(3):  # while it is down it can't even be looked up, so nothing is repeated
        with pytest.raises(GatewayFailed):
            await charging(world)(order_id)
    world.accounts.platform.failure = None
    await charging(world)(order_id)
    assert len(world.accounts.platform.charges) == 1
    assert await world.messages() == [CODE]


async def test_a_refused_charge_ends_the_order_and_a_late_payment_revives_it(world: PaymentsWorld) -> None:
    """[PAY-45] [PAY-100] FAILED with the SMS of T5; T4 undoes it."""
    order_id = await placing(world)(await session(world))
    world.accounts.platform.refuses_charges = True
    for _ in range(2):
        await charging(world)(order_id)
    order = await world.order(order_id)
    assert (order.status, order.failure_code) == (OrderStatus.FAILED, FailureCode.CHARGE_NOT_CREATED)
    assert await world.messages() == [f"{CALLER}: Your bank rejected the payment"]
    world.pay(order)
    await world.webhook(order)
    assert (await world.order(order_id)).status is OrderStatus.PENDING
    assert "LATE_PAYMENT" in await world.alerts()


async def test_what_makes_no_order(world: PaymentsWorld) -> None:
    with pytest.raises(NotFound):
        await placing(world)(999_999)
    with pytest.raises(Unprocessable):
        await placing(world)(await session(world, amount=None))
    with pytest.raises(NotFound):
        await charging(world)((await world.buy()).id)


async def test_a_session_makes_one_order(relational_url: str) -> None:
    """[PAY-99] A menu that is answered twice buys once."""
    from nxt_adapters.supabase.engine import create_engine  # noqa: PLC0415 - of this test alone

    world = PostgresWorld(relational_url, create_engine(relational_url, pool_size=2))
    session_id = await session(world)
    place = placing(world)
    await place(session_id)
    with pytest.raises(Conflict):
        await place(session_id)
    await world.close()
