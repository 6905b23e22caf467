"""The series stores that one suite runs over: in memory, plain PostgreSQL, and TimescaleDB in two guises."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest
from psycopg import sql

from nxt_adapters.memory.telemetry import MemorySeriesStore, blank_row
from nxt_adapters.timescale.pool import SeriesPool, create_series_pool
from nxt_adapters.timescale.series_store import TimescaleSeriesStore
from nxt_domain.telemetry.ports import SeriesStore
from nxt_entrypoints.database.migrate import upgrade
from tests.support import databases, pglite

Row = dict[str, Any]

KINDS = ("memory", "postgres", "pglite", "timescale")


class SeriesWorld(Protocol):
    """A store, and a look at its rows that does not go through the port."""

    store: SeriesStore

    async def hour(self, meter_id: int, hour: datetime) -> Row | None:
        """Return one row of ``meter_snapshot_1_h``."""

    async def put_hour(self, meter_id: int, hour: datetime, values: Mapping[str, object]) -> None:
        """Insert a row as another writer would."""

    async def flags(self, meter_id: int) -> list[str]:
        """Return the flags of a meter's readings in order of time."""


class MemoryWorld:
    """The fake."""

    def __init__(self) -> None:
        self.store = MemorySeriesStore()

    async def hour(self, meter_id: int, hour: datetime) -> Row | None:
        row = self.store.hours.get((meter_id, hour))
        return None if row is None else {"meter_id": meter_id, "created_at": hour, **row}

    async def put_hour(self, meter_id: int, hour: datetime, values: Mapping[str, object]) -> None:
        self.store.hours[meter_id, hour] = {**blank_row(), **values}

    async def flags(self, meter_id: int) -> list[str]:
        readings = self.store.readings
        return [str(flag) for flag in readings.flag[readings.meter_id == meter_id]]


class SqlWorld:
    """A real store."""

    def __init__(self, pool: SeriesPool) -> None:
        self.pool = pool
        self.store = TimescaleSeriesStore(pool)

    async def hour(self, meter_id: int, hour: datetime) -> Row | None:
        query = "SELECT to_jsonb(s) FROM meter_snapshot_1_h s WHERE meter_id = %s AND created_at = %s"
        rows = await self.rows(query, meter_id, hour.astimezone(UTC).replace(tzinfo=None))
        return rows[0][0] if rows else None

    async def put_hour(self, meter_id: int, hour: datetime, values: Mapping[str, object]) -> None:
        row = {"meter_id": meter_id, "created_at": hour.astimezone(UTC).replace(tzinfo=None), **values}
        statement = sql.SQL("INSERT INTO meter_snapshot_1_h ({}) VALUES ({})").format(
            sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(sql.Placeholder() * len(row))
        )
        async with self.pool.connection() as connection:
            await connection.execute(statement, list(row.values()))

    async def flags(self, meter_id: int) -> list[str]:
        rows = await self.rows("SELECT flag FROM meter_reading WHERE meter_id = %s ORDER BY reading_at", meter_id)
        return [flag for (flag,) in rows]

    async def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a query outside the port."""
        async with self.pool.connection() as connection:
            return await (await connection.execute(query, parameters)).fetchall()  # type: ignore[arg-type]  # a literal at each call

    async def execute(self, statement: str, *parameters: object) -> None:
        """Run a statement outside the port."""
        async with self.pool.connection() as connection:
            await connection.execute(statement, parameters)  # type: ignore[arg-type]  # a literal at each call


@contextmanager
def series_url(kind: str, server: pglite.PgliteServer | None) -> Iterator[str]:
    """Lend a migrated store of a kind, or skip the test with the reason."""
    if kind == "pglite":
        assert server is not None
        server.truncate()
        yield server.url
        return
    try:
        if kind == "postgres":
            with databases.fresh_database(databases.embedded_server(), "telemetry") as url:
                yield url
            return
        # No template here: TimescaleDB's own workers are connected to each database, which forbids copying it.
        with databases.empty_database(databases.server_from_environment("NXT_TEST_TIMESCALE_URL")) as url:
            upgrade(url, "telemetry")
            yield url
    except databases.Unobtainable as reason:
        pytest.skip(str(reason))


@asynccontextmanager
async def sql_world(url: str, *, max_size: int = 4) -> AsyncIterator[SqlWorld]:
    """Open a store at an address."""
    pool = create_series_pool(url, max_size=max_size)
    await pool.open()
    try:
        yield SqlWorld(pool)
    finally:
        await pool.close()
