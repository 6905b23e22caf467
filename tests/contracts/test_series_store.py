"""One suite for the port ``SeriesStore``: the fake, PostgreSQL, and TimescaleDB."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from tests.support.series_stores import KINDS, MemoryWorld, SeriesWorld, series_url, sql_world
from tests.support.telemetry import HOUR, at, meter_facts, report

from nxt_adapters.memory.database import MemoryClock
from nxt_adapters.memory.telemetry import MemoryMeterRegister
from nxt_adapters.timescale.pool import create_series_pool
from nxt_adapters.timescale.series_store import TimescaleSeriesStore
from nxt_domain.shared.errors import InvalidInput, Unavailable
from nxt_domain.telemetry.columns import HourColumns, ReadingColumns, time_column
from nxt_domain.telemetry.model import HourlyReport
from nxt_domain.telemetry.revision import PAGE_ROWS, Plan
from nxt_domain.telemetry.use_cases.record_reports import RecordHourlyReports

METERS = {meter: meter_facts(meter) for meter in range(1, 61)}


@pytest.fixture(params=KINDS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[SeriesWorld]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    server = request.getfixturevalue("pglite_server") if request.param == "pglite" else None
    with series_url(request.param, server) as url:
        async with sql_world(url, max_size=1 if server else 4) as real:
            yield real


def recorder(world: SeriesWorld, register: MemoryMeterRegister | None = None) -> RecordHourlyReports:
    return RecordHourlyReports(world.store, register or MemoryMeterRegister(METERS), MemoryClock(at(12, day=1)))


async def hour_of(world: SeriesWorld, hour: datetime, meter_id: int = 1) -> dict[str, Any]:
    row = await world.hour(meter_id, hour)
    assert row is not None
    return row


def one_hour(**changes: object) -> HourColumns:
    values: dict[str, object] = {
        "meter_id": 1,
        "created_at": np.datetime64("2026-05-07T10", "us"),
        "is_revised": True,
        "is_reported": False,
        "consumption_kwh": 0.4,
        "consumption_quality": "MEASURED",
        "is_fs_consumption": True,
        "is_hps_consumption": False,
        "counter_kwh": 50.4,
        "kwh_credit_available": math.nan,
    }
    return HourColumns(**{name: np.array([value]) for name, value in {**values, **changes}.items()})


async def test_readings_become_hours(world: SeriesWorld) -> None:
    """[TEL-89] [TEL-90] [TEL-87] The regular meter of the specification, with copies and state."""
    await recorder(world).record(
        [report(1, at(13, 3), 100.00, 9.0), report(1, at(14, 3), 100.60, 8.4), report(1, at(15, 3), 100.90, None)]
    )
    row = await hour_of(world, at(14))
    expected = {
        "consumption_kwh": 0.315,
        "consumption_source": "CALIN_LORAWAN",
        "consumption_quality": "MEASURED",
        "counter_kwh": 100.6,
        "kwh_credit_available": 8.4,
        "power_limit_kw": 0.5,
        "power_limit_kw_should_be": 0.2,
        "is_on": True,
        "should_be_on": False,
        "is_fs_consumption": True,
        "is_hps_consumption": True,
        "meter_type": "HPS",
        "meter_external_reference": "47000000001",
        "customer_full_name": "Customer 1",
        "customer_id": 2001,
        "connection_id": 1001,
        "dcu_external_reference": "a84041ffff1e1234",
        "grid_id": 3,
        "grid_name": "Kuwana",
        "organization_name": "Kuwana Light",
        "is_hidden_from_reporting": False,
        "is_cabin_meter": False,
    }
    assert {name: row[name] for name in expected} == expected
    incomplete = await hour_of(world, at(15))
    assert [incomplete[n] for n in ("consumption_kwh", "consumption_quality", "consumption_source")] == [None] * 3


async def test_late_and_repeated_readings_never_count_twice(world: SeriesWorld) -> None:
    """[TEL-91] [TEL-93] [TEL-86]"""
    record = recorder(world)
    gap = [report(1, at(10), 50.00), report(1, at(13), 51.50)]
    await record.record(gap)
    await record.record(gap)
    await record.record([report(1, at(11), 50.20)])
    await record.record([report(1, at(11), 50.20), *gap])
    rows = [await hour_of(world, at(hour)) for hour in (10, 11, 12)]
    assert [row["consumption_kwh"] for row in rows] == [0.2, 0.65, 0.65]
    assert [row["consumption_quality"] for row in rows] == ["MEASURED", "INTERPOLATED", "INTERPOLATED"]


async def test_outliers_and_rebasing_survive_a_round_trip(world: SeriesWorld) -> None:
    """[TEL-94] Each report comes alone, so every baseline is read back from the store."""
    record = recorder(world)
    for hour, counter in ((10, 0.35), (11, 5000.00), (12, 5000.40), (13, 5000.90), (14, 0.20)):
        await record.record([report(1, at(hour), counter)])
    assert await world.flags(1) == ["FIRST", "OUTLIER", "REBASED", "OK", "RESET"]
    rows = [await hour_of(world, at(hour)) for hour in (10, 11, 12, 13)]
    assert [row["consumption_kwh"] for row in rows] == [None, 0.4, 0.5, 0.2]
    assert [row["consumption_quality"] for row in rows] == ["MISSING", "RESET", "MEASURED", "RESET"]


async def test_a_consumption_that_became_unknown_is_taken_back(world: SeriesWorld) -> None:
    """[TEL-91] over [TEL-33]: the columns that this job owns may become NULL again."""
    record = recorder(world)
    await record.record([report(1, at(10), 50.00), report(1, at(12), 52.00)])
    await record.record([report(1, at(11), 69.00)])
    owned = ("consumption_kwh", "consumption_source", "consumption_quality", "is_fs_consumption", "is_hps_consumption")
    row = await hour_of(world, at(11))
    assert [row[name] for name in owned] == [None] * 5
    assert row["counter_kwh"] == 69.0


async def test_unknown_consumption_never_replaces_that_of_another_source(world: SeriesWorld) -> None:
    """[TEL-33] [TEL-17] A row that a pull wrote keeps its consumption; what was NULL is filled."""
    await world.put_hour(1, at(10), {"consumption_kwh": 0.7, "consumption_source": "CALIN_V1", "is_on": True})
    await recorder(world).record([report(1, at(10, 20), 50.0)])
    row = await hour_of(world, at(10))
    assert (row["consumption_kwh"], row["consumption_source"]) == (0.7, "CALIN_V1")
    assert (row["counter_kwh"], row["grid_name"]) == (50.0, "Kuwana")


async def test_known_consumption_replaces_imported_rows(world: SeriesWorld) -> None:
    """[TEL-89] [TEL-14] Also where imported history holds NaN."""
    for hour, kwh in ((10, 0.7), (11, math.nan)):
        await world.put_hour(1, at(hour), {"consumption_kwh": kwh})
    await recorder(world).record([report(1, at(hour), 50.0 + hour / 10) for hour in (10, 11, 12)])
    assert [(await hour_of(world, at(hour)))["consumption_kwh"] for hour in (10, 11)] == [0.1, 0.1]


async def test_copies_are_filled_but_never_changed(world: SeriesWorld) -> None:
    """[TEL-17] Names and ids stay as they were when the row was first written."""
    register = MemoryMeterRegister({1: meter_facts(1, dcu_id=None, dcu_external_reference=None)})
    record = recorder(world, register)
    await record.record([report(1, at(10, 5), 50.0)])
    register.meters[1] = meter_facts(1, grid_name="Renamed", customer_full_name="Another")
    await record.record([report(1, at(10, 45), 50.1)])
    row = await hour_of(world, at(10))
    assert (row["grid_name"], row["customer_full_name"]) == ("Kuwana", "Customer 1")
    assert (row["dcu_id"], row["dcu_external_reference"]) == (7, "a84041ffff1e1234")


async def test_unknown_state_never_replaces_a_value(world: SeriesWorld) -> None:
    """[TEL-33]"""
    register = MemoryMeterRegister({1: meter_facts(1)})
    record = recorder(world, register)
    await record.record([report(1, at(10, 5), 50.0, 9.5)])
    register.meters[1] = meter_facts(1, power_limit_w=None, is_on=None, should_be_on=True)
    await record.record([report(1, at(10, 45), 50.1)])
    row = await hour_of(world, at(10))
    assert (row["power_limit_kw"], row["is_on"], row["should_be_on"]) == (0.5, True, True)
    assert (row["counter_kwh"], row["kwh_credit_available"]) == (50.1, 9.5)


async def test_rows_with_the_same_key_are_merged_before_they_are_sent(world: SeriesWorld) -> None:
    """[TEL-31] The later row wins column by column where it is known."""
    later = one_hour(counter_kwh=50.9, consumption_kwh=math.nan, kwh_credit_available=3.0)
    async with world.store.recording([1]) as session:
        await session.upsert_hours(HourColumns.concat([one_hour(), later]), METERS)
    row = await hour_of(world, at(10))
    assert (row["consumption_kwh"], row["counter_kwh"], row["kwh_credit_available"]) == (0.4, 50.9, 3.0)


async def test_an_error_leaves_nothing_behind(world: SeriesWorld) -> None:
    """[TEL-169]"""

    async def break_off() -> None:
        async with world.store.recording([1]) as session:
            await session.upsert_hours(one_hour(), METERS)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        await break_off()
    assert await world.hour(1, at(10)) is None


async def test_the_window_holds_what_a_revision_needs(world: SeriesWorld) -> None:
    """[TEL-91] The stage before the change, outliers that still matter, and a page of what follows."""
    counters = [(8, 0, 10.0), (9, 10, 10.2), (9, 20, 900.0), (9, 30, 10.3), (10, 10, 800.0), (11, 5, 700.0)]
    await recorder(world).record([report(1, at(h, m), c) for h, m, c in counters])
    await recorder(world).record([report(1, at(13) + timedelta(minutes=n), 10.5) for n in range(PAGE_ROWS + 5)])
    plan = Plan(
        meter_id=np.array([1, 2]),
        since=time_column([at(12), at(12)]),
        redone_until=time_column([None, None]),
    )
    async with world.store.recording([1, 2]) as session:
        window = await session.window(plan)
    times = [(moment.hour, moment.minute) for moment in window.reading_at.tolist()]
    # From 08:00, the last good reading at or before 09:00; the outlier of 10:10 lies in no hour that matters.
    assert times[:5] == [(8, 0), (9, 10), (9, 20), (9, 30), (11, 5)]
    assert len(times) == 5 + PAGE_ROWS
    assert window.meter_id.tolist() == [1] * len(times)


@pytest.mark.parametrize("silence", [timedelta(hours=30), timedelta(days=5), timedelta(days=40)])
async def test_a_meter_is_found_again_after_a_long_silence(world: SeriesWorld, silence: timedelta) -> None:
    """[TEL-88] However old its last good reading is."""
    await recorder(world).record([report(1, at(hour) - silence, 50.0 + hour / 10) for hour in (8, 9, 10)])
    await recorder(world).record([report(1, at(10), 56.0), report(2, at(10), 5.0)])
    assert await world.flags(1) == ["FIRST", "OK", "OK", "OK"]
    row = await hour_of(world, at(9))
    assert row["consumption_quality"] == "INTERPOLATED"
    assert row["consumption_kwh"] == pytest.approx(5.0 / (silence / HOUR), abs=1e-6)


async def test_a_late_reading_before_a_long_chain(world: SeriesWorld) -> None:
    """[TEL-91] More readings follow than one page holds, and every one of them changes."""
    start = at(0)
    chain = [report(1, start + timedelta(minutes=10 * n), 900.0 + n / 100) for n in range(2 * PAGE_ROWS + 10)]
    record = recorder(world)
    await record.record(chain)
    await record.record([report(1, start - HOUR, 10.0)])
    flags = await world.flags(1)
    assert flags[:3] == ["FIRST", "OUTLIER", "REBASED"]
    assert set(flags[3:]) == {"OK"}
    assert (await hour_of(world, at(-1)))["consumption_quality"] == "MISSING"
    assert [(await hour_of(world, at(hour)))["consumption_kwh"] for hour in (0, 1, 20)] == [0.06] * 3


async def test_thousands_of_rows_of_many_meters(world: SeriesWorld) -> None:
    """[TEL-30] [TEL-32] Several statements to a batch; a second run for the same reports leaves the same rows."""
    meters = range(1, 13)
    reports = [report(m, at(h % 24, 3, day=h // 24 - 20), 100 + h * m / 10) for h in range(480) for m in meters]
    record = recorder(world)
    for _ in range(2):
        result = await record.record(reports)
        assert result.accepted == len(reports) == 5760
    columns = await world.store.consumption(list(meters), at(0, day=-20), at(0))
    assert len(columns) == 480 * len(meters)
    assert np.nansum(columns.consumption_kwh) == pytest.approx(sum(478 * m / 10 for m in meters))


async def test_any_order_gives_the_same_rows(world: SeriesWorld) -> None:
    """[TEL-93] [TEL-91] Shuffled and split over many batches, against one batch in order."""
    chance = random.Random(93)
    counter, life = 100.0, []
    for n in range(60):
        counter = chance.choice([counter + 0.31, counter + 0.31, counter + 0.31, counter - 0.01, 0.4, counter + 2000])
        life.append((at(0) + timedelta(minutes=47 * n + chance.randrange(40)), round(counter, 2)))
    record = recorder(world)
    await record.record([report(1, time, c) for time, c in life])
    shuffled = list(life)
    chance.shuffle(shuffled)
    for start in range(0, len(shuffled), 7):
        await record.record([report(2, time, c) for time, c in shuffled[start : start + 7]])
    assert await world.flags(2) == await world.flags(1)
    in_order, as_it_came = [await world.store.consumption([m], at(0), at(0, day=4)) for m in (1, 2)]
    np.testing.assert_array_equal(as_it_came.consumption_kwh, in_order.consumption_kwh)
    assert as_it_came.consumption_quality.tolist() == in_order.consumption_quality.tolist()


async def test_consumption_is_read_in_order(world: SeriesWorld) -> None:
    """[TEL-14] [TEL-29] By time and meter, the end excluded; imported NaN is unknown."""
    for meter, hour, kwh in ((2, 10, 0.2), (1, 11, math.nan), (1, 10, 0.1), (1, 12, 0.3), (3, 10, 9.0)):
        await world.put_hour(meter, at(hour), {"consumption_kwh": kwh, "consumption_quality": "MEASURED"})
    found = await world.store.consumption([1, 2], at(10), at(12))
    assert found.meter_id.tolist() == [1, 2, 1]
    assert found.created_at.tolist() == [at(h).replace(tzinfo=None) for h in (10, 10, 11)]
    np.testing.assert_array_equal(found.consumption_kwh, [0.1, 0.2, math.nan])
    assert len(await world.store.consumption([], at(10), at(12))) == 0


async def test_reads_are_bounded(world: SeriesWorld) -> None:
    """A chart asks for a year of a thousand meters at most."""
    with pytest.raises(InvalidInput):
        await world.store.consumption(list(range(1001)), at(0), at(1))
    with pytest.raises(InvalidInput):
        await world.store.consumption([1], at(0), at(1, day=366))


async def test_meters_are_one_callers_alone(world: SeriesWorld) -> None:
    """[TEL-93] A second transaction waits for the first where their meters meet."""
    if isinstance(world, MemoryWorld) or world.pool.max_size == 1:  # type: ignore[attr-defined]  # a real store has a pool
        pytest.skip("this store takes one transaction at a time anyway")
    async with world.store.recording([1, 2, 3, 4, 5]):
        pass  # meters that were never held before are kept apart by their insertion alone
    order: list[str] = []
    first_has_it, let_first_end = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with world.store.recording([1, 2, 3]):
            first_has_it.set()
            await let_first_end.wait()
            order.append("first")

    async def second(meters: list[int], name: str) -> None:
        await first_has_it.wait()
        async with world.store.recording(meters):
            order.append(name)
        let_first_end.set() if name == "apart" else None

    await asyncio.wait_for(asyncio.gather(first(), second([3, 4], "second"), second([5], "apart")), 10)
    assert order == ["apart", "first", "second"]


async def test_many_recorders_at_once_lose_and_double_nothing(world: SeriesWorld) -> None:
    """[TEL-93] [TEL-222] Eight writers with the same meters and overlapping readings, in any order."""
    chance = random.Random(8)
    meters = range(1, 6)
    reports = [report(m, at(h, m), 100 + h * m / 10) for h in range(24) for m in meters]
    piles: list[list[HourlyReport]] = [[] for _ in range(8)]
    for each in [*reports, *chance.sample(reports, 40)]:
        chance.choice(piles).append(each)
    record = recorder(world)
    await asyncio.gather(
        *(record.record(pile[start : start + 3]) for pile in piles for start in range(0, len(pile), 3))
    )
    found = await world.store.consumption(list(meters), at(0), at(0, day=1))
    for meter in meters:
        mine = found.take(found.meter_id == meter).consumption_kwh
        np.testing.assert_allclose(mine[1:23], meter / 10, atol=1e-6)
        assert len(mine) == 24


async def test_a_store_that_is_away_is_told_in_the_domains_words() -> None:
    """[TEL-169] 503 within 5 s."""
    pool = create_series_pool("postgresql://nobody:x@127.0.0.1:9/none", max_size=1)
    await pool.open()
    started = asyncio.get_running_loop().time()
    try:
        with pytest.raises(Unavailable):
            await TimescaleSeriesStore(pool).consumption([1], at(0), at(1))
    finally:
        await pool.close()
    assert asyncio.get_running_loop().time() - started < 5


def test_readings_merge_their_duplicates() -> None:
    """[TEL-31] Columns alone, without a store."""
    table = ReadingColumns.unjudged(
        meter_id=np.array([2, 1, 2]),
        reading_at=time_column([at(1), at(1), at(1)]),
        counter_kwh=np.array([5.0, 6.0, math.nan]),
        kwh_credit_available=np.array([1.0, 2.0, 3.0]),
    )
    merged = table.merge_duplicates("meter_id", "reading_at")
    assert merged.meter_id.tolist() == [1, 2]
    assert merged.counter_kwh.tolist() == [6.0, 5.0]
    assert merged.kwh_credit_available.tolist() == [2.0, 3.0]
