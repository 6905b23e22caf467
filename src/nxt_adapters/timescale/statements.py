"""The statements of the series store. They select, join and merge; no formula of the domain stands here."""

from __future__ import annotations

from typing import Final

from nxt_domain.telemetry.revision import PAGE_ROWS

# Row locks need no shared memory, so a batch may hold thousands of meters; advisory locks would fill the lock table.
# A meter that is claimed for the first time has no readings.
# Both statements take meters in ascending order, so that batches wait for each other in one direction only.
CLAIM_METERS: Final = """
INSERT INTO meter_recording_lock (meter_id)
SELECT m FROM unnest(%(meter_id)s) AS m
WHERE NOT EXISTS (SELECT FROM meter_recording_lock l WHERE l.meter_id = m)
ORDER BY m
ON CONFLICT (meter_id) DO NOTHING
RETURNING meter_id
"""

LOCK_METERS: Final = """
SELECT FROM meter_recording_lock WHERE meter_id = ANY(%(meter_id)s) ORDER BY meter_id FOR NO KEY UPDATE
"""

_READING: Final = """r.meter_id, r.reading_at, r.received_at, r.counter_kwh, r.kwh_credit_available,
       r.prev_reading_at, r.delta_kwh, r.baseline_kwh, r.flag"""

# `earliest` is the same for all meters, so that the planner leaves out chunks before anything runs; comparing with each
# meter's own time would touch every chunk of a year for each of five thousand meters.
WINDOW: Final = f"""
WITH wanted AS (
    SELECT w.meter_id, w.since, good.reading_at AS last_good, stage.reading_at AS start
    FROM unnest(%(meter_id)s, %(since)s) AS w(meter_id, since)
    LEFT JOIN LATERAL (
        SELECT r.reading_at FROM meter_reading r
        WHERE r.meter_id = w.meter_id AND r.reading_at < w.since AND r.reading_at >= %(earliest)s
          AND r.flag <> 'OUTLIER'
        ORDER BY r.reading_at DESC LIMIT 1
    ) AS good ON true
    LEFT JOIN LATERAL (
        SELECT r.reading_at FROM meter_reading r
        WHERE r.meter_id = w.meter_id AND r.reading_at <= date_trunc('hour', good.reading_at)
          AND r.reading_at >= %(earliest)s AND r.flag <> 'OUTLIER'
        ORDER BY r.reading_at DESC LIMIT 1
    ) AS stage ON true
)
SELECT {_READING}, w.start IS NOT NULL
FROM wanted w
CROSS JOIN LATERAL (
    SELECT * FROM (
        SELECT * FROM meter_reading m
        WHERE m.meter_id = w.meter_id AND m.reading_at >= w.since AND m.reading_at >= %(earliest)s
        ORDER BY m.reading_at LIMIT {PAGE_ROWS}
    ) AS page
    UNION ALL
    SELECT * FROM meter_reading m
    WHERE m.meter_id = w.meter_id AND m.reading_at < w.since AND m.reading_at >= %(earliest)s
      AND m.reading_at >= coalesce(w.start, date_trunc('hour', w.last_good))
      AND (m.flag <> 'OUTLIER' OR m.reading_at >= date_trunc('hour', w.since)
           OR m.reading_at < date_trunc('hour', w.last_good) + interval '1 hour'
           OR m.reading_at = (SELECT max(b.reading_at) FROM meter_reading b
                              WHERE b.meter_id = w.meter_id AND b.reading_at < w.since
                                AND b.reading_at >= %(earliest)s))
) AS r
ORDER BY r.meter_id, r.reading_at
"""  # noqa: S608 - put together from constants of this module alone

POWER_LIMITS: Final = """
SELECT s.meter_id IS NOT NULL, s.power_limit_kw
FROM unnest(%(meter_id)s, %(hour)s) WITH ORDINALITY AS w(meter_id, hour, place)
LEFT JOIN meter_snapshot_1_h s
    ON s.meter_id = w.meter_id AND s.created_at = w.hour
    AND s.created_at >= %(first)s AND s.created_at <= %(last)s
ORDER BY w.place
"""

UPSERT_READINGS: Final = """
INSERT INTO meter_reading (meter_id, reading_at, received_at, counter_kwh, kwh_credit_available,
                           prev_reading_at, delta_kwh, baseline_kwh, flag, source)
SELECT r.*, %(source)s
FROM unnest(%(meter_id)s, %(reading_at)s, %(received_at)s, %(counter_kwh)s, %(kwh_credit_available)s,
            %(prev_reading_at)s, %(delta_kwh)s, %(baseline_kwh)s, %(flag)s::text[]) AS r
ON CONFLICT (meter_id, reading_at) DO UPDATE SET
    prev_reading_at = excluded.prev_reading_at,
    delta_kwh = excluded.delta_kwh,
    baseline_kwh = excluded.baseline_kwh,
    flag = excluded.flag
"""

