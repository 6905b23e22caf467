"""Dropping old chunks, where a deployment wants it (telemetry 3.6)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from psycopg import sql

from nxt_adapters.timescale.pool import SeriesPool, told_in_domain_words

_YEAR: Final = timedelta(days=365)

RETENTION: Final = {
    "meter_reading": timedelta(days=400),
    "mppt_energy_snapshot_15_min": 5 * _YEAR,
    "mppt_estimated_actual_snapshot_30_min": 5 * _YEAR,
    "mppt_forecast_snapshot_30_min": 5 * _YEAR,
    "grid_forecast_snapshot_1_h": 2 * _YEAR,
    "dcu_snapshot_1_min": timedelta(days=90),
    "router_snapshot_1_min": timedelta(days=90),
    "dcu_snapshot_15_min": 2 * _YEAR,
    "dcu_snapshot_1_h": 2 * _YEAR,
    "router_snapshot_15_min": 2 * _YEAR,
    "device_data_sink": timedelta(days=400),
}
"""How long rows are kept once retention is enabled; tables that are absent here keep everything."""


async def apply_retention(pool: SeriesPool, *, enabled: bool) -> None:
    """Add or take away the retention policies; may be repeated, and does nothing without TimescaleDB.

    Args:
        pool: An open pool whose login owns the tables.
        enabled: ``TELEMETRY_RETENTION_ENABLED``.

    Raises:
        Unavailable: The store can't be reached.
    """
    async with told_in_domain_words(), pool.connection() as connection:
        found = await connection.execute("SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'")
        if await found.fetchone() == (0,):
            return
        for table, age in RETENTION.items():
            relation = sql.Literal(table)
            await connection.execute(sql.SQL("SELECT remove_retention_policy({}, if_exists => true)").format(relation))
            if enabled:
                await connection.execute(
                    sql.SQL("SELECT add_retention_policy({}, {}::interval)").format(relation, sql.Literal(age))
                )
