"""Putting new readings in their place: what changes, and which hours it touches [TEL-91].

Readings of a meter form a chain, so a late one may change those after it. A *window* of stored readings holds the
last good reading before the change, what the first changed hour needs, and a page of the readings after it. One
``revise`` works off one page of many meters; what is left (a long chain still changing) comes back as the next plan.
"""

from __future__ import annotations

import attrs
import numpy as np

from nxt_domain.telemetry.columns import (
    HOUR,
    MICROSECOND,
    BoolColumn,
    Columns,
    FloatColumn,
    IntColumn,
    MeterHours,
    ReadingColumns,
    TimeColumn,
    floor_hour,
    group_starts,
    known,
    meter_hour_key,
)
from nxt_domain.telemetry.model import Flag
from nxt_domain.telemetry.readings import judge

PAGE_ROWS = 64
"""Stored readings loaded after the change, for each meter and page."""

_NAT = np.datetime64("NaT", "us")


@attrs.frozen(kw_only=True, eq=False)
class Plan(Columns):
    """Meters to work on, ascending and each once.

    Attributes:
        since: From when readings are judged anew.
        redone_until: Hours up to here are worked out even if nothing more changes; NaT on the first page.
    """

    meter_id: IntColumn
    since: TimeColumn
    redone_until: TimeColumn

    @classmethod
    def for_readings(cls, readings: ReadingColumns) -> Plan:
        """Start with the earliest new reading of each meter; readings are sorted by meter and time."""
        starts = group_starts(readings.meter_id)
        return cls(
            meter_id=readings.meter_id[starts],
            since=readings.reading_at[starts],
            redone_until=np.full(len(starts), _NAT),
        )


@attrs.frozen(kw_only=True, eq=False)
class Revision:
    """Outcome of one page.

    Attributes:
        readings: All readings of the window with their judgements, new ones included.
        is_changed: Which of them are new or differ from what is stored.
        credits: Reports of credit alone, whose hour is in this page.
        hours: Hours to look at.
        is_revised: Which of the hours get their consumption worked out anew.
        is_reported: In which of the hours a new report lies.
        plan: What remains; empty when done.
        remaining: New readings beyond this page.
    """

    readings: ReadingColumns
    is_changed: BoolColumn
    credits: ReadingColumns
    hours: MeterHours
    is_revised: BoolColumn
    is_reported: BoolColumn
    plan: Plan
    remaining: ReadingColumns


def revise(plan: Plan, window: ReadingColumns, new: ReadingColumns, limit_kw: FloatColumn) -> Revision:
    """Judge one page of readings and find the hours that it touches.

    Args:
        plan: Meters and times; every meter of ``window`` and ``new`` is in it.
        window: Stored readings, as the port ``RecordingSession.window`` gives them.
        new: New readings sorted by meter and time, each pair once; without counter: credit alone [TEL-95].
        limit_kw: Plausible limit of each meter of the plan.
    """
    page = _Page.of(plan, window)
    is_due = ~(new.reading_at > page.end[page.lane(new)])  # a page that holds everything ends at NaT
    due = new.take(is_due)
    has_counter = ~np.isnan(due.counter_kwh)
    chain, is_new = _join(window, due.take(has_counter))
    lane = page.lane(chain)
    is_before = chain.reading_at < plan.since[lane]
    judged = judge(chain, limit_kw[lane], keep=is_before)
    is_changed = is_new | (~is_before & _differs(chain, judged))
    good_before = page.latest(judged, is_before & (judged.flag != Flag.OUTLIER))
    last_changed = page.latest(judged, is_changed)
    credit_only = due.take(~has_counter)
    hours, is_revised = _touched(plan, good_before, last_changed, credit_only)
    return Revision(
        readings=judged,
        is_changed=is_changed,
        credits=credit_only,
        hours=hours,
        is_revised=is_revised,
        is_reported=np.isin(hours.key, np.concatenate([_hour_key(chain.take(is_new)), _hour_key(credit_only)])),
        plan=_rest(page, judged, is_changed, last_changed, new.take(~is_due)),
        remaining=new.take(~is_due),
    )


