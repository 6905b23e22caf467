"""Rounding, safe numbers, the time of a reading, classification, reports from the wire."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_domain.shared.errors import InvalidInput
from nxt_domain.telemetry.classification import classify
from nxt_domain.telemetry.reports import parse_report
from nxt_domain.telemetry.rules import reading_time, round_column, round_half_up, safe_number, zone_named

LAGOS = ZoneInfo("Africa/Lagos")
NOW = datetime(2026, 5, 7, 13, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "places", "rounded"),
    [
        (1.005, 2, 1.01),
        (2.675, 2, 2.68),
        (-2.5, 0, -2.0),
        (14516.129032258064, 2, 14516.13),
        (0.3149999999999999, 6, 0.315),
        (-1.005, 2, -1.0),
    ],
)
def test_rounding_takes_the_shortest_decimal_and_halves_upwards(value: float, places: int, rounded: float) -> None:
    """[TEL-15] The examples of the rule, for one value and for a column."""
    assert round_half_up(value, places) == rounded
    assert round_column(np.array([value]), places)[0] == rounded


@given(
    st.lists(st.floats(min_value=-1e9, max_value=1e9) | st.decimals("-9999", "9999", places=7).map(float), max_size=20),
    st.integers(0, 6),
)
def test_a_column_rounds_as_decimals_do(values: list[float], places: int) -> None:
    """[TEL-15] Near a half and far from it."""
    step = Decimal(1).scaleb(-places)
    exact = [float(((Decimal(repr(v)) / step + Decimal("0.5")).to_integral_value(ROUND_FLOOR)) * step) for v in values]
    assert round_column(np.array(values, dtype=np.float64), places).tolist() == exact


def test_rounding_leaves_unknown_unknown() -> None:
    """[TEL-13] NaN in a column is unknown, not zero."""
    assert math.isnan(round_column(np.array([math.nan]), 6)[0])


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3.0), ("4.5", 4.5), (" 7 ", 7.0), ("", None), ("  ", None), (None, None), ("x", None), (math.inf, None)],
)
def test_a_safe_number_is_finite_or_the_fallback(value: object, number: float | None) -> None:
    """[TEL-16]"""
    assert safe_number(value) == number
    assert safe_number(value, 0.0) == (0.0 if number is None else number)


def test_truth_is_no_number() -> None:
    """[TEL-13] A vendor's ``false`` in place of a value is unknown."""
    assert safe_number(False) is None


@pytest.mark.parametrize(
    ("freeze_time", "expected"),
    [
        ("2026-5-7 14:0", datetime(2026, 5, 7, 13, 0, tzinfo=UTC)),
        ("2026-05-07 14:08", datetime(2026, 5, 7, 13, 8, tzinfo=UTC)),
        ("2026-05-07 13:43", datetime(2026, 5, 7, 12, 43, tzinfo=UTC)),
        ("2026-05-07 13:42", NOW),
        ("2026-05-07 14:09", NOW),
        ("2026-05-07 13:00", NOW),
        ("2026-02-31 14:00", NOW),
        ("yesterday", NOW),
        ("", NOW),
        (None, NOW),
    ],
)
def test_a_plausible_clock_dates_the_reading(freeze_time: str | None, expected: datetime) -> None:
    """[TEL-85] From 20 minutes before to 5 minutes after the receipt, both included; else the receipt."""
    assert reading_time(NOW, freeze_time, LAGOS) == expected


def test_a_receipt_is_cut_to_the_second() -> None:
    """[TEL-85]"""
    received = NOW + timedelta(seconds=7, microseconds=999_999)
    assert reading_time(received, None, LAGOS) == NOW + timedelta(seconds=7)


