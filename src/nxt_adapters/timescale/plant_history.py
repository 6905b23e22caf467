"""What plants did, for the statements of grids (telemetry 18.1 to 18.3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from nxt_adapters.timescale.pool import SeriesPool, told_in_domain_words
from nxt_domain.orders.payouts import PlantRecords
from nxt_domain.wallets.payouts import BatteryDay, Controller

_RATE: Final = """
SELECT value::numeric FROM exchange_rate_snapshot_1_d
WHERE period_start = %(day)s AND from_currency = 'USD' AND to_currency = 'NGN' AND value > 0
"""
# A row of the daily table is dated with the day's start in UTC and counts for the day of that date.
_BATTERIES: Final = """
SELECT created_at::date, max(battery_modules_on_count) FROM grid_business_snapshot_1_d
WHERE grid_id = %(grid_id)s AND created_at::date = ANY(%(dates)s) AND battery_modules_on_count IS NOT NULL
GROUP BY created_at::date
"""
_CONTROLLERS: Final = """
SELECT DISTINCT ON (mppt_external_reference) mppt_external_reference, mppt_kw::numeric
FROM mppt_asset_snapshot_1_d
WHERE grid_id = %(grid_id)s AND created_at >= %(start)s AND created_at < %(end)s
    AND mppt_external_reference IS NOT NULL AND mppt_kw > 0
ORDER BY mppt_external_reference, created_at DESC
"""
_PEAKS: Final = """
SELECT m.mppt_external_reference, d.number, max(m.kw)::numeric
FROM unnest(%(begins)s::timestamp[], %(ends)s::timestamp[]) WITH ORDINALITY AS d(begins, ends, number)
JOIN mppt_energy_snapshot_15_min m
    ON m.grid_id = %(grid_id)s AND m.created_at >= d.begins AND m.created_at < d.ends AND m.kw <> 'NaN'
WHERE m.mppt_external_reference = ANY(%(references)s)
GROUP BY m.mppt_external_reference, d.number
"""
_ACTIVE_ABOVE: Final = Decimal("0.3")

Days = Sequence[tuple[date, datetime, datetime]]


class TimescalePlantHistory:
    """``PlantHistory`` on the series store; four statements, whatever the period.

    Args:
        pool: An open pool, see ``create_series_pool``.
    """

    def __init__(self, pool: SeriesPool) -> None:
        self._pool = pool

    async def exchange_rate(self, day_start: datetime) -> Decimal | None:
        """See ``PlantHistory.exchange_rate``."""
        async with told_in_domain_words(), self._pool.connection() as connection:
            row = await (await connection.execute(_RATE, {"day": _column_time(day_start)})).fetchone()
        return None if row is None else row[0]

    async def records(self, grid_id: int, days: Days, rate_day: datetime) -> PlantRecords:
        """See ``PlantHistory.records``."""
        rate = await self.exchange_rate(rate_day)
        begins = [_column_time(begin) for _, begin, _ in days]
        ends = [_column_time(end) for _, _, end in days]
        span = {"grid_id": grid_id, "start": min(begins), "end": max(ends)}
        async with told_in_domain_words(), self._pool.connection() as connection:
            named = {"grid_id": grid_id, "dates": [day for day, _, _ in days]}
            modules: dict[date, int] = dict(await (await connection.execute(_BATTERIES, named)).fetchall())
            rated: dict[str, Decimal] = dict(await (await connection.execute(_CONTROLLERS, span)).fetchall())
            wanted = {"grid_id": grid_id, "begins": begins, "ends": ends, "references": list(rated)}
            peaks = await (await connection.execute(_PEAKS, wanted)).fetchall()
        active = [reference for reference, _, kw in peaks if kw > _ACTIVE_ABOVE * rated[reference]]
        return PlantRecords(
            exchange_rate=rate,
            battery_days=[BatteryDay(day=day, modules=modules.get(day, 0)) for day, _, _ in days],
            known_battery_days=len(modules),
            controllers=[
                Controller(reference=reference, kw=kw, active_days=active.count(reference))
                for reference, kw in rated.items()
            ],
        )


def _column_time(moment: datetime) -> datetime:
    """Write an instant as the columns have it: naive, in UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None)
