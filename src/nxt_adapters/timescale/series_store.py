"""The port ``SeriesStore`` on PostgreSQL, with or without TimescaleDB."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import numpy as np
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from nxt_adapters.timescale import statements
from nxt_adapters.timescale.aggregates import refresh_hourly_aggregates
from nxt_adapters.timescale.arrays import bool_array, float8_array, int4_array, timestamp_array
from nxt_adapters.timescale.pool import SeriesPool, told_in_domain_words
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.telemetry.columns import (
    BoolColumn,
    Columns,
    ConsumptionColumns,
    FloatColumn,
    HourColumns,
    MeterHours,
    ReadingColumns,
    float_column,
    to_column_time,
)
from nxt_domain.telemetry.model import Flag, MeterFacts, Source
from nxt_domain.telemetry.revision import Plan

MAX_ROWS: Final = 5000
"""Rows of one statement [TEL-30]."""

MAX_METERS_READ: Final = 1000
MAX_RANGE_READ: Final = timedelta(days=366)

C = TypeVar("C", bound=Columns)

_LOOK_BACKS: Final = (np.timedelta64(1, "D"), np.timedelta64(8, "D"), None)
_BEGINNING: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - series rows are naive UTC by contract [TEL-9]


class TimescaleSeriesStore:
    """Series of meters in TimescaleDB or plain PostgreSQL; see ``SeriesStore``.

    Args:
        pool: An open pool, see ``create_series_pool``.
    """

    def __init__(self, pool: SeriesPool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def recording(self, meter_ids: Sequence[int]) -> AsyncIterator[TimescaleRecordingSession]:
        """See ``SeriesStore.recording``: row locks on ``meter_recording_lock`` until the transaction ends."""
        meters = int4_array(np.unique(np.array(meter_ids, dtype=np.int64)))
        async with told_in_domain_words(), self._pool.connection() as connection:
            claimed = await _fetch(connection, statements.CLAIM_METERS, {"meter_id": meters})
            await connection.execute(statements.LOCK_METERS, {"meter_id": meters})
            yield TimescaleRecordingSession(connection, [meter for (meter,) in claimed])

    async def refresh_aggregates(self, start: datetime, end: datetime) -> None:
        """See ``SeriesStore.refresh_aggregates``; plain views are always up to date."""
        async with told_in_domain_words(), self._pool.connection() as connection:
            await refresh_hourly_aggregates(connection, start, end)

    async def consumption(self, meter_ids: Sequence[int], start: datetime, end: datetime) -> ConsumptionColumns:
        """See ``SeriesStore.consumption``."""
        if len(meter_ids) > MAX_METERS_READ or end - start > MAX_RANGE_READ:
            raise InvalidInput(f"At most {MAX_METERS_READ} meters and {MAX_RANGE_READ.days} days can be read at once")
        parameters = {
            "meter_id": list(meter_ids),
            "start": to_column_time(start).item(),
            "end": to_column_time(end).item(),
        }
        async with told_in_domain_words(), self._pool.connection() as connection:
            rows = await _fetch(connection, statements.CONSUMPTION, parameters)
        meter_id, created_at, consumption, counter, quality = _transposed(rows, 5)
        return ConsumptionColumns(
            meter_id=np.array(meter_id, dtype=np.int64),
            created_at=np.array(created_at, dtype="datetime64[us]"),
            consumption_kwh=float_column(consumption),
            counter_kwh=float_column(counter),
            consumption_quality=np.array(quality, dtype="U12"),
        )


class TimescaleRecordingSession:
    """An open transaction that holds its meters; see ``RecordingSession``.

    Args:
        connection: Carries the transaction.
        newcomers: Meters that no transaction has held before, so they had no readings when it began.
    """

    def __init__(self, connection: AsyncConnection[TupleRow], newcomers: Sequence[int]) -> None:
        self._connection = connection
        self._newcomers = np.array(newcomers, dtype=np.int64)

    async def window(self, plan: Plan) -> ReadingColumns:
        """See ``RecordingSession.window``: looks a day back, and further for the meters that were silent longer."""
        parts = [ReadingColumns.empty()]
        left = plan.take(~np.isin(plan.meter_id, self._newcomers))
        self._newcomers = np.empty(0, dtype=np.int64)
        for look_back in _LOOK_BACKS:
            if len(left) == 0:
                break
            found, is_whole = await self._window_since(left, look_back)
            is_done = np.isin(left.meter_id, found.meter_id[is_whole]) | (look_back is None)
            parts.append(found.take(np.isin(found.meter_id, left.meter_id[is_done])))
            left = left.take(~is_done)
        readings = ReadingColumns.concat(parts)
        return readings.take(np.lexsort([readings.reading_at, readings.meter_id]))

    async def _window_since(self, plan: Plan, look_back: np.timedelta64 | None) -> tuple[ReadingColumns, BoolColumn]:
        """Return readings, and for each whether its meter's window reaches far enough."""
        parameters = {
            "meter_id": int4_array(plan.meter_id),
            "since": timestamp_array(plan.since),
            "earliest": _BEGINNING if look_back is None else (plan.since.min() - look_back).item(),
        }
        rows = await _fetch(self._connection, statements.WINDOW, parameters)
        *columns, is_whole = _transposed(rows, 10)
        meter_id, reading_at, received_at, counter, credit, prev, delta, baseline, flag = columns
        readings = ReadingColumns(
            meter_id=np.array(meter_id, dtype=np.int64),
            reading_at=np.array(reading_at, dtype="datetime64[us]"),
            received_at=np.array(received_at, dtype="datetime64[us]"),
            counter_kwh=float_column(counter),
            kwh_credit_available=float_column(credit),
            prev_reading_at=np.array(prev, dtype="datetime64[us]"),
            delta_kwh=float_column(delta),
            baseline_kwh=float_column(baseline),
            flag=np.array(flag, dtype="U7"),
        )
        return readings, np.array(is_whole, dtype=np.bool_) | (readings.flag == Flag.FIRST)

    async def power_limits(self, hours: MeterHours) -> tuple[BoolColumn, FloatColumn]:
        """See ``RecordingSession.power_limits``."""
        rows: list[tuple[Any, ...]] = []
        for part in _parts(hours):
            parameters = {
                "meter_id": int4_array(part.meter_id),
                "hour": timestamp_array(part.hour),
                "first": part.hour.min().item(),
                "last": part.hour.max().item(),
            }
            rows += await _fetch(self._connection, statements.POWER_LIMITS, parameters)
        exists, limits = _transposed(rows, 2)
        return np.array(exists, dtype=np.bool_), float_column(limits)

    async def upsert_readings(self, readings: ReadingColumns) -> None:
        """See ``RecordingSession.upsert_readings``."""
        for part in _parts(readings.merge_duplicates("meter_id", "reading_at")):
            await self._connection.execute(
                statements.UPSERT_READINGS,
                {
                    "meter_id": int4_array(part.meter_id),
                    "reading_at": timestamp_array(part.reading_at),
                    "received_at": timestamp_array(part.received_at),
                    "counter_kwh": float8_array(part.counter_kwh),
                    "kwh_credit_available": float8_array(part.kwh_credit_available),
                    "prev_reading_at": timestamp_array(part.prev_reading_at),
                    "delta_kwh": float8_array(part.delta_kwh),
                    "baseline_kwh": float8_array(part.baseline_kwh),
                    "flag": part.flag.tolist(),
                    "source": Source.CALIN_LORAWAN.value,
                },
            )

    async def upsert_hours(self, hours: HourColumns, facts: Mapping[int, MeterFacts]) -> None:
        """See ``RecordingSession.upsert_hours``."""
        merged = hours.merge_duplicates("meter_id", "created_at")
        for is_revised in (True, False):
            for part in _parts(merged.take(merged.is_revised == is_revised)):
                await self._connection.execute(
                    statements.UPSERT_HOURS,
                    {
                        **_hour_parameters(part),
                        **_fact_parameters([facts[meter] for meter in np.unique(part.meter_id).tolist()]),
                        "is_revised": is_revised,
                        "source": Source.CALIN_LORAWAN.value,
                    },
                )


