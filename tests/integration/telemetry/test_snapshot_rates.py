"""Exchange rates of days, over both planes and a provider behind a socket; and what payouts make of them (PAY 15)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from tests.support.series_stores import SqlWorld, sql_world

from nxt_adapters.exchangeratesapi import ExchangeRatesApi, ExchangeRatesSettings
from nxt_adapters.memory.database import MemoryClock
from nxt_adapters.memory.exchange_rates import MemoryExchangeRates, MemoryRateRows
from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_adapters.resilience import BreakerPolicy, CallPolicy, RetryPolicy
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_adapters.timescale.exchange_rates import TimescaleRateRows
from nxt_adapters.timescale.plant_history import TimescalePlantHistory
from nxt_domain.telemetry.exchange_rates import RateUnusable, due_days, naira_for_dollar
from nxt_domain.telemetry.use_cases.snapshot_rates import RatesTaken, SnapshotRates
from nxt_entrypoints.simulators.exchangeratesapi.simulator import RatesConfig, RatesProvider

AT_ONE = datetime(2026, 5, 1, 1, tzinfo=UTC)
MAY_DAY = date(2026, 5, 1)
MIDNIGHT_IN_LAGOS = datetime(2026, 4, 30, 23, tzinfo=UTC)
MIDNIGHT_IN_NAIROBI = datetime(2026, 4, 30, 21, tzinfo=UTC)
EXAMPLE = {"USD": Decimal("1.0874"), "NGN": Decimal("1745.8321")}
# The circuit, which would stay open for a minute, has tests of its own.
ONCE = CallPolicy(timeout_s=2.0, retry=RetryPolicy(attempts=1), breaker=BreakerPolicy(failures=100))


class Memory:
    """Everything in memory."""

    def __init__(self) -> None:
        self.clock = MemoryClock(AT_ONE)
        self.plane = MemoryPlane(self.clock)
        self.rows: Any = MemoryRateRows()
        self.provider: Any = MemoryExchangeRates()
        self.begin: Any = self.plane.begin
        grids = self.plane.begin().reported_grids
        for grid, zone in ((70, "Africa/Lagos"), (71, "Africa/Lagos"), (72, "Africa/Nairobi")):
            grids.know(grid, zone)

    def learn(self, day: date, **quotes: Decimal) -> None:
        self.provider.quotes[day] = quotes

    def asked(self) -> list[str]:
        return [day.isoformat() for day in self.provider.asked]

    def set_down(self, *, is_down: bool) -> None:
        self.provider.is_down = is_down

    async def rates(self) -> dict[datetime, Decimal]:
        return dict(self.rows.rates)

    async def alerts(self) -> list[str]:
        rows = self.plane.database.table("outbox_tasks").values()
        return [str(row.dedupe_key).split(":2026", 1)[0] for row in rows]


class Stores:
    """Both planes on PostgreSQL, and the provider behind a socket."""

    def __init__(self, url: str, series: SqlWorld, simulator: RatesProvider) -> None:
        self.clock = MemoryClock(AT_ONE)
        self.engine = create_engine(url, pool_size=2)
        self.begin: Any = lambda: SupabaseUnitOfWork(self.engine, messages_of=lambda session: NotImplemented)
        self.series = series
        self.rows: Any = TimescaleRateRows(series.pool)
        self.simulator = simulator
        settings = ExchangeRatesSettings(url=simulator.api_url, key=lambda: "key-1")
        self.provider: Any = ExchangeRatesApi(settings, policy=ONCE)
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute("insert into organizations (id, name) values (7, 'Sunny')")
            owner.execute(
                "insert into grids (id, name, organization_id, timezone, is_hidden_from_reporting, deleted_at) values"
                " (70, 'A', 7, 'Africa/Lagos', false, null), (71, 'B', 7, 'Africa/Lagos', false, null),"
                " (72, 'C', 7, 'Africa/Nairobi', false, null), (73, 'Hidden', 7, 'Asia/Tokyo', true, null),"
                " (74, 'Gone', 7, 'Asia/Tokyo', false, now())"
            )

    def learn(self, day: date, **quotes: Decimal) -> None:
        self.simulator.rates[day.isoformat()] = quotes

    def asked(self) -> list[str]:
        return [str(entry["date"]) for entry in self.simulator.control.log.after(0)]

    def set_down(self, *, is_down: bool) -> None:
        self.simulator.control.update({"down": is_down})

    async def rates(self) -> dict[datetime, Decimal]:
        found = await self.series.rows(
            "select period_start, value::numeric, from_currency, to_currency from exchange_rate_snapshot_1_d"
        )
        assert {row[2:] for row in found} <= {("USD", "NGN")}
        return {row[0].replace(tzinfo=UTC): row[1] for row in found}

    async def alerts(self) -> list[str]:
        async with self.engine.connect() as connection:
            rows = await connection.exec_driver_sql("select dedupe_key from internal.outbox_tasks order by id")
            return [str(row.dedupe_key).split(":2026", 1)[0] for row in rows]


@pytest.fixture(params=["memory", "stores"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[Memory | Stores]:
    if request.param == "memory":
        yield Memory()
        return
    simulator = RatesProvider(RatesConfig(access_key="key-1"), clock=lambda: AT_ONE + timedelta(days=30))
    await simulator.start()
    async with sql_world(request.getfixturevalue("series_url")) as series:
        made = Stores(request.getfixturevalue("relational_url"), series, simulator)
        yield made
        await made.provider.close()
        await made.engine.dispose()
    await simulator.stop()


@pytest.fixture
def snapshot(world: Memory | Stores) -> SnapshotRates:
    return SnapshotRates(begin=world.begin, provider=world.provider, rows=world.rows, clock=world.clock)


def learn_the_week(world: Memory | Stores, until: date = MAY_DAY) -> None:
    for back in range(7):
        world.learn(until - timedelta(days=back), **EXAMPLE)


async def test_a_day_of_all_time_zones(world: Memory | Stores, snapshot: SnapshotRates) -> None:
    """[PAY-167] [PAY-168] [TEL-149] The example: at one o'clock it is 1 May in both; each date is asked for once."""
    learn_the_week(world)
    assert await snapshot() == RatesTaken(stored=2 * 7)
    rates = await world.rates()
    assert len(rates) == 2 * 7
    assert rates[MIDNIGHT_IN_LAGOS] == rates[MIDNIGHT_IN_NAIROBI] == Decimal("1605.5")
    assert world.asked() == [(MAY_DAY - timedelta(days=back)).isoformat() for back in range(7)]
    assert await snapshot() == RatesTaken(), "what is there is not asked for again"
    assert len(world.asked()) == 7
    assert await world.alerts() == []


