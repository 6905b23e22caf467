"""Statements of grids, and what plants did, in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_domain.orders.payouts import AutomaticGrid, Payout, PayoutGrid, Period, PeriodRevenue, PlantRecords
from nxt_domain.shared.errors import Conflict, UpstreamFailed
from nxt_domain.shared.json import JsonObject
from nxt_domain.wallets.payouts import BatteryDay, Controller, PayoutStatus

_ACTIVE_ABOVE = Decimal("0.3")
NOTHING = PeriodRevenue(
    energy=Decimal(0),
    connection_fees=Decimal(0),
    own=Decimal(0),
    unassigned_own=Decimal(0),
    connection_count=0,
    meter_count=0,
)


class MemoryPayouts:
    """Implements ``Payouts``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._rows: dict[int, Payout] = database.table("payouts")
        self._saves: dict[int, int] = database.table("payout_saves")
        self._automatic: dict[int, bool] = database.table("payout_automatic")
        self._grids: dict[int, PayoutGrid] = database.table("payout_grids")
        self._revenue: dict[int, PeriodRevenue] = database.table("payout_revenue")

    def know(self, grid: PayoutGrid, revenue: PeriodRevenue = NOTHING, *, is_automatic: bool = False) -> None:
        """Set up a grid, and what comes in during any period."""
        if is_automatic:
            self._automatic[grid.id] = True
        self._grids[grid.id] = grid
        self._revenue[grid.id] = revenue

    async def grid(self, grid_id: int) -> PayoutGrid | None:
        """See ``Payouts.grid``."""
        return self._grids.get(grid_id)

    async def automatic_grids(self) -> Sequence[AutomaticGrid]:
        """See ``Payouts.automatic_grids``."""
        return [AutomaticGrid(id=key, timezone=self._grids[key].timezone) for key in sorted(self._automatic)]

    async def have_statement(self, periods: Mapping[int, Period]) -> Collection[int]:
        """See ``Payouts.have_statement``."""
        return {key for key, period in periods.items() if await self.lock_period(key, period) is not None}

    async def revenue(self, grid: PayoutGrid, period: Period) -> PeriodRevenue:
        """See ``Payouts.revenue``."""
        return self._revenue[grid.id]

    async def lock_period(self, grid_id: int, period: Period) -> Payout | None:
        """See ``Payouts.lock_period``."""
        return next((row for row in self._rows.values() if _is_of(row, grid_id, period)), None)

    async def add(
        self, grid_id: int, period: Period, *, proposed_amount: Decimal, details: Mapping[str, object]
    ) -> Payout:
        """See ``Payouts.add``."""
        if await self.lock_period(grid_id, period) is not None:
            raise Conflict("There is a payout of this grid and period", code="PAYOUT_STATE")
        payout_id = self._database.next_id("payouts")
        named: JsonObject = {**details, "payout_id": payout_id}  # type: ignore[dict-item]  # JSON by its maker
        self._rows[payout_id] = Payout(
            id=payout_id,
            created_at=self._database.clock.now(),
            grid_id=grid_id,
            started_at=period.start,
            ended_at=period.end,
            status=PayoutStatus.WAITING_FOR_APPROVAL,
            proposed_amount=proposed_amount,
            approved_amount=None,
            external_reference=None,
            draft_link=None,
            details=named,
            approved_by_account_id=None,
        )
        self._saves[payout_id] = 1
        return self._rows[payout_id]

    async def lock(self, payout_id: int) -> Payout | None:
        """See ``Payouts.lock``."""
        return self._rows.get(payout_id)

    async def save(self, payout: Payout) -> int:
        """See ``Payouts.save``."""
        self._rows[payout.id] = payout
        self._saves[payout.id] += 1
        return self._saves[payout.id]


@attrs.define
class MemoryPlantHistory:
    """Implements ``PlantHistory`` over what tests and notebooks set.

    Attributes:
        rates: Naira for a dollar, by the start of the local day.
        modules: Battery modules that were on, by grid and day.
        controllers: Rated power in kW, by grid and reference.
        peaks: Highest power in kW of a moment, by grid, reference and moment.
    """

    rates: dict[datetime, Decimal] = attrs.field(factory=dict)
    modules: dict[tuple[int, date], int] = attrs.field(factory=dict)
    controllers: dict[tuple[int, str], Decimal] = attrs.field(factory=dict)
    peaks: dict[tuple[int, str, datetime], Decimal] = attrs.field(factory=dict)

    async def exchange_rate(self, day_start: datetime) -> Decimal | None:
        """See ``PlantHistory.exchange_rate``."""
        return self.rates.get(day_start.astimezone(UTC))

    async def records(
        self, grid_id: int, days: Sequence[tuple[date, datetime, datetime]], rate_day: datetime
    ) -> PlantRecords:
        """See ``PlantHistory.records``."""
        known = {day: self.modules[grid_id, day] for day, _, _ in days if (grid_id, day) in self.modules}
        rated = {reference: kw for (grid, reference), kw in self.controllers.items() if grid == grid_id}
        return PlantRecords(
            exchange_rate=await self.exchange_rate(rate_day),
            battery_days=[BatteryDay(day=day, modules=known.get(day, 0)) for day, _, _ in days],
            known_battery_days=len(known),
            controllers=[
                Controller(reference=reference, kw=kw, active_days=self._active(grid_id, reference, kw, days))
                for reference, kw in rated.items()
            ],
        )

    def _active(
        self, grid_id: int, reference: str, kw: Decimal, days: Sequence[tuple[date, datetime, datetime]]
    ) -> int:
        strong = [
            moment
            for (grid, controller, moment), peak in self.peaks.items()
            if (grid, controller) == (grid_id, reference) and peak > _ACTIVE_ABOVE * kw
        ]
        return sum(any(begin <= moment < end for moment in strong) for _, begin, end in days)


class MemoryAccountingExport:
    """Implements ``AccountingExport``; keeps what it is told, and fails when told to.

    Attributes:
        sent: Details, oldest first.
        booked: What the bookkeepers were told, oldest first.
        is_down: Calls fail without effect.
    """

    def __init__(self) -> None:
        self.sent: list[JsonObject] = []
        self.booked: list[JsonObject] = []
        self.is_down = False

    async def send(self, details: JsonObject) -> None:
        """See ``AccountingExport.send``."""
        self._require_up()
        self.sent.append(details)

    async def book(self, statement: JsonObject) -> None:
        """See ``AccountingExport.book``."""
        self._require_up()
        self.booked.append(statement)

    async def close(self) -> None:
        """Nothing is open."""

    def _require_up(self) -> None:
        if self.is_down:
            raise UpstreamFailed("the automation platform is away")


def _is_of(row: Payout, grid_id: int, period: Period) -> bool:
    same = (row.grid_id, row.started_at, row.ended_at) == (grid_id, period.start, period.end)
    return same and row.status is not PayoutStatus.FAILED
