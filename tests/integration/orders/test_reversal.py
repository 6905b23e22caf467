"""A settled order is reversed once: books, projections, fees and the command that was paid for [PAY-145]."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import attrs
import pytest
from tests.support.chain_village import AGENT, MAKERS, METER_WALLET, Village
from tests.support.identity_world import ADMIN, MEMBER, IdentityWorld
from tests.support.payments_postgres import PostgresWorld

from nxt_adapters.memory.unit_of_work import MemoryUnitOfWork
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.ledger_audit import PostgresLedgerAudit
from nxt_adapters.supabase.messages import PostgresDeviceMessages
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_domain.identity.model import MemberType, Principal
from nxt_domain.messaging.tuning import DeliveryPolicy
from nxt_domain.meters.model import InteractionStatus, Resolution
from nxt_domain.meters.use_cases.complete_top_up import CompleteTopUp
from nxt_domain.meters.use_cases.withdraw_top_up import TopUpBeyondRecall
from nxt_domain.orders.model import Order
from nxt_domain.orders.use_cases.fulfil_top_up import FulfilTopUp
from nxt_domain.orders.use_cases.reverse_order import Reversed, ReverseOrder
from nxt_domain.shared.errors import Conflict, Forbidden, NotFound
from nxt_domain.shared.ids import UlidFactory
from nxt_domain.wallets.accounts import wallet_account


@pytest.fixture
async def finance() -> Principal:
    world = IdentityWorld()
    return await world.user(world.token(ADMIN))


@pytest.fixture
async def world(relational_url: str) -> AsyncIterator[PostgresWorld]:
    made = PostgresWorld(relational_url, create_engine(relational_url, pool_size=4))
    # The one who reverses is an author of entries.
    made.all("insert into accounts (id) select generate_series(1, 9) on conflict do nothing returning id")
    yield made
    await made.close()


def reversing(world: PostgresWorld) -> ReverseOrder:
    new_id = UlidFactory(world.clock)
    return ReverseOrder(
        begin=lambda: SupabaseUnitOfWork(
            world.engine,
            lambda session: PostgresDeviceMessages(session, couriers={}, new_id=new_id, policy=DeliveryPolicy()),
        ),
        clock=world.clock,
    )


async def settled(world: PostgresWorld, sender: int, receiver: int, amount: str) -> Order:
    order = await world.send(sender, receiver, amount)
    await world.settle()()
    return await world.order(order.id)


def command(world: PostgresWorld, order: Order, status: str) -> int:
    meter = world.one("select meter_id from wallets where id = %s", order.receiver_wallet_id)
    return int(
        world.one(
            "insert into meter_interactions (meter_id, meter_interaction_type, meter_interaction_status, order_id,"
            " transactive_kwh, origin) values (%s, 'TOP_UP', %s, %s, 4, 'ORDER') returning id",
            meter,
            status,
            order.id,
        )
    )


async def clean(world: PostgresWorld) -> list[Any]:
    found = await PostgresLedgerAudit(world.engine).findings()
    return [finding for finding in found if finding.rule != "COMMAND_MISSING"]


async def test_the_money_goes_back_and_the_history_stays(world: PostgresWorld, finance: Principal) -> None:
    """[PAY-37] [PAY-38] [PAY-31] Two more rows of opposite signs; the books stay clean; a second time is refused."""
    await settled(world, world.system, world.agent_wallet, "5000")
    order = await settled(world, world.agent_wallet, world.meter_wallet, "1000")
    done = await reversing(world)(finance, order.id, "sold by mistake")
    assert done.order_id == order.id
    assert [(row.amount, row.wallet_id, row.before, row.after) for row in await world.rows(order.id)] == [
        (Decimal(1000), world.meter_wallet, Decimal(0), Decimal(1000)),
        (Decimal(-1000), world.agent_wallet, Decimal(5000), Decimal(4000)),
        (Decimal(1000), world.agent_wallet, Decimal(4000), Decimal(5000)),
        (Decimal(-1000), world.meter_wallet, Decimal(1000), Decimal(0)),
    ]
    after = await world.order(order.id)
    assert (after.status, after.reversed_at) == ("COMPLETED", world.clock.now())
    entry = world.all("select * from internal.ledger_entries where id = %s", done.entry_id)[0]
    assert (entry["idempotency_key"], entry["memo"]) == (f"order:{order.id}:reverse", "sold by mistake")
    assert entry["author_account_id"] == ADMIN.id
    assert world.one("select reason from internal.audit_log where action = 'order.reverse'") == "sold by mistake"
    assert await clean(world) == []
    with pytest.raises(Conflict, match="reversed already"):
        await reversing(world)(finance, order.id, "again")


async def test_fees_follow(world: PostgresWorld, finance: Principal) -> None:
    """[PAY-106] [PAY-145] A payment and a refund of a connection's fee, both taken back."""
    paid = await settled(world, world.system, world.connection_wallet, "10000")
    refund = await settled(world, world.connection_wallet, world.organization_wallet, "2500")
    assert await world.paid_fees() == Decimal(7500)
    await reversing(world)(finance, refund.id, "wrong customer")
    assert await world.paid_fees() == Decimal(10_000)
    await reversing(world)(finance, paid.id, "wrong customer")
    assert await world.paid_fees() == Decimal(0)
    assert await clean(world) == []


