"""Settlement cut off at every point: nothing happened, or all of it did [PAY-125]."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, Self

import pytest
from sqlalchemy import event
from tests.support.payments_postgres import PaymentsTransaction, PostgresWorld

from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.session import TransactionSession
from nxt_adapters.supabase.settlements import PostgresSettlements
from nxt_domain.orders.states import OrderStatus
from nxt_domain.shared.errors import DomainError
from nxt_entrypoints.ledger_audit import audit

MOST_STATEMENTS = 12


@pytest.fixture
async def world(relational_url: str) -> AsyncIterator[PostgresWorld]:
    made = PostgresWorld(relational_url, create_engine(relational_url, pool_size=4))
    yield made
    await made.close()


async def paid_order(world: PostgresWorld, number: int) -> int:
    order = await world.buy("100")
    world.pay(order, tx_id=str(number))
    await world.webhook(order, tx_id=str(number))
    return order.id


class Severed:
    """Cuts the connection under the n-th statement of the next transaction, from the server's side."""

    def __init__(self, world: PostgresWorld, at: int) -> None:
        self._world = world
        self._left = at
        self.has_cut = False

    def __enter__(self) -> Self:
        event.listen(self._world.engine.sync_engine, "before_cursor_execute", self._before)
        return self

    def __exit__(self, *_error: object) -> None:
        event.remove(self._world.engine.sync_engine, "before_cursor_execute", self._before)

    def _before(self, connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if self.has_cut or "pg_catalog.version" in statement:
            return
        self._left -= 1
        if self._left == 0:
            self.has_cut = True
            pid = connection.connection.driver_connection.info.backend_pid
            self._world.one("select pg_terminate_backend(%s, 5000)", pid)


async def assert_nothing_happened(world: PostgresWorld, order_id: int) -> None:
    assert (await world.order(order_id)).status is OrderStatus.PENDING
    assert world.one("select count(*) from internal.ledger_entries where order_id = %s", order_id) == 0
    assert await world.rows(order_id) == []
    assert world.one("select count(*) from notifications where dedupe_key like %s", f"order:{order_id}:%") == 0


async def assert_all_happened_once(world: PostgresWorld, order_id: int) -> None:
    assert (await world.order(order_id)).status is OrderStatus.COMPLETED
    assert world.one("select count(*) from internal.ledger_entries where order_id = %s", order_id) == 1
    assert len(await world.rows(order_id)) == 2
    assert world.one("select count(*) from notifications where dedupe_key like %s", f"order:{order_id}:%") == 1


async def test_a_connection_cut_at_each_statement(world: PostgresWorld, relational_url: str) -> None:
    """[REL-7] [REL-65] [PAY-125] [PAY-197] at every statement of the settlement, then again without harm.

    The books are in order at the end.
    """
    cuts = 0
    for at in range(1, MOST_STATEMENTS):
        order_id = await paid_order(world, at)
        with Severed(world, at) as severed:
            try:
                report = await world.settle()()
            except DomainError:
                assert severed.has_cut
                await assert_nothing_happened(world, order_id)
            else:
                assert severed.has_cut == (report.batch_error is not None), "a cut is repeated order by order at once"
        cuts += severed.has_cut
        await world.settle()()
        await assert_all_happened_once(world, order_id)
    assert cuts >= 6, "claim, accounts, entries, orders, rows, notices"
    assert await world.balance(world.meter_wallet) == Decimal(100) * (MOST_STATEMENTS - 1)
    assert await audit(relational_url) == []


class CommitFails(PaymentsTransaction):
    """A transaction whose commit fails before or after it happened."""

    is_done_first = False

    async def commit(self) -> None:
        if self.is_done_first:
            await super().commit()
        raise ConnectionResetError("cut at commit")


class CommitUnanswered(CommitFails):
    is_done_first = True


@pytest.mark.parametrize("kind", [CommitFails, CommitUnanswered])
async def test_a_commit_without_answer(world: PostgresWorld, kind: type[CommitFails], relational_url: str) -> None:
    """[PAY-125] [PAY-126] whether it happened or not, the next worker does the right thing."""
    order_id = await paid_order(world, 1)
    settle = world.settle()
    settle._begin = lambda: kind(world.engine)
    if kind.is_done_first:
        assert isinstance((await settle()).batch_error, ConnectionResetError)
        await assert_all_happened_once(world, order_id)
    else:
        with pytest.raises(ConnectionResetError):
            await settle()
        await assert_nothing_happened(world, order_id)
    await world.settle()()
    await assert_all_happened_once(world, order_id)
    assert await audit(relational_url) == []


async def test_a_worker_that_dies_holding_orders_holds_up_nobody(world: PostgresWorld) -> None:
    """[PAY-102] no lock outlives its transaction; others pass by while it is held."""
    first, second = await paid_order(world, 1), await paid_order(world, 2)
    async with world.engine.connect() as dying:
        (held,) = await PostgresSettlements(TransactionSession(dying)).claim(1)
        assert held.order.id == first
        assert list((await world.settle()()).completed) == [second]
        pid = (await dying.exec_driver_sql("select pg_backend_pid()")).scalar_one()
        world.one("select pg_terminate_backend(%s, 5000)", pid)
        await dying.invalidate()
    assert list((await world.settle()()).completed) == [first]


async def test_verification_cut_between_answer_and_commit_is_found_again(world: PostgresWorld) -> None:
    """[PAY-72] [PAY-125] the event stays until it is done."""
    order = await world.buy("100")
    world.pay(order)
    body = {"event": "charge.completed", "data": {"id": 8321945, "tx_ref": order.external_reference}}
    await world.receive("platform", body)
    process = world.process
    process._verification._begin = lambda: CommitFails(world.engine)
    with pytest.raises(ConnectionResetError):
        await process(await world.waiting_events())
    assert (await world.order(order.id)).status is OrderStatus.INITIALISED
    assert len(await world.waiting_events()) == 1
    await world.process(await world.waiting_events())
    assert (await world.order(order.id)).status is OrderStatus.PENDING
    assert await world.waiting_events() == []
