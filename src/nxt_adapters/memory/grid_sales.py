"""Sales of grids, and what meters used, in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

from nxt_adapters.memory.database import MemoryDatabase
from nxt_domain.identity.scope import Scope
from nxt_domain.orders.use_cases.show_lost_revenue import GridSales
from nxt_domain.shared.money import quotient


class MemoryGridSales:
    """Implements ``GridSalesRegister``.

    Args:
        database: Shared with the other fakes.
        scope: Whose grids.
    """

    def __init__(self, database: MemoryDatabase, scope: Scope) -> None:
        self._rows: dict[int, tuple[int, GridSales]] = database.table("grid_sales")
        self._scope = scope

    async def get(self, grid_id: int) -> GridSales | None:
        """See ``GridSalesRegister.get``."""
        organization_id, sales = self._rows.get(grid_id, (None, None))
        return sales if self._scope.admits(organization_id) else None

    def know(self, grid_id: int, organization_id: int, sales: GridSales) -> None:
        """Set up a grid."""
        self._rows[grid_id] = (organization_id, sales)


class MemoryDailyUse:
    """Implements ``DailyUse`` over hourly values."""

    def __init__(self) -> None:
        self._hours: dict[tuple[int, datetime], Decimal | None] = {}

    def know(self, meter_id: int, hour: datetime, kwh: Decimal | None) -> None:
        """Set an hourly value; None: unknown."""
        self._hours[meter_id, hour.astimezone(UTC)] = kwh

    async def mean_kwh(self, meter_ids: Collection[int], start: datetime, end: datetime) -> Mapping[date, Decimal]:
        """See ``DailyUse.mean_kwh``."""
        days: dict[date, dict[int, Decimal]] = defaultdict(dict)
        for (meter_id, hour), kwh in self._hours.items():
            if meter_id in meter_ids and start <= hour < end and kwh is not None and kwh >= 0:
                of_meter = days[hour.date()]
                of_meter[meter_id] = of_meter.get(meter_id, Decimal(0)) + kwh
        return {day: quotient(sum(used.values(), Decimal(0)), Decimal(len(used))) for day, used in days.items()}
