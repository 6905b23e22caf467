"""From segments between readings to the energy of full hours (section 7.4)."""

from __future__ import annotations

import attrs
import numpy as np

from nxt_domain.telemetry.columns import (
    HOUR,
    MICROSECOND,
    AnyColumn,
    BoolColumn,
    Columns,
    FloatColumn,
    IntColumn,
    MeterHours,
    ReadingColumns,
    TextColumn,
    TimeColumn,
    floor_hour,
    meter_hour_key,
)
from nxt_domain.telemetry.model import Flag, Quality
from nxt_domain.telemetry.rules import round_column

ENERGY_PLACES = 6
LONG_SEGMENT = np.timedelta64(90, "m")


@attrs.frozen(kw_only=True, eq=False)
class Segments(Columns):
    """Stretches of time with the energy used in them; those of one meter do not overlap.

    Attributes:
        start: Begin.
        end: End, after the begin.
        delta_kwh: Energy in between; NaN = unknown.
        is_restart: The counter began anew: ``RESET`` or ``REBASED``.
    """

    meter_id: IntColumn
    start: TimeColumn
    end: TimeColumn
    delta_kwh: FloatColumn
    is_restart: BoolColumn


@attrs.frozen(kw_only=True, eq=False)
class HourlyEnergy:
    """Energy of hours, in the order of the hours asked for.

    Attributes:
        is_complete: Segments cover the whole hour.
        consumption_kwh: Energy; NaN where the hour is incomplete or a part of it unknown.
        quality: A ``Quality``; "" where the hour is incomplete.
    """

    is_complete: BoolColumn
    consumption_kwh: FloatColumn
    quality: TextColumn


def segments_of(readings: ReadingColumns) -> Segments:
    """Return the segments that judged readings span, sorted by meter and time [TEL-88, TEL-94].

    An outlier spans none. Before a rebased reading's segment, the time from the last good reading to the outlier it
    is measured from is a segment of unknown energy.
    """
    accepted = readings.take(readings.flag != Flag.OUTLIER)
    spanning = accepted.take(accepted.flag != Flag.FIRST)
    follows = np.zeros(len(accepted), dtype=np.bool_)
    follows[1:] = accepted.meter_id[1:] == accepted.meter_id[:-1]
    lost = np.flatnonzero(follows & (accepted.flag == Flag.REBASED))
    known = Segments(
        meter_id=spanning.meter_id,
        start=spanning.prev_reading_at,
        end=spanning.reading_at,
        delta_kwh=spanning.delta_kwh,
        is_restart=np.isin(spanning.flag, (Flag.RESET, Flag.REBASED)),
    )
    unknown = Segments(
        meter_id=accepted.meter_id[lost],
        start=accepted.reading_at[lost - 1],
        end=accepted.prev_reading_at[lost],
        delta_kwh=np.full(len(lost), np.nan),
        is_restart=np.zeros(len(lost), dtype=np.bool_),
    )
    return Segments.concat([known, unknown])


def hourly_energy(segments: Segments, hours: MeterHours) -> HourlyEnergy:
    """Spread segments evenly over the hours that they overlap [TEL-89, TEL-90].

    Args:
        segments: In any order.
        hours: The hours wanted; energy outside them is left out.
    """
    pieces = _cut_by_hour(segments, hours)
    count = len(hours)

    def total(weights: AnyColumn) -> FloatColumn:
        return np.bincount(pieces.position, weights=weights, minlength=count).astype(np.float64)

    length = (segments.end - segments.start)[pieces.segment]
    share = pieces.overlap / length
    delta = segments.delta_kwh[pieces.segment]
    energy = total(np.nan_to_num(delta) * share)
    is_complete = total(pieces.overlap / MICROSECOND) == HOUR / MICROSECOND
    is_unknown = total(np.isnan(delta)) > 0
    quality = np.select(
        [~is_complete, is_unknown, total(segments.is_restart[pieces.segment]) > 0, total(length > LONG_SEGMENT) > 0],
        ["", Quality.MISSING, Quality.RESET, Quality.INTERPOLATED],
        Quality.MEASURED,
    )
    consumption = np.where(is_complete & ~is_unknown, round_column(energy, ENERGY_PLACES), np.nan)
    return HourlyEnergy(is_complete=is_complete, consumption_kwh=consumption, quality=quality.astype("U12"))


