"""Settlement on a real PostgreSQL: several workers, races, the audit, and the database's own state machine."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Collection, Mapping
from decimal import Decimal

import psycopg
import pytest
from sqlalchemy import event
from tests.support.payments_postgres import PostgresWorld

from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.ledger import PostgresLedger
from nxt_adapters.supabase.tables import orders
from nxt_domain.orders.states import FailureCode, OrderStatus, is_allowed
from nxt_domain.orders.use_cases.settle_orders import SettlementReport
from nxt_domain.shared.errors import Unavailable
from nxt_entrypoints.jobs import settlement_worker
from nxt_entrypoints.jobs.settlement_worker import SettlementWorker
from nxt_entrypoints.ledger_audit import audit


@pytest.fixture
async def world(relational_url: str) -> AsyncIterator[PostgresWorld]:
    made = PostgresWorld(relational_url, create_engine(relational_url, pool_size=12))
    yield made
    await made.close()


async def pay(world: PostgresWorld, count: int) -> list[int]:
    """Make orders from the gateway that are paid and wait for settlement."""
    bought = [await world.buy("100") for _ in range(count)]
    for order in bought:
        world.pay(order, tx_id=f"7{order.id}")
        async with world.begin() as tx:
            charge = await tx.charges.find(order.id)
        await world.verification.by_reference(order, charge)
    return [order.id for order in bought]


async def test_eight_workers_settle_each_order_once(world: PostgresWorld) -> None:
    """[REL-31] [PAY-102] [PAY-124] any number of workers; nobody waits for locks, nothing happens twice."""
    order_ids = await pay(world, 40)

    async def work() -> list[int]:
        done: list[int] = []
        while (report := await world.settle(batch_size=3)()).found_work:
            done += report.completed
        return done

    done = await asyncio.gather(*(work() for _ in range(8)))
    while (report := await world.settle()()).found_work:
        done.append(list(report.completed))
    assert sorted(itertools.chain.from_iterable(done)) == order_ids
    assert await world.balance(world.meter_wallet) == Decimal(4000)
    assert len(world.top_ups.requests) == 40
    assert world.one("select count(*) from transactions") == 80
    assert world.one("select count(*) from orders where lock_session is not null") == 0
    world.one("select internal.refresh_hot_balances()")
    assert world.one("select balance from wallets where id = 968") == Decimal(-4000)


async def test_the_record_of_an_order_is_never_made_anew(world: PostgresWorld) -> None:
    """[REL-28] [REL-62] [REL-63] Renamed, hidden, moved and unassigned since: the order tells what it told."""
    (order_id,) = await pay(world, 1)
    columns = ", ".join(column.name for column in orders.c if column.name.startswith(("meta_", "historical_", "rls_")))
    record = f"select {columns} from orders where id = %s"
    before = world.all(record, order_id)
    assert before[0]["meta_order_type"] == "ENERGY_TOPUP"
    assert before[0]["meta_is_hidden_from_reporting"] is False
    for change in (
        "insert into organizations (id, name) values (9000, 'Buyer')",
        "update accounts set full_name = 'Renamed'",
        "update customers set is_hidden_from_reporting = true",
        "update grids set name = 'Renamed ' || id, is_hidden_from_reporting = true, organization_id = 9000",
        "update meters set connection_id = null",
    ):
        world.owner.execute(change)
    await world.settle()()
    assert (await world.order(order_id)).status is OrderStatus.COMPLETED
    assert world.all(record, order_id) == before


async def test_two_purchases_that_together_exceed_a_balance(world: PostgresWorld) -> None:
    """[PAY-129] [PAY-198] 8: an agent with 1000, two orders of 700, two workers at once, many times over."""
    for turn in range(5):
        balance = await world.balance(world.agent_wallet)
        await world.fund(world.agent_wallet, str(Decimal(1000) - balance), key=f"turn-{turn}")
        first = await world.send(world.agent_wallet, world.meter_wallet, "700")
        second = await world.send(world.agent_wallet, world.meter_wallet, "700")
        for _ in range(3):
            await asyncio.gather(*(world.settle(batch_size=1)() for _ in range(4)))
        statuses = [(await world.order(order.id)).status for order in (first, second)]
        assert statuses == [OrderStatus.COMPLETED, OrderStatus.FAILED]
        assert await world.balance(world.agent_wallet) == Decimal(300)


async def test_money_that_left_meanwhile_is_refused_by_the_ledger_and_decided_anew(world: PostgresWorld) -> None:
    """[PAY-29] [PAY-104] a balance that was read and is gone when it is posted: no overdraft; decided anew."""
    await world.fund(world.agent_wallet, "1000")
    order = await world.send(world.agent_wallet, world.meter_wallet, "700")

    honest, stolen = PostgresLedger.balances, asyncio.Event()

    async def balances_then_theft(self: PostgresLedger, codes: Collection[str]) -> Mapping[str, Decimal]:
        seen = await honest(self, codes)
        if not stolen.is_set():
            stolen.set()
            world.one(
                "select internal.post_entry(jsonb_build_object('key', 'theft', 'entry_type', 'ADJUSTMENT',"
                " 'memo', 'test', 'postings', jsonb_build_array("
                "jsonb_build_object('account_code', %s::text, 'amount', '-500'),"
                "jsonb_build_object('account_code', 'external:manual', 'amount', '500'))))",
                f"wallet:{world.agent_wallet}",
            )
        return seen

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PostgresLedger, "balances", balances_then_theft)
        report = await world.settle()()
    assert report.batch_error is not None, "the ledger refused the first attempt"
    assert list(report.refused) == [order.id]
    failed = await world.order(order.id)
    assert (failed.status, failed.failure_code) == (OrderStatus.FAILED, FailureCode.INSUFFICIENT_BALANCE)
    assert await world.balance(world.agent_wallet) == Decimal(500)


async def test_the_books_are_in_order_after_all_kinds_of_orders(world: PostgresWorld, relational_url: str) -> None:
    """[PAY-133] [PAY-38] R35: the audit is clean after real traffic, and finds what is forged."""
    await _fund_by_order(world, world.agent_wallet, "5000")
    await pay(world, 3)
    for receiver, amount in ((world.connection_wallet, "1500"), (world.meter_wallet, "99999")):
        await world.send(world.agent_wallet, receiver, amount)
        await world.settle()()
    await world.send(world.connection_wallet, world.organization_wallet, "500")
    wrong = await world.buy("70")
    world.pay(wrong, tx_id="900", amount="60")
    await world.webhook(wrong, tx_id="900")
    while (await world.settle()()).found_work:
        pass
    assert await audit(relational_url) == []
    forged = {
        "update wallets set balance = balance + 1 where id = %s": {"WALLET_DIFFERS", "TRANSACTIONS_DIFFER"},
        "update connections set paid = paid + 1 where %s > 0": {"CONNECTION_FEES_DIFFER", "CUSTOMER_FEES_DIFFER"},
        "delete from transactions where wallet_id = %s": {"TRANSACTIONS_DIFFER", "TRANSACTIONS_INCOMPLETE"},
        "update internal.ledger_postings set amount = amount + 1, balance_after = balance_after + 1"
        " where account_id in (select id from internal.ledger_accounts where wallet_id = %s)": {
            "ENTRY_UNBALANCED",
            "BALANCE_DIFFERS",
            "CHAIN_BROKEN",
            "SETTLEMENT_DIFFERS",
        },
        "update internal.ledger_accounts set balance = balance + 1 where wallet_id = %s": {"BALANCE_DIFFERS"},
        "update orders set settled_at = now() - interval '16 minutes' where receiver_wallet_id = %s": {
            "COMMAND_MISSING"
        },
        "update orders set order_status = 'IGNORED' where receiver_wallet_id = %s": {"ENTRY_WITHOUT_ORDER"},
        "update orders set order_status = 'COMPLETED' where %s > 0 and failure_code = 'AMOUNT_MISMATCH'": {
            "ORDER_WITHOUT_ENTRY"
        },
        "update internal.ledger_entries set created_at = now() - interval '25 hours' where %s > 0": {"SUSPENSE_OLD"},
    }
    for statement, rules in forged.items():
        with psycopg.connect(relational_url) as owner:
            owner.execute("set session_replication_role = replica")
            owner.execute(statement, [world.meter_wallet])
            owner.commit()
        assert rules <= {finding.rule for finding in await audit(relational_url)}, statement


async def _fund_by_order(world: PostgresWorld, wallet_id: int, amount: str) -> None:
    order_id = world.one(
        "insert into orders (amount, currency, order_status, sender_wallet_id, receiver_wallet_id)"
        " values (%s, 'NGN', 'PENDING', 968, %s) returning id",
        amount,
        wallet_id,
    )
    assert (await world.settle()()).completed == [order_id]
    account = world.one(
        "select a.code from internal.ledger_postings p join internal.ledger_entries e on e.id = p.entry_id"
        " join internal.ledger_accounts a on a.id = p.account_id where e.order_id = %s and p.amount < 0",
        order_id,
    )
    assert account == "external:manual", "[PAY-34] an order of staff without any charge"


async def test_the_audit_of_a_database_that_is_away() -> None:
    """R35: exit 2 comes from Unavailable."""
    with pytest.raises(Unavailable):
        await audit("postgresql://nobody@127.0.0.1:1/nothing")


async def test_the_database_allows_what_the_domain_allows(world: PostgresWorld) -> None:
    """[PAY-44] [REL-80] R16: each pair of states, with and without a gateway's failure code."""
    order = await world.buy()
    codes = (None, FailureCode.GATEWAY_REJECTED, FailureCode.INSUFFICIENT_BALANCE)
    for source, code, target in itertools.product(OrderStatus, codes, OrderStatus):
        if source is target:
            continue
        world.owner.execute("set session_replication_role = replica")
        world.owner.execute(
            "update orders set order_status = %s, failure_code = %s where id = %s", (source, code, order.id)
        )
        world.owner.execute("set session_replication_role = origin")
        refusal = _try(world, "update orders set order_status = %s where id = %s", target, order.id)
        assert refusal in {None, "NX010"}
        is_accepted = refusal is None
        assert is_accepted is is_allowed(source, code, target), (source, code, target)


