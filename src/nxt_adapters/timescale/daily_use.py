"""What meters used day by day, from the hourly rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from nxt_adapters.timescale.pool import SeriesPool, told_in_domain_words
from nxt_domain.shared.money import quotient
from nxt_domain.telemetry.columns import to_column_time

# NaN is greater than every number to PostgreSQL, so it must be told apart by name.
_DAILY: Final = """
SELECT created_at::date, sum(consumption_kwh::numeric), count(DISTINCT meter_id)
FROM meter_snapshot_1_h
WHERE meter_id = ANY(%(meter_id)s) AND created_at >= %(start)s AND created_at < %(end)s
    AND consumption_kwh >= 0 AND consumption_kwh <> 'NaN'
GROUP BY created_at::date
"""


class TimescaleDailyUse:
    """``DailyUse`` on the series store; one statement.

    Args:
        pool: An open pool, see ``create_series_pool``.
    """

    def __init__(self, pool: SeriesPool) -> None:
        self._pool = pool

    async def mean_kwh(self, meter_ids: Collection[int], start: datetime, end: datetime) -> Mapping[date, Decimal]:
        """See ``DailyUse.mean_kwh``."""
        parameters = {
            "meter_id": list(meter_ids),
            "start": to_column_time(start).item(),
            "end": to_column_time(end).item(),
        }
        async with told_in_domain_words(), self._pool.connection() as connection:
            rows = await (await connection.execute(_DAILY, parameters)).fetchall()
        return {day: quotient(kwh, Decimal(meters)) for day, kwh, meters in rows}
