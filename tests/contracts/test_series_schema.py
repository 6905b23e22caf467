"""The tables and aggregates of the series store, plain and with TimescaleDB: one answer from both [TEL-19]."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Double
from tests.support.series_stores import SqlWorld, series_url, sql_world
from tests.support.telemetry import at, meter_facts, report

from nxt_adapters.memory.database import MemoryClock
from nxt_adapters.memory.telemetry import MemoryMeterRegister
from nxt_adapters.timescale import tables
from nxt_adapters.timescale.retention import apply_retention
from nxt_domain.telemetry.use_cases.record_reports import RecordHourlyReports
from nxt_entrypoints.database.comparison import check

CHUNKS = {
    "meter_snapshot_1_h": ("created_at", timedelta(days=1)),
    "meter_reading": ("reading_at", timedelta(days=1)),
    "grid_energy_snapshot_15_min": ("created_at", timedelta(days=7)),
    "mppt_energy_snapshot_15_min": ("created_at", timedelta(days=7)),
    "mppt_estimated_actual_snapshot_30_min": ("created_at", timedelta(days=7)),
    "mppt_forecast_snapshot_30_min": ("period_start", timedelta(days=7)),
    "grid_forecast_snapshot_1_h": ("period_start", timedelta(days=7)),
    "dcu_snapshot_1_min": ("created_at", timedelta(days=1)),
    "router_snapshot_1_min": ("created_at", timedelta(days=1)),
    "organization_snapshot_1_d": ("created_at", timedelta(days=90)),
    "exchange_rate_snapshot_1_d": ("period_start", timedelta(days=90)),
    "device_data_sink": ("timestamp", timedelta(days=7)),
    "grid_business_snapshot_1_d": ("created_at", timedelta(days=90)),
}
COMPRESSED_AFTER = {
    "meter_snapshot_1_h": 14,
    "meter_reading": 14,
    "grid_energy_snapshot_15_min": 30,
    "mppt_energy_snapshot_15_min": 30,
    "mppt_estimated_actual_snapshot_30_min": 30,
    "mppt_forecast_snapshot_30_min": 30,
    "grid_forecast_snapshot_1_h": 30,
    "dcu_snapshot_1_min": 7,
    "router_snapshot_1_min": 7,
    "device_data_sink": 30,
}
GRID = "3, 'Kuwana', 5, 'Kuwana Light'"


@pytest.fixture(params=["postgres", "pglite", "timescale"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[SqlWorld]:
    server = request.getfixturevalue("pglite_server") if request.param == "pglite" else None
    with series_url(request.param, server) as url:
        if server:
            server.migrate()  # an emptied table would leave its refreshed aggregates behind
        async with sql_world(url, max_size=1 if server else 4) as real:
            yield real


@pytest.fixture(params=["pglite", "timescale"])
async def timescale(request: pytest.FixtureRequest) -> AsyncIterator[SqlWorld]:
    server = request.getfixturevalue("pglite_server") if request.param == "pglite" else None
    with series_url(request.param, server) as url:
        async with sql_world(url, max_size=1 if server else 4) as real:
            yield real


@pytest.mark.parametrize("kind", ["postgres", "pglite", "timescale"])
def test_the_migrated_schema_is_the_described_one(kind: str, request: pytest.FixtureRequest) -> None:
    """[TEL-18] [TEL-19] Tables, types, keys and indexes, with and without the extension."""
    server = request.getfixturevalue("pglite_server") if kind == "pglite" else None
    with series_url(kind, server) as url:
        assert check(url, "telemetry") == []


def test_natural_keys_and_names_that_clients_read() -> None:
    """[TEL-20] [TEL-29] [TEL-22] A few of the contract's corners."""
    keys = {name: [column.name for column in table.primary_key] for name, table in tables.metadata.tables.items()}
    assert keys["meter_snapshot_1_h"] == ["created_at", "meter_id"]
    assert keys["meter_reading"] == ["meter_id", "reading_at"]
    assert keys["grid_forecast_snapshot_1_h"] == ["grid_id", "period_start"]
    assert keys["exchange_rate_snapshot_1_d"] == ["period_start", "from_currency", "to_currency"]
    assert keys["autopilot_solutions_30_min"] == []
    assert len(tables.metadata.tables) == 18
    hourly = tables.meter_snapshot_1_h.c
    assert isinstance(hourly.counter_kwh.type, Double)
    assert isinstance(hourly.kwh_credit_available.type, Double)
    assert len(tables.grid_energy_snapshot_15_min.c) == 28
    assert len(tables.grid_business_snapshot_1_d.c) == 47


