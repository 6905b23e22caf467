"""Recording reports in any order: late, repeated, irregular; the same hours come out, and no energy is lost."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.support.telemetry import HOUR, at, meter_facts, reckon, report

from nxt_adapters.memory import telemetry as fakes
from nxt_adapters.memory.database import MemoryClock
from nxt_adapters.memory.telemetry import MemoryMeterRegister, MemorySeriesStore
from nxt_domain.shared.errors import Unavailable
from nxt_domain.telemetry import revision
from nxt_domain.telemetry.model import HourlyReport, IgnoredReason
from nxt_domain.telemetry.use_cases.record_reports import RecordHourlyReports

Reading = tuple[datetime, Fraction]
Outcome = tuple[list[tuple[str, float | None]], dict[tuple[int, datetime], tuple[float | None, str | None]]]


class World:
    """A store in memory, two meters, and the use case."""

    def __init__(self, **facts: object) -> None:
        self.store = MemorySeriesStore()
        self.meters = MemoryMeterRegister({1: meter_facts(1, **facts), 2: meter_facts(2, **facts)})
        self.clock = MemoryClock(at(12, day=3))
        self.record = RecordHourlyReports(self.store, self.meters, self.clock)

    def row(self, hour: int, meter_id: int = 1) -> dict[str, Any]:
        return self.store.hours[meter_id, at(hour)]

    def hours(self) -> dict[int, tuple[object, object]]:
        """Consumption and quality by hour of the sample day, for hours that have a quality."""
        return {
            int((hour - at(0)) / HOUR): (row["consumption_kwh"], row["consumption_quality"])
            for (_, hour), row in sorted(self.store.hours.items(), key=lambda item: item[0])
            if row["consumption_quality"]
        }


EVENTS = ("use",) * 8 + ("reset", "noise", "jump", "drop")


@st.composite
def lives(draw: st.DrawFn, events: Sequence[str] = EVENTS) -> list[Reading]:
    """A meter's life of up to 40 readings: steady use, with resets, noise, wrong values and long silence."""
    moment = at(draw(st.integers(0, 3)), draw(st.integers(0, 59)))
    counter = draw(st.integers(0, 100_000))
    readings = []
    for _ in range(draw(st.integers(1, 40))):
        readings.append((moment, Fraction(counter, 100)))
        moment += timedelta(minutes=draw(st.sampled_from([1, 10, 45, 60, 60, 60, 61, 75, 90, 91, 200, 600])))
        use = draw(st.integers(0, 250))
        event = draw(st.sampled_from(events))
        counter = {
            "use": counter + use,
            "reset": use,
            "noise": max(counter - use % 4, 0),
            "jump": counter + 1_000_000,
            "drop": max(counter - 10 * use, 0),
        }[event]
    return readings


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[Reading], list[list[Reading]]]:
    """A life, and the batches in which it arrives: shuffled, split, some readings twice."""
    life = draw(lives())
    twice = draw(st.lists(st.sampled_from(life), max_size=5))
    shuffled = draw(st.permutations([*life, *twice]))
    cuts = sorted(draw(st.sets(st.integers(0, len(shuffled)), max_size=6)))
    edges = [0, *cuts, len(shuffled)]
    return life, [shuffled[a:b] for a, b in pairwise(edges)]


def recorded(batches: Sequence[Sequence[Reading]]) -> tuple[Outcome, World]:
    world = World()

    async def run() -> None:
        for batch in batches:
            await world.record.record([report(1, time, float(counter)) for time, counter in batch])

    asyncio.run(run())
    readings = world.store.readings
    told = [
        (flag, None if math.isnan(delta) else delta)
        for flag, delta in zip(readings.flag.tolist(), readings.delta_kwh.tolist(), strict=True)
    ]
    hours = {
        key: (row["consumption_kwh"], row["consumption_quality"]) for key, row in sorted(world.store.hours.items())
    }
    return (told, hours), world  # type: ignore[return-value]  # rows hold floats and texts under these names


def complete(outcome: Outcome) -> dict[tuple[int, datetime], tuple[float | None, str | None]]:
    """Leave out hours without outcome: one that was complete for a while stays as an empty row, others never were."""
    return {key: hour for key, hour in outcome[1].items() if hour != (None, None)}