def test_an_hour_that_clocks_repeat_is_told_by_the_receipt() -> None:
    """[TEL-85] 01:30 in Lisbon on 25 October 2026 is 00:30 or 01:30 UTC."""
    lisbon = ZoneInfo("Europe/Lisbon")
    for hour in (0, 1):
        received = datetime(2026, 10, 25, hour, 33, tzinfo=UTC)
        assert reading_time(received, "2026-10-25 01:30", lisbon) == received.replace(minute=30)


def test_an_unknown_zone_leaves_the_receipt() -> None:
    """[TEL-85] One misspelt zone must not refuse the reports of a batch."""
    assert zone_named("Africa/Nowhere") is None
    assert zone_named("../etc/passwd") is None
    assert reading_time(NOW, "2026-05-07 14:00", zone_named("Africa/Nowhere")) == NOW


@pytest.mark.parametrize(
    ("limit_kw", "consumption", "is_hps", "is_fs"),
    [
        (0.2, 0.13, True, False),
        (0.2 + 5e-10, 0.13, True, False),
        (0.0, 0.4, False, True),
        (math.nan, 0.4, False, True),
        (5.0, 0.4, True, True),
        (0.5, 0.6, False, True),
        (0.5, 0.5, False, True),
        (0.0, 0.0, False, True),
        (0.2, math.nan, False, False),
        (5.0, math.nan, False, False),
    ],
)
def test_consumption_is_classified_by_limit(limit_kw: float, consumption: float, is_hps: bool, is_fs: bool) -> None:
    """[TEL-96] The table of section 7.6 and its examples; false here is NULL in the row."""
    services = classify(np.array([consumption]), np.array([limit_kw]))
    assert (bool(services.is_hps[0]), bool(services.is_fs[0])) == (is_hps, is_fs)


def test_a_report_is_read_from_the_wire() -> None:
    """[TEL-178] Integers, decimals and times with any offset; naive times are UTC."""
    body = {
        "meter_id": 12,
        "created_at": "2026-05-07T14:03:00.000+01:00",
        "counter_kwh": Decimal("1234.57"),
        "kwh_credit_available": 12,
        "freeze_time": "2026-5-7 14:0",
    }
    report = parse_report(body, NOW)
    assert report.created_at == NOW
    assert (report.counter_kwh, report.kwh_credit_available, report.freeze_time) == (1234.57, 12.0, "2026-5-7 14:0")
    assert parse_report({"meter_id": 1, "created_at": "2026-05-07T13:03:00"}, NOW).created_at == NOW
    assert parse_report({"meter_id": 1, "created_at": "2015-01-01T00:00:00Z"}, NOW).created_at.year == 2015


@pytest.mark.parametrize(
    "change",
    [
        {"meter_id": None},
        {"meter_id": "12"},
        {"meter_id": True},
        {"meter_id": 0},
        {"meter_id": 2**31},
        {"created_at": None},
        {"created_at": "soon"},
        {"created_at": 1778158980},
        {"created_at": "2026-05-08T13:03:01Z"},
        {"created_at": "0001-01-01T00:00:00+14:00"},
        {"created_at": "0803-09-28T04:10:58.355508Z"},
        {"created_at": "2014-12-31T23:59:59Z"},
        {"counter_kwh": "5"},
        {"counter_kwh": True},
        {"kwh_credit_available": []},
        {"freeze_time": 7},
    ],
)
def test_a_malformed_report_is_refused(change: dict[str, object]) -> None:
    """[TEL-180] A missing or malformed meter or time, or a time more than a day ahead or before 2015."""
    body = {"meter_id": 12, "created_at": "2026-05-07T13:03:00Z", "counter_kwh": 1, **change}
    with pytest.raises(InvalidInput):
        parse_report(body, NOW)


def test_all_faults_of_a_report_are_told_at_once() -> None:
    """[TEL-180]"""
    with pytest.raises(InvalidInput) as refused:
        parse_report({"counter_kwh": "5"}, NOW)
    assert len(refused.value.messages) == 3
    with pytest.raises(InvalidInput):
        parse_report(["not", "an", "object"], NOW)
