"""Make hypertables with compression, where TimescaleDB is at hand."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Table, time column, chunk length.
HYPERTABLES = (
    ("meter_snapshot_1_h", "created_at", "1 day"),
    ("meter_reading", "reading_at", "1 day"),
    ("grid_energy_snapshot_15_min", "created_at", "7 days"),
    ("mppt_energy_snapshot_15_min", "created_at", "7 days"),
    ("mppt_estimated_actual_snapshot_30_min", "created_at", "7 days"),
    ("mppt_forecast_snapshot_30_min", "period_start", "7 days"),
    ("grid_forecast_snapshot_1_h", "period_start", "7 days"),
    ("dcu_snapshot_1_min", "created_at", "1 day"),
    ("router_snapshot_1_min", "created_at", "1 day"),
    ("organization_snapshot_1_d", "created_at", "90 days"),
    ("exchange_rate_snapshot_1_d", "period_start", "90 days"),
    ("device_data_sink", "timestamp", "7 days"),
    ("grid_business_snapshot_1_d", "created_at", "90 days"),
)

# Table, segment by, order by, age. Each age is longer than the look-back of the jobs that write the table [TEL-26].
COMPRESSION = (
    ("meter_snapshot_1_h", "grid_id", "meter_id, created_at", "14 days"),
    ("meter_reading", "", "meter_id, reading_at", "14 days"),
    ("grid_energy_snapshot_15_min", "grid_id", "created_at", "30 days"),
    ("mppt_energy_snapshot_15_min", "grid_id", "mppt_id, created_at", "30 days"),
    ("mppt_estimated_actual_snapshot_30_min", "grid_id", "mppt_id, created_at", "30 days"),
    ("mppt_forecast_snapshot_30_min", "grid_id", "mppt_id, period_start", "30 days"),
    ("grid_forecast_snapshot_1_h", "grid_id", "period_start", "30 days"),
    ("dcu_snapshot_1_min", "grid_id", "dcu_id, created_at", "7 days"),
    ("router_snapshot_1_min", "grid_id", "router_id, created_at", "7 days"),
    ("device_data_sink", "device_id", '"timestamp"', "30 days"),
)


def upgrade() -> None:
    """Turn the tables of section 3 into hypertables; plain tables stay as they are [TEL-19]."""
    connection = op.get_bind()
    is_available = connection.scalar(
        text("SELECT count(*) > 0 FROM pg_available_extensions WHERE name = 'timescaledb'")
    )
    if not is_available:
        return
    op.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    for table, column, chunk in HYPERTABLES:
        dimension = f"by_range('{column}', interval '{chunk}')"
        op.execute(f"SELECT create_hypertable('{table}', {dimension}, create_default_indexes => false)")
    for table, segment_by, order_by, age in COMPRESSION:
        op.execute(
            f"ALTER TABLE {table} SET (timescaledb.compress, timescaledb.compress_segmentby = '{segment_by}',"
            f" timescaledb.compress_orderby = '{order_by}')"
        )
        op.execute(f"SELECT add_compression_policy('{table}', interval '{age}')")
