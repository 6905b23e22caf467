"""From counters to energy, and from segments to hours, on a handful of readings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pytest
from tests.support.telemetry import at

from nxt_domain.telemetry.columns import MeterHours, ReadingColumns, floor_hour, time_column
from nxt_domain.telemetry.hourly import hourly_energy, segments_of
from nxt_domain.telemetry.readings import PlausibleLimits, judge

Judged = list[tuple[str, float | None]]


def judged(readings: Sequence[tuple[datetime, float]], limit_kw: float = 20) -> ReadingColumns:
    table = ReadingColumns.unjudged(
        meter_id=np.ones(len(readings), dtype=np.int64),
        reading_at=time_column(time for time, _ in readings),
        counter_kwh=np.array([counter for _, counter in readings]),
    )
    return judge(table, np.full(len(readings), limit_kw))


def told(table: ReadingColumns) -> Judged:
    return [
        (flag, None if math.isnan(delta) else round(delta, 6))
        for flag, delta in zip(table.flag.tolist(), table.delta_kwh.tolist(), strict=True)
    ]


def hours(readings: Sequence[tuple[datetime, float]], limit_kw: float = 20) -> dict[int, tuple[float | None, str]]:
    """Return consumption and quality of each complete hour of the sample day."""
    table = judged(readings, limit_kw)
    asked = MeterHours.spanning(np.array([1]), floor_hour(table.reading_at[:1]), floor_hour(table.reading_at[-1:]))
    energy = hourly_energy(segments_of(table), asked)
    first = np.datetime64("2026-05-07T00", "h")
    return {
        int((hour - first) / np.timedelta64(1, "h")): (None if math.isnan(kwh) else kwh, str(quality))
        for hour, kwh, quality, complete in zip(
            asked.hour, energy.consumption_kwh.tolist(), energy.quality, energy.is_complete, strict=True
        )
        if complete
    }


def test_a_regular_meter_that_reports_off_the_hour() -> None:
    """[TEL-89] 0.60 × 3/60 + 0.30 × 57/60."""
    assert hours([(at(13, 3), 100.00), (at(14, 3), 100.60), (at(15, 3), 100.90)]) == {14: (0.315, "MEASURED")}


def test_a_meter_that_reports_on_the_hour() -> None:
    """[TEL-89]"""
    assert hours([(at(10), 50.00), (at(11), 50.42)]) == {10: (0.42, "MEASURED")}


def test_a_gap_is_spread_evenly() -> None:
    """[TEL-90] A segment longer than 90 minutes makes its hours interpolated."""
    spread = (0.5, "INTERPOLATED")
    assert hours([(at(10), 50.00), (at(13), 51.50)]) == {10: spread, 11: spread, 12: spread}
    assert hours([(at(10), 50.00), (at(11, 30), 51.50)]) == {10: (1.0, "MEASURED")}
    assert hours([(at(10), 50.00), (at(11, 31), 51.50)])[10][1] == "INTERPOLATED"


def test_a_first_reading_completes_no_hour() -> None:
    """[TEL-89] [TEL-94]"""
    assert hours([(at(9, 20), 812.00)]) == {}
    assert told(judged([(at(9, 20), 812.00)])) == [("FIRST", None)]


def test_a_reset_counts_from_zero() -> None:
    """[TEL-94] [TEL-90]"""
    readings = [(at(9), 812.40), (at(10), 0.35)]
    assert told(judged(readings)) == [("FIRST", None), ("RESET", 0.35)]
    assert hours(readings) == {9: (0.35, "RESET")}


def test_a_drop_that_is_neither_noise_nor_reset_is_an_outlier() -> None:
    """[TEL-94] A second plausible reading above it rebases."""
    readings = [(at(9), 15.00), (at(10), 14.50), (at(11), 14.60)]
    assert told(judged(readings)) == [("FIRST", None), ("OUTLIER", None), ("REBASED", 0.1)]
    assert hours(readings) == {9: (None, "MISSING"), 10: (0.1, "RESET")}


def test_an_outlier_gives_no_energy_and_does_not_move_the_baseline() -> None:
    """[TEL-94] The next plausible reading is measured against the last good one."""
    readings = [(at(10), 0.35), (at(11), 5000.00), (at(12), 0.95)]
    table = judged(readings)
    assert told(table) == [("FIRST", None), ("OUTLIER", None), ("OK", 0.6)]
    assert math.isnan(table.baseline_kwh[1])
    assert hours(readings) == {10: (0.3, "INTERPOLATED"), 11: (0.3, "INTERPOLATED")}


def test_a_jump_that_stays_rebases() -> None:
    """[TEL-94] [TEL-89] The hour before the jump is unknown."""
    readings = [(at(10), 0.35), (at(11), 5000.00), (at(12), 5000.40)]
    assert told(judged(readings))[-1] == ("REBASED", 0.4)
    assert hours(readings) == {10: (None, "MISSING"), 11: (0.4, "RESET")}


@pytest.mark.parametrize(
    ("before", "after", "flag"),
    [
        (50.00, 50.00, "OK"),
        (50.00, 70.00, "OK"),
        (50.00, 70.01, "OUTLIER"),
        (50.00, 49.98, "NOISE"),
        (1.12, 1.10, "NOISE"),  # binary arithmetic makes this -0.020000000000000018
        (50.00, 49.97, "OUTLIER"),
        (50.00, 20.00, "RESET"),
        (50.00, 20.01, "OUTLIER"),
        (10.00, 5.00, "OUTLIER"),
        (10.00, 4.99, "RESET"),
        (0.05, 0.00, "RESET"),
    ],
)
def test_the_borders_of_the_table(before: float, after: float, flag: str) -> None:
    """[TEL-94] One hour apart, limit 20 kW."""
    assert told(judged([(at(9), before), (at(10), after)]))[1][0] == flag


def test_noise_keeps_the_counter_and_moves_the_time() -> None:
    """[TEL-94] The baseline is (t1, c0), so energy is counted from the higher counter."""
    table = judged([(at(9), 50.00), (at(10), 49.99), (at(11), 50.30)])
    assert told(table) == [("FIRST", None), ("NOISE", 0.0), ("OK", 0.3)]
    assert table.prev_reading_at[2] == table.reading_at[1]


def test_the_limit_grows_with_time_and_phase() -> None:
    """[TEL-94] 20 kW × 3 h is 60 kWh; less than an hour counts as one; three phases may draw 60 kW."""
    assert told(judged([(at(9), 0.0), (at(12), 60.0)]))[1] == ("OK", 60.0)
    assert told(judged([(at(9), 0.0), (at(9, 10), 20.0)]))[1] == ("OK", 20.0)
    assert told(judged([(at(9), 0.0), (at(10), 60.0)], limit_kw=60))[1] == ("OK", 60.0)
    assert PlausibleLimits().column(["SINGLE_PHASE", "THREE_PHASE"]).tolist() == [20.0, 60.0]


def test_several_outliers_rebase_on_the_last() -> None:
    """[TEL-94] What lies between the last good reading and the last outlier is unknown."""
    readings = [(at(8), 10.0), (at(9), 900.0), (at(10), 5000.0), (at(11), 5001.0)]
    assert told(judged(readings)) == [("FIRST", None), ("OUTLIER", None), ("OUTLIER", None), ("REBASED", 1.0)]
    assert hours(readings) == {8: (None, "MISSING"), 9: (None, "MISSING"), 10: (1.0, "RESET")}


def test_meters_are_judged_side_by_side() -> None:
    """[TEL-88] One call, many meters: each has its own chain and limit."""
    table = ReadingColumns.unjudged(
        meter_id=np.array([1, 1, 2, 3, 3, 3]),
        reading_at=time_column([at(9), at(10), at(9), at(9), at(10), at(11)]),
        counter_kwh=np.array([1.0, 31.0, 5.0, 8.0, 38.0, 39.0]),
    )
    told_flags = judge(table, np.array([20.0, 20.0, 20.0, 60.0, 60.0, 60.0])).flag.tolist()
    assert told_flags == ["FIRST", "OUTLIER", "FIRST", "FIRST", "OK", "OK"]