@attrs.frozen(kw_only=True, eq=False)
class _Page:
    """A plan with the end of what was loaded for each meter; NaT: everything was."""

    plan: Plan
    end: TimeColumn

    @classmethod
    def of(cls, plan: Plan, window: ReadingColumns) -> _Page:
        open_page = cls(plan=plan, end=np.full(len(plan), _NAT))
        lane = open_page.lane(window)
        loaded = window.reading_at >= plan.since[lane]
        is_full = np.bincount(lane[loaded], minlength=len(plan)) >= PAGE_ROWS
        return cls(plan=plan, end=np.where(is_full, open_page.latest(window, loaded), _NAT))

    def lane(self, readings: ReadingColumns) -> IntColumn:
        """Return the place of each reading's meter in the plan."""
        return np.searchsorted(self.plan.meter_id, readings.meter_id).astype(np.int64)

    def latest(self, readings: ReadingColumns, chosen: BoolColumn) -> TimeColumn:
        """Return the time of each meter's last chosen reading; NaT when it has none."""
        times = np.full(len(self.plan), _NAT)
        rows = readings.take(chosen)
        np.fmax.at(times, self.lane(rows), rows.reading_at)
        return times


def _join(window: ReadingColumns, new: ReadingColumns) -> tuple[ReadingColumns, BoolColumn]:
    """Merge stored and new readings by meter and time; a new one that is known already is dropped [TEL-86]."""
    both = ReadingColumns.concat([window, new])
    is_new = np.arange(len(both)) >= len(window)
    order = np.lexsort([is_new, both.reading_at, both.meter_id])
    both, is_new = both.take(order), is_new[order]
    first = group_starts(both.meter_id, both.reading_at)
    return both.take(first), is_new[first]


def _differs(stored: ReadingColumns, judged: ReadingColumns) -> BoolColumn:
    is_same: BoolColumn = stored.flag == judged.flag
    for name in ("delta_kwh", "prev_reading_at", "baseline_kwh"):
        before, after = stored.columns()[name], judged.columns()[name]
        is_same &= (before == after) | ~(known(before) | known(after))
    return ~is_same


def _hour_key(readings: ReadingColumns) -> IntColumn:
    return meter_hour_key(readings.meter_id, floor_hour(readings.reading_at))


def _touched(
    plan: Plan, good_before: TimeColumn, last_changed: TimeColumn, credit_only: ReadingColumns
) -> tuple[MeterHours, BoolColumn]:
    """Return the hours from the last good reading to the last change, and those of reports of credit alone."""
    end = np.fmax(last_changed, plan.redone_until)
    start = np.where(np.isnat(good_before), plan.since, good_before)
    revised = MeterHours.spanning(plan.meter_id, floor_hour(start), floor_hour(end))
    hours = MeterHours.of(
        np.concatenate([revised.meter_id, credit_only.meter_id]),
        np.concatenate([revised.hour, floor_hour(credit_only.reading_at)]),
    )
    return hours, np.isin(hours.key, revised.key, assume_unique=True)


def _rest(
    page: _Page, judged: ReadingColumns, is_changed: BoolColumn, last_changed: TimeColumn, remaining: ReadingColumns
) -> Plan:
    """Return the meters whose page was full and whose chain did not settle inside it.

    A chain has settled once the page's last reading is good and as stored, in a later hour than the last change:
    everything after it then stays as it is, and every touched hour was covered by what was loaded.
    """
    is_full = ~np.isnat(page.end)
    ends_page = judged.reading_at == page.end[page.lane(judged)]
    calm = judged.take(ends_page & ~is_changed & (judged.flag != Flag.OUTLIER))
    is_settled = np.zeros(len(page.plan), dtype=np.bool_)
    is_settled[page.lane(calm)] = True
    touched_until = np.fmax(last_changed, page.plan.redone_until)
    is_settled &= np.isnat(touched_until) | (floor_hour(page.end) >= floor_hour(touched_until) + HOUR)
    has_more = np.zeros(len(page.plan), dtype=np.bool_)
    has_more[page.lane(remaining)] = True
    left = is_full & (~is_settled | has_more)
    return Plan(meter_id=page.plan.meter_id[left], since=page.end[left] + MICROSECOND, redone_until=page.end[left])
