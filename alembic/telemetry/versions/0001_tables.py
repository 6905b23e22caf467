"""Make the tables of the series store in their final form."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

G4 = """
    grid_id integer,
    grid_name varchar,
    organization_id integer,
    organization_name varchar
"""

# The same four where the grid is part of the key.
G4_KEY = G4.replace("grid_id integer", "grid_id integer NOT NULL")

MPPT = f"""
    mppt_external_reference varchar,
    mppt_external_system varchar,
    mppt_latitude double precision,
    mppt_longitude double precision,
    mppt_tilt double precision,
    mppt_position_vertical varchar,
    mppt_position_horizontal varchar,
    mppt_installed_at timestamp,
    mppt_azimuth double precision,
    mppt_kw double precision,
    mppt_type varchar,
    {G4}
"""

TABLES = (
    f"""
CREATE TABLE meter_snapshot_1_h (
    created_at timestamp NOT NULL,
    meter_id integer NOT NULL,
    meter_type varchar,
    meter_external_reference varchar,
    meter_external_system varchar,
    meter_phase varchar,
    customer_full_name varchar,
    customer_id integer,
    connection_id integer,
    dcu_id integer,
    dcu_external_reference varchar,
    dcu_external_system varchar,
    {G4},
    consumption_kwh double precision,
    counter_kwh double precision,
    kwh_credit_available double precision,
    power_limit_kw double precision,
    power_limit_kw_should_be double precision,
    is_on boolean,
    should_be_on boolean,
    is_fs_consumption boolean,
    is_hps_consumption boolean,
    is_hidden_from_reporting boolean NOT NULL DEFAULT false,
    is_cabin_meter boolean NOT NULL DEFAULT false,
    consumption_source varchar,
    consumption_quality varchar,
    PRIMARY KEY (created_at, meter_id)
)""",
    """
CREATE TABLE meter_reading (
    meter_id integer NOT NULL,
    reading_at timestamp NOT NULL,
    received_at timestamp NOT NULL,
    counter_kwh double precision NOT NULL,
    kwh_credit_available double precision,
    prev_reading_at timestamp,
    delta_kwh double precision,
    baseline_kwh double precision,
    flag varchar,
    source varchar,
    PRIMARY KEY (meter_id, reading_at)
)""",
    # Rows to lock while the readings of a meter are put in order; they hold nothing.
    "CREATE TABLE meter_recording_lock (meter_id integer PRIMARY KEY)",
    f"""
CREATE TABLE grid_energy_snapshot_15_min (
    created_at timestamp NOT NULL,
    {G4_KEY},
    grid_consumption_total_kwh double precision,
    grid_l1_power_consumption_total_a1_w double precision,
    grid_l2_power_consumption_total_a2_w double precision,
    grid_l3_power_consumption_total_a3_w double precision,
    grid_l1_power_consumption_output_o1_w double precision,
    grid_l2_power_consumption_output_o2_w double precision,
    grid_l3_power_consumption_output_o3_w double precision,
    is_fs_active boolean,
    should_fs_be_on boolean,
    is_hps_on boolean,
    is_curtailing boolean,
    battery_soc_bs_pct double precision,
    battery_voltage_bv_v double precision,
    battery_current_bc_a double precision,
    battery_current_i_a double precision,
    battery_charging_state_bst_enum double precision,
    battery_charge_current_limit_mcc_a double precision,
    battery_min_cell_temp_mct_c double precision,
    battery_temperature_bt_c double precision,
    battery_capacity_ca_ah double precision,
    pv_power_dc_pdc_w double precision,
    pv_energy_to_battery_pb_kwh double precision,
    pv_energy_to_grid_pc_kwh double precision,
    PRIMARY KEY (created_at, grid_id)
)""",
    f"""
CREATE TABLE mppt_energy_snapshot_15_min (
    created_at timestamp NOT NULL,
    mppt_id integer NOT NULL,
    {MPPT},
    kw double precision,
    external_id varchar,
    PRIMARY KEY (created_at, mppt_id)
)""",
    f"""
