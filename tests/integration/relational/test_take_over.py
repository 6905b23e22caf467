"""`nxt ledger take-over`: a predecessor's books, with all that was wrong in them, become a ledger that is clean."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.support.ledger import connect
from tests.support.payments_postgres import PaymentsTransaction
from tests.support.payments_world import RecordingTopUps
from tests.support.predecessor import AGENT, CONNECTION, LOOSE_METERS, METER, ORG, OWNERLESS, SYSTEM, Predecessor, fill

from nxt_adapters.memory.database import MemoryClock
from nxt_adapters.memory.wakeups import MemoryWakeUps
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.old_books import PostgresOldBooks, open_old_books
from nxt_adapters.supabase.take_over import TakeOverWork
from nxt_domain.orders.old_books import Extent, Oddity, Standing
from nxt_domain.orders.use_cases.settle_orders import SettleOrders
from nxt_domain.orders.use_cases.take_over import TakeOver
from nxt_domain.shared.errors import Conflict
from nxt_entrypoints import ledger_audit
from nxt_entrypoints.cli.commands import nxt

TABLES = (
    "public.wallets",
    "public.orders",
    "public.transactions",
    "internal.ledger_entries",
    "internal.ledger_postings",
    "internal.take_over_remarks",
)


@pytest.fixture
def old(relational_url: str) -> Iterator[Predecessor]:
    predecessor = Predecessor(relational_url)
    fill(predecessor)
    yield predecessor
    predecessor.close()


def take_over(url: str, *options: str) -> Result:
    command = ["ledger", "take-over", "--from", url, "--schema", "predecessor", "--url", url, *options]
    return CliRunner().invoke(nxt, command, standalone_mode=False, catch_exceptions=False)


def counts(old: Predecessor) -> list[int]:
    return [old.session.execute(f"select count(*) from {table}").fetchone()[0] for table in TABLES]  # type: ignore[arg-type, index]


def balances(old: Predecessor) -> dict[int, Decimal]:
    return dict(old.session.execute("select id, balance from public.wallets").fetchall())


def test_a_predecessors_books_become_a_clean_ledger(old: Predecessor, tmp_path: Path) -> None:
    """[PAY-40] [PAY-38] [PAY-39] [REL-132] Wallets hold the sums of their rows, and what was odd is told."""
    file = tmp_path / "report.jsonl"
    result = take_over(old.url, "--json", "--report", str(file))
    assert result.return_value == 1, result.output
    assert ledger_audit.run(old.url) == []

    held = balances(old)
    assert held[ORG] == 80_000
    assert held[AGENT] == Decimal("18999.7")
    assert held[CONNECTION] == 2_000
    # 1,000 + 500 + 0.3 + 10.0001 + 250 twice + 77 + 8 + 5 + 40 - 30 + 15 + 9 - 9 + 12 + 90
    assert held[METER] == Decimal("2227.3001")
    assert [held[wallet_id] for wallet_id in LOOSE_METERS] == [0, 466, 0]
    assert OWNERLESS not in held

    told: list[dict[str, Any]] = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    shown = {(one["kind"], one["wallet_id"], one["order_id"]): one["amount"] for one in told}
    assert shown[Oddity.BALANCE_DIFFERS, AGENT, None] == "1000.3000"
    assert shown[Oddity.RAISED_TO_ZERO, 63, None] == "66.0000"
    assert shown[Oddity.ROUNDING, None, 8] == "0.0001"
    assert shown[Oddity.NO_PARTNER, METER, 12] == "40.0000"
    assert shown[Oddity.NOT_COMPLETED, METER, 10] == "5.0000"
    assert {one["kind"] for one in told} == set(Oddity)
    summary = json.loads(result.stdout)
    assert sum(kind["lines"] for kind in summary["summary"].values()) == len(told)
    assert summary["left_off"] == 0


def test_what_settles_an_order_and_what_does_not(old: Predecessor) -> None:
    """[PAY-40] [PAY-31] [PAY-34] Two rows that sum to zero are a settlement; all else stands against the opening."""
    take_over(old.url)
    entries = dict(
        old.session.execute(
            "select order_id, entry_type from internal.ledger_entries where order_id is not null"
        ).fetchall()
    )
    settled = {order_id for order_id, kind in entries.items() if kind == "ORDER_SETTLEMENT"}
    assert settled == {1, 2, 3, 4, 6, 7, 8, 9, 13, 18, 19, 21, 22, 23}
    accounts = old.session.execute(
        "select a.code from internal.ledger_entries e join internal.ledger_postings p on p.entry_id = e.id"
        " join internal.ledger_accounts a on a.id = p.account_id where e.order_id = any('{1,6}') order by e.id, p.id"
    ).fetchall()
    assert [code for (code,) in accounts] == [
        "wallet:5", "external:gateway:platform", "wallet:41", "external:manual",
    ]  # fmt: skip


def test_orders_keep_their_facts(old: Predecessor) -> None:
    """[PAY-15] [PAY-16] Status, time of the last change and tenant stay; what is open is asked at the gateway."""
    take_over(old.url)
    known = {
        row[0]: row[1:]
        for row in old.session.execute(
            "select id, order_status, amount, tariff, external_reference, rls_organization_id from public.orders"
            " where id <= 23"
        ).fetchall()
    }
    assert known[3] == ("COMPLETED", 1000, 300, None, 9)
    assert known[4] == ("COMPLETED", 500, -1, None, 9)  # another order had its reference
    assert known[13][1] == 30
    assert [known[n][0] for n in (5, 16, 17)] == ["FAILED", "INITIALISED", "PENDING"]
    assert old.session.execute("select order_id, tx_ref from internal.gateway_charges").fetchall() == [(16, "ref-16")]
    (changed,) = old.session.execute("select updated_at::text from public.orders where id = 17").fetchone() or ()
    assert changed.startswith("2026-01-05")
    assert old.session.execute("select nextval('public.orders_id_seq') > 23").fetchone() == (True,)


def test_a_second_run_changes_nothing(old: Predecessor) -> None:
    """[PAY-40]"""
    take_over(old.url)
    before, held = counts(old), balances(old)
    again = take_over(old.url)
    assert again.return_value == 1
    assert "was taken over before" in again.output
    assert (counts(old), balances(old)) == (before, held)


def test_a_rehearsal_writes_nothing_and_tells_the_same(old: Predecessor) -> None:
    """[PAY-40] --dry-run"""
    before = counts(old)
    rehearsed = json.loads(take_over(old.url, "--dry-run", "--json").stdout)
    assert counts(old) == before
    done = json.loads(take_over(old.url, "--json").stdout)
    for facts in (rehearsed, done):
        # The repeated reference shows only where references are kept.
        facts["lines"] = [one for one in facts["lines"] if one["detail"] != "another order has its reference"]
        for one in facts["lines"]:
            one["amount"] = None if one["amount"] is None else Decimal(one["amount"])
    assert rehearsed["lines"] == done["lines"]
    assert (rehearsed["wallets"], rehearsed["orders"]) == (done["wallets"], done["orders"])


class Crash(Exception):
    """The machine went off."""


async def test_a_run_that_was_cut_off_is_continued(old: Predecessor) -> None:
    """[PAY-40] [PAY-125] After each single part: what was done stays, what is left is done by the next run."""
    source, engine = open_old_books(old.url), create_engine(old.url, pool_size=1)
    books = PostgresOldBooks(source, "predecessor")

    def crash(standing: Standing, extent: Extent) -> None:
        raise Crash

    run = TakeOver(source=books, begin=lambda: TakeOverWork(engine), limit=5)
    crashes = 0
    try:
        while True:
            try:
                await run(crash)
                break
            except Crash:
                crashes += 1
    finally:
        await engine.dispose()
        await source.dispose()
    assert crashes > 10
    held = balances(old)
    assert (held[METER], held[62], held[AGENT]) == (Decimal("2227.3001"), 466, Decimal("18999.7"))
    assert await ledger_audit.audit(old.url) == []


async def test_business_goes_on_with_the_books_that_were_taken_over(old: Predecessor) -> None:
    """[PAY-31] [PAY-38] [PAY-40] What was waiting settles from what was taken over."""
    old.session.execute("update public.meters set kwh_tariff = 300 where id = 1")
    await asyncio.to_thread(take_over, old.url)
    engine, top_ups = create_engine(old.url, pool_size=2), RecordingTopUps()
    settle = SettleOrders(
        begin=lambda: PaymentsTransaction(engine),
        top_ups=top_ups,
        clock=MemoryClock(datetime.now(UTC)),
        wake_ups=MemoryWakeUps(),
    )
    report = await settle()
    await engine.dispose()
    assert report.completed == [17]
    held = balances(old)
    assert (held[AGENT], held[METER]) == (Decimal("18199.7"), Decimal("3027.3001"))
    assert await ledger_audit.audit(old.url) == []


async def test_two_runs_at_the_same_time(old: Predecessor) -> None:
    """[PAY-40] The second one stops, and disturbs nothing."""
    source, engine = open_old_books(old.url), create_engine(old.url, pool_size=2)
    books = PostgresOldBooks(source, "predecessor")
    extent = await books.extent()
    async with TakeOverWork(engine) as first:
        await first.new_books.begin(extent)
        with pytest.raises(Conflict, match="goes on now"):
            async with TakeOverWork(engine) as second:
                await second.new_books.begin(extent)
    await engine.dispose()
    await source.dispose()


def test_books_that_are_in_use_are_refused(old: Predecessor) -> None:
    """[PAY-40] Nothing is mixed with what the system wrote itself."""
    with connect(old.url, role=None) as session:
        session.execute("insert into wallets (id, identifier) values (968, 'BANKING_SYSTEM')")
        session.execute("insert into wallets (id, organization_id) values (5, 9)")
        session.execute(
            "insert into orders (amount, currency, sender_wallet_id, receiver_wallet_id) values (1, 'NGN', 968, 5)"
        )
    result = take_over(old.url)
    assert result.return_value == 2
    assert "begins with empty books" in result.output


def test_what_wallets_belong_to_has_to_be_there(old: Predecessor) -> None:
    """[PAY-18] The refusal names the missing link, and nothing is left half done."""
    old.session.execute("delete from public.meters where id = 4")
    result = take_over(old.url)
    assert result.return_value == 2
    assert "FK_8db1f4e4f8122bd25d50ad96b26" in result.output
    assert counts(old) == [0] * len(TABLES)


def test_a_database_without_such_tables(relational_url: str) -> None:
    """R54 Two is for what could not be done."""
    result = take_over(relational_url)
    assert result.return_value == 2
    assert "tables are not there" in result.output


@pytest.mark.nightly
def test_a_hundred_thousand_wallets(relational_url: str) -> None:
    """[PAY-40] At size: set-based parts, and memory that does not grow with the business."""
    _many(relational_url, 100_000)


def test_some_hundred_wallets_over_several_parts(relational_url: str) -> None:
    """[PAY-40] As at size, but small."""
    _many(relational_url, 700)


def _many(url: str, wallets: int) -> None:
    old = Predecessor(url, with_owners=False)
    old.wallet(SYSTEM, 0, identifier="BANKING_SYSTEM")
    old.session.execute(
        "insert into public.organizations (id, name) select 100 + n, 'Org ' || n from generate_series(1, %s) n",
        [wallets],
    )
    old.session.execute(
        "insert into predecessor.wallets (id, balance, organization_id)"
        " select 1000 + n, 300.3, 100 + n from generate_series(1, %s) n",
        [wallets],
    )
    old.session.execute(
        "insert into predecessor.orders (id, amount, currency, order_status, sender_wallet_id, receiver_wallet_id)"
        " select n, 100.1, 'NGN', 'COMPLETED', 968, 1001 + (n - 1) %% %s from generate_series(1, 3 * %s) n",
        [wallets, wallets],
    )
    old.session.execute(
        "insert into predecessor.transactions (id, amount, transaction_status, wallet_id, order_id)"
        " select 2 * id - 1, amount, 'SUCCESSFUL'::transaction_status_enum, receiver_wallet_id, id"
        " from predecessor.orders union all"
        " select 2 * id, -amount, 'SUCCESSFUL', sender_wallet_id, id from predecessor.orders"
    )
    old.session.execute("analyze predecessor.transactions, predecessor.orders, predecessor.wallets")
    result = take_over(url, "--json")
    facts = json.loads(result.stdout)
    old.close()
    assert facts["summary"] == {"BALANCE_DIFFERS": {"lines": 1, "amount": str(facts["lines"][0]["amount"])}}, facts
    assert facts["lines"][0]["wallet_id"] == SYSTEM
    assert (facts["wallets"], facts["orders"], facts["entries"]) == (wallets + 1, 3 * wallets, 3 * wallets)
    assert ledger_audit.run(url) == []
