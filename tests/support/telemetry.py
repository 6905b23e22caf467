"""Meters, clocks and an independent reckoning for tests of the series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from nxt_domain.telemetry.model import HourlyReport, MeterFacts

DAY = datetime(2026, 5, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(hour: int, minute: int = 0, second: int = 0, *, day: int = 0) -> datetime:
    """A time of the sample day, or of one after or before it."""
    return DAY + timedelta(days=day, hours=hour, minutes=minute, seconds=second)


def meter_facts(meter_id: int, **changes: object) -> MeterFacts:
    """A single-phase meter in the invented village of Kuwana."""
    facts: dict[str, object] = {
        "meter_id": meter_id,
        "meter_type": "HPS",
        "meter_phase": "SINGLE_PHASE",
        "meter_external_reference": f"4700{meter_id:07d}",
        "meter_external_system": "CALIN",
        "is_cabin_meter": False,
        "dcu_id": 7,
        "dcu_external_reference": "a84041ffff1e1234",
        "dcu_external_system": "CALIN",
        "connection_id": 1000 + meter_id,
        "customer_id": 2000 + meter_id,
        "customer_full_name": f"Customer {meter_id}",
        "grid_id": 3,
        "grid_name": "Kuwana",
        "organization_id": 5,
        "organization_name": "Kuwana Light",
        "is_hidden_from_reporting": False,
        "timezone": "Africa/Lagos",
        "power_limit_w": 500,
        "power_limit_should_be_w": 200,
        "is_on": True,
        "should_be_on": False,
    }
    return MeterFacts(**{**facts, **changes})  # type: ignore[arg-type]


def report(meter_id: int, received: datetime, counter: float | None, credit: float | None = None) -> HourlyReport:
    """A report whose reading is dated by its receipt."""
    return HourlyReport(meter_id=meter_id, created_at=received, counter_kwh=counter, kwh_credit_available=credit)


def reckon(
    readings: Sequence[tuple[datetime, Fraction]], limit_kw: int = 20
) -> tuple[list[tuple[str, Fraction | None]], Mapping[datetime, Fraction | None]]:
    """Work out flags, deltas and complete hours as the specification tells them, one reading after the other.

    Args:
        readings: Times and counters, sorted by time.
        limit_kw: Plausible limit.

    Returns:
        Flag and delta of each reading; energy of each complete hour, None where a part of it is unknown.
    """
    judged: list[tuple[str, Fraction | None]] = []
    segments: list[tuple[datetime, datetime, Fraction | None]] = []
    baseline: tuple[datetime, Fraction] | None = None
    outlier: tuple[datetime, Fraction] | None = None
    for time, counter in readings:
        flag, delta, start = _judge(time, counter, baseline, outlier, limit_kw)
        judged.append((flag, delta))
        if flag == "OUTLIER":
            outlier = (time, counter)
            continue
        if flag == "REBASED":
            assert baseline is not None
            assert start is not None
            segments.append((baseline[0], start, None))
        if start is not None:
            segments.append((start, time, delta))
        kept = baseline[1] if flag == "NOISE" and baseline is not None else counter
        baseline, outlier = (time, kept), None
    return judged, _hours(segments)


def _judge(
    time: datetime,
    counter: Fraction,
    baseline: tuple[datetime, Fraction] | None,
    outlier: tuple[datetime, Fraction] | None,
    limit_kw: int,
) -> tuple[str, Fraction | None, datetime | None]:
    if baseline is None:
        return "FIRST", None, None
    delta = counter - baseline[1]
    limit = limit_kw * max(Fraction((time - baseline[0]) / timedelta(microseconds=1)) / 3_600_000_000, Fraction(1))
    if 0 <= delta <= limit:
        return "OK", delta, baseline[0]
    if Fraction(-2, 100) <= delta < 0:
        return "NOISE", Fraction(0), baseline[0]
    if delta < Fraction(-2, 100) and counter <= limit and counter < baseline[1] / 2:
        return "RESET", counter, baseline[0]
    if outlier is not None:
        step = counter - outlier[1]
        hours = Fraction((time - outlier[0]) / timedelta(microseconds=1)) / 3_600_000_000
        if 0 <= step <= limit_kw * max(hours, Fraction(1)):
            return "REBASED", step, outlier[0]
    return "OUTLIER", None, None


def _hours(segments: Sequence[tuple[datetime, datetime, Fraction | None]]) -> dict[datetime, Fraction | None]:
    if not segments:
        return {}
    energy: dict[datetime, Fraction | None] = {}
    hour = segments[0][0].replace(minute=0, second=0, microsecond=0)
    while hour < segments[-1][1]:
        pieces = [
            (min(end, hour + HOUR) - max(start, hour), end - start, delta)
            for start, end, delta in segments
            if start < hour + HOUR and end > hour
        ]
        if sum((overlap for overlap, _, _ in pieces), timedelta()) == HOUR:
            parts = [None if d is None else d * _seconds(overlap) / _seconds(length) for overlap, length, d in pieces]
            energy[hour] = None if None in parts else sum((p for p in parts if p is not None), Fraction(0))
        hour += HOUR
    return energy


def _seconds(span: timedelta) -> Fraction:
    return Fraction(span // timedelta(microseconds=1), 1_000_000)
