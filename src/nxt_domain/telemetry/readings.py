"""From counter to energy: baseline, resets, noise, outliers (section 7.5).

The comparison is one function over columns: a lane for each meter, so a batch of five thousand meters takes as many
steps as its longest meter has readings.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import numpy as np

from nxt_domain.telemetry.columns import (
    BoolColumn,
    FloatColumn,
    ReadingColumns,
    TextColumn,
    TimeColumn,
    group_ends,
    group_starts,
)
from nxt_domain.telemetry.model import Flag

NOISE_KWH = 0.02
_COUNTER_PLACES = 6  # counters have two; six remove binary noise and lose nothing


@attrs.frozen(kw_only=True)
class PlausibleLimits:
    """The most that a meter can draw, kW [TEL-94].

    Attributes:
        single_phase_kw: ``METER_MAX_PLAUSIBLE_KW_SINGLE_PHASE``.
        three_phase_kw: ``METER_MAX_PLAUSIBLE_KW_THREE_PHASE``.
    """

    single_phase_kw: float = attrs.field(default=20.0, validator=attrs.validators.gt(0))
    three_phase_kw: float = attrs.field(default=60.0, validator=attrs.validators.gt(0))

    def column(self, phases: Iterable[str]) -> FloatColumn:
        """Return the limit of each meter by its phase (``SINGLE_PHASE`` or ``THREE_PHASE``), kW."""
        return np.array([self.three_phase_kw if p == "THREE_PHASE" else self.single_phase_kw for p in phases])


@attrs.frozen(kw_only=True, eq=False)
class Baseline:
    """What the next reading of each meter is compared with.

    Attributes:
        at: Time of the last accepted reading; NaT when there is none.
        counter_kwh: Its counter, or the one before it when it was noise.
        outlier_at: Time of the reading just before when that was an outlier, else NaT.
        outlier_kwh: Its counter.
    """

    at: TimeColumn
    counter_kwh: FloatColumn
    outlier_at: TimeColumn
    outlier_kwh: FloatColumn

    @classmethod
    def none(cls, lanes: int) -> Baseline:
        """Start without any reading."""
        nat, nan = np.full(lanes, np.datetime64("NaT", "us")), np.full(lanes, np.nan)
        return cls(at=nat, counter_kwh=nan, outlier_at=nat, outlier_kwh=nan)

    def take(self, lanes: BoolColumn) -> Baseline:
        """Return some lanes."""
        return Baseline(
            at=self.at[lanes],
            counter_kwh=self.counter_kwh[lanes],
            outlier_at=self.outlier_at[lanes],
            outlier_kwh=self.outlier_kwh[lanes],
        )

    def put(self, lanes: BoolColumn, other: Baseline) -> Baseline:
        """Return all lanes, some of them taken from another table."""
        merged = {}
        for field in attrs.fields(Baseline):
            column = getattr(self, field.name).copy()
            column[lanes] = getattr(other, field.name)
            merged[field.name] = column
        return Baseline(**merged)


@attrs.frozen(kw_only=True, eq=False)
class Judgement:
    """Result of a comparison, by lane.

    Attributes:
        flag: A ``Flag``.
        delta_kwh: Accepted energy; NaN = unknown.
        prev_reading_at: Where the energy's segment begins; for an outlier, the baseline it failed against.
        baseline_kwh: What the next reading is compared with; NaN after an outlier.
    """

    flag: TextColumn
    delta_kwh: FloatColumn
    prev_reading_at: TimeColumn
    baseline_kwh: FloatColumn


def compare(baseline: Baseline, at: TimeColumn, counter_kwh: FloatColumn, limit_kw: FloatColumn) -> Judgement:
    """Compare one reading of each meter with its baseline, by the table of section 7.5 [TEL-88, TEL-94].

    Args:
        baseline: What came before.
        at: Time of the reading, after everything before.
        counter_kwh: Its counter.
        limit_kw: Plausible limit of the meter.
    """
    delta = np.round(counter_kwh - baseline.counter_kwh, _COUNTER_PLACES)
    plausible = limit_kw * _hours_at_least_one(baseline.at, at)
    step = np.round(counter_kwh - baseline.outlier_kwh, _COUNTER_PLACES)
    plausible_step = limit_kw * _hours_at_least_one(baseline.outlier_at, at)
    conditions = [
        np.isnat(baseline.at),
        (delta >= 0) & (delta <= plausible),
        (delta < 0) & (delta >= -NOISE_KWH),
        (delta < -NOISE_KWH) & (counter_kwh <= plausible) & (counter_kwh < baseline.counter_kwh / 2),
        (step >= 0) & (step <= plausible_step),
    ]
    unknown = np.full(len(at), np.nan)
    return Judgement(
        flag=np.select(conditions, [Flag.FIRST, Flag.OK, Flag.NOISE, Flag.RESET, Flag.REBASED], Flag.OUTLIER).astype(
            "U7"
        ),
        delta_kwh=np.select(conditions, [unknown, delta, np.zeros(len(at)), counter_kwh, step], np.nan),
        prev_reading_at=np.where(
            ~np.logical_or.reduce(conditions[:4]) & conditions[4], baseline.outlier_at, baseline.at
        ),
        baseline_kwh=np.select(
            conditions, [counter_kwh, counter_kwh, baseline.counter_kwh, counter_kwh, counter_kwh], np.nan
        ),
    )


def advance(at: TimeColumn, counter_kwh: FloatColumn, judged: Judgement, baseline: Baseline) -> Baseline:
    """Return the baseline after a reading: an outlier does not move it, but is remembered [TEL-94]."""
    is_outlier = judged.flag == Flag.OUTLIER
    return Baseline(
        at=np.where(is_outlier, baseline.at, at),
        counter_kwh=np.where(is_outlier, baseline.counter_kwh, judged.baseline_kwh),
        outlier_at=np.where(is_outlier, at, np.datetime64("NaT", "us")),
        outlier_kwh=np.where(is_outlier, counter_kwh, np.nan),
    )


def judge(readings: ReadingColumns, limit_kw: FloatColumn, keep: BoolColumn | None = None) -> ReadingColumns:
    """Judge readings one after the other, all meters at once.

    Args:
        readings: Sorted by meter and time, each pair once.
        limit_kw: Plausible limit of each reading's meter, of the same length.
        keep: Readings whose stored judgement stands; they only set the stage. None: judge all.

    Returns:
        The same readings with ``prev_reading_at``, ``delta_kwh``, ``baseline_kwh`` and ``flag`` filled.
    """
    kept = np.zeros(len(readings), dtype=np.bool_) if keep is None else keep
    starts = group_starts(readings.meter_id)
    counts = group_ends(starts, len(readings)) - starts + 1
    flag, delta = readings.flag.copy(), readings.delta_kwh.copy()
    prev, base = readings.prev_reading_at.copy(), readings.baseline_kwh.copy()
    baseline = Baseline.none(len(starts))
    for rank in range(int(counts.max(initial=0))):
        lanes = counts > rank
        rows = starts[lanes] + rank
        at, counter, before = readings.reading_at[rows], readings.counter_kwh[rows], baseline.take(lanes)
        fresh = compare(before, at, counter, limit_kw[rows])
        stands = kept[rows]
        flag[rows] = np.where(stands, flag[rows], fresh.flag)
        delta[rows] = np.where(stands, delta[rows], fresh.delta_kwh)
        prev[rows] = np.where(stands, prev[rows], fresh.prev_reading_at)
        base[rows] = np.where(stands, base[rows], fresh.baseline_kwh)
        final = Judgement(flag=flag[rows], delta_kwh=delta[rows], prev_reading_at=prev[rows], baseline_kwh=base[rows])
        baseline = baseline.put(lanes, advance(at, counter, final, before))
    return attrs.evolve(readings, flag=flag, delta_kwh=delta, prev_reading_at=prev, baseline_kwh=base)


def _hours_at_least_one(start: TimeColumn, end: TimeColumn) -> FloatColumn:
    """Return the hours between, at least 1; NaN where the start is NaT."""
    return np.maximum((end - start) / np.timedelta64(1, "h"), 1.0)