def check_against_reckoning(life: Sequence[Reading], outcome: Outcome) -> None:
    judged, energy = reckon(life)
    told, hours = outcome
    assert [flag for flag, _ in told] == [flag for flag, _ in judged]
    assert [delta for _, delta in told] == pytest.approx([None if d is None else float(d) for _, d in judged])
    for (_, hour), (consumption, quality) in hours.items():
        if hour not in energy:
            assert (consumption, quality) == (None, None)
        elif energy[hour] is None:
            assert (consumption, quality) == (None, "MISSING")
        else:
            assert consumption == pytest.approx(float(energy[hour] or 0), abs=1e-6)
    assert set(energy) <= {hour for _, hour in hours}


@given(arrivals())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_order_of_arrival_gives_the_same_hours(arrival: tuple[list[Reading], list[list[Reading]]]) -> None:
    """[TEL-91] [TEL-93] [TEL-86] Late, split and repeated readings end as a plain reckoning of the whole life does."""
    life, batches = arrival
    outcome, _ = recorded(batches)
    check_against_reckoning(life, outcome)
    in_order, _ = recorded([life])
    assert (outcome[0], complete(outcome)) == (in_order[0], complete(in_order))


@given(arrivals())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_long_chains_are_worked_off_page_by_page(arrival: tuple[list[Reading], list[list[Reading]]]) -> None:
    """[TEL-91] With pages of two readings, most lives take many pages; the outcome is the same."""
    life, batches = arrival
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(revision, "PAGE_ROWS", 2)
        patch.setattr(fakes, "PAGE_ROWS", 2)
        outcome, _ = recorded(batches)
    check_against_reckoning(life, outcome)