async def test_the_database_speaks_utc(world: SqlWorld) -> None:
    """[TEL-9] Its default zone, whatever the session says."""
    found = await world.rows(
        "SELECT array_to_string(setconfig, ',') FROM pg_db_role_setting s"
        " JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname = current_database() AND setrole = 0"
    )
    # A copy of the migrated template has no setting of its own; its session then follows the pool.
    assert all("UTC" in setting for (setting,) in found)
    assert await world.rows("SHOW timezone") == [("UTC",)]
    typed = await world.rows(
        "SELECT DISTINCT data_type FROM information_schema.columns WHERE table_schema = 'public'"
        " AND column_name IN ('created_at', 'period_start', 'reading_at', 'timestamp')"
    )
    assert typed == [("timestamp without time zone",)]


async def put_minutes(world: SqlWorld, online: int, offline: int) -> None:
    for minute in range(online + offline):
        await world.execute(
            f"INSERT INTO dcu_snapshot_1_min VALUES (%s, 7, 'a84041', 'CALIN', %s, {GRID})",
            datetime(2026, 5, 7, 10, minute),  # noqa: DTZ001 - naive by contract
            minute < online,
        )


async def test_missing_minutes_count_as_offline(world: SqlWorld) -> None:
    """[TEL-24] Of 15 minutes, 12 recorded true, 1 recorded false, 2 missing: 0.80; of an hour 0.20."""
    await put_minutes(world, online=12, offline=1)
    columns = "bucket, grid_id, dcu_id, dcu_external_reference, dcu_external_system, grid_name, is_online"
    slot = datetime(2026, 5, 7, 10)  # noqa: DTZ001 - naive by contract
    row = (slot, 3, 7, "a84041", "CALIN", "Kuwana")
    assert await world.rows(f"SELECT {columns} FROM dcu_snapshot_15_min") == [(*row, Decimal("0.80"))]
    assert await world.rows(f"SELECT {columns} FROM dcu_snapshot_1_h") == [(*row, Decimal("0.20"))]


async def test_hours_sum_up_by_grid_and_day(world: SqlWorld) -> None:
    """[TEL-14] [TEL-19] NaN and NULL are no values; a refresh is not needed to see new rows."""
    for meter, hour, kwh in ((1, 10, 0.5), (2, 10, 0.25), (3, 10, None), (4, 10, float("nan")), (1, 11, 1.0)):
        await world.put_hour(meter, at(hour), {"consumption_kwh": kwh, "grid_id": 3, "meter_type": "HPS"})
    by_grid = "SELECT bucket, consumption_kwh, meter_count FROM grid_meter_consumption_1_h ORDER BY bucket"
    assert [row[1:] for row in await world.rows(by_grid)] == [(0.75, 2), (1.0, 1)]
    by_day = "SELECT meter_id, consumption_kwh, max_hourly_kwh, sample_hours FROM meter_consumption_1_d ORDER BY 1"
    assert await world.rows(by_day) == [(1, 1.5, 1.0, 2), (2, 0.25, 0.25, 1), (3, None, None, 0), (4, None, None, 0)]


async def test_forms_that_direct_readers_use(world: SqlWorld) -> None:
    """[TEL-27] Per meter number and day."""
    for hour, kwh in ((10, 0.5), (11, 1.0), (26, 2.0)):
        await world.put_hour(1, at(hour), {"consumption_kwh": kwh, "meter_external_reference": "47000000001"})
    found = await world.rows(
        "SELECT date_trunc('day', created_at) AS day, sum(consumption_kwh), max(consumption_kwh), count(*)"
        " FROM meter_snapshot_1_h WHERE meter_external_reference = '47000000001' GROUP BY day ORDER BY day"
    )
    assert [row[1:] for row in found] == [(1.5, 1.0, 2), (2.0, 2.0, 1)]