CREATE TABLE mppt_estimated_actual_snapshot_30_min (
    created_at timestamp NOT NULL,
    mppt_id integer NOT NULL,
    {MPPT},
    estimated_actual_kw double precision,
    PRIMARY KEY (created_at, mppt_id)
)""",
    f"""
CREATE TABLE mppt_forecast_snapshot_30_min (
    period_start timestamp NOT NULL,
    mppt_id integer NOT NULL,
    {MPPT},
    created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL,
    pv_estimate_kw double precision,
    PRIMARY KEY (period_start, mppt_id)
)""",
    f"""
CREATE TABLE mppt_asset_snapshot_1_d (
    created_at timestamp NOT NULL,
    mppt_id integer NOT NULL,
    {MPPT},
    mppt_external_id varchar,
    PRIMARY KEY (created_at, mppt_id)
)""",
    f"""
CREATE TABLE grid_forecast_snapshot_1_h (
    period_start timestamp NOT NULL,
    {G4_KEY},
    created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL,
    solar_yield_kwh double precision,
    consumption_kwh double precision,
    PRIMARY KEY (grid_id, period_start)
)""",
    f"""
CREATE TABLE dcu_snapshot_1_min (
    created_at timestamp NOT NULL,
    dcu_id integer NOT NULL,
    dcu_external_reference varchar,
    dcu_external_system varchar,
    is_online boolean,
    {G4},
    PRIMARY KEY (created_at, dcu_id)
)""",
    f"""
CREATE TABLE router_snapshot_1_min (
    created_at timestamp NOT NULL,
    router_id integer NOT NULL,
    router_external_reference varchar,
    router_external_system varchar,
    is_online boolean,
    {G4},
    PRIMARY KEY (created_at, router_id)
)""",
    """
CREATE TABLE organization_snapshot_1_d (
    created_at timestamp NOT NULL,
    organization_id integer NOT NULL,
    organization_name varchar,
    grid_count integer,
    PRIMARY KEY (created_at, organization_id)
)""",
    """
CREATE TABLE exchange_rate_snapshot_1_d (
    period_start timestamp NOT NULL,
    from_currency varchar NOT NULL,
    to_currency varchar NOT NULL,
    value double precision,
    created_at timestamp NOT NULL,
    PRIMARY KEY (period_start, from_currency, to_currency)
)""",
    """
CREATE TABLE device_data_sink (
    created_at timestamp NOT NULL,
    "timestamp" timestamp NOT NULL,
    device_id bigint NOT NULL,
    data jsonb,
    meta jsonb,
    UNIQUE (device_id, "timestamp")
)""",
    f"""
CREATE TABLE grid_business_snapshot_1_d (
    created_at timestamp NOT NULL,
    {G4_KEY},
    energy_topup_revenue double precision,
    connection_fee_revenue double precision,
    kwp double precision,
    kwh double precision,
    monthly_rental double precision,
    daily_rental double precision,
    cuf double precision,
    fs_consumption_kwh double precision,
    hps_consumption_kwh double precision,
    total_consumption_kwh double precision,
    total_mppt_production_kwh double precision,
    total_estimated_mppt_production_kwh double precision,
    fs_tariff real,
    hps_tariff real,
    fs_single_phase_connection_fee real,
    fs_three_phase_connection_fee real,
    hps_single_phase_connection_fee real,
    residential_connection_count integer,
    commercial_connection_count integer,
    public_connection_count integer,
    total_connection_count integer,
    lifeline_connection_count integer,
    women_impacted_count integer,
    customer_count integer,
    fs_meter_count integer,
    hps_meter_count integer,
    total_meter_count integer,
    single_phase_meter_count integer,
    three_phase_meter_count integer,
    no_communication_issue_count integer,
    no_consumption_issue_count integer,
    no_credit_issue_count integer,
    not_activated_issue_count integer,
    tamper_issue_count integer,
    power_limit_breached_issue_count integer,
    over_voltage_issue_count integer,
    low_voltage_issue_count integer,
    unexpected_power_limit_issue_count integer,
    unexpected_meter_status_issue_count integer,
    total_issue_count integer,
    battery_modules_on_count integer,
    battery_modules_off_count integer,
    PRIMARY KEY (created_at, grid_id)
)""",
    """