@given(lives(events=(*["use"] * 12, "noise", "reset")), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_energy_is_conserved(life: list[Reading], chance: random.Random) -> None:
    """[TEL-93] From one full hour to another, the hours sum to the accepted deltas, in whatever order they came."""
    first, last = life[0], life[-1]
    framed = [(first[0].replace(minute=0) - HOUR, first[1]), *life, (last[0].replace(minute=0) + HOUR, last[1])]
    judged, energy = reckon(framed)
    accepted = [delta for flag, delta in judged if flag != "FIRST"]
    assume(None not in accepted)
    shuffled = list(framed)
    chance.shuffle(shuffled)
    outcome, _ = recorded([[reading] for reading in shuffled])
    total = sum(consumption or 0.0 for consumption, _ in outcome[1].values())
    assert total == pytest.approx(float(sum(d for d in accepted if d is not None)), abs=1e-6 * (len(energy) + 1))


async def test_a_late_reading_is_put_in_its_place() -> None:
    """[TEL-91] The gap of three hours, then the reading of eleven o'clock arrives."""
    world = World()
    await world.record.record([report(1, at(10), 50.00), report(1, at(13), 51.50)])
    assert world.hours() == dict.fromkeys((10, 11, 12), (0.5, "INTERPOLATED"))
    await world.record.record([report(1, at(11), 50.20)])
    assert world.hours() == {10: (0.2, "MEASURED"), 11: (0.65, "INTERPOLATED"), 12: (0.65, "INTERPOLATED")}


async def test_a_reading_that_proves_others_wrong_takes_their_hours_back() -> None:
    """[TEL-91] A late reading makes the last one an outlier: its hour is incomplete again."""
    world = World()
    await world.record.record([report(1, at(10), 50.00), report(1, at(12), 52.00)])
    assert world.hours()[11] == (1.0, "INTERPOLATED")
    await world.record.record([report(1, at(11), 69.00)])
    assert world.store.readings.flag.tolist() == ["FIRST", "OK", "OUTLIER"]
    assert world.hours() == {10: (19.0, "MEASURED")}
    row = world.row(11)
    assert (row["consumption_kwh"], row["consumption_source"], row["is_fs_consumption"]) == (None, None, None)


async def test_the_row_of_the_reading_is_written_at_receipt() -> None:
    """[TEL-87] [TEL-67] Copies, counter, credit and state stand there before the hour is complete."""
    world = World()
    await world.record.record([report(1, at(13, 3), 100.00, 12.5)])
    row = world.row(13)
    assert (row["counter_kwh"], row["kwh_credit_available"]) == (100.0, 12.5)
    assert (row["power_limit_kw"], row["power_limit_kw_should_be"]) == (0.5, 0.2)
    assert (row["is_on"], row["should_be_on"]) == (True, False)
    assert (row["meter_external_reference"], row["grid_name"], row["customer_id"]) == ("47000000001", "Kuwana", 2001)
    assert (row["consumption_kwh"], row["consumption_quality"]) == (None, None)


async def test_counter_and_credit_are_those_of_the_latest_reading_of_the_hour() -> None:
    """[TEL-87] In whatever order the readings arrive."""
    world = World()
    for minute, counter, credit in ((40, 100.4, 9.6), (10, 100.1, 9.9), (50, 100.5, None), (30, 100.3, 9.7)):
        await world.record.record([report(1, at(13, minute), counter, credit)])
    assert (world.row(13)["counter_kwh"], world.row(13)["kwh_credit_available"]) == (100.5, 9.6)


@pytest.mark.parametrize("counter", [None, math.nan, math.inf, -0.01])
async def test_a_report_without_usable_counter_stores_credit_and_state_alone(counter: float | None) -> None:
    """[TEL-95] No reading row; the hour's consumption is untouched."""
    world = World()
    await world.record.record([report(1, at(10), 50.0, 9.0), report(1, at(11), 50.4, 8.6)])
    before = world.store.readings
    result = await world.record.record([report(1, at(10, 30), counter, 8.8), report(1, at(12, 30), counter, 8.0)])
    assert result.accepted == 2
    assert len(world.store.readings) == len(before) == 2
    assert world.row(10)["kwh_credit_available"] == 8.8
    assert world.hours() == {10: (0.4, "MEASURED")}
    row = world.row(12)
    assert (row["kwh_credit_available"], row["counter_kwh"], row["power_limit_kw"]) == (8.0, None, 0.5)


async def test_credit_of_an_older_report_does_not_replace_that_of_a_newer_reading() -> None:
    """[TEL-95] [TEL-87]"""
    world = World()
    await world.record.record([report(1, at(10, 40), 50.0, 7.0)])
    await world.record.record([report(1, at(10, 5), None, 9.0)])
    assert world.row(10)["kwh_credit_available"] == 7.0


async def test_a_repeated_report_changes_nothing() -> None:
    """[TEL-86] It is answered as accepted, even with another counter."""
    world = World()
    await world.record.record([report(1, at(10), 50.0, 9.0), report(1, at(11), 50.4, 8.6)])
    before, rows = world.store.readings, {key: dict(row) for key, row in world.store.hours.items()}
    result = await world.record.record([report(1, at(11), 99.9, 1.0), report(1, at(11), 50.4, 8.6)])
    assert (result.accepted, result.ignored) == (2, ())
    assert world.store.hours == rows
    assert world.store.readings.counter_kwh.tolist() == before.counter_kwh.tolist()


async def test_classification_follows_the_limit_of_the_row() -> None:
    """[TEL-90] [TEL-96] An hour's own limit counts; an hour without row takes the meter's present one."""
    world = World(power_limit_w=200)
    await world.record.record([report(1, at(10), 50.0)])
    world.meters.meters[1] = meter_facts(1, power_limit_w=0)
    await world.record.record([report(1, at(12), 50.2)])
    assert (world.row(10)["is_hps_consumption"], world.row(10)["is_fs_consumption"]) == (True, None)
    assert (world.row(11)["is_hps_consumption"], world.row(11)["is_fs_consumption"]) == (None, True)


async def test_unknown_state_stays_unknown() -> None:
    """[TEL-13] [TEL-33] NULL is not 0, and never replaces a value."""
    world = World()
    await world.record.record([report(1, at(10), 50.0)])
    world.meters.meters[1] = meter_facts(1, power_limit_w=None, is_on=None)
    await world.record.record([report(1, at(10, 30), 50.1), report(1, at(11, 30), 50.2)])
    assert (world.row(10)["power_limit_kw"], world.row(10)["is_on"]) == (0.5, True)
    assert (world.row(11)["power_limit_kw"], world.row(11)["is_on"]) == (None, None)


async def test_the_last_consumption_rises_and_never_falls() -> None:
    """[TEL-92] The newest complete hour above zero; hours of zero don't count."""
    world = World()
    await world.record.record([report(1, at(hour), 50.0 + min(hour, 12)) for hour in range(10, 15)])
    assert world.meters.last_non_zero == {1: at(11)}
    await world.record.record([report(1, at(7), 55.0)])
    assert world.meters.last_non_zero == {1: at(11)}


async def test_each_meter_has_its_limit_by_phase() -> None:
    """[TEL-94] 30 kWh in an hour are plausible on three phases alone."""
    world = World()
    world.meters.meters[2] = meter_facts(2, meter_phase="THREE_PHASE")
    await world.record.record([report(m, at(h), c) for m in (1, 2) for h, c in ((10, 50.0), (11, 80.0))])
    assert world.store.readings.flag.tolist() == ["FIRST", "OUTLIER", "FIRST", "OK"]


async def test_reports_that_the_sender_cannot_mend_are_ignored() -> None:
    """[TEL-179] [TEL-182] With the place in the batch; malformed ones don't stop the others."""
    world = World()
    world.meters.meters |= {3: IgnoredReason.NO_CUSTOMER, 4: IgnoredReason.NO_GRID}
    time = at(10).isoformat()
    bodies: list[object] = [
        {"meter_id": 9, "created_at": time, "counter_kwh": 1.0},
        {"meter_id": 1, "created_at": time, "counter_kwh": 1.0},
        "nonsense",
        {"meter_id": 3, "created_at": time},
        {"meter_id": 4, "created_at": time},
        {"meter_id": 2, "created_at": time, "counter_kwh": 2.0},
    ]
    result = await world.record.record_bodies(bodies)
    assert result.accepted == 2
    assert [(i.index, i.reason.value) for i in result.ignored] == [
        (0, "METER_NOT_FOUND"),
        (2, "INVALID"),
        (3, "NO_CUSTOMER"),
        (4, "NO_GRID"),
    ]
    assert world.store.readings.meter_id.tolist() == [1, 2]


async def test_the_meters_clock_dates_the_reading_in_the_grids_zone() -> None:
    """[TEL-85] 14:00 in Lagos is 13:00 UTC."""
    world = World()
    await world.record.record(
        [HourlyReport(meter_id=1, created_at=at(13, 3), counter_kwh=1234.57, freeze_time="2026-5-7 14:0")]
    )
    assert world.store.readings.reading_at[0].item() == at(13).replace(tzinfo=None)
    assert world.store.readings.received_at[0].item() == at(13, 3).replace(tzinfo=None)


async def test_nothing_is_half_stored_when_the_relational_store_is_away() -> None:
    """[TEL-169] The sender repeats the batch, and it counts once."""
    world = World()

    class Away(MemoryMeterRegister):
        async def raise_last_non_zero_consumption(self, hours: object) -> None:
            raise Unavailable("away")

    broken = RecordHourlyReports(world.store, Away(world.meters.meters), world.clock)
    batch = [report(1, at(10), 50.0), report(1, at(11), 50.4)]
    with pytest.raises(Unavailable):
        await broken.record(batch)
    assert (len(world.store.readings), world.store.hours) == (0, {})
    await world.record.record(batch)
    assert world.hours() == {10: (0.4, "MEASURED")}


async def test_old_reports_refresh_the_aggregates() -> None:
    """[TEL-25] Only what is older than their routine refresh looks back."""
    world = World()
    await world.record.record([report(1, at(10), 50.0), report(1, at(11), 50.4)])
    assert world.store.refreshed == []
    await world.record.record([report(1, at(10, day=-20), 40.0)])
    assert world.store.refreshed[0][0] == at(10, day=-20)
    assert world.store.refreshed[0][1] >= at(11)


async def test_more_than_a_transaction_holds_is_split() -> None:
    """[TEL-30] 5,000 reports to a transaction; places in the batch count through."""
    world = World()
    reports = [report(1, at(0) + timedelta(minutes=n), 50.0) for n in range(5001)]
    result = await world.record.record([*reports, report(9, at(0), 1.0)])
    assert result.accepted == 5001
    assert [i.index for i in result.ignored] == [5001]
    assert len(world.store.readings) == 5001
