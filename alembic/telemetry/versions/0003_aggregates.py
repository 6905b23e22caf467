"""Make the aggregates: continuous ones where TimescaleDB is at hand, else views of the same names and columns."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_DCU = "grid_id, dcu_id, dcu_external_reference, dcu_external_system, grid_name, organization_id, organization_name"
_ROUTER = _DCU.replace("dcu_", "router_")

# Minutes that were not recorded count as offline, so the ratio is of expected minutes [TEL-24].
_ONLINE = "round(count(*) FILTER (WHERE is_online) / {minutes}, 2) AS is_online"
_KNOWN = "consumption_kwh IS NOT NULL AND consumption_kwh <> 'NaN'"
_CONSUMPTION = f"sum(consumption_kwh) FILTER (WHERE {_KNOWN}) AS consumption_kwh"
_MAXIMUM = f"max(consumption_kwh) FILTER (WHERE {_KNOWN}) AS max_hourly_kwh"

# Name, table, bucket, group by, values, and the refresh: start, end, every.
AGGREGATES = (
    (
        "dcu_snapshot_15_min", "dcu_snapshot_1_min", "15 minutes", _DCU,
        _ONLINE.format(minutes="15.0"), ("60 minutes", "1 minute", "1 minute"),
    ),
    (
        "dcu_snapshot_1_h", "dcu_snapshot_1_min", "1 hour", _DCU,
        _ONLINE.format(minutes="60.0"), ("3 hours", "1 minute", "5 minutes"),
    ),
    (
        "router_snapshot_15_min", "router_snapshot_1_min", "15 minutes", _ROUTER,
        _ONLINE.format(minutes="15.0"), ("60 minutes", "1 minute", "1 minute"),
    ),
    (
        "grid_estimated_actual_snapshot_30_min", "mppt_estimated_actual_snapshot_30_min", "30 minutes",
        "grid_id, grid_name, organization_id, organization_name",
        "sum(estimated_actual_kw) AS estimated_actual_kw", ("48 hours", "1 hour", "1 hour"),
    ),
    (
        "grid_meter_consumption_1_h", "meter_snapshot_1_h", "1 hour", "grid_id, meter_type, is_hidden_from_reporting",
        f"{_CONSUMPTION}, count(*) FILTER (WHERE {_KNOWN}) AS meter_count", ("15 days", "1 hour", "1 hour"),
    ),
    (
        "meter_consumption_1_d", "meter_snapshot_1_h", "1 day",
        "meter_id, meter_external_reference, customer_id, connection_id, grid_id",
        f"{_CONSUMPTION}, {_MAXIMUM}, count(*) FILTER (WHERE {_KNOWN}) AS sample_hours",
        ("15 days", "1 hour", "6 hours"),
    ),
)  # fmt: skip


def upgrade() -> None:
    """Make the aggregates of section 3.5 [TEL-19]."""
    has_timescale = op.get_bind().scalar(text("SELECT count(*) > 0 FROM pg_extension WHERE extname = 'timescaledb'"))
    for name, table, bucket, group_by, values, (start, end, every) in AGGREGATES:
        if not has_timescale:
            # time_bucket counts from a Monday at midnight; so does this origin.
            slot = f"date_bin('{bucket}', created_at, timestamp '2000-01-03')"
            op.execute(f"CREATE VIEW {name} AS {_select(slot, table, group_by, values)}")
            continue
        slot = f"time_bucket(interval '{bucket}', created_at)"
        # Rows that no refresh has seen yet are added on reading, so both kinds of store answer alike.
        op.execute(
            f"CREATE MATERIALIZED VIEW {name} WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS"
            f" {_select(slot, table, group_by, values)} WITH NO DATA"
        )
        op.execute(
            f"SELECT add_continuous_aggregate_policy('{name}', start_offset => interval '{start}',"
            f" end_offset => interval '{end}', schedule_interval => interval '{every}')"
        )


def _select(slot: str, table: str, group_by: str, values: str) -> str:
    return f"SELECT {slot} AS bucket, {group_by}, {values} FROM {table} GROUP BY 1, {group_by}"  # noqa: S608 - constants of this module
