"""Series as numpy columns of equal length. Unknown is NaN (numbers), NaT (times) or "" (texts) [TEL-13].

Times in columns are ``datetime64[us]`` in UTC, which numpy can't mark as such; ``to_column_time`` and
``from_column_time`` are the only crossings to aware datetimes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Self, TypeAlias, TypeVar

import attrs
import numpy as np
from numpy.typing import NDArray

FloatColumn: TypeAlias = NDArray[np.float64]
IntColumn: TypeAlias = NDArray[np.int64]
BoolColumn: TypeAlias = NDArray[np.bool_]
TextColumn: TypeAlias = NDArray[np.str_]
TimeColumn: TypeAlias = NDArray[np.datetime64]
AnyColumn: TypeAlias = NDArray[Any]

HOUR = np.timedelta64(1, "h")
MICROSECOND = np.timedelta64(1, "us")
_HOURS_BITS = 24  # hours since 1970 stay below 2**24 until the year 3883


def to_column_time(instant: datetime) -> np.datetime64:
    """Turn an aware instant into a column's naive UTC."""
    return np.datetime64(instant.astimezone(UTC).replace(tzinfo=None), "us")


def from_column_time(value: np.datetime64) -> datetime:
    """Turn a column's naive UTC into an aware instant."""
    instant: datetime = value.astype("datetime64[us]").item()
    return instant.replace(tzinfo=UTC)


def time_column(instants: Iterable[datetime | None]) -> TimeColumn:
    """Make a column of aware instants; None becomes NaT."""
    naive = [None if instant is None else instant.astimezone(UTC).replace(tzinfo=None) for instant in instants]
    return np.array(naive, dtype="datetime64[us]")


def float_column(values: Iterable[float | None]) -> FloatColumn:
    """Make a column of numbers; None becomes NaN."""
    return np.array(list(values), dtype=np.float64)


def floor_hour(times: TimeColumn) -> TimeColumn:
    """Return the start of the hour that contains each time [TEL-12]."""
    return times.astype("datetime64[h]").astype("datetime64[us]")


def known(column: AnyColumn) -> BoolColumn:
    """Tell which values are known."""
    if column.dtype.kind == "M":
        return ~np.isnat(column)
    if column.dtype.kind == "f":
        return ~np.isnan(column)
    if column.dtype.kind == "U":
        return np.char.str_len(column) > 0
    return np.ones(len(column), dtype=np.bool_)


def meter_hour_key(meter_id: IntColumn, hour: TimeColumn) -> IntColumn:
    """Pack meter and hour into one sortable integer."""
    return (meter_id.astype(np.int64) << _HOURS_BITS) | hour.astype("datetime64[h]").astype(np.int64)


C = TypeVar("C", bound="Columns")


class Columns:
    """What all tables of columns can do; subclasses are attrs classes whose fields are columns."""

    def columns(self) -> dict[str, AnyColumn]:
        """Return the columns by name."""
        return {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}  # type: ignore[arg-type]  # every subclass is an attrs class

    def __len__(self) -> int:
        return len(next(iter(self.columns().values())))

    def take(self, rows: AnyColumn) -> Self:
        """Return the rows chosen by a mask or by positions."""
        return type(self)(**{name: column[rows] for name, column in self.columns().items()})

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Put tables below one another."""
        return cls(**{name: np.concatenate([p.columns()[name] for p in parts]) for name in parts[0].columns()})

    def merge_duplicates(self, *keys: str) -> Self:
        """Sort by the keys and make one row of each key: the later value wins where it is known [TEL-31].

        Args:
            keys: Names of the columns that identify a row, the most significant first.
        """
        if len(self) == 0:
            return self
        order = np.lexsort([self.columns()[name] for name in reversed(keys)])
        table = self.take(order)
        starts = group_starts(*(table.columns()[name] for name in keys))
        if len(starts) == len(table):
            return table
        ends = group_ends(starts, len(table))
        return type(self)(
            **{name: column[_last_known(column, starts, ends)] for name, column in table.columns().items()}
        )


def group_starts(*keys: AnyColumn) -> IntColumn:
    """Return where each run of equal keys begins, for sorted keys."""
    if len(keys[0]) == 0:
        return np.empty(0, dtype=np.int64)
    differs = np.zeros(len(keys[0]) - 1, dtype=np.bool_)
    for key in keys:
        differs |= key[1:] != key[:-1]
    return np.concatenate([[0], np.flatnonzero(differs) + 1]).astype(np.int64)


def group_ends(starts: IntColumn, rows: int) -> IntColumn:
    """Return the last row of each run, for the runs' starts and the number of all rows."""
    return np.append(starts[1:], rows)[: len(starts)] - 1