async def test_a_second_run_for_a_day_overwrites(world: Memory | Stores, snapshot: SnapshotRates) -> None:
    """[PAY-168]"""
    learn_the_week(world)
    await snapshot()
    world.learn(MAY_DAY, USD=Decimal(1), NGN=Decimal("1700.04"))
    assert await snapshot.again() == RatesTaken(stored=2)
    rates = await world.rates()
    assert (len(rates), rates[MIDNIGHT_IN_LAGOS]) == (14, Decimal(1700))


async def test_a_failed_day_is_tried_every_hour(world: Memory | Stores, snapshot: SnapshotRates) -> None:
    """[PAY-169] [TEL-150] Alerted once, however often it fails; the days around it are taken."""
    learn_the_week(world, MAY_DAY - timedelta(days=1))
    assert await snapshot() == RatesTaken(stored=2 * 6, failed_dates=1)
    for _ in range(3):
        world.clock.advance(timedelta(hours=1))
        assert await snapshot() == RatesTaken(failed_dates=1)
    assert await world.alerts() == ["alert:RATE_MISSING:date"]
    assert MIDNIGHT_IN_LAGOS not in await world.rates()
    world.learn(MAY_DAY, **EXAMPLE)
    assert await snapshot() == RatesTaken(stored=2)
    assert (await world.rates())[MIDNIGHT_IN_LAGOS] == Decimal("1605.5")


