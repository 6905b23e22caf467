"""Hourly consumption as partners read it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from decimal import Decimal
from typing import Final

from nxt_adapters.timescale.pool import SeriesPool, told_in_domain_words
from nxt_domain.shared.money import round_half_up
from nxt_domain.telemetry.columns import to_column_time
from nxt_domain.telemetry.partners import Consumption, ConsumptionWindow

_REPORTED: Final = """
    from meter_snapshot_1_h
    where created_at >= %(start)s and created_at <= %(end)s and not is_hidden_from_reporting
        and consumption_kwh is not null and consumption_kwh <> 'NaN'
        and (%(grid_ids)s::int[] is null or grid_id = any(%(grid_ids)s))
"""
_COUNT: Final = f"select count(*) {_REPORTED}"
_READ: Final = f"""
    select created_at, meter_external_reference, consumption_kwh, customer_id {_REPORTED}
    order by created_at, meter_id offset %(offset)s limit %(limit)s
"""


class TimescaleConsumptionFeed:
    """``ConsumptionFeed`` on TimescaleDB or plain PostgreSQL.

    Args:
        pool: An open pool, see ``create_series_pool``.
    """

    def __init__(self, pool: SeriesPool) -> None:
        self._pool = pool

    async def read(
        self, window: ConsumptionWindow, *, grid_ids: Sequence[int] | None
    ) -> tuple[int, Sequence[Consumption]]:
        """See ``ConsumptionFeed.read``."""
        parameters = {
            "start": to_column_time(window.start).item(),
            "end": to_column_time(window.end).item(),
            "grid_ids": None if grid_ids is None else list(grid_ids),
            "offset": window.offset,
            "limit": window.limit,
        }
        async with told_in_domain_words(), self._pool.connection() as connection:
            ((total,),) = await (await connection.execute(_COUNT, parameters)).fetchall()
            rows = await (await connection.execute(_READ, parameters)).fetchall()
        return int(total), [
            Consumption(
                at=at.replace(tzinfo=UTC),
                meter_number=number,
                energy_kwh=round_half_up(Decimal(str(energy_kwh)), 3),
                customer_id=customer_id,
            )
            for at, number, energy_kwh, customer_id in rows
        ]