_COPIES: Final = (
    "meter_type", "meter_external_reference", "meter_external_system", "meter_phase", "customer_full_name",
    "customer_id", "connection_id", "dcu_id", "dcu_external_reference", "dcu_external_system",
    "grid_id", "grid_name", "organization_id", "organization_name",
)  # fmt: skip
_FLAGS: Final = ("is_hidden_from_reporting", "is_cabin_meter")  # NOT NULL, so never filled later
_STATE: Final = ("power_limit_kw", "power_limit_kw_should_be", "is_on", "should_be_on")
_MEASURED: Final = ("counter_kwh", "kwh_credit_available")
_CONSUMPTION: Final = (
    "consumption_kwh", "consumption_source", "consumption_quality", "is_fs_consumption", "is_hps_consumption",
)  # fmt: skip

FACT_COLUMNS: Final = (*_COPIES, *_FLAGS, *_STATE)
"""Columns that come from a meter's facts, in the order of ``UPSERT_HOURS``."""

# A consumption that became unknown takes back what this source wrote, never what another one did.
_REPLACES: Final = """(excluded.consumption_kwh IS NOT NULL OR stored.consumption_kwh IS NULL
        OR stored.consumption_kwh = 'NaN' OR stored.consumption_source = %(source)s)"""


def _upsert_hours() -> str:
    columns = ("created_at", "meter_id", *_COPIES, *_FLAGS, *_STATE, *_MEASURED, *_CONSUMPTION)
    facts = ", ".join(("meter_id", *FACT_COLUMNS))
    state = ", ".join(f"CASE WHEN h.is_reported THEN f.{name} END" for name in _STATE)
    copies = ",\n    ".join(f"{name} = coalesce(stored.{name}, excluded.{name})" for name in _COPIES)
    known = ",\n    ".join(f"{name} = coalesce(excluded.{name}, stored.{name})" for name in (*_STATE, *_MEASURED))
    owned = ",\n    ".join(
        f"{name} = CASE WHEN %(is_revised)s AND {_REPLACES} THEN excluded.{name} ELSE stored.{name} END"
        for name in _CONSUMPTION
    )
    return f"""
INSERT INTO meter_snapshot_1_h AS stored ({", ".join(columns)})
SELECT h.created_at, h.meter_id, {", ".join(f"f.{name}" for name in (*_COPIES, *_FLAGS))}, {state},
    h.counter_kwh, h.kwh_credit_available,
    h.consumption_kwh, CASE WHEN h.quality <> '' THEN %(source)s END, nullif(h.quality, ''),
    nullif(h.is_fs, false), nullif(h.is_hps, false)
FROM unnest(%(meter_id)s, %(created_at)s, %(is_reported)s, %(counter_kwh)s, %(kwh_credit_available)s,
            %(consumption_kwh)s, %(consumption_quality)s::text[], %(is_fs_consumption)s, %(is_hps_consumption)s)
    AS h(meter_id, created_at, is_reported, counter_kwh, kwh_credit_available, consumption_kwh, quality, is_fs, is_hps)
JOIN unnest(%(fact_meter_id)s::int[], %(meter_type)s::text[], %(meter_external_reference)s::text[],
            %(meter_external_system)s::text[], %(meter_phase)s::text[], %(customer_full_name)s::text[],
            %(customer_id)s::int[], %(connection_id)s::int[], %(dcu_id)s::int[], %(dcu_external_reference)s::text[],
            %(dcu_external_system)s::text[], %(grid_id)s::int[], %(grid_name)s::text[], %(organization_id)s::int[],
            %(organization_name)s::text[], %(is_hidden_from_reporting)s::bool[], %(is_cabin_meter)s::bool[],
            %(power_limit_kw)s::float8[], %(power_limit_kw_should_be)s::float8[], %(is_on)s::bool[],
            %(should_be_on)s::bool[]) AS f({facts}) USING (meter_id)
ON CONFLICT (created_at, meter_id) DO UPDATE SET
    {copies},
    {known},
    {owned}
"""  # noqa: S608 - put together from constants of this module alone


UPSERT_HOURS: Final = _upsert_hours()

CONSUMPTION: Final = """
SELECT meter_id, created_at, nullif(consumption_kwh, 'NaN'), counter_kwh, coalesce(consumption_quality, '')
FROM meter_snapshot_1_h
WHERE meter_id = ANY(%(meter_id)s) AND created_at >= %(start)s AND created_at < %(end)s
ORDER BY created_at, meter_id
"""
