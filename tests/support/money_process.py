"""A settlement worker or a relay in a process of its own, and a gateway that is a table: for tests that kill."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import os
import signal
from collections.abc import Sequence
from decimal import Decimal
from multiprocessing.process import BaseProcess
from typing import Any

import attrs
import psycopg
import structlog

from nxt_adapters.memory.gateway_payments import MemoryMerchantAccounts
from nxt_adapters.memory.unit_of_work import stub_couriers
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.messages import PostgresDeviceMessages
from nxt_adapters.supabase.outbox import PostgresOutboxQueue
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_adapters.supabase.wakeups import PostgresWakeUps
from nxt_adapters.system.clock import SystemClock
from nxt_domain.grids.model import CommunicationProtocol
from nxt_domain.messaging.tuning import DeliveryPolicy
from nxt_domain.meters.use_cases.top_ups import TokenMakers, TopUpCommands
from nxt_domain.orders.gateway import GatewayTransaction, PaymentState
from nxt_domain.orders.gateway_ports import RefundRefused, UnknownPayment
from nxt_domain.orders.suspense import Refund, RefundState
from nxt_domain.orders.use_cases.gateway_events import ProcessGatewayEvents
from nxt_domain.orders.use_cases.settle_orders import SettleOrders
from nxt_domain.orders.use_cases.verification import PaymentVerification
from nxt_domain.shared.ids import UlidFactory
from nxt_domain.tokens.model import TokenRequest
from nxt_domain.tokens.test_vendor import TestTokenMaker
from nxt_entrypoints.jobs.relay import OutboxRelay
from nxt_entrypoints.jobs.settlement_worker import SettlementWorker
from tests.support.payments_schedules import MAKERS, money_lanes

SETTLEMENT, RELAY = "settlement", "relay"
_TABLES = """
    create schema gateway;
    create table gateway.payments (
        n bigint generated always as identity, id text primary key, reference text not null, state text not null,
        status text not null, amount numeric not null, currency text not null, payment_type text);
    create table gateway.refunds (
        id bigint generated always as identity, gateway_tx_id text not null, amount numeric not null);
    create table gateway.tokens (n bigint generated always as identity, token text not null);
"""
_PAYMENT = "select id, reference, state, status, amount, currency, payment_type from gateway.payments where "
_SLOW_S = 0.01


class TableGateway:
    """A payment gateway that outlives whoever asks it; it takes a moment for each answer.

    Args:
        url: Of the database, as its owner.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def open(self) -> None:
        """Make its tables, for payers to come."""
        self._till = psycopg.connect(self._url, autocommit=True)
        self._till.execute(_TABLES)

    def close(self) -> None:
        """Let no more payers in."""
        self._till.close()

    def put(self, transaction: GatewayTransaction) -> None:
        """Add a transaction."""
        self._till.execute(
            "insert into gateway.payments (id, reference, state, status, amount, currency, payment_type) values"
            " (%(id)s, %(reference)s, %(state)s, %(status)s, %(amount)s, %(currency)s, %(payment_type)s)",
            attrs.asdict(transaction, filter=lambda field, _: field.name in _COLUMNS),
        )

    async def verify_by_reference(self, reference: str) -> GatewayTransaction:
        """Return the newest transaction under a reference."""
        return await self._payment("reference = %s order by n desc limit 1", reference)

    async def verify_by_id(self, gateway_tx_id: str) -> GatewayTransaction:
        """Return a transaction by its id."""
        return await self._payment("id = %s", gateway_tx_id)

    async def refund(self, gateway_tx_id: str, amount: Decimal, *, comment: str) -> Refund:
        """Give a payment back; the answer comes a moment later."""
        insert = "insert into gateway.refunds (gateway_tx_id, amount) values (%s, %s) returning id"
        try:
            rows = await self._all(insert, gateway_tx_id, amount)
        finally:
            await asyncio.sleep(_SLOW_S)
        if not rows:
            raise RefundRefused("Transaction is not refundable")
        return _refund(rows[0][0], gateway_tx_id, amount)

    async def refunds_of(self, gateway_tx_id: str) -> Sequence[Refund]:
        """List the refunds of a transaction."""
        rows = await self._all("select id, amount from gateway.refunds where gateway_tx_id = %s", gateway_tx_id)
        return [_refund(row[0], gateway_tx_id, row[1]) for row in rows]

    async def _payment(self, condition: str, value: str) -> GatewayTransaction:
        await asyncio.sleep(_SLOW_S)
        rows = await self._all(_PAYMENT + condition, value)
        if not rows:
            raise UnknownPayment("The payment gateway knows no such transaction")
        facts = dict(zip(_COLUMNS, rows[0], strict=True))
        return GatewayTransaction(**{**facts, "state": PaymentState(facts["state"])})

    async def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
            return await (await connection.execute(query.encode(), values)).fetchall()


