"""What settlement reads of the database does not grow with the orders that were settled before [PAY-198] 15."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import psycopg
import pytest
from tests.support.payments_schedules import ScheduleWorld
from tests.support.payments_world import SYSTEM_WALLET

from nxt_adapters.supabase.engine import create_engine
from nxt_entrypoints.ledger_audit import audit

_BENCHMARKS = str(Path(__file__).resolve().parents[3] / "benchmarks")
_EARLIER = 8_000
_ORDERS = 30
_GROWING = (
    "orders",
    "transactions",
    "ledger_entries",
    "ledger_postings",
    "gateway_charges",
    "meter_interactions",
    "sts_tokens",
    "notifications",
)
_READ = """
    select sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), sum(seq_scan) from pg_stat_user_tables
    where relname = any(%s)
"""


@pytest.fixture
async def world(relational_url: str) -> AsyncIterator[ScheduleWorld]:
    made = ScheduleWorld(relational_url, create_engine(relational_url, pool_size=2))
    yield made
    await made.close()


async def settle_some(world: ScheduleWorld, url: str) -> tuple[int, int]:
    """Settle orders from the system wallet and from an agent's; return rows read of tables that grow, and scans."""
    for number in range(_ORDERS):
        await world.send(
            *((world.agent_wallet, world.meter_wallet), (world.system, world.agent_wallet))[number % 2], "1"
        )
    await world.engine.dispose()  # sessions that end have told what they read
    before = read(url)
    world.engine = create_engine(url, pool_size=2)
    settled = 0
    while (report := await world.settle(batch_size=10)()).found_work:
        settled += len(report.completed)
    assert settled == _ORDERS
    await world.engine.dispose()
    world.engine = create_engine(url, pool_size=2)
    after = read(url)
    return after[0] - before[0], after[1] - before[1]


def read(url: str) -> tuple[int, int]:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(_READ, [list(_GROWING)]).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


async def test_earlier_orders_cost_settlement_nothing(
    world: ScheduleWorld, relational_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[PAY-102] [PAY-198] 15: as many rows are read, and no table is walked through, after thousands of orders."""
    await world.send(world.system, world.meter_wallet, "1000")
    await world.send(world.system, world.agent_wallet, "1000")
    await world.settle()()
    few, _ = await settle_some(world, relational_url)
    monkeypatch.syspath_prepend(_BENCHMARKS)  # what the benchmark writes is what is tried here
    load_earlier = import_module("_earlier").load_earlier
    load_earlier(relational_url, _EARLIER, sender_wallet_id=SYSTEM_WALLET)
    assert await audit(relational_url) == []
    world.clock.advance(timedelta(hours=1))  # no token runs ahead of the clock any more
    many, scans = await settle_some(world, relational_url)
    print(f"rows read: {few}, after {_EARLIER} orders {many}")  # noqa: T201
    assert scans == 0
    assert many <= few * 1.1