def _try(world: PostgresWorld, statement: str, *parameters: object) -> str | None:
    """Run a statement as the owner and return the SQLSTATE it fails with."""
    try:
        world.one(f"{statement} returning id", *parameters)
    except psycopg.Error as refused:
        return refused.sqlstate
    return None


async def test_any_webhook_body_can_be_stored(world: PostgresWorld) -> None:
    """[PAY-70] [API-38] NUL, lone surrogates, monstrous numbers, deep nesting, long words."""
    deep: object = 1
    for _ in range(200):
        deep = [deep]
    bodies = (
        {"event": "a\0b", "data": {"tx_ref": "x\0y", "id": "1\0", "status": "\ud800"}},
        {"n": Decimal("1E+999999"), "d": deep, "\0": "\udfff"},
        {"event": "e" * 10_000, "data": {"tx_ref": "r" * 10_000}},
    )
    for body in bodies:
        assert await world.receive("platform", body) is True  # type: ignore[arg-type]  # any JSON
    assert world.one("select count(*) from internal.gateway_events") == 3
    await world.process(await world.waiting_events())
    assert await world.waiting_events() == []


async def test_an_event_and_its_task_are_one_transaction(world: PostgresWorld) -> None:
    """[PAY-72] an event stored just before a crash is not lost: the task stands beside it."""
    order = await world.buy()
    await world.receive(
        "platform", {"event": "charge.completed", "data": {"id": 5, "tx_ref": order.external_reference}}
    )
    (task,) = world.all("select * from internal.outbox_tasks where kind = 'GATEWAY_EVENT'")
    assert task["payload"] == {"event_id": (await world.waiting_events())[0]}
    assert task["give_up_at"] is None


