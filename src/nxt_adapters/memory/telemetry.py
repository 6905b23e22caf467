"""Fakes of the telemetry ports: a series store, a register of meters, grids and a plant monitor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import attrs
import numpy as np

from nxt_domain.shared.errors import InvalidInput
from nxt_domain.telemetry.columns import (
    BoolColumn,
    ConsumptionColumns,
    FloatColumn,
    HourColumns,
    MeterHours,
    ReadingColumns,
    TimeColumn,
    float_column,
    floor_hour,
    from_column_time,
    group_ends,
    group_starts,
    time_column,
)
from nxt_domain.telemetry.model import Flag, GatewayGrid, IgnoredReason, MeterFacts, PowerReading, Source
from nxt_domain.telemetry.revision import PAGE_ROWS, Plan

_STATE = ("power_limit_kw", "power_limit_kw_should_be", "is_on", "should_be_on")
_COPIES = tuple(
    field.name
    for field in attrs.fields(MeterFacts)
    if field.name not in {"timezone", "power_limit_w", "power_limit_should_be_w", "is_on", "should_be_on"}
)

HourRow = dict[str, object]


class MemorySeriesStore:
    """Readings and hourly rows in memory; one transaction at a time."""

    def __init__(self) -> None:
        self.readings = ReadingColumns.empty()
        self.hours: dict[tuple[int, datetime], HourRow] = {}
        self.refreshed: list[tuple[datetime, datetime]] = []
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def recording(self, meter_ids: Sequence[int]) -> AsyncIterator[MemoryRecordingSession]:
        """See ``SeriesStore.recording``."""
        async with self._lock:
            readings, hours = self.readings, {key: dict(row) for key, row in self.hours.items()}
            try:
                yield MemoryRecordingSession(self, frozenset(meter_ids))
            except BaseException:
                self.readings, self.hours = readings, hours
                raise

    async def refresh_aggregates(self, start: datetime, end: datetime) -> None:
        """See ``SeriesStore.refresh_aggregates``; remembered for tests."""
        self.refreshed.append((start, end))

    async def consumption(self, meter_ids: Sequence[int], start: datetime, end: datetime) -> ConsumptionColumns:
        """See ``SeriesStore.consumption``."""
        if len(meter_ids) > 1000 or end - start > timedelta(days=366):
            raise InvalidInput("At most 1000 meters and 366 days can be read at once")
        chosen = sorted(
            (hour, meter, row)
            for (meter, hour), row in self.hours.items()
            if meter in set(meter_ids) and start <= hour < end
        )
        return ConsumptionColumns(
            meter_id=np.array([meter for _, meter, _ in chosen], dtype=np.int64),
            created_at=time_column(hour for hour, _, _ in chosen),
            consumption_kwh=_floats([row for *_, row in chosen], "consumption_kwh"),
            counter_kwh=_floats([row for *_, row in chosen], "counter_kwh"),
            consumption_quality=np.array([row["consumption_quality"] or "" for *_, row in chosen], dtype="U12"),
        )


class MemoryRecordingSession:
    """See ``RecordingSession``."""

    def __init__(self, store: MemorySeriesStore, meter_ids: frozenset[int]) -> None:
        self._store = store
        self._meter_ids = meter_ids

    async def window(self, plan: Plan) -> ReadingColumns:
        """See ``RecordingSession.window``."""
        self._check_held(plan.meter_id.tolist())
        parts = [self._window_of(meter, plan.since[lane]) for lane, meter in enumerate(plan.meter_id.tolist())]
        return ReadingColumns.concat([ReadingColumns.empty(), *parts])

    def _window_of(self, meter_id: int, since: np.datetime64) -> ReadingColumns:
        mine = self._store.readings.take(self._store.readings.meter_id == meter_id)
        at, good = mine.reading_at, mine.flag != Flag.OUTLIER
        before = at < since
        chosen = np.zeros(len(mine), dtype=np.bool_)
        if before.any():
            last_good = at[before & good].max()
            stage = at[good & (at <= floor_hour(np.array([last_good]))[0])]
            start = stage.max() if len(stage) else at.min()
            hours = floor_hour(np.array([last_good, since]))
            chosen = before & (at >= start) & (good | np.isin(floor_hour(at), hours))
            chosen[np.flatnonzero(before)[-1]] = True
        chosen[np.flatnonzero(~before)[:PAGE_ROWS]] = True
        return mine.take(chosen)

    async def power_limits(self, hours: MeterHours) -> tuple[BoolColumn, FloatColumn]:
        """See ``RecordingSession.power_limits``."""
        rows = [self._store.hours.get(key) for key in _keys(hours.meter_id.tolist(), hours.hour)]
        return np.array([row is not None for row in rows], dtype=np.bool_), _floats(
            [row or {} for row in rows], "power_limit_kw"
        )

    async def upsert_readings(self, readings: ReadingColumns) -> None:
        """See ``RecordingSession.upsert_readings``."""
        self._check_held(readings.meter_id.tolist())
        both = ReadingColumns.concat([self._store.readings, readings])
        both = both.take(np.lexsort([both.reading_at, both.meter_id]))
        starts = group_starts(both.meter_id, both.reading_at)
        judged = both.take(group_ends(starts, len(both))).columns()
        judgement = ("flag", "delta_kwh", "prev_reading_at", "baseline_kwh")
        self._store.readings = attrs.evolve(both.take(starts), **{name: judged[name] for name in judgement})

    async def upsert_hours(self, hours: HourColumns, facts: Mapping[int, MeterFacts]) -> None:
        """See ``RecordingSession.upsert_hours``."""
        self._check_held(hours.meter_id.tolist())
        merged = hours.merge_duplicates("meter_id", "created_at")
        for place, key in enumerate(_keys(merged.meter_id.tolist(), merged.created_at)):
            row = self._store.hours.setdefault(key, blank_row())
            _fill_copies(row, facts[key[0]])
            values = {name: column[place] for name, column in merged.columns().items()}
            _set_known(row, {name: _float(values[name]) for name in ("counter_kwh", "kwh_credit_available")})
            if values["is_reported"]:
                _set_known(row, {name: getattr(facts[key[0]], name) for name in _STATE})
            if values["is_revised"]:
                _set_consumption(row, values)

    def _check_held(self, meter_ids: Sequence[int]) -> None:
        strangers = set(meter_ids) - self._meter_ids
        if strangers:
            raise RuntimeError(f"meters {sorted(strangers)} were not opened for recording")


class MemoryMeterRegister:
    """Facts of meters in a dictionary.

    Args:
        meters: Facts, or the reason why a meter takes no reports, by id; others are not found.
    """

    def __init__(self, meters: Mapping[int, MeterFacts | IgnoredReason] | None = None) -> None:
        self.meters = dict(meters or {})
        self.last_non_zero: dict[int, datetime] = {}

    async def facts(self, meter_ids: Sequence[int]) -> Mapping[int, MeterFacts | IgnoredReason]:
        """See ``MeterRegister.facts``."""
        return {meter: self.meters.get(meter, IgnoredReason.METER_NOT_FOUND) for meter in meter_ids}

    async def raise_last_non_zero_consumption(self, hours: Mapping[int, datetime]) -> None:
        """See ``MeterRegister.raise_last_non_zero_consumption``."""
        for meter, hour in hours.items():
            self.last_non_zero[meter] = max(hour, self.last_non_zero.get(meter, hour))


class MemoryGridState:
    """Gateway grids in a dictionary by id.

    Args:
        grids: What is stored.
    """

    def __init__(self, grids: Sequence[GatewayGrid] = ()) -> None:
        self.grids = {grid.grid_id: grid for grid in grids}
        self.changes: list[tuple[int, bool, datetime]] = []

    async def gateway_grids(self) -> Sequence[GatewayGrid]:
        """See ``GridState.gateway_grids``."""
        return tuple(self.grids.values())

    async def set_energised(self, grid_id: int, *, is_hps_on: bool, at: datetime) -> bool:
        """See ``GridState.set_energised``."""
        grid = self.grids.get(grid_id)
        if grid is None or grid.is_hps_on == is_hps_on:
            return False
        self.grids[grid_id] = attrs.evolve(grid, is_hps_on=is_hps_on)
        self.changes.append((grid_id, is_hps_on, at))
        return True


class MemoryPlantMonitor:
    """A monitor whose plants speak when a test says so."""

    def __init__(self) -> None:
        self.watched: frozenset[str] = frozenset()
        self._readings: asyncio.Queue[PowerReading | None] = asyncio.Queue()

    async def watch(self, portal_ids: Collection[str]) -> None:
        """See ``PlantMonitor.watch``."""
        self.watched = frozenset(portal_ids)

    def say(self, reading: PowerReading) -> None:
        """Let a plant report; nobody hears one that is not watched."""
        if reading.portal_id in self.watched:
            self._readings.put_nowait(reading)

    async def readings(self) -> AsyncIterator[PowerReading]:
        """See ``PlantMonitor.readings``."""
        while (reading := await self._readings.get()) is not None:
            yield reading

    async def stop(self) -> None:
        """See ``PlantMonitor.stop``."""
        self.watched = frozenset()
        self._readings.put_nowait(None)


def _keys(meter_ids: Sequence[int], hours: TimeColumn) -> list[tuple[int, datetime]]:
    return [(meter, from_column_time(hour)) for meter, hour in zip(meter_ids, hours, strict=True)]


def blank_row() -> HourRow:
    """Return an hourly row in which nothing is known."""
    names = (*_COPIES, *_STATE, "consumption_kwh", "consumption_source", "consumption_quality", "is_fs_consumption")
    return dict.fromkeys((*names, "is_hps_consumption", "counter_kwh", "kwh_credit_available"))


def _fill_copies(row: HourRow, facts: MeterFacts) -> None:
    for name in _COPIES:
        if row[name] is None:
            row[name] = getattr(facts, name)


def _set_known(row: HourRow, values: Mapping[str, object]) -> None:
    row.update({name: value for name, value in values.items() if value is not None})


def _set_consumption(row: HourRow, values: Mapping[str, object]) -> None:
    consumption = _float(values["consumption_kwh"])
    if consumption is None and row["consumption_kwh"] is not None and row["consumption_source"] != Source.CALIN_LORAWAN:
        return
    quality = str(values["consumption_quality"])
    row["consumption_kwh"] = consumption
    row["consumption_quality"] = quality or None
    row["consumption_source"] = Source.CALIN_LORAWAN if quality else None
    row["is_fs_consumption"] = bool(values["is_fs_consumption"]) or None
    row["is_hps_consumption"] = bool(values["is_hps_consumption"]) or None


def _float(value: object) -> float | None:
    number = float(value)  # type: ignore[arg-type]  # a numpy scalar
    return None if np.isnan(number) else number


def _floats(rows: Sequence[Mapping[str, object]], name: str) -> FloatColumn:
    return float_column(row.get(name) for row in rows)  # type: ignore[misc]  # rows hold floats under these names