async def test_an_outage_over_midnight_is_made_up_for(world: Memory | Stores, snapshot: SnapshotRates) -> None:
    """[PAY-169] The day after has its own date; yesterday's is still wanted."""
    learn_the_week(world, MAY_DAY + timedelta(days=1))
    world.set_down(is_down=True)
    assert (await snapshot()).failed_dates == 7
    assert await world.rates() == {}
    world.set_down(is_down=False)
    world.clock.advance(timedelta(days=1))
    fresh = SnapshotRates(begin=world.begin, provider=world.provider, rows=world.rows, clock=world.clock)
    assert await fresh() == RatesTaken(stored=2 * 7)
    assert (await world.rates())[MIDNIGHT_IN_LAGOS] == Decimal("1605.5")


async def test_payouts_find_the_row_of_their_last_day(request: pytest.FixtureRequest) -> None:
    """[PAY-150] [PAY-169] [TEL-196] A period that ends at midnight of 1 May in Lagos; no other day stands in for it."""
    async with sql_world(request.getfixturevalue("series_url")) as series:
        plants = TimescalePlantHistory(series.pool)
        rows = TimescaleRateRows(series.pool)
        memory = Memory()
        learn_the_week(memory, MAY_DAY - timedelta(days=1))
        await SnapshotRates(begin=memory.begin, provider=memory.provider, rows=rows, clock=memory.clock)()
        assert await plants.exchange_rate(MIDNIGHT_IN_LAGOS) is None
        memory.learn(MAY_DAY, **EXAMPLE)
        await SnapshotRates(begin=memory.begin, provider=memory.provider, rows=rows, clock=memory.clock)()
        assert await plants.exchange_rate(MIDNIGHT_IN_LAGOS) == Decimal("1605.5")


async def test_a_time_zone_that_nobody_knows() -> None:
    """It is told, and the other grids have their rates."""
    world = Memory()
    world.plane.begin().reported_grids.know(75, "Africa/Atlantis")
    learn_the_week(world)
    snapshot = SnapshotRates(begin=world.begin, provider=world.provider, rows=world.rows, clock=world.clock)
    assert await snapshot() == RatesTaken(stored=2 * 7)
    assert await world.alerts() == ["alert:TIMEZONE_UNKNOWN:timezone:Africa/Atlantis"]


@pytest.mark.parametrize(
    ("dollars", "naira", "rate"),
    [
        ("1.0832", "1660.10", "1532.6"),
        ("1.0874", "1745.8321", "1605.5"),
        ("1", "1000.05", "1000.1"),
        ("1", "1000.049", "1000"),
    ],
)
def test_pay_167_the_rate(dollars: str, naira: str, rate: str) -> None:
    """[PAY-167] [PAY-5] The examples of both sections; an exact half goes up."""
    assert naira_for_dollar({"USD": Decimal(dollars), "NGN": Decimal(naira)}) == Decimal(rate)


@pytest.mark.parametrize(
    ("dollars", "naira"), [("0", "1"), ("1", "0"), ("-1", "1"), ("1", "NaN"), ("1", "Infinity"), ("100", "0.01")]
)
def test_pay_169_no_rate_is_made_of_nonsense(dollars: str, naira: str) -> None:
    with pytest.raises(RateUnusable):
        naira_for_dollar({"USD": Decimal(dollars), "NGN": Decimal(naira)})


def test_tel_149_before_one_o_clock_it_is_still_yesterdays_moment() -> None:
    """[TEL-149] [PAY-167] At 00:30 UTC no rate of a day is asked for that has only just begun somewhere."""

    lagos = [ZoneInfo("Africa/Lagos")]
    assert max(due_days(AT_ONE - timedelta(minutes=30), lagos).values()) == date(2026, 4, 30)
    assert max(due_days(AT_ONE, lagos).values()) == MAY_DAY
    assert max(due_days(AT_ONE + timedelta(hours=22, minutes=59), lagos).values()) == MAY_DAY