async def test_the_worker_settles_when_woken_and_stops_gracefully(
    world: PostgresWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[PAY-102] woken long before its own looking, which is far away here; a stop ends it."""
    monkeypatch.setattr(settlement_worker, "_POLL_S", 60.0)
    stopping, settled = asyncio.Event(), asyncio.Event()

    async def settle() -> SettlementReport:
        report = await world.settle()()
        if report.completed:
            settled.set()
        return report

    worker = SettlementWorker(settle=settle, wake_ups=world.wake_ups)
    running = asyncio.create_task(worker.run(stopping))
    await asyncio.sleep(0.2)
    await pay(world, 1)
    await asyncio.wait_for(settled.wait(), 30)
    stopping.set()
    await asyncio.wait_for(running, 30)


async def test_a_batch_takes_a_fixed_number_of_statements(world: PostgresWorld) -> None:
    """R3: the number of statements does not grow with the number of orders."""
    counted: list[str] = []
    event.listen(world.engine.sync_engine, "before_cursor_execute", lambda *facts: counted.append(facts[2]))
    await pay(world, 1)
    counted.clear()
    await world.settle()()
    of_one = len(counted)
    orders = [await world.buy("10") for _ in range(25)]
    world.owner.execute("update orders set order_status = 'PENDING' where id = any(%s)", [[o.id for o in orders]])
    counted.clear()
    assert len((await world.settle()()).completed) == 25
    assert len(counted) == of_one <= 8