async def test_a_receiver_that_has_spent_it_keeps_the_order(world: PostgresWorld, finance: Principal) -> None:
    """[PAY-145] [PAY-29] Refused as a whole."""
    await settled(world, world.system, world.organization_wallet, "1000")
    funding = await settled(world, world.organization_wallet, world.agent_wallet, "1000")
    await settled(world, world.agent_wallet, world.meter_wallet, "300")
    with pytest.raises(Conflict, match="holds too little"):
        await reversing(world)(finance, funding.id, "mistake")
    assert await world.balance(world.agent_wallet) == Decimal(700)
    assert (await world.order(funding.id)).reversed_at is None
    assert world.one("select count(*) from internal.audit_log where action = 'order.reverse'") == 0
    assert await clean(world) == []


@pytest.mark.parametrize("status", ["SUCCESSFUL", "PROCESSING"])
async def test_energy_that_may_have_arrived_is_not_taken_back(
    world: PostgresWorld, finance: Principal, status: str
) -> None:
    await settled(world, world.system, world.agent_wallet, "1000")
    order = await settled(world, world.agent_wallet, world.meter_wallet, "1000")
    command(world, order, status)
    with pytest.raises(TopUpBeyondRecall):
        await reversing(world)(finance, order.id, "mistake")
    assert await world.balance(world.meter_wallet) == Decimal(1000)
    assert world.one("select meter_interaction_status::text from meter_interactions") == status


@pytest.mark.parametrize(
    ("status", "after"), [("QUEUED", "ABORTED"), ("SUSPENDED", "ABORTED"), ("FAILED", "FAILED"), ("ABORTED", "ABORTED")]
)
async def test_a_command_that_did_not_reach_the_meter_ends(
    world: PostgresWorld, finance: Principal, status: str, after: str
) -> None:
    await settled(world, world.system, world.agent_wallet, "1000")
    order = await settled(world, world.agent_wallet, world.meter_wallet, "1000")
    command(world, order, status)
    await reversing(world)(finance, order.id, "mistake")
    assert world.one("select meter_interaction_status::text from meter_interactions") == after
    assert await world.balance(world.agent_wallet) == Decimal(1000)


async def test_two_at_once(world: PostgresWorld, finance: Principal) -> None:
    """[PAY-124] One wins, whatever happens at the same time."""
    await settled(world, world.system, world.agent_wallet, "1000")
    order = await settled(world, world.agent_wallet, world.meter_wallet, "1000")
    reverse = reversing(world)
    results = await asyncio.gather(*(reverse(finance, order.id, "mistake") for _ in range(4)), return_exceptions=True)
    assert [type(result) for result in results].count(Reversed) == 1
    assert [type(result) for result in results].count(Conflict) == 3
    assert await world.balance(world.agent_wallet) == Decimal(1000)


async def test_who_may_and_what_can_be_reversed(world: PostgresWorld) -> None:
    callers = IdentityWorld()
    waiting = await world.send(world.agent_wallet, world.meter_wallet, "10")
    for account in (MEMBER, attrs.evolve(ADMIN, id=8, member_type=MemberType.DEVELOPER)):
        callers.accounts.put(account)
        with pytest.raises(Forbidden):
            await reversing(world)(await callers.user(callers.token(account)), waiting.id, "mistake")
    finance = await callers.user(callers.token(ADMIN))
    with pytest.raises(Conflict, match="PENDING"):
        await reversing(world)(finance, waiting.id, "mistake")
    with pytest.raises(NotFound):
        await reversing(world)(finance, 999_999, "mistake")


async def test_a_waiting_message_is_taken_out_of_the_queue(finance: Principal) -> None:
    """[PAY-145] On the plane in memory, with the real queue rules; the task that comes later makes no new command."""
    village = Village()
    plane = village.plane
    order = await village.buy()
    await village.settle()
    reverse = ReverseOrder(begin=plane.begin, clock=plane.clock)
    await reverse(finance, order.id, "mistake")
    (top_up,) = plane.begin().interactions.all()
    assert (top_up.status, top_up.resolution) == (InteractionStatus.ABORTED, Resolution.CANCELLED)
    assert [row.message for row in plane.database.table("device_messages").values() if row.is_live] == []
    balances = [plane.begin().ledger.balance(wallet_account(wallet)) for wallet in (AGENT, METER_WALLET)]
    assert balances == [Decimal(5000), Decimal(0)]


async def test_an_order_that_waits_for_its_tariff_brings_no_energy_after_its_reversal(finance: Principal) -> None:
    """[PAY-104] [PAY-145] Paid through the gateway, no command yet: the waiting task finds nothing to do."""
    village = Village()
    plane = village.plane
    order = await village.buy(sender=968)
    village.set_tariff("0")
    await village.settle()
    await ReverseOrder(begin=plane.begin, clock=plane.clock)(finance, order.id, "mistake")
    village.set_tariff("500")
    complete = CompleteTopUp(begin=plane.begin, clock=plane.clock, makers=MAKERS, wakeups=plane.wakeups)
    fulfil: FulfilTopUp[MemoryUnitOfWork] = FulfilTopUp(
        begin=plane.begin, top_ups=village.top_ups, complete=complete, clock=plane.clock
    )
    await fulfil(order.id)
    assert plane.begin().interactions.all() == []
