"""Orders of signed-in people over the real use cases, in memory and in PostgreSQL (PAY 8.1, 8.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import attrs
import pytest
from aiohttp.test_utils import TestClient, TestServer
from tests.support.http_roles import LOTS, Services
from tests.support.identity_world import ADMIN, AGENT, CUSTOMER, MEMBER, IdentityWorld
from tests.support.payments_postgres import PostgresWorld
from tests.support.payments_stores import STORES, open_world, settle_all
from tests.support.payments_world import SYSTEM_WALLET, PaymentsWorld

from nxt_adapters.memory.grid_sales import MemoryDailyUse
from nxt_adapters.memory.payouts import MemoryPlantHistory
from nxt_domain.identity.model import MemberType
from nxt_domain.orders.use_cases.make_payout import ChangePayout, DraftPayout
from nxt_domain.orders.use_cases.move_money import InitialiseOrder, PlaceOrder
from nxt_domain.orders.use_cases.resolve_suspense import ResolveSuspense
from nxt_domain.orders.use_cases.reverse_order import ReverseOrder
from nxt_domain.orders.use_cases.show_lost_revenue import ShowLostRevenue
from nxt_domain.orders.use_cases.show_payout import ShowPayout
from nxt_domain.orders.use_cases.transfer_credit import TransferCredit
from nxt_entrypoints.api.app import build_api
from nxt_entrypoints.api.money_services import MoneyServices

ORDERS, INITIALISE = "/orders", "/orders/flutterwave/initialise"
NOT_YOURS = (403, "You are not allowed to send from this wallet")
SALES = attrs.evolve(ADMIN, id=7, supabase_id="00000000-0000-4000-8000-000000000007", member_type=MemberType.SALES)


@pytest.fixture(params=STORES)
async def village(request: pytest.FixtureRequest) -> AsyncIterator[PaymentsWorld]:
    async with open_world(request) as made:
        yield made


@pytest.fixture
def callers(village: PaymentsWorld) -> IdentityWorld:
    """The platform's staff, and people of the village's own tenant."""
    world = IdentityWorld()
    agent_id, customer_id = 31, 60
    if isinstance(village, PostgresWorld):
        # Authors of orders must exist.
        village.all("insert into accounts (id) select generate_series(1, 9) on conflict do nothing returning id")
        agent_id = village.one("select agent_id from wallets where id = %s", village.agent_wallet)
        customer_id = village.one("select customer_id from wallets where id = %s", village.customer_wallet)
    own = {"organization_id": village.organization_id}
    world.accounts.put(attrs.evolve(MEMBER, **own))
    world.accounts.put(attrs.evolve(AGENT, agent_id=agent_id, **own))
    world.accounts.put(attrs.evolve(CUSTOMER, customer_id=customer_id, **own))
    world.accounts.put(SALES)
    return world


@pytest.fixture
async def api(village: PaymentsWorld, callers: IdentityWorld) -> AsyncIterator[Any]:
    services: Any = Services()
    services.money = MoneyServices(
        place_order=PlaceOrder(begin=village.begin, placement=village.placement, wake_ups=village.wake_ups),
        initialise_order=InitialiseOrder(
            begin=village.begin,
            placement=village.placement,
            accounts=village.accounts,
            system_wallet_id=SYSTEM_WALLET,
        ),
        draft_payout=DraftPayout(begin=village.begin, plants=MemoryPlantHistory(), wake_ups=village.wake_ups),
        change_payout=ChangePayout(begin=village.begin),
        show_payout=ShowPayout(begin=village.begin, accounts=callers.accounts),
        show_lost_revenue=ShowLostRevenue(begin=village.begin, use=MemoryDailyUse(), clock=village.clock),
        resolve_suspense=ResolveSuspense(
            begin=village.begin,
            placement=village.placement,
            wake_ups=village.wake_ups,
            system_wallet_id=SYSTEM_WALLET,
        ),
        reverse_order=ReverseOrder(begin=village.begin, clock=village.clock),
        transfer_credit=TransferCredit(begin=village.begin, placement=village.placement),
    )
    async with TestClient(TestServer(build_api(services, gate=callers.gate, settings=LOTS))) as client:
        yield client


def transfer(sender: int, receiver: int, amount: float = 1000, **changes: Any) -> dict[str, Any]:
    wallets = {"sender_wallet_id": sender, "receiver_wallet_id": receiver}
    return {**wallets, "amount": amount, "currency": "NGN", "payment_channel": "AYRTON", **changes}


async def told(response: Any) -> tuple[int, Any]:
    return response.status, (await response.json()).get("message")


async def test_an_agent_sells_from_the_own_wallet(api: Any, village: PaymentsWorld, callers: IdentityWorld) -> None:
    """[API-118] [PAY-51] [PAY-93] [PAY-198] 14: accepted at once, settled in its turn; the rest is ignored."""
    await village.fund(village.agent_wallet, "1500")
    body = transfer(village.agent_wallet, village.meter_wallet, order_status="COMPLETED", tariff=1, meta_sender_id=3)
    answer = await api.post(ORDERS, json=body, headers=callers.bearer(AGENT))
    assert answer.status == 201
    order = await village.order((await answer.json())["id"])
    assert (order.status, order.tariff, order.external_reference) == ("PENDING", Decimal(-1), None)
    await settle_all(village)
    assert (await village.order(order.id)).status == "COMPLETED"
    assert await village.balance(village.agent_wallet) == Decimal(500)
    assert [row.amount for row in await village.rows(order.id)] == [Decimal(1000), Decimal(-1000)]


async def test_lack_of_balance_is_decided_at_settlement(
    api: Any, village: PaymentsWorld, callers: IdentityWorld
) -> None:
    """[PAY-51] [PAY-129] [PAY-198] 8: two orders of 700 from 1000: the first fits, the second fails."""
    await village.fund(village.agent_wallet, "1000")
    body = transfer(village.agent_wallet, village.meter_wallet, 700)
    headers = callers.bearer(AGENT)
    answers = await asyncio.gather(*(api.post(ORDERS, json=body, headers=headers) for _ in range(2)))
    assert [answer.status for answer in answers] == [201, 201]
    ids = sorted([(await answer.json())["id"] for answer in answers])
    await settle_all(village)
    orders = [await village.order(order_id) for order_id in ids]
    assert [(order.status, order.failure_code) for order in orders] == [
        ("COMPLETED", None),
        ("FAILED", "INSUFFICIENT_BALANCE"),
    ]
    assert await village.balance(village.agent_wallet) == Decimal(300)


async def test_nobody_sends_from_other_wallets(api: Any, village: PaymentsWorld, callers: IdentityWorld) -> None:
    """[PAY-48] [API-65] [PAY-198] 13"""
    meter = village.meter_wallet
    for account, senders in {
        CUSTOMER: (SYSTEM_WALLET, village.agent_wallet, village.organization_wallet, village.connection_wallet),
        AGENT: (SYSTEM_WALLET, village.organization_wallet, village.customer_wallet),
        MEMBER: (SYSTEM_WALLET,),
        SALES: (SYSTEM_WALLET,),
    }.items():
        for sender in senders:
            answer = await api.post(ORDERS, json=transfer(sender, meter), headers=callers.bearer(account))
            assert await told(answer) == NOT_YOURS, (account, sender)
    login = "00000000-0000-4000-8000-000000000008"
    foreign = attrs.evolve(MEMBER, id=8, supabase_id=login, organization_id=village.organization_id + 1000)
    callers.accounts.put(foreign)
    answer = await api.post(ORDERS, json=transfer(village.agent_wallet, meter), headers=callers.bearer(foreign))
    assert await told(answer) == NOT_YOURS


async def test_finance_of_the_platform_books_by_hand(api: Any, village: PaymentsWorld, callers: IdentityWorld) -> None:
    """[PAY-34] [PAY-48] From the system wallet without a gateway charge, with evidence of who did it."""
    body = transfer(SYSTEM_WALLET, village.organization_wallet, 5000, author_id=village.agent_account_id)
    answer = await api.post(ORDERS, json=body, headers=callers.bearer(ADMIN))
    assert answer.status == 201
    await settle_all(village)
    assert await village.balance(village.organization_wallet) == Decimal(5000)
    if isinstance(village, PostgresWorld):
        order_id = (await answer.json())["id"]
        accounts = village.all(
            "select a.code from internal.ledger_postings p join internal.ledger_accounts a on a.id = p.account_id"
            " join internal.ledger_entries e on e.id = p.entry_id where e.order_id = %s order by p.amount",
            order_id,
        )
        assert [row["code"] for row in accounts] == ["external:manual", f"wallet:{village.organization_wallet}"]
        evidence = "select actor_account_id from internal.audit_log where action = 'order.create' and entity_id = %s"
        assert village.one(evidence, order_id) == ADMIN.id
        # [PAY-49] A member of the platform orders for nobody else.
        assert village.one("select author_id from orders where id = %s", order_id) == ADMIN.id


async def test_the_bot_orders_for_others(api: Any, village: PaymentsWorld, callers: IdentityWorld) -> None:
    """[PAY-49] [API-70] A key of the platform names the author; an author who does not exist is a conflict."""
    await village.fund(village.agent_wallet, "1000")
    headers = {"X-API-KEY": await callers.api_key(ADMIN)}
    body = transfer(village.agent_wallet, village.meter_wallet, 100, author_id=village.agent_account_id)
    answer = await api.post(ORDERS, json=body, headers=headers)
    assert answer.status == 201
    if isinstance(village, PostgresWorld):
        query = "select author_id, meta_author_type::text as kind from orders where id = %s"
        assert village.all(query, (await answer.json())["id"]) == [
            {"author_id": village.agent_account_id, "kind": "AGENT"}
        ]
        unknown = await api.post(ORDERS, json={**body, "author_id": 999_999}, headers=headers)
        assert unknown.status == 409


async def test_refusals_of_an_order(api: Any, village: PaymentsWorld, callers: IdentityWorld) -> None:
    """[REL-64] [API-118] [PAY-51] [PAY-10] [PAY-20]"""
    agent, meter, headers = village.agent_wallet, village.meter_wallet, callers.bearer(ADMIN)
    same = await api.post(ORDERS, json=transfer(agent, agent), headers=headers)
    assert await told(same) == (406, "Sender wallet id and receiver wallet id cannot be the same")
    for body in (transfer(999_999, meter), transfer(agent, 999_999)):
        assert (await api.post(ORDERS, json=body, headers=headers)).status == 409
    other = await api.post(ORDERS, json=transfer(agent, meter, currency="USD"), headers=headers)
    assert await told(other) == (422, "Currency of the order does not match the wallets")
    no_price = await api.post(ORDERS, json=transfer(agent, village.free_meter_wallet), headers=headers)
    assert await told(no_price) == (422, "No tariff is defined for meter 47001771485")
    for amount, text in {
        0.5: "amount must not be less than 1",
        10_000_001: "amount must not be greater than 10000000",
        1.005: "amount must have at most 2 decimal places",
    }.items():
        status, texts = await told(await api.post(ORDERS, json=transfer(agent, meter, amount), headers=headers))
        assert status == 400
        assert text in texts
    missing = await api.post(ORDERS, json={}, headers=headers)
    assert missing.status == 400


async def test_a_payment_through_the_gateway(api: Any, village: PaymentsWorld, callers: IdentityWorld) -> None:
    """[API-119] [PAY-52] [PAY-88] Any receiver, the client's reference, the key of the account that takes the money."""
    body = {
        "external_reference": "dashboard-1",
        "receiver_wallet_id": village.organization_wallet,
        "amount": 100_000,
        "currency": "NGN",
        "payment_channel": "AYRTON",
    }
    answer = await api.post(INITIALISE, json=body, headers=callers.bearer(MEMBER))
    assert answer.status == 201
    made = await answer.json()
    assert made["flutterwave_public_key"] == (await village.accounts.for_organization(None)).public_key
    order = await village.order(made["id"])
    assert (order.status, order.external_reference, order.sender_wallet_id) == (
        "INITIALISED",
        "dashboard-1",
        SYSTEM_WALLET,
    )
    village.pay(order)
    await village.webhook(order)
    await settle_all(village)
    assert await village.balance(village.organization_wallet) == Decimal(100_000)

    text = "Order with external reference dashboard-1 already exists. Please try another external reference"
    assert await told(await api.post(INITIALISE, json=body, headers=callers.bearer(MEMBER))) == (500, text)
    racing = {**body, "external_reference": "dashboard-2"}
    answers = await asyncio.gather(
        *(api.post(INITIALISE, json=racing, headers=callers.bearer(AGENT)) for _ in range(3))
    )
    assert sorted(answer.status for answer in answers) == [201, 500, 500]
    unknown = {**body, "external_reference": "dashboard-3", "receiver_wallet_id": 999_999}
    assert (await api.post(INITIALISE, json=unknown, headers=callers.bearer(MEMBER))).status == 409
    empty = await api.post(INITIALISE, json={**body, "external_reference": ""}, headers=callers.bearer(MEMBER))
    assert empty.status == 400
