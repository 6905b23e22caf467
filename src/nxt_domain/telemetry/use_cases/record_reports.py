"""Record the hourly reports of meters (sections 7.4, 16.2 and 16.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np

from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.telemetry.columns import (
    FloatColumn,
    HourColumns,
    IntColumn,
    ReadingColumns,
    float_column,
    from_column_time,
    group_starts,
    time_column,
)
from nxt_domain.telemetry.hour_rows import hour_rows, newest_non_zero
from nxt_domain.telemetry.model import HourlyReport, IgnoredReason, IgnoredReport, MeterFacts, RecordedReports
from nxt_domain.telemetry.ports import MeterRegister, RecordingSession, SeriesStore
from nxt_domain.telemetry.readings import PlausibleLimits
from nxt_domain.telemetry.reports import parse_report, usable_counter, usable_credit
from nxt_domain.telemetry.revision import Plan, Revision, revise
from nxt_domain.telemetry.rules import reading_time, zone_named

MAX_REPORTS = 5000
"""Reports in one request, and in one transaction [TEL-182]."""

_AGGREGATES_LOOK_BACK = timedelta(days=14)  # their refresh reaches back 15 days; a day is left to the scheduler


class RecordHourlyReports:
    """Turns counters into hourly consumption; late and repeated reports never count twice [TEL-93].

    Args:
        store: Where readings and hours are kept.
        meters: Facts of meters, and their last consumption.
        clock: Tells the present.
        limits: Plausible power by phase.
    """

    def __init__(
        self, store: SeriesStore, meters: MeterRegister, clock: Clock, limits: PlausibleLimits | None = None
    ) -> None:
        self._store = store
        self._meters = meters
        self._clock = clock
        self._limits = limits or PlausibleLimits()

    async def record_bodies(self, bodies: Sequence[object]) -> RecordedReports:
        """Record reports as they come over the wire; a malformed one is ignored as ``INVALID`` [TEL-182].

        Args:
            bodies: Decoded JSON values.
        """
        now = self._clock.now()
        reports: dict[int, HourlyReport] = {}
        invalid: list[IgnoredReport] = []
        for index, body in enumerate(bodies):
            try:
                reports[index] = parse_report(body, now)
            except InvalidInput:
                invalid.append(IgnoredReport(index=index, reason=IgnoredReason.INVALID))
        recorded = await self.record(list(reports.values()))
        places = list(reports)
        ignored = [IgnoredReport(index=places[i.index], reason=i.reason) for i in recorded.ignored]
        return RecordedReports(
            accepted=recorded.accepted, ignored=tuple(sorted([*invalid, *ignored], key=lambda i: i.index))
        )

    async def record(self, reports: Sequence[HourlyReport]) -> RecordedReports:
        """Record reports; when it returns, all accepted readings are durable [TEL-178].

        May be repeated: readings that are known already are accepted and change nothing [TEL-86]. More reports than
        ``MAX_REPORTS`` are stored in several transactions.

        Args:
            reports: In any order, of any age.

        Raises:
            Unavailable: A store can't be reached; reports of the present transaction were not stored.
        """
        ignored: list[IgnoredReport] = []
        touched: list[datetime] = []
        for start, part in _parts(reports):
            facts = await self._meters.facts(sorted({report.meter_id for report in part}))
            ignored += _ignored(part, facts, start)
            known = {meter_id: fact for meter_id, fact in facts.items() if isinstance(fact, MeterFacts)}
            new = _new_readings([report for report in part if report.meter_id in known], known)
            if len(new):
                touched += await self._store_readings(new, known)
        await self._refresh_aggregates(touched)
        return RecordedReports(accepted=len(reports) - len(ignored), ignored=tuple(ignored))

    async def _store_readings(self, new: ReadingColumns, facts: Mapping[int, MeterFacts]) -> list[datetime]:
        """Put readings in their place in one transaction; return the first and last hour that it touched."""
        plan = Plan.for_readings(new)
        newest: dict[int, datetime] = {}
        touched: list[datetime] = []
        async with self._store.recording(plan.meter_id.tolist()) as session:
            while len(plan):
                limits = self._limits.column(facts[meter_id].meter_phase for meter_id in plan.meter_id.tolist())
                revision = revise(plan, await session.window(plan), new, limits)
                rows = await _rows(session, revision, facts)
                await session.upsert_readings(revision.readings.take(revision.is_changed))
                await session.upsert_hours(rows, facts)
                newest.update(newest_non_zero(rows))  # pages go forward in time
                touched += _first_and_last(rows)
                plan, new = revision.plan, revision.remaining
            # Before the commit: if the relational store is away, nothing is half stored, and the sender repeats.
            await self._meters.raise_last_non_zero_consumption(newest)
        return touched

    async def _refresh_aggregates(self, touched: Sequence[datetime]) -> None:
        if touched and min(touched) < self._clock.now() - _AGGREGATES_LOOK_BACK:
            await self._store.refresh_aggregates(min(touched), max(touched) + timedelta(hours=1))


def _parts(reports: Sequence[HourlyReport]) -> Iterator[tuple[int, Sequence[HourlyReport]]]:
    for start in range(0, len(reports), MAX_REPORTS):
        yield start, reports[start : start + MAX_REPORTS]


def _ignored(
    reports: Sequence[HourlyReport], facts: Mapping[int, MeterFacts | IgnoredReason], start: int
) -> list[IgnoredReport]:
    reasons = ((index, facts[report.meter_id]) for index, report in enumerate(reports, start))
    return [IgnoredReport(index=index, reason=why) for index, why in reasons if isinstance(why, IgnoredReason)]


def _new_readings(reports: Sequence[HourlyReport], facts: Mapping[int, MeterFacts]) -> ReadingColumns:
    """Date the reports [TEL-85]; of several with one time the first with a counter counts [TEL-86]."""
    zones = {name: zone_named(name) for name in {fact.timezone for fact in facts.values()}}
    dated = [reading_time(r.created_at, r.freeze_time, zones[facts[r.meter_id].timezone]) for r in reports]
    readings = ReadingColumns.unjudged(
        meter_id=np.array([report.meter_id for report in reports], dtype=np.int64),
        reading_at=time_column(dated),
        received_at=time_column(report.created_at for report in reports),
        counter_kwh=float_column(usable_counter(report.counter_kwh) for report in reports),
        kwh_credit_available=float_column(usable_credit(report.kwh_credit_available) for report in reports),
    )
    has_no_counter = np.isnan(readings.counter_kwh)
    readings = readings.take(np.lexsort([has_no_counter, readings.reading_at, readings.meter_id]))
    return readings.take(group_starts(readings.meter_id, readings.reading_at))


async def _rows(session: RecordingSession, revision: Revision, facts: Mapping[int, MeterFacts]) -> HourColumns:
    exists, stored_limit = await session.power_limits(revision.hours)
    return hour_rows(revision, exists, stored_limit, _present_limits(revision.hours.meter_id, facts))


def _present_limits(meter_id: IntColumn, facts: Mapping[int, MeterFacts]) -> FloatColumn:
    meters, place = np.unique(meter_id, return_inverse=True)
    limits = float_column(facts[meter].power_limit_kw for meter in meters.tolist())
    return limits[place]


def _first_and_last(rows: HourColumns) -> list[datetime]:
    if len(rows) == 0:
        return []
    return [from_column_time(rows.created_at.min()), from_column_time(rows.created_at.max())]
