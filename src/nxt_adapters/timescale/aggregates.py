"""Continuous aggregates over the hourly rows of meters [TEL-25]."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

HOURLY_AGGREGATES: Final = {
    "grid_meter_consumption_1_h": timedelta(hours=1),
    "meter_consumption_1_d": timedelta(days=1),
}
"""Aggregates over ``meter_snapshot_1_h`` with the length of their buckets."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_IS_CONTINUOUS: Final = """
SELECT view_name FROM timescaledb_information.continuous_aggregates
WHERE view_schema = current_schema() AND view_name = ANY(%s)
"""


async def refresh_hourly_aggregates(connection: AsyncConnection[TupleRow], start: datetime, end: datetime) -> None:
    """Refresh the buckets that a range touches; does nothing where the aggregates are plain views.

    Args:
        connection: Outside any transaction; a refresh can't run in one.
        start: Aware begin.
        end: Aware end.
    """
    await connection.set_autocommit(True)
    try:
        for name in await _continuous(connection):
            bucket = HOURLY_AGGREGATES[name]
            statement = sql.SQL("CALL refresh_continuous_aggregate({}, {}, {})").format(
                sql.Literal(name), sql.Literal(_floor(start, bucket)), sql.Literal(_floor(end, bucket) + bucket)
            )
            await connection.execute(statement)
    finally:
        await connection.set_autocommit(False)


async def _continuous(connection: AsyncConnection[TupleRow]) -> list[str]:
    cursor = await connection.execute("SELECT to_regclass('timescaledb_information.continuous_aggregates') IS NOT NULL")
    found = await cursor.fetchone()
    if found is None or not found[0]:
        return []
    cursor = await connection.execute(_IS_CONTINUOUS, (list(HOURLY_AGGREGATES),))
    return [name for (name,) in await cursor.fetchall()]


def _floor(instant: datetime, bucket: timedelta) -> datetime:
    utc = instant.astimezone(UTC)
    return (utc - (utc - _EPOCH) % bucket).replace(tzinfo=None)
