"""Money that fits no order is decided about once: given to a wallet, or back to the payer [PAY-80, PAY-92]."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import attrs
import pytest
from sqlalchemy import event
from tests.support.identity_world import ADMIN, IdentityWorld
from tests.support.payments_postgres import PostgresWorld
from tests.support.payments_stores import STORES, open_world, settle_all
from tests.support.payments_world import SYSTEM_WALLET, PaymentsWorld

from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.ledger_audit import PostgresLedgerAudit
from nxt_domain.identity.model import MemberType, Principal
from nxt_domain.orders.gateway_ports import GatewayFailed
from nxt_domain.orders.suspense import RefundState, Resolution, ResolutionState, SuspenseAction
from nxt_domain.orders.use_cases.refund_suspense import RefundSuspense
from nxt_domain.orders.use_cases.resolve_suspense import ResolveSuspense
from nxt_domain.shared.errors import Conflict, Forbidden, InvalidInput, NotFound, Unavailable

CREDIT, REFUND = SuspenseAction.CREDIT, SuspenseAction.REFUND
TX = "8321945"


@pytest.fixture(params=STORES)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[PaymentsWorld]:
    async with open_world(request) as made:
        if isinstance(made, PostgresWorld):
            made.all("insert into accounts (id) select generate_series(1, 9) on conflict do nothing returning id")
        yield made


@pytest.fixture
async def finance() -> Principal:
    callers = IdentityWorld()
    return await callers.user(callers.token(ADMIN))


def resolving(world: PaymentsWorld) -> ResolveSuspense:
    return ResolveSuspense(
        begin=world.begin, placement=world.placement, wake_ups=world.wake_ups, system_wallet_id=SYSTEM_WALLET
    )


def refunding(world: PaymentsWorld) -> RefundSuspense:
    return RefundSuspense(begin=world.begin, accounts=world.accounts, clock=world.clock)


async def suspended(world: PaymentsWorld, *, ordered: str = "5000", received: str = "4000") -> int:
    """Let another amount than ordered come in; return the suspense entry."""
    order = await world.buy(ordered)
    world.pay(order, amount=received)
    await world.webhook(order)
    assert (await world.order(order.id)).failure_code == "AMOUNT_MISMATCH"
    assert await world.suspense() == Decimal(received)
    key = f"gateway:platform:{TX}:suspense"
    async with world.begin() as tx:
        return int((await tx.ledger.find([key]))[key].id)


async def decision(world: PaymentsWorld, entry_id: int) -> Resolution:
    async with world.begin() as tx:
        found: Resolution | None = await tx.suspense.find(entry_id)
    assert found is not None
    return found


async def test_a_credit_gives_energy_for_what_was_received(world: PaymentsWorld, finance: Principal) -> None:
    """[PAY-198] 7: 5000 ordered, 4000 received: suspense +4000; the credit brings energy for 4000."""
    entry_id = await suspended(world)
    decided = await resolving(world)(finance, entry_id, CREDIT, world.meter_wallet, "payer mistyped")
    assert (decided.state, decided.order_id is not None) == (ResolutionState.CREDITED, True)
    await settle_all(world)
    order = await world.order(decided.order_id or 0)
    assert (order.status, order.amount) == ("COMPLETED", Decimal(4000))
    assert await world.suspense() == Decimal(0)
    assert await world.balance(world.meter_wallet) == Decimal(4000)
    assert [request.energy_kwh for request in world.top_ups.of(order.id)] == [Decimal("13.4")]
    if isinstance(world, PostgresWorld):
        findings = await PostgresLedgerAudit(world.engine).findings()
        assert [finding for finding in findings if finding.rule != "COMMAND_MISSING"] == []
        assert world.one("select reason from internal.audit_log where action = 'suspense.credit'") == "payer mistyped"


async def test_old_suspense_is_a_finding_until_it_is_resolved(relational_url: str, finance: Principal) -> None:
    """[PAY-133] Money that nobody decides about for a day; a decision alone is not enough, it must be carried out."""
    world = PostgresWorld(relational_url, create_engine(relational_url, pool_size=2))
    world.all("insert into accounts (id) select generate_series(1, 9) on conflict do nothing returning id")
    entry_id = await suspended(world)

    async def rules() -> list[str]:
        return [finding.rule for finding in await PostgresLedgerAudit(world.engine).findings()]

    assert "SUSPENSE_OLD" not in await rules()
    world.owner.execute("set session_replication_role = replica")
    world.owner.execute("update internal.ledger_entries set created_at = now() - interval '25 hours'")
    world.owner.execute("set session_replication_role = origin")
    assert "SUSPENSE_OLD" in await rules()
    await resolving(world)(finance, entry_id, CREDIT, world.agent_wallet, "payer mistyped")
    assert "SUSPENSE_OLD" in await rules()
    await settle_all(world)
    assert "SUSPENSE_OLD" not in await rules()
    await world.close()


async def test_a_refund_empties_suspense_when_the_gateway_confirms_it(world: PaymentsWorld, finance: Principal) -> None:
    """[PAY-92] The entry is made by its confirmation, once."""
    entry_id = await suspended(world)
    await resolving(world)(finance, entry_id, REFUND, None, "paid twice")
    assert await world.suspense() == Decimal(4000)
    world.accounts.platform.refund_state = RefundState.UNDER_WAY
    with pytest.raises(Unavailable):
        await refunding(world)(entry_id)
    assert (await decision(world, entry_id)).state is ResolutionState.REFUND_ASKED
    assert await world.suspense() == Decimal(4000)
    (refund,) = world.accounts.platform.refunds
    world.accounts.platform.refunds = [attrs.evolve(refund, state=RefundState.DONE)]
    for _ in range(2):
        await refunding(world)(entry_id)
    done = await decision(world, entry_id)
    assert (done.state, done.gateway_refund_id) == (ResolutionState.REFUNDED, refund.id)
    assert await world.suspense() == Decimal(0)
    assert len(world.accounts.platform.refunds) == 1


async def test_an_answer_that_was_lost_is_looked_up_before_anything_is_repeated(
    world: PaymentsWorld, finance: Principal
) -> None:
    """[PAY-92] The gateway did it, and nobody heard: one refund, one entry."""
    entry_id = await suspended(world)
    await resolving(world)(finance, entry_id, REFUND, None, "paid twice")
    world.accounts.platform.forgets_answer = True
    with pytest.raises(GatewayFailed):
        await refunding(world)(entry_id)
    world.accounts.platform.forgets_answer = False
    await refunding(world)(entry_id)
    assert (await decision(world, entry_id)).state is ResolutionState.REFUNDED
    assert len(world.accounts.platform.refunds) == 1
    assert await world.suspense() == Decimal(0)


async def test_a_refused_refund_may_be_decided_anew(world: PaymentsWorld, finance: Principal) -> None:
    """[PAY-80] The money stays in suspense, people hear of it, and a credit is still open."""
    entry_id = await suspended(world)
    await resolving(world)(finance, entry_id, REFUND, None, "paid twice")
    world.accounts.platform.refund_state = RefundState.REFUSED
    await refunding(world)(entry_id)
    assert (await decision(world, entry_id)).state is ResolutionState.FAILED
    assert "REFUND_REFUSED" in await world.alerts()
    assert await world.suspense() == Decimal(4000)
    await resolving(world)(finance, entry_id, CREDIT, world.agent_wallet, "so be it")
    await settle_all(world)
    assert await world.balance(world.agent_wallet) == Decimal(4000)
    await refunding(world)(entry_id)
    assert await world.suspense() == Decimal(0)


async def test_it_is_decided_once(world: PaymentsWorld, finance: Principal) -> None:
    """[PAY-80] Of several at the same time one wins; nothing of the others remains."""
    entry_id = await suspended(world)
    resolve = resolving(world)
    attempts = [resolve(finance, entry_id, CREDIT, world.agent_wallet, "mine") for _ in range(3)]
    attempts += [resolve(finance, entry_id, REFUND, None, "mine")]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    assert [type(result) for result in results].count(Conflict) == 3
    await settle_all(world)
    winner = next(result for result in results if isinstance(result, Resolution))
    await refunding(world)(entry_id)
    assert await world.suspense() == Decimal(0)
    expected = Decimal(4000) if winner.action is CREDIT else Decimal(0)
    assert await world.balance(world.agent_wallet) == expected


async def test_who_may_and_what_can_be_resolved(world: PaymentsWorld, finance: Principal) -> None:
    entry_id = await suspended(world)
    resolve = resolving(world)
    developer = attrs.evolve(finance, member_type=MemberType.DEVELOPER)
    with pytest.raises(Forbidden):
        await resolve(developer, entry_id, REFUND, None, "paid twice")
    with pytest.raises(InvalidInput):
        await resolve(finance, entry_id, CREDIT, None, "paid twice")
    with pytest.raises(NotFound):
        await resolve(finance, 999_999, REFUND, None, "paid twice")
    with pytest.raises(Conflict, match="999999 does not exist"):
        await resolve(finance, entry_id, CREDIT, 999_999, "paid twice")
    async with world.begin() as tx:
        assert await tx.suspense.find(entry_id) is None
    order = await world.buy("300")
    world.pay(order, tx_id="77")
    await world.webhook(order, tx_id="77")
    await settle_all(world)
    key = f"order:{order.id}:settle"
    async with world.begin() as tx:
        settled = (await tx.ledger.find([key]))[key]
    with pytest.raises(NotFound):
        await resolve(finance, settled.id, REFUND, None, "no suspense entry")


async def test_money_of_many_orders_is_suspended_at_once(relational_url: str) -> None:
    """[PAY-79] One call of the ledger for all of them, which locks accounts in one order [R25]."""
    world = PostgresWorld(relational_url, create_engine(relational_url, pool_size=4))
    orders = [await world.buy("5000") for _ in range(6)]
    for number, order in enumerate(orders):
        world.pay(order, tx_id=str(1000 + number), currency=("NGN", "USD")[number % 2], amount="4000")
        body = {"event": "charge.completed", "data": {"id": 1000 + number, "tx_ref": order.external_reference}}
        await world.receive("platform", body)
    posted: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        posted.extend([statement] * ("post_entries" in statement))

    event.listen(world.engine.sync_engine, "before_cursor_execute", count)
    await world.process(await world.waiting_events())
    assert await world.suspense() == Decimal(4000 * 3)
    assert len(await world.alerts()) == 6
    assert len(posted) == 1
    await world.close()
