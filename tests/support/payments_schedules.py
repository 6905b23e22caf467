"""The village that pays in PostgreSQL with everything behind a payment: commands, outbox, relays, refunds, reversals.

What happens at the same time is a *turn*: settlement workers, relays and people side by side, while the server cuts off
sessions at given moments.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.memory.realtime import MemoryRealtime
from nxt_adapters.memory.unit_of_work import stub_couriers
from nxt_adapters.supabase.ledger_audit import PostgresLedgerAudit
from nxt_adapters.supabase.messages import PostgresDeviceMessages
from nxt_adapters.supabase.outbox import PostgresOutboxQueue
from nxt_adapters.supabase.unit_of_work import MessagesOf, SupabaseUnitOfWork
from nxt_domain.grids.model import CommunicationProtocol
from nxt_domain.identity.model import Principal
from nxt_domain.messaging.tuning import DeliveryPolicy
from nxt_domain.meters.news import SOCKET_EVENT, TOP_UP_COMMAND
from nxt_domain.meters.use_cases.apply_delivery_events import ApplyDeliveryEvents
from nxt_domain.meters.use_cases.complete_top_up import CompleteTopUp
from nxt_domain.meters.use_cases.top_ups import TokenMakers, TopUpCommands
from nxt_domain.orders.gateway_ports import MerchantAccounts
from nxt_domain.orders.suspense import GATEWAY_REFUND
from nxt_domain.orders.use_cases.fulfil_top_up import FulfilTopUp
from nxt_domain.orders.use_cases.gateway_events import GATEWAY_EVENT, ProcessGatewayEvents
from nxt_domain.orders.use_cases.refund_suspense import RefundSuspense
from nxt_domain.orders.use_cases.resolve_suspense import ResolveSuspense
from nxt_domain.orders.use_cases.reverse_order import ReverseOrder
from nxt_domain.shared.alerts import ALERT
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import DomainError
from nxt_domain.shared.ids import UlidFactory
from nxt_domain.shared.wakeups import WakeUps
from nxt_domain.tokens.test_vendor import TestTokenMaker
from nxt_entrypoints.jobs.handlers import Handlers
from nxt_entrypoints.jobs.relay import Lane, OutboxRelay
from tests.support.cuts import Cuts
from tests.support.identity_world import ADMIN, IdentityWorld
from tests.support.payments_postgres import PostgresWorld
from tests.support.payments_world import SYSTEM_WALLET

_LANES = {GATEWAY_EVENT, TOP_UP_COMMAND, GATEWAY_REFUND, SOCKET_EVENT, ALERT}
MAKERS: TokenMakers = {CommunicationProtocol.CALIN_LORAWAN: TestTokenMaker()}
_MOST_TURNS = 5
_UNFINISHED = """
    select t.id, t.kind, t.attempts, t.last_error from internal.outbox_tasks t left join orders o on o.id = t.order_id
    where t.done_at is null and (t.kind <> 'TOP_UP_COMMAND' or o.tariff > 0)