_COLUMNS = ("id", "reference", "state", "status", "amount", "currency", "payment_type")


def _refund(number: int, gateway_tx_id: str, amount: Decimal) -> Refund:
    return Refund(
        id=str(number), gateway_tx_id=gateway_tx_id, amount=amount, state=RefundState.DONE, status="completed"
    )


class SlowVendor:
    """Makes tokens elsewhere: the same request gives the same token. It writes each down, and answers a while later.

    Args:
        url: Of the database, as its owner.
        answer_s: How long the answer takes.
    """

    vendor_id = "slow"
    needs_decoder_key = False

    def __init__(self, url: str, answer_s: float) -> None:
        self._url = url
        self._answer_s = answer_s

    async def request(self, request: TokenRequest) -> str:
        """Make a token."""
        token = TestTokenMaker().make(request)
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
            await connection.execute("insert into gateway.tokens (token) values (%s)", [token])
        await asyncio.sleep(self._answer_s)
        return token


def accounts_of(gateway: TableGateway) -> MemoryMerchantAccounts:
    """One merchant account, whose gateway is the table."""
    accounts = MemoryMerchantAccounts()
    accounts.platform = gateway  # type: ignore[assignment]  # it is only asked and told what payers do
    return accounts


def start(kind: str, url: str, *, vendor_s: float | None = None) -> BaseProcess:
    """Start a process of ours; it is forked from one that has imported everything, so that it works at once.

    Args:
        kind: ``SETTLEMENT`` or ``RELAY``.
        url: Of the database, as its owner.
        vendor_s: Tokens are made elsewhere, which takes so long; None: in the process.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=_main, args=(kind, url, vendor_s), daemon=True)
    process.start()
    return process


def owner_of(process_id: int) -> str:
    """How a relay's leases name it."""
    return f"relay-{process_id}"


def _main(kind: str, url: str, vendor_s: float | None) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    asyncio.run(_work(kind, url, vendor_s))


async def _work(kind: str, url: str, vendor_s: float | None) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    engine = create_engine(url, pool_size=8)
    clock, wake_ups = SystemClock(), PostgresWakeUps(url)
    new_id = UlidFactory(clock)
    couriers = stub_couriers(new_id)

    def begin() -> SupabaseUnitOfWork:
        return SupabaseUnitOfWork(
            engine,
            lambda session: PostgresDeviceMessages(session, couriers=couriers, new_id=new_id, policy=DeliveryPolicy()),
        )

    makers: TokenMakers = MAKERS
    if vendor_s is not None:
        makers = {CommunicationProtocol.CALIN_LORAWAN: SlowVendor(url, vendor_s)}
    top_ups = TopUpCommands(clock=clock, makers=makers)
    if kind == SETTLEMENT:
        settle: SettleOrders[SupabaseUnitOfWork] = SettleOrders(
            begin=begin, top_ups=top_ups, clock=clock, wake_ups=wake_ups, batch_size=10
        )
        run = SettlementWorker(settle=settle, wake_ups=wake_ups).run
    else:
        accounts = accounts_of(TableGateway(url))
        verification = PaymentVerification(begin=begin, accounts=accounts, clock=clock, wake_ups=wake_ups)
        process = ProcessGatewayEvents(begin=begin, verification=verification, clock=clock)
        lanes = money_lanes(
            begin=begin,
            process=process,
            top_ups=top_ups,
            makers=makers,
            accounts=accounts,
            clock=clock,
            wake_ups=wake_ups,
        )
        run = OutboxRelay(
            queue=PostgresOutboxQueue(engine), lanes=lanes, owner=owner_of(os.getpid()), subscribe=wake_ups.subscribe
        ).run
    running = asyncio.create_task(run(stopping))
    await asyncio.sleep(0)  # it subscribes before the wake-ups listen
    await wake_ups.start()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await wake_ups.stop()
    await engine.dispose()