def _hour_parameters(hours: HourColumns) -> dict[str, Any]:
    return {
        "meter_id": int4_array(hours.meter_id),
        "created_at": timestamp_array(hours.created_at),
        "is_reported": bool_array(hours.is_reported),
        "counter_kwh": float8_array(hours.counter_kwh),
        "kwh_credit_available": float8_array(hours.kwh_credit_available),
        "consumption_kwh": float8_array(hours.consumption_kwh),
        "consumption_quality": hours.consumption_quality.tolist(),
        "is_fs_consumption": bool_array(hours.is_fs_consumption),
        "is_hps_consumption": bool_array(hours.is_hps_consumption),
    }


def _fact_parameters(facts: Sequence[MeterFacts]) -> dict[str, Any]:
    """Send each meter's facts once, whatever the number of its rows."""
    columns = {name: [getattr(fact, name) for fact in facts] for name in statements.FACT_COLUMNS}
    return {"fact_meter_id": [fact.meter_id for fact in facts], **columns}


def _parts(table: C) -> Iterator[C]:
    for start in range(0, len(table), MAX_ROWS):
        yield table.take(np.arange(start, min(start + MAX_ROWS, len(table))))


async def _fetch(
    connection: AsyncConnection[TupleRow], statement: str, parameters: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    cursor = await connection.execute(statement, parameters)
    return await cursor.fetchall()


def _transposed(rows: Sequence[tuple[Any, ...]], width: int) -> Sequence[Sequence[Any]]:
    return list(zip(*rows, strict=True)) if rows else [()] * width
