"""A month of series: hourly consumption of every meter, and quarter hours of every plant."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import insert

from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.meter_facts import SupabaseMeterRegister
from nxt_adapters.timescale.pool import create_series_pool
from nxt_adapters.timescale.series_store import TimescaleSeriesStore
from nxt_adapters.timescale.tables import grid_energy_snapshot_15_min
from nxt_domain.telemetry.columns import HOUR, HourColumns, ReadingColumns, float_column, time_column, to_column_time
from nxt_domain.telemetry.model import Flag, MeterFacts, Quality
from nxt_entrypoints.database.migrate import connected
from nxt_entrypoints.demo.history import MeterHistory
from nxt_entrypoints.demo.operator import OPERATOR, SeededOperator, SeededVillage

_QUARTER = timedelta(minutes=15)


async def seed_meter_series(
    relational_url: str, series_url: str, histories: Mapping[int, MeterHistory], *, meters_at_once: int = 6
) -> int:
    """Write the hours and the last reading of every meter, and return the number of hours.

    Args:
        relational_url: Where the meters' facts are.
        series_url: Where the series go.
        histories: By meter id.
        meters_at_once: Meters in one transaction; a month has 720 hours per meter.
    """
    engine, pool = create_engine(relational_url, pool_size=1), create_series_pool(series_url, max_size=1)
    await pool.open(wait=True)
    try:
        store, register = TimescaleSeriesStore(pool), SupabaseMeterRegister(engine)
        meter_ids, written = sorted(histories), 0
        for start in range(0, len(meter_ids), meters_at_once):
            batch = meter_ids[start : start + meters_at_once]
            found = await register.facts(batch)
            facts = {meter_id: fact for meter_id, fact in found.items() if isinstance(fact, MeterFacts)}
            hours = HourColumns.concat([_hours(meter_id, histories[meter_id]) for meter_id in facts])
            async with store.recording(list(facts)) as session:
                await session.upsert_readings(_last_readings({each: histories[each] for each in facts}))
                await session.upsert_hours(hours, facts)
            written += len(hours)
    finally:
        await pool.close()
        await engine.dispose()
    return written


def seed_plant_series(series_url: str, operator: SeededOperator, now: datetime, days: int = 30) -> int:
    """Write the quarter hours of every plant, and return their number.

    Args:
        series_url: Where the series go.
        operator: What was seeded.
        now: Aware UTC.
        days: Length of the history.
    """
    rows = [row for village in operator.villages for row in _plant_rows(village, operator, now, days)]
    with connected(series_url) as connection, connection.begin():
        connection.execute(insert(grid_energy_snapshot_15_min), rows)
    return len(rows)


def _hours(meter_id: int, history: MeterHistory) -> HourColumns:
    rows = len(history.hourly_kwh)
    used = float_column(float(kwh) for kwh in history.hourly_kwh)
    nothing = np.full(rows, np.nan)
    return HourColumns(
        meter_id=np.full(rows, meter_id, dtype=np.int64),
        created_at=to_column_time(history.start) + np.arange(rows) * HOUR,
        is_revised=np.ones(rows, dtype=np.bool_),
        is_reported=np.zeros(rows, dtype=np.bool_),
        consumption_kwh=used,
        consumption_quality=np.full(rows, Quality.MEASURED.value),
        is_fs_consumption=np.ones(rows, dtype=np.bool_),
        is_hps_consumption=np.ones(rows, dtype=np.bool_),
        counter_kwh=float(history.counter_kwh) - used.sum() + used.cumsum(),
        kwh_credit_available=nothing,
    )


def _last_readings(histories: Mapping[int, MeterHistory]) -> ReadingColumns:
    """Give each meter the segment of its last seeded hour, which the first live report goes on from [R36].

    With one reading alone, that hour would become incomplete as soon as the next segment touches it [TEL-89].
    """
    return ReadingColumns.concat([_readings(meter_id, histories[meter_id]) for meter_id in sorted(histories)])


def _readings(meter_id: int, history: MeterHistory) -> ReadingColumns:
    used = float(history.hourly_kwh[-1])
    counter = float(history.counter_kwh)
    at = time_column([history.ended_at - timedelta(hours=1), history.ended_at])
    return ReadingColumns(
        meter_id=np.full(2, meter_id, dtype=np.int64),
        reading_at=at,
        received_at=at,
        counter_kwh=np.array([counter - used, counter]),
        kwh_credit_available=float_column([None, float(history.credit_kwh)]),
        prev_reading_at=time_column([None, history.ended_at - timedelta(hours=1)]),
        delta_kwh=float_column([None, used]),
        baseline_kwh=np.array([counter - used, counter]),
        flag=np.array([Flag.FIRST.value, Flag.OK.value]),
    )


def _plant_rows(
    village: SeededVillage, operator: SeededOperator, now: datetime, days: int
) -> Sequence[dict[str, object]]:
    dice = random.Random(village.grid_id)  # noqa: S311 - a demo's dice
    zone = ZoneInfo(village.plan.timezone)
    end = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
    charge_pct, rows = 80.0, []
    for step in range(days * 96):
        at = end - (days * 96 - step) * _QUARTER
        local = at.astimezone(zone)
        sun = max(0.0, math.sin(math.pi * (local.hour + local.minute / 60 - 6.5) / 12))
        pv_w = 12_000 * sun * dice.uniform(0.75, 1.0)
        load_w = 1_400 * dice.uniform(0.8, 1.2) * (1.8 if 18 <= local.hour <= 22 else 1.0)
        charge_pct = min(100.0, max(15.0, charge_pct + (pv_w - load_w) / 4 / 60_000 * 100))
        rows.append(_plant_row(village, operator, at, pv_w=pv_w, load_w=load_w, charge_pct=charge_pct))
    return rows


def _plant_row(
    village: SeededVillage, operator: SeededOperator, at: datetime, *, pv_w: float, load_w: float, charge_pct: float
) -> dict[str, object]:
    return {
        "created_at": at.replace(tzinfo=None),
        "grid_id": village.grid_id,
        "grid_name": village.plan.name,
        "organization_id": operator.organization_id,
        "organization_name": OPERATOR,
        "grid_consumption_total_kwh": round(load_w / 4000, 3),
        "grid_l1_power_consumption_output_o1_w": round(load_w / 1000, 3),
        "is_fs_active": True,
        "should_fs_be_on": True,
        "is_hps_on": True,
        "is_curtailing": charge_pct >= 99.5,
        "battery_soc_bs_pct": round(charge_pct, 1),
        "battery_voltage_bv_v": round(48 + charge_pct / 20, 2),
        "pv_power_dc_pdc_w": round(pv_w),
        "pv_energy_to_battery_pb_kwh": round(max(0.0, pv_w - load_w) / 4000, 3),
        "pv_energy_to_grid_pc_kwh": round(min(pv_w, load_w) / 4000, 3),
    }