@attrs.frozen(kw_only=True, eq=False)
class _Pieces:
    """Parts of segments inside one hour: which hour (position), which segment, how long."""

    position: IntColumn
    segment: IntColumn
    overlap: AnyColumn


def _cut_by_hour(segments: Segments, hours: MeterHours) -> _Pieces:
    first, last = _span_of_meter(segments, hours)
    begin = np.maximum(floor_hour(segments.start), first)
    end = np.minimum(floor_hour(segments.end - MICROSECOND), last)
    counts = np.maximum(np.nan_to_num((end - begin) / HOUR, nan=-1.0).astype(np.int64) + 1, 0)
    segment = np.repeat(np.arange(len(segments)), counts)
    step = np.arange(len(segment)) - np.repeat(np.cumsum(counts) - counts, counts)
    hour = begin[segment] + step * HOUR
    key, wanted = meter_hour_key(segments.meter_id[segment], hour), hours.key
    position = np.minimum(np.searchsorted(wanted, key), max(len(wanted) - 1, 0))
    inside = wanted[position] == key if len(wanted) else np.zeros(0, dtype=np.bool_)
    segment, hour, position = segment[inside], hour[inside], position[inside]
    overlap = np.minimum(segments.end[segment], hour + HOUR) - np.maximum(segments.start[segment], hour)
    return _Pieces(position=position, segment=segment, overlap=overlap)


def _span_of_meter(segments: Segments, hours: MeterHours) -> tuple[TimeColumn, TimeColumn]:
    """Return the first and last hour wanted of each segment's meter; NaT where none is.

    A segment of a year then costs no more than the hours that somebody asked for.
    """
    nat = np.full(len(segments), np.datetime64("NaT", "us"))
    if len(hours) == 0:
        return nat, nat
    left = np.searchsorted(hours.meter_id, segments.meter_id, side="left")
    right = np.searchsorted(hours.meter_id, segments.meter_id, side="right")
    present = left < right
    first, last = nat.copy(), nat.copy()
    first[present] = hours.hour[left[present]]
    last[present] = hours.hour[right[present] - 1]
    return first, last


@attrs.frozen(kw_only=True, eq=False)
class HourStates(Columns):
    """The last known counter and credit inside each hour that holds a reading [TEL-87]."""

    meter_id: IntColumn
    hour: TimeColumn
    counter_kwh: FloatColumn
    kwh_credit_available: FloatColumn

    @classmethod
    def of(cls, readings: ReadingColumns) -> HourStates:
        """Take the latest known values of readings in any order."""
        in_time = readings.take(np.lexsort([readings.reading_at, readings.meter_id]))
        table = cls(
            meter_id=in_time.meter_id,
            hour=floor_hour(in_time.reading_at),
            counter_kwh=in_time.counter_kwh,
            kwh_credit_available=in_time.kwh_credit_available,
        )
        return table.merge_duplicates("meter_id", "hour")

    def at(self, hours: MeterHours) -> tuple[FloatColumn, FloatColumn]:
        """Return counter and credit of each hour asked for; NaN where it holds none."""
        counter, credit = np.full(len(hours), np.nan), np.full(len(hours), np.nan)
        key = meter_hour_key(self.meter_id, self.hour)
        _, asked, held = np.intersect1d(hours.key, key, assume_unique=True, return_indices=True)
        counter[asked], credit[asked] = self.counter_kwh[held], self.kwh_credit_available[held]
        return counter, credit
