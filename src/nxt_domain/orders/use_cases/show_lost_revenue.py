"""What a grid did not earn this month because meters stood still [PAY-180, PAY-181]."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

import attrs

from nxt_domain.grids.tariffs import MeterType
from nxt_domain.identity.model import Principal
from nxt_domain.identity.scope import PLATFORM, Scoped, scope_of
from nxt_domain.orders.lost_revenue import (
    AssignedMeter,
    LossOfType,
    is_losing,
    is_reference,
    loss,
    lost_days,
    of_type,
    start_of_month,
)
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import NotFound
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory


@attrs.frozen(kw_only=True)
class GridSales:
    """What lost revenue needs to know of a grid.

    Attributes:
        essential_tariff: Price per kWh at HPS meters; zero or less counts as missing.
        full_tariff: Price per kWh at FS meters.
        meters: Those with a connection, on a gateway of the grid.
    """

    essential_tariff: Decimal
    full_tariff: Decimal
    meters: Sequence[AssignedMeter]


class GridSalesRegister(Protocol):
    """The sales of a scope's grids."""

    async def get(self, grid_id: int) -> GridSales | None:
        """Find a grid with its meters and their last issues; None: unknown, deleted or outside the scope."""


class HasSales(Protocol):
    """Repositories of tenants' rows, sales among them."""

    @property
    def sales(self) -> GridSalesRegister:
        """The sales of the scope's grids."""


class SalesTransaction(UnitOfWork, Scoped[HasSales], Protocol):
    """A transaction that reads sales within a scope."""


class DailyUse(Protocol):
    """Reads what meters used, from the series."""

    async def mean_kwh(self, meter_ids: Collection[int], start: datetime, end: datetime) -> Mapping[date, Decimal]:
        """Return the mean use of meters on each UTC day on which at least one has a value [PAY-185].

        Values that are unknown or negative are left out, and so are meters without a value that day.

        Args:
            meter_ids: Any number.
            start: First instant, aware.
            end: End, exclusive, aware.

        Raises:
            Unavailable: The series store can't be reached.
        """


@attrs.frozen(kw_only=True)
class LostRevenue:
    """Losses by service tier; None: nothing can be said, since the grid has no meters or no tariffs.

    Attributes:
        is_unscathed: Whether no meter is losing money, so that no day is told.
    """

    hps: LossOfType | None = None
    fs: LossOfType | None = None
    is_unscathed: bool = False


class ShowLostRevenue:
    """Works out a grid's lost revenue of the present UTC month.

    Args:
        begin: Opens a transaction.
        use: Mean use of healthy meters.
        clock: Tells the time.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[SalesTransaction], use: DailyUse, clock: Clock) -> None:
        self._begin = begin
        self._use = use
        self._clock = clock

    async def __call__(self, caller: Principal | None, grid_id: int) -> LostRevenue:
        """Work a grid out.

        Args:
            caller: Who asks; None: anybody, where the route is open to all.
            grid_id: Which grid.

        Raises:
            NotFound: The grid is unknown, deleted or foreign.
            Unavailable: A store can't be reached.
        """
        scope = PLATFORM if caller is None else scope_of(caller)
        async with self._begin() as tx:
            sales = await tx.within(scope).sales.get(grid_id)
        if sales is None:
            raise NotFound(f"Could not find grid with id {grid_id}", code="GRID_UNKNOWN")
        if not sales.meters or sales.essential_tariff <= 0 or sales.full_tariff <= 0:
            return LostRevenue()
        now = self._clock.now()
        if not any(is_losing(meter.last_issue, now) for meter in sales.meters):
            nothing = LossOfType(total=Decimal(0), worst_day=None)
            return LostRevenue(hps=nothing, fs=nothing, is_unscathed=True)
        return LostRevenue(
            hps=await self._loss(of_type(sales.meters, MeterType.HPS), sales.essential_tariff, now),
            fs=await self._loss(of_type(sales.meters, MeterType.FS), sales.full_tariff, now),
        )

    async def _loss(self, meters: Sequence[AssignedMeter], tariff: Decimal, now: datetime) -> LossOfType:
        issues = [meter.last_issue for meter in meters if meter.last_issue and is_losing(meter.last_issue, now)]
        healthy = [meter.meter_id for meter in meters if is_reference(meter.last_issue, now)]
        use = await self._use.mean_kwh(healthy, start_of_month(now), now) if issues and healthy else {}
        return loss(lost_days(issues, now), use, tariff)