async def test_a_device_time_is_stored_once(world: SqlWorld) -> None:
    """[TEL-18] The unique key of ``device_data_sink``."""
    put = "INSERT INTO device_data_sink VALUES (now(), '2026-05-07', 4294967296, '{}', '{}') ON CONFLICT DO NOTHING"
    await world.execute(put)
    await world.execute(put)
    assert await world.rows("SELECT count(*) FROM device_data_sink") == [(1,)]


async def test_a_late_report_reaches_refreshed_aggregates(world: SqlWorld) -> None:
    """[TEL-25] A reading of 20 days ago, after the aggregates were refreshed over its day."""
    record = RecordHourlyReports(world.store, MemoryMeterRegister({1: meter_facts(1)}), MemoryClock(at(0, day=20)))
    await record.record([report(1, at(hour), 50.0 + hour) for hour in (10, 11, 12)])
    query = "SELECT consumption_kwh FROM grid_meter_consumption_1_h ORDER BY bucket"
    assert await world.rows(query) == [(1.0,), (1.0,), (None,)]
    await record.record([report(1, at(10, 30), 50.0 + 10.8)])
    assert [round(kwh, 6) for (kwh,) in (await world.rows(query))[:2]] == [1.0, 1.0]
    await record.record([report(1, at(9), 58.0)])
    assert [kwh for (kwh,) in await world.rows(query)] == [2.0, 1.0, 1.0, None]


async def test_hypertables_have_their_chunks(timescale: SqlWorld) -> None:
    """[TEL-19] One time dimension each, of the stated length, without space partitions."""
    found = await timescale.rows(
        "SELECT hypertable_name, column_name, time_interval FROM timescaledb_information.dimensions"
        " WHERE hypertable_schema = 'public'"
    )
    assert {name: (column, length) for name, column, length in found} == CHUNKS
    assert len(found) == len(CHUNKS)


async def test_compression_waits_longer_than_jobs_look_back(timescale: SqlWorld) -> None:
    """[TEL-26] And rows that come later still are accepted into compressed chunks."""
    found = await timescale.rows(
        "SELECT hypertable_name, (config->>'compress_after')::interval FROM timescaledb_information.jobs"
        " WHERE proc_name IN ('policy_compression', 'policy_columnstore') AND hypertable_schema = 'public'"
    )
    assert dict(found) == {name: timedelta(days=days) for name, days in COMPRESSED_AFTER.items()}
    record = RecordHourlyReports(timescale.store, MemoryMeterRegister({1: meter_facts(1)}), MemoryClock(at(0, day=20)))
    await record.record([report(1, at(hour), 50.0 + hour / 10) for hour in (10, 13)])
    compressed = await timescale.rows("SELECT compress_chunk(c) FROM show_chunks('meter_snapshot_1_h') c")
    compressed += await timescale.rows("SELECT compress_chunk(c) FROM show_chunks('meter_reading') c")
    assert len(compressed) >= 2
    await record.record([report(1, at(11), 51.25)])
    row = await timescale.hour(1, at(10))
    assert row is not None
    assert row["consumption_kwh"] == 0.25


async def test_nothing_is_dropped_unless_asked(timescale: SqlWorld) -> None:
    """[TEL-19] Retention is a setting of the deployment (section 3.6), and can be taken back."""
    query = (
        "SELECT hypertable_name, (config->>'drop_after')::interval FROM timescaledb_information.jobs"
        " WHERE proc_name = 'policy_retention' AND hypertable_schema = 'public'"
    )
    assert await timescale.rows(query) == []
    for _ in range(2):
        await apply_retention(timescale.pool, enabled=True)
    kept = dict(await timescale.rows(query))
    assert (kept["meter_reading"], kept["dcu_snapshot_1_min"]) == (timedelta(days=400), timedelta(days=90))
    assert "meter_snapshot_1_h" not in kept
    await apply_retention(timescale.pool, enabled=False)
    assert await timescale.rows(query) == []


async def test_plain_tables_have_no_retention() -> None:
    """[TEL-19] Without the extension the setting does nothing."""
    with series_url("postgres", None) as url:
        async with sql_world(url) as plain:
            await apply_retention(plain.pool, enabled=True)
            assert await plain.rows("SELECT count(*) FROM meter_reading") == [(0,)]