"""
_ACCIDENTS = (DomainError, DBAPIError, psycopg.Error)
"""How a cut, or a refusal, ends what somebody was doing."""


def money_lanes(
    *,
    begin: Any,
    process: ProcessGatewayEvents,
    top_ups: Any,
    makers: TokenMakers = MAKERS,
    accounts: MerchantAccounts,
    clock: Clock,
    wake_ups: WakeUps,
) -> Sequence[Lane]:
    """What the relay of the jobs role does with the kinds of tasks that money makes."""
    complete = CompleteTopUp(begin=begin, clock=clock, makers=makers, wakeups=wake_ups)
    handlers = Handlers(
        apply_delivery_events=ApplyDeliveryEvents(begin=begin, clock=clock, wakeups=wake_ups),
        process_gateway_events=process,
        fulfil_top_up=FulfilTopUp(begin=begin, top_ups=top_ups, complete=complete, clock=clock),
        refund_suspense=RefundSuspense(begin=begin, accounts=accounts, clock=clock),
        realtime=MemoryRealtime(),
        # Nothing here makes tasks for these.
        charge_by_ussd=None,  # type: ignore[arg-type]
        export_payout=None,  # type: ignore[arg-type]
        tell_bot=None,  # type: ignore[arg-type]
        reports=None,  # type: ignore[arg-type]
        forwards_reports=False,
    )
    return [lane for lane in handlers.lanes() if lane.kind in _LANES]


class CutUnitOfWork(SupabaseUnitOfWork):
    """A unit of work whose commit may go unanswered."""

    def __init__(self, engine: AsyncEngine, messages_of: MessagesOf, cuts: Cuts) -> None:
        super().__init__(engine, messages_of)
        self._cuts = cuts

    async def commit(self) -> None:
        await super().commit()
        self._cuts.committed()


class ScheduleWorld(PostgresWorld):
    """The village with workers, relays and staff."""

    def __init__(self, url: str, engine: AsyncEngine) -> None:
        super().__init__(url, engine)
        self.cuts = Cuts(engine, lambda pid: self.one("select pg_terminate_backend(%s, 5000)", pid))
        self.new_id = UlidFactory(self.clock)
        self.couriers = stub_couriers(self.new_id)
        self.top_ups: Any = TopUpCommands(clock=self.clock, makers=MAKERS)
        self.queue = PostgresOutboxQueue(engine)
        self.relay = OutboxRelay(queue=self.queue, lanes=(), owner="relay", subscribe=lambda _: asyncio.Event())
        # Whoever decides about money is an author of entries.
        self.owner.execute("insert into accounts (id) select generate_series(1, 9) on conflict do nothing")
        self.owner.execute(
            "insert into dcus (external_reference, external_system, communication_protocol, grid_id, is_online)"
            " select 'gateway ' || id, 'CALIN', 'CALIN_LORAWAN', id, true from grids"
        )
        self.owner.execute("update grids set is_hps_on = true")
        self.owner.execute("update meters set last_seen_at = now()")

    def begin(self) -> Any:
        return CutUnitOfWork(
            self.engine,
            lambda session: PostgresDeviceMessages(
                session, couriers=self.couriers, new_id=self.new_id, policy=DeliveryPolicy()
            ),
            self.cuts,
        )

    # -- use cases ------------------------------------------------------------------------------

    async def finance(self) -> Principal:
        callers = IdentityWorld()
        return await callers.user(callers.token(ADMIN))

    async def resolve(self, entry_id: int, action: Any, receiver_wallet_id: int | None = None) -> None:
        decide = ResolveSuspense(
            begin=self.begin, placement=self.placement, wake_ups=self.wake_ups, system_wallet_id=SYSTEM_WALLET
        )
        await decide(await self.finance(), entry_id, action, receiver_wallet_id, "it fits no order")

    async def reverse(self, order_id: int) -> None:
        await ReverseOrder(begin=self.begin, clock=self.clock)(await self.finance(), order_id, "sold by mistake")

    async def deliver(self, reference: str | None, *, tx_id: str, status: str) -> None:
        """Deliver a webhook; the relay works it off."""
        body = {"event": "charge.completed", "data": {"id": int(tx_id), "tx_ref": reference, "status": status}}
        await self.receive("platform", body)

    async def verify(self, order_id: int) -> None:
        """Ask the gateway, as the verify route does."""
        async with self.begin() as tx:
            order = await tx.orders.find(order_id=order_id)
            charge = await tx.charges.find(order_id)
        await self.verification.by_reference(order, charge)

    def lanes(self) -> Sequence[Lane]:
        return money_lanes(
            begin=self.begin,
            process=self.process,
            top_ups=self.top_ups,
            accounts=self.accounts,
            clock=self.clock,
            wake_ups=self.wake_ups,
        )

    # -- turns ----------------------------------------------------------------------------------

    async def turn(
        self,
        *,
        workers: Sequence[int] = (),
        relays: int = 0,
        people: Sequence[Awaitable[Any]] = (),
        cuts: Collection[int] = (),
    ) -> None:
        """Let everybody do their next step at the same time.

        Args:
            workers: Batch size of each settlement worker.
            relays: How many relays look at their lanes once.
            people: What others do meanwhile.
            cuts: Moments at which the server ends a session.

        Raises:
            Exception: A step ended in another way than by a cut or a refusal.
        """
        steps = [*people, *(self.settle(batch_size=size)() for size in workers)]
        wanted = {GATEWAY_EVENT} | await self.due() if relays else set()
        steps += [self.relay.work_off(lane) for _ in range(relays) for lane in self.lanes() if lane.kind in wanted]
        with self.cuts.planned(cuts):
            outcomes = await asyncio.gather(*steps, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, _ACCIDENTS):
                raise outcome

    def let_time_pass(self, step: timedelta) -> None:
        """Leases lapse, waits end, orders grow older; the clock itself moves by three minutes."""
        self.clock.advance(timedelta(minutes=3))
        self.owner.execute(
            "update internal.outbox_tasks set lease_until = null, lease_owner = null, next_attempt_at = now()"
            " where done_at is null and dropped_at is null"
        )
        self.owner.execute("update internal.settlement_failures set next_attempt_at = now()")
        self.owner.execute("update orders set created_at = created_at - %s where order_status = 'INITIALISED'", [step])
        self.owner.execute("update internal.gateway_charges set next_verify_at = next_verify_at - %s", [step])

    async def work_all_off(self) -> None:
        """Let everything come to rest, without accidents."""
        for _ in range(_MOST_TURNS):
            self.let_time_pass(timedelta(0))
            while await self.due() or self.all("select id from orders where order_status = 'PENDING'"):
                await self.turn(workers=[200], relays=1)
            if not self.all(_UNFINISHED):
                return
        raise AssertionError(f"they never end: {self.all(_UNFINISHED)}")

    async def due(self) -> set[str]:
        """Kinds of tasks that a relay would find something to do for."""
        return set(await self.queue.due(sorted(_LANES)))

    async def findings(self) -> list[str]:
        """What the audit of the books finds."""
        return [str(finding) for finding in await PostgresLedgerAudit(self.engine).findings()]

    def deadlocks(self) -> int:
        """How often sessions waited for each other in a circle: never, while all take locks in one order [R25]."""
        self.one("select pg_stat_clear_snapshot()")
        return int(self.one("select deadlocks from pg_stat_database where datname = current_database()"))

    def wallet_balance(self, wallet_id: int) -> Decimal:
        return Decimal(self.one("select balance from wallets where id = %s", wallet_id))