def _last_known(column: AnyColumn, starts: IntColumn, ends: IntColumn) -> IntColumn:
    positions = np.where(known(column), np.arange(len(column)), -1)
    last = np.maximum.reduceat(positions, starts)
    return np.where(last >= 0, last, ends).astype(np.int64)


@attrs.frozen(kw_only=True, eq=False)
class ReadingColumns(Columns):
    """Rows of ``meter_reading``.

    Attributes:
        reading_at: When the counter had this value.
        received_at: When the report reached the system.
        counter_kwh: Cumulative counter; NaN in a report that brings credit alone [TEL-95].
        prev_reading_at: Where the reading's segment begins; NaT when it has none.
        delta_kwh: Accepted energy since then; NaN = unknown.
        baseline_kwh: Counter that the next reading is compared with; NaN after an outlier.
        flag: A ``Flag``; "" before it is judged.
    """

    meter_id: IntColumn
    reading_at: TimeColumn
    received_at: TimeColumn
    counter_kwh: FloatColumn
    kwh_credit_available: FloatColumn
    prev_reading_at: TimeColumn
    delta_kwh: FloatColumn
    baseline_kwh: FloatColumn
    flag: TextColumn

    @classmethod
    def unjudged(
        cls,
        *,
        meter_id: IntColumn,
        reading_at: TimeColumn,
        counter_kwh: FloatColumn,
        received_at: TimeColumn | None = None,
        kwh_credit_available: FloatColumn | None = None,
    ) -> Self:
        """Make readings that were not compared with a baseline yet."""
        rows = len(meter_id)
        return cls(
            meter_id=meter_id,
            reading_at=reading_at,
            received_at=reading_at if received_at is None else received_at,
            counter_kwh=counter_kwh,
            kwh_credit_available=np.full(rows, np.nan) if kwh_credit_available is None else kwh_credit_available,
            prev_reading_at=np.full(rows, np.datetime64("NaT", "us")),
            delta_kwh=np.full(rows, np.nan),
            baseline_kwh=np.full(rows, np.nan),
            flag=np.full(rows, "", dtype="U7"),
        )

    @classmethod
    def empty(cls) -> Self:
        """Make a table without rows."""
        times = np.empty(0, dtype="datetime64[us]")
        return cls.unjudged(meter_id=np.empty(0, dtype=np.int64), reading_at=times, counter_kwh=np.empty(0))


@attrs.frozen(kw_only=True, eq=False)
class MeterHours(Columns):
    """Hours of meters, each once, in order of meter and hour."""

    meter_id: IntColumn
    hour: TimeColumn

    @property
    def key(self) -> IntColumn:
        """Sorted integers, one for each row."""
        return meter_hour_key(self.meter_id, self.hour)

    @classmethod
    def of(cls, meter_id: IntColumn, hour: TimeColumn) -> Self:
        """Sort and make unique."""
        _, first = np.unique(meter_hour_key(meter_id, hour), return_index=True)
        return cls(meter_id=meter_id[first], hour=hour[first])

    @classmethod
    def spanning(cls, meter_id: IntColumn, first: TimeColumn, last: TimeColumn) -> Self:
        """List all hours from ``first`` to ``last``, both included; a span with a NaT end is empty."""
        is_span = ~(np.isnat(first) | np.isnat(last))
        meter_id, first, last = meter_id[is_span], first[is_span], last[is_span]
        counts = np.maximum((last - first) // HOUR + 1, 0)
        step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return cls.of(np.repeat(meter_id, counts), np.repeat(first, counts) + step * HOUR)


@attrs.frozen(kw_only=True, eq=False)
class HourColumns(Columns):
    """What recording reports writes to rows of ``meter_snapshot_1_h``.

    Attributes:
        created_at: Start of the hour.
        is_revised: The consumption columns are set to the values here, unknown ones included [TEL-91].
        is_reported: A report lies in the hour, so the meter's present state is written too [TEL-87].
        consumption_quality: A ``Quality``; "" while the hour is incomplete.
        is_fs_consumption: Full service; false is stored as NULL.
        is_hps_consumption: Essential service; false is stored as NULL.
    """

    meter_id: IntColumn
    created_at: TimeColumn
    is_revised: BoolColumn
    is_reported: BoolColumn
    consumption_kwh: FloatColumn
    consumption_quality: TextColumn
    is_fs_consumption: BoolColumn
    is_hps_consumption: BoolColumn
    counter_kwh: FloatColumn
    kwh_credit_available: FloatColumn


@attrs.frozen(kw_only=True, eq=False)
class ConsumptionColumns(Columns):
    """Hourly consumption for a chart, ordered by time and meter.

    Attributes:
        consumption_kwh: NaN = unknown.
        consumption_quality: A ``Quality`` or "".
    """

    meter_id: IntColumn
    created_at: TimeColumn
    consumption_kwh: FloatColumn
    counter_kwh: FloatColumn
    consumption_quality: TextColumn
