"""What connections used, from the hourly rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from nxt_adapters.timescale.pool import SeriesPool, told_in_domain_words
from nxt_domain.grids.lifeline import HIGHEST_HOURLY_KWH

# NaN is greater than every number to PostgreSQL, so that the upper limit leaves it out too.
_TOTALS: Final = """
SELECT connection_id, sum(consumption_kwh::numeric)
FROM meter_snapshot_1_h
WHERE connection_id = ANY(%(ids)s) AND created_at >= %(start)s AND created_at < %(end)s
    AND consumption_kwh BETWEEN 0 AND %(highest)s
GROUP BY connection_id
"""


class TimescaleConnectionUse:
    """``ConnectionUse`` on the series store; one statement.

    Args:
        pool: An open pool, see ``create_series_pool``.
    """

    def __init__(self, pool: SeriesPool) -> None:
        self._pool = pool

    async def totals_kwh(
        self, connection_ids: Collection[int], start: datetime, end: datetime
    ) -> Mapping[int, Decimal]:
        """See ``ConnectionUse.totals_kwh``."""
        parameters = {
            "ids": list(connection_ids),
            "start": start.astimezone(UTC).replace(tzinfo=None),
            "end": end.astimezone(UTC).replace(tzinfo=None),
            "highest": float(HIGHEST_HOURLY_KWH),
        }
        async with told_in_domain_words(), self._pool.connection() as connection:
            rows = await (await connection.execute(_TOTALS, parameters)).fetchall()
        return dict(rows)