CREATE TABLE predicted_consumption (
    id serial PRIMARY KEY,
    created_at timestamp NOT NULL DEFAULT now(),
    grid_id integer NOT NULL,
    service_type text NOT NULL,
    period_start timestamp NOT NULL,
    hour integer NOT NULL,
    min integer NOT NULL,
    predicted_consumption_kw double precision,
    prediction_context json NOT NULL,
    meta jsonb
)""",
    """
CREATE TABLE autopilot_solutions_30_min (
    created_at timestamp NOT NULL,
    iteration integer,
    grid_id integer,
    grid_name varchar,
    index integer,
    score double precision,
    uptime_hps_hours double precision,
    uptime_hps_hours_weighted double precision,
    uptime_fs_hours_actual double precision,
    uptime_fs_hours_actual_weighted double precision,
    curtailment_hours double precision,
    fs_target_hours double precision,
    turn_on_index double precision,
    turn_off_index double precision,
    turn_on_local_time timestamp,
    turn_off_local_time timestamp,
    initial_battery_kwh double precision,
    is_fs_on boolean,
    hps_consumption_kwh_sum_24_h double precision,
    fs_consumption_kwh_sum_24_h double precision,
    production_kwh_sum_24_h double precision,
    hps_consumption_kwh_sum_3_h double precision,
    fs_consumption_kwh_sum_3_h double precision,
    production_kwh_sum_3_h double precision
)""",
    """
CREATE TABLE telemetry_job_runs (
    id bigserial PRIMARY KEY,
    job varchar NOT NULL,
    scheduled_for timestamp NOT NULL,
    started_at timestamp NOT NULL,
    finished_at timestamp,
    status varchar NOT NULL,
    items_total integer,
    items_failed integer,
    rows_written integer,
    errors jsonb
)""",
)

# Table and columns; each index is named as PostgreSQL itself would name it.
INDEXES = (
    ("meter_snapshot_1_h", "meter_id, created_at DESC"),
    ("meter_snapshot_1_h", "grid_id, created_at DESC"),
    ("meter_snapshot_1_h", "connection_id, created_at DESC"),
    ("meter_snapshot_1_h", "meter_external_reference, created_at DESC"),
    ("grid_energy_snapshot_15_min", "created_at DESC"),
    ("grid_energy_snapshot_15_min", "grid_id, created_at DESC"),
    ("mppt_energy_snapshot_15_min", "created_at DESC"),
    ("mppt_energy_snapshot_15_min", "grid_id, created_at DESC"),
    ("mppt_estimated_actual_snapshot_30_min", "created_at DESC"),
    ("mppt_estimated_actual_snapshot_30_min", "grid_id, created_at DESC"),
    ("mppt_forecast_snapshot_30_min", "period_start DESC"),
    ("mppt_forecast_snapshot_30_min", "grid_id, period_start DESC"),
    ("mppt_asset_snapshot_1_d", "mppt_id, created_at"),
    ("grid_forecast_snapshot_1_h", "period_start DESC"),
    ("grid_forecast_snapshot_1_h", "grid_id, period_start DESC"),
    ("dcu_snapshot_1_min", "created_at DESC"),
    ("dcu_snapshot_1_min", "grid_id, created_at DESC"),
    ("router_snapshot_1_min", "created_at DESC"),
    ("router_snapshot_1_min", "grid_id, created_at DESC"),
    ("predicted_consumption", "grid_id, service_type, created_at DESC"),
    ("autopilot_solutions_30_min", "grid_id, created_at DESC"),
    ("telemetry_job_runs", "job, scheduled_for DESC"),
)


def upgrade() -> None:
    """Make tables and indexes; the database speaks UTC from now on [TEL-9]."""
    op.execute("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = ''UTC''', current_database()); END $$")
    for statement in TABLES:
        op.execute(statement)
    for table, columns in INDEXES:
        op.execute(f"CREATE INDEX {_index_name(table, columns)} ON {table} ({columns})")


def _index_name(table: str, columns: str) -> str:
    if table == "mppt_asset_snapshot_1_d":
        return "mppt_asset_snapshot_1_d_created_at_idx"  # known to clients by this name
    return "_".join([table, *(column.split()[0] for column in columns.split(", ")), "idx"])
