"""Business figures of grids, in ``grid_business_snapshot_1_d`` [TEL-133, TEL-138]."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Final

import attrs
import msgspec

from nxt_adapters.timescale.pool import SeriesPool, told_in_domain_words
from nxt_domain.telemetry.business import COUNTS, GridBusiness, daily_rental

_KNOWN: Final = """
SELECT grid_id FROM grid_business_snapshot_1_d WHERE created_at = %(day)s AND energy_topup_revenue IS NOT NULL
"""
_COPIED: Final = tuple(f.name for f in attrs.fields(GridBusiness) if f.name not in {"grid_id", "counts"})
_SET: Final = (*_COPIED, "daily_rental", *COUNTS)
_COLUMNS: Final = ("created_at", "grid_id", *_SET)
_STORE: Final = f"""
INSERT INTO grid_business_snapshot_1_d ({", ".join(_COLUMNS)})
SELECT {", ".join(f"r.{name}" for name in _COLUMNS)}
FROM jsonb_populate_recordset(NULL::grid_business_snapshot_1_d, %(rows)s::jsonb) AS r
ON CONFLICT (created_at, grid_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _SET)}
"""  # noqa: S608 - put together from constants of this module alone
_JSON: Final = msgspec.json.Encoder(decimal_format="number")


class TimescaleBusinessRows:
    """``BusinessRows`` on the series store.

    Args:
        pool: An open pool, see ``create_series_pool``.
    """

    def __init__(self, pool: SeriesPool) -> None:
        self._pool = pool

    async def known(self, day: datetime) -> Collection[int]:
        """See ``BusinessRows.known``; a row that another job made first has no revenue yet."""
        async with told_in_domain_words(), self._pool.connection() as connection:
            rows = await (await connection.execute(_KNOWN, {"day": _column_time(day)})).fetchall()
        return {grid_id for (grid_id,) in rows}

    async def store(self, rows: Sequence[GridBusiness], day: datetime) -> None:
        """See ``BusinessRows.store``; one statement."""
        at = _column_time(day).isoformat()
        content = [
            {
                "created_at": at,
                "grid_id": row.grid_id,
                "daily_rental": daily_rental(row.monthly_rental, day),
                **{name: getattr(row, name) for name in _COPIED},
                **row.counts,
            }
            for row in rows
        ]
        async with told_in_domain_words(), self._pool.connection() as connection:
            await connection.execute(_STORE, {"rows": _JSON.encode(content).decode()})


def _column_time(moment: datetime) -> datetime:
    """Write an instant as the columns have it: naive, in UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None)
