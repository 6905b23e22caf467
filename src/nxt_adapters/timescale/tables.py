"""Tables of the series store, as the migrations leave them (telemetry 3). Times are naive UTC [TEL-9].

The statements of this adapter are written by hand; this description serves comparisons with a live database.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB, TIMESTAMP
from sqlalchemy.types import TypeEngine

metadata = MetaData()

Kind: TypeAlias = type[TypeEngine[Any]]


def _columns(kind: Kind, *names: str) -> list[Column[Any]]:
    return [Column(name, kind) for name in names]


def _required(kind: Kind, *names: str) -> list[Column[Any]]:
    return [Column(name, kind, nullable=False) for name in names]


def _grid(*, in_key: bool = False) -> list[Column[Any]]:
    """Copies of grid and organization (G4)."""
    return [
        Column("grid_id", Integer, nullable=not in_key),
        Column("grid_name", String),
        Column("organization_id", Integer),
        Column("organization_name", String),
    ]


def _mppt() -> list[Column[Any]]:
    """Copies of an MPPT (M)."""
    return [
        *_columns(String, "mppt_external_reference", "mppt_external_system"),
        *_columns(Double, "mppt_latitude", "mppt_longitude", "mppt_tilt"),
        *_columns(String, "mppt_position_vertical", "mppt_position_horizontal"),
        *_columns(TIMESTAMP, "mppt_installed_at"),
        *_columns(Double, "mppt_azimuth", "mppt_kw"),
        *_columns(String, "mppt_type"),
        *_grid(),
    ]


def _node(kind: str) -> list[Column[Any]]:
    """Columns of a minute of a gateway or router."""
    return [
        *_required(TIMESTAMP, "created_at"),
        *_required(Integer, f"{kind}_id"),
        *_columns(String, f"{kind}_external_reference", f"{kind}_external_system"),
        *_columns(Boolean, "is_online"),
        *_grid(),
    ]


def _table(name: str, columns: list[Column[Any]], *key: str, indexes: tuple[tuple[str, ...], ...] = ()) -> Table:
    """Make a table; a ``-`` before an index column means descending."""
    table = Table(name, metadata, *columns, *([PrimaryKeyConstraint(*key)] if key else []))
    for index in indexes:
        names = [column.removeprefix("-") for column in index]
        expressions = [
            table.c[n].desc() if c.startswith("-") else table.c[n] for n, c in zip(names, index, strict=True)
        ]
        Index("_".join([name, *names, "idx"]), *expressions)
    return table


meter_snapshot_1_h: Final = _table(
    "meter_snapshot_1_h",
    [
        *_required(TIMESTAMP, "created_at"),
        *_required(Integer, "meter_id"),
        *_columns(String, "meter_type", "meter_external_reference", "meter_external_system", "meter_phase"),
        *_columns(String, "customer_full_name"),
        *_columns(Integer, "customer_id", "connection_id", "dcu_id"),
        *_columns(String, "dcu_external_reference", "dcu_external_system"),
        *_grid(),
        *_columns(Double, "consumption_kwh", "counter_kwh", "kwh_credit_available"),
        *_columns(Double, "power_limit_kw", "power_limit_kw_should_be"),
        *_columns(Boolean, "is_on", "should_be_on", "is_fs_consumption", "is_hps_consumption"),
        Column("is_hidden_from_reporting", Boolean, nullable=False, server_default="false"),
        Column("is_cabin_meter", Boolean, nullable=False, server_default="false"),
        *_columns(String, "consumption_source", "consumption_quality"),
    ],
    "created_at",
    "meter_id",
    indexes=(
        ("meter_id", "-created_at"),
        ("grid_id", "-created_at"),
        ("connection_id", "-created_at"),
        ("meter_external_reference", "-created_at"),
    ),
)

meter_reading: Final = _table(
    "meter_reading",
    [
        *_required(Integer, "meter_id"),
        *_required(TIMESTAMP, "reading_at", "received_at"),
        *_required(Double, "counter_kwh"),
        *_columns(Double, "kwh_credit_available"),
        *_columns(TIMESTAMP, "prev_reading_at"),
        *_columns(Double, "delta_kwh", "baseline_kwh"),
        *_columns(String, "flag", "source"),
    ],
    "meter_id",
    "reading_at",
)

meter_recording_lock: Final = Table(
    "meter_recording_lock", metadata, Column("meter_id", Integer, primary_key=True, autoincrement=False)
)

grid_energy_snapshot_15_min: Final = _table(
    "grid_energy_snapshot_15_min",
    [
        *_required(TIMESTAMP, "created_at"),
        *_grid(in_key=True),
        *_columns(Double, "grid_consumption_total_kwh"),
        *_columns(Double, *(f"grid_l{n}_power_consumption_total_a{n}_w" for n in (1, 2, 3))),  # kW, despite the name
        *_columns(Double, *(f"grid_l{n}_power_consumption_output_o{n}_w" for n in (1, 2, 3))),  # kW, too
        *_columns(Boolean, "is_fs_active", "should_fs_be_on", "is_hps_on", "is_curtailing"),
        *_columns(Double, "battery_soc_bs_pct", "battery_voltage_bv_v", "battery_current_bc_a", "battery_current_i_a"),
        *_columns(Double, "battery_charging_state_bst_enum", "battery_charge_current_limit_mcc_a"),
        *_columns(Double, "battery_min_cell_temp_mct_c", "battery_temperature_bt_c", "battery_capacity_ca_ah"),
        *_columns(Double, "pv_power_dc_pdc_w", "pv_energy_to_battery_pb_kwh", "pv_energy_to_grid_pc_kwh"),
    ],
    "created_at",
    "grid_id",
    indexes=(("-created_at",), ("grid_id", "-created_at")),
)

_BY_TIME: Final = (("-created_at",), ("grid_id", "-created_at"))
_BY_PERIOD: Final = (("-period_start",), ("grid_id", "-period_start"))

mppt_energy_snapshot_15_min: Final = _table(
    "mppt_energy_snapshot_15_min",
    [
        *_required(TIMESTAMP, "created_at"),
        *_required(Integer, "mppt_id"),
        *_mppt(),
        *_columns(Double, "kw"),
        *_columns(String, "external_id"),
    ],
    "created_at",
    "mppt_id",
    indexes=_BY_TIME,
)

mppt_estimated_actual_snapshot_30_min: Final = _table(
    "mppt_estimated_actual_snapshot_30_min",
    [
        *_required(TIMESTAMP, "created_at"),
        *_required(Integer, "mppt_id"),
        *_mppt(),
        *_columns(Double, "estimated_actual_kw"),
    ],
    "created_at",
    "mppt_id",
    indexes=_BY_TIME,
)

mppt_forecast_snapshot_30_min: Final = _table(
    "mppt_forecast_snapshot_30_min",
    [
        *_required(TIMESTAMP, "period_start"),
        *_required(Integer, "mppt_id"),
        *_mppt(),
        *_required(TIMESTAMP, "created_at", "updated_at"),
        *_columns(Double, "pv_estimate_kw"),
    ],
    "period_start",
    "mppt_id",
    indexes=_BY_PERIOD,
)

mppt_asset_snapshot_1_d: Final = _table(
    "mppt_asset_snapshot_1_d",
    [
        *_required(TIMESTAMP, "created_at"),
        *_required(Integer, "mppt_id"),
        *_mppt(),
        *_columns(String, "mppt_external_id"),
    ],
    "created_at",
    "mppt_id",
)
Index("mppt_asset_snapshot_1_d_created_at_idx", mppt_asset_snapshot_1_d.c.mppt_id, mppt_asset_snapshot_1_d.c.created_at)

grid_forecast_snapshot_1_h: Final = _table(
    "grid_forecast_snapshot_1_h",
    [
        *_required(TIMESTAMP, "period_start"),
        *_grid(in_key=True),
        *_required(TIMESTAMP, "created_at", "updated_at"),
        *_columns(Double, "solar_yield_kwh", "consumption_kwh"),
    ],
    "grid_id",
    "period_start",
    indexes=_BY_PERIOD,
)

dcu_snapshot_1_min: Final = _table("dcu_snapshot_1_min", _node("dcu"), "created_at", "dcu_id", indexes=_BY_TIME)

router_snapshot_1_min: Final = _table(
    "router_snapshot_1_min", _node("router"), "created_at", "router_id", indexes=_BY_TIME
)

organization_snapshot_1_d: Final = _table(
    "organization_snapshot_1_d",
    [
        *_required(TIMESTAMP, "created_at"),
        *_required(Integer, "organization_id"),
        *_columns(String, "organization_name"),
        *_columns(Integer, "grid_count"),
    ],
    "created_at",
    "organization_id",
)

exchange_rate_snapshot_1_d: Final = _table(
    "exchange_rate_snapshot_1_d",
    [
        *_required(TIMESTAMP, "period_start"),
        *_required(String, "from_currency", "to_currency"),
        *_columns(Double, "value"),
        *_required(TIMESTAMP, "created_at"),
    ],
    "period_start",
    "from_currency",
    "to_currency",
)

device_data_sink: Final = Table(
    "device_data_sink",
    metadata,
    *_required(TIMESTAMP, "created_at", "timestamp"),
    *_required(BigInteger, "device_id"),
    *_columns(JSONB, "data", "meta"),
    UniqueConstraint("device_id", "timestamp"),
)

grid_business_snapshot_1_d: Final = _table(
    "grid_business_snapshot_1_d",
    [
        *_required(TIMESTAMP, "created_at"),
        *_grid(in_key=True),
        *_columns(Double, "energy_topup_revenue", "connection_fee_revenue", "kwp", "kwh", "monthly_rental"),
        *_columns(Double, "daily_rental", "cuf", "fs_consumption_kwh", "hps_consumption_kwh", "total_consumption_kwh"),
        *_columns(Double, "total_mppt_production_kwh", "total_estimated_mppt_production_kwh"),
        *_columns(REAL, "fs_tariff", "hps_tariff", "fs_single_phase_connection_fee"),
        *_columns(REAL, "fs_three_phase_connection_fee", "hps_single_phase_connection_fee"),
        *_columns(
            Integer,
            *(f"{kind}_connection_count" for kind in ("residential", "commercial", "public", "total", "lifeline")),
            *("women_impacted_count", "customer_count", "fs_meter_count", "hps_meter_count", "total_meter_count"),
            *("single_phase_meter_count", "three_phase_meter_count"),
            *(f"no_{what}_issue_count" for what in ("communication", "consumption", "credit")),
            *("not_activated_issue_count", "tamper_issue_count", "power_limit_breached_issue_count"),
            *("over_voltage_issue_count", "low_voltage_issue_count", "unexpected_power_limit_issue_count"),
            *("unexpected_meter_status_issue_count", "total_issue_count"),
            *("battery_modules_on_count", "battery_modules_off_count"),
        ),
    ],
    "created_at",
    "grid_id",
)

predicted_consumption: Final = _table(
    "predicted_consumption",
    [
        Column("id", Integer, primary_key=True),
        Column("created_at", TIMESTAMP, nullable=False, server_default="now()"),
        *_required(Integer, "grid_id"),
        *_required(Text, "service_type"),
        *_required(TIMESTAMP, "period_start"),
        *_required(Integer, "hour", "min"),
        *_columns(Double, "predicted_consumption_kw"),
        *_required(JSON, "prediction_context"),
        *_columns(JSONB, "meta"),
    ],
    indexes=(("grid_id", "service_type", "-created_at"),),
)

autopilot_solutions_30_min: Final = _table(
    "autopilot_solutions_30_min",
    [
        *_required(TIMESTAMP, "created_at"),
        *_columns(Integer, "iteration", "grid_id"),
        *_columns(String, "grid_name"),
        *_columns(Integer, "index"),
        *_columns(Double, "score", "uptime_hps_hours", "uptime_hps_hours_weighted", "uptime_fs_hours_actual"),
        *_columns(Double, "uptime_fs_hours_actual_weighted", "curtailment_hours", "fs_target_hours"),
        *_columns(Double, "turn_on_index", "turn_off_index"),
        *_columns(TIMESTAMP, "turn_on_local_time", "turn_off_local_time"),
        *_columns(Double, "initial_battery_kwh"),
        *_columns(Boolean, "is_fs_on"),
        *_columns(Double, *(f"{what}_kwh_sum_24_h" for what in ("hps_consumption", "fs_consumption", "production"))),
        *_columns(Double, *(f"{what}_kwh_sum_3_h" for what in ("hps_consumption", "fs_consumption", "production"))),
    ],
    indexes=(("grid_id", "-created_at"),),
)

telemetry_job_runs: Final = _table(
    "telemetry_job_runs",
    [
        Column("id", BigInteger, primary_key=True),
        *_required(String, "job"),
        *_required(TIMESTAMP, "scheduled_for", "started_at"),
        *_columns(TIMESTAMP, "finished_at"),
        *_required(String, "status"),
        *_columns(Integer, "items_total", "items_failed", "rows_written"),
        *_columns(JSONB, "errors"),
    ],
    indexes=(("job", "-scheduled_for"),),
)
