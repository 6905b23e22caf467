"""Exchange rates of days, in ``exchange_rate_snapshot_1_d`` [PAY-168]."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Final

from nxt_adapters.timescale.pool import SeriesPool, told_in_domain_words
from nxt_domain.telemetry.exchange_rates import DatedRate

_KNOWN: Final = """
SELECT period_start FROM exchange_rate_snapshot_1_d
WHERE period_start = ANY(%(starts)s::timestamp[]) AND from_currency = 'USD' AND to_currency = 'NGN' AND value > 0
"""
_STORE: Final = """
INSERT INTO exchange_rate_snapshot_1_d (period_start, from_currency, to_currency, value, created_at)
SELECT r.period_start, 'USD', 'NGN', r.value, %(at)s
FROM unnest(%(starts)s::timestamp[], %(values)s::numeric[]) AS r(period_start, value)
ON CONFLICT (period_start, from_currency, to_currency) DO UPDATE SET value = excluded.value
"""


class TimescaleRateRows:
    """``RateRows`` on the series store.

    Args:
        pool: An open pool, see ``create_series_pool``.
    """

    def __init__(self, pool: SeriesPool) -> None:
        self._pool = pool

    async def known(self, starts: Collection[datetime]) -> Collection[datetime]:
        """See ``RateRows.known``; a row without a rate is none."""
        wanted = {"starts": [_column_time(start) for start in starts]}
        async with told_in_domain_words(), self._pool.connection() as connection:
            rows = await (await connection.execute(_KNOWN, wanted)).fetchall()
        return {start.replace(tzinfo=UTC) for (start,) in rows}

    async def store(self, rates: Sequence[DatedRate], *, at: datetime) -> None:
        """See ``RateRows.store``; one statement."""
        values = {
            "starts": [_column_time(rate.period_start) for rate in rates],
            "values": [rate.value for rate in rates],
            "at": _column_time(at),
        }
        async with told_in_domain_words(), self._pool.connection() as connection:
            await connection.execute(_STORE, values)


def _column_time(moment: datetime) -> datetime:
    """Write an instant as the columns have it: naive, in UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None)
