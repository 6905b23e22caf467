"""Monthly statements of grids as records: what is stored, and what is told to the automation host (PAY 14)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import attrs

from nxt_domain.shared import local_days
from nxt_domain.shared.clock import iso_millis
from nxt_domain.shared.errors import DomainError, InvalidInput
from nxt_domain.shared.job_units import JobUnit
from nxt_domain.shared.json import Json, JsonObject
from nxt_domain.shared.local_days import midnight
from nxt_domain.shared.money import plain
from nxt_domain.shared.outbox import OutboxTask
from nxt_domain.wallets.payouts import (
    GATEWAY_FEE,
    INSURANCE_FEE,
    PLATFORM_FEE,
    BatteryDay,
    Controller,
    PayoutFigures,
    PayoutInputs,
    PayoutStatus,
)

PAYOUT_DRAFT = "PAYOUT_DRAFT"
PAYOUT_BOOKKEEPING = "PAYOUT_BOOKKEEPING"
GENERATION = "generate-payouts"
"""The monthly job; its units are grids."""
_DAY = timedelta(days=1)
_DRAFTS_FOR = timedelta(days=7)


class PayoutNotComputable(DomainError):
    """A figure that the statement needs is missing; the statement is refused, never guessed [PAY-169]."""

    default_code = "PAYOUT_NOT_COMPUTABLE"


@attrs.frozen(kw_only=True)
class PayoutGrid:
    """A grid as its statement needs it.

    Attributes:
        kwh_tariff: Dollars for a kWh of battery and month.
        kwp_tariff: Dollars for a kWp of panels and month.
        kwh_per_module: Size of a battery module, kWh; None: not known.
        is_generation_managed: Whether the platform runs its generation.
    """

    id: int
    name: str
    timezone: str
    organization_id: int
    kwh_tariff: Decimal
    kwp_tariff: Decimal
    kwh_per_module: Decimal | None
    is_generation_managed: bool


@attrs.frozen(kw_only=True)
class AutomaticGrid:
    """A grid whose statement is drafted every month by itself."""

    id: int
    timezone: str


@attrs.frozen(kw_only=True)
class PeriodRevenue:
    """What came in on a grid in a period, and from how many (PAY 16.1, 16.2, 14.2).

    Attributes:
        own: Part of it that reached the owner through their own merchant account [PAY-157].
        unassigned_own: Such money that can't be assigned to a grid; only told.
    """

    energy: Decimal
    connection_fees: Decimal
    own: Decimal
    unassigned_own: Decimal
    connection_count: int
    meter_count: int


@attrs.frozen(kw_only=True)
class PlantRecords:
    """What the series say of a period.

    Attributes:
        exchange_rate: Naira for a dollar on the last day; None: not known.
        battery_days: One for each local day; ``modules`` 0 where nothing is known.
        known_battery_days: How many of them are known.
        controllers: Those with a row in the period.
    """

    exchange_rate: Decimal | None
    battery_days: Sequence[BatteryDay]
    known_battery_days: int
    controllers: Sequence[Controller]


@attrs.frozen(kw_only=True)
class Payout:
    """A stored statement.

    Attributes:
        details: As the automation host got it.
    """

    id: int
    created_at: datetime
    grid_id: int
    started_at: datetime
    ended_at: datetime
    status: PayoutStatus
    proposed_amount: Decimal
    approved_amount: Decimal | None
    external_reference: str | None
    draft_link: str | None
    details: JsonObject
    approved_by_account_id: int | None


@attrs.frozen(kw_only=True)
class Period:
    """A half-open period in whole days [PAY-146]."""

    start: datetime
    end: datetime

    @property
    def day_count(self) -> int:
        """Whole days, rounded down."""
        return (self.end - self.start) // _DAY

    def days(self, timezone: str) -> Sequence[tuple[date, datetime, datetime]]:
        """Return the grid-local days that begin in the period: each with its begin and end as instants."""
        zone = ZoneInfo(timezone)
        day = self.start.astimezone(zone).date()
        found = []
        while (begin := midnight(day, zone)) < self.end:
            if begin >= self.start:
                found.append((day, begin, midnight(day + _DAY, zone)))
            day += _DAY
        return found

    def rate_day(self, timezone: str) -> datetime:
        """Return the start of the local day of the end, whose exchange rate counts [PAY-150]."""
        zone = ZoneInfo(timezone)
        return midnight(self.end.astimezone(zone).date(), zone)


def period_of(date_from: datetime, date_to: datetime) -> Period:
    """Check a period.

    Raises:
        InvalidInput: It is shorter than a day.
    """
    if date_to - date_from < _DAY:
        raise InvalidInput("date_to must be after date_from", code="PERIOD_TOO_SHORT")
    return Period(start=date_from, end=date_to)


def month_before(now: datetime, timezone: str) -> Period:
    """Return the last whole calendar month of a time zone [PAY-162]."""
    start, end = local_days.month_before(now, ZoneInfo(timezone))
    return Period(start=start, end=end)


def inputs_of(grid: PayoutGrid, period: Period, revenue: PeriodRevenue, plant: PlantRecords) -> PayoutInputs:
    """Put together what a statement is computed from.

    Raises:
        PayoutNotComputable: The exchange rate, the size of a module, or all battery data are missing.
    """
    draft = f"Could not draft payout for {grid.name}"
    if plant.exchange_rate is None:
        raise PayoutNotComputable(f"ExchangeRate in payout draft for {grid.name} is not a number")
    if not plant.known_battery_days:
        raise PayoutNotComputable(f"{draft} because kwhArray is not a number")
    if grid.kwh_per_module is None:
        raise PayoutNotComputable(f"{draft} because kwh_per_battery_module is not a number")
    return PayoutInputs(
        day_count=period.day_count,
        energy_revenue=revenue.energy,
        connection_fee_revenue=revenue.connection_fees,
        own_revenue=revenue.own,
        exchange_rate=plant.exchange_rate,
        kwh_tariff=grid.kwh_tariff,
        kwp_tariff=grid.kwp_tariff,
        kwh_per_module=grid.kwh_per_module,
        battery_days=plant.battery_days,
        controllers=plant.controllers,
    )


def details_of(
    grid: PayoutGrid, period: Period, revenue: PeriodRevenue, inputs: PayoutInputs, figures: PayoutFigures
) -> JsonObject:
    """Make the draft message without the statement's id, names as the automation host reads them [PAY-161]."""
    zone = ZoneInfo(grid.timezone)
    begin, end = period.start.astimezone(zone), period.end.astimezone(zone)
    details: dict[str, Json] = {
        "title": f"{grid.name} Tech Report Draft {begin:%Y-%m-%d} through {end:%Y-%m-%d}",
        "grid_id": grid.id,
        "grid_name": grid.name,
        "start": f"{begin:%Y-%m-%d %H:%M:%S}",
        "end": f"{end:%Y-%m-%d %H:%M:%S}",
        "day_count": period.day_count,
        "energy_topup_revenue": figures.energy_revenue,
        "connection_fee_revenue": figures.connection_fee_revenue,
        "total_revenue": figures.total_revenue,
        "kwp_fee": inputs.kwp_tariff,
        "kwh_fee": inputs.kwh_tariff,
        "exchange_rate": figures.exchange_rate,
        "total_kwh_rented": figures.kwh_rented,
        "total_kwp_rented": figures.kwp_rented,
        "total_kwh_rental_fee": figures.kwh_rental,
        "total_kwp_rental_fee": figures.kwp_rental,
        "total_rental": figures.rental,
        "nxtgrid_fee": PLATFORM_FEE,
        "flutterwave_fee": GATEWAY_FEE,
        "insurance_fee": INSURANCE_FEE,
        "nxtgrid_applied_fee": figures.platform_fee,
        "flutterwave_applied_fee": figures.gateway_fee,
        "insurance_applied_fee": figures.insurance_fee,
        "payout": figures.payout,
        "total_connection_count": revenue.connection_count,
        "total_meter_count": revenue.meter_count,
        "mppts": _array([c.reference, _number(c.kw), c.active_days] for c in inputs.controllers),
        "battery_module_day_groups": _array(
            [day.day.isoformat(), day.modules, _number(inputs.kwh_per_module)] for day in inputs.battery_days
        ),
    }
    if figures.own_revenue:
        details["revenue_collected_by_organization"] = figures.own_revenue
    return details


def warnings_of(grid: PayoutGrid, revenue: PeriodRevenue, plant: PlantRecords) -> Sequence[str]:
    """Say what finance should look at before approving [PAY-157, PAY-159]."""
    found = []
    if grid.is_generation_managed and not plant.controllers:
        found.append("no solar data in the period")
    missing = len(plant.battery_days) - plant.known_battery_days
    if grid.is_generation_managed and missing:
        found.append(f"no battery data on {missing} of {len(plant.battery_days)} days")
    if revenue.unassigned_own:
        text = "top-ups of the organization through its own merchant account can't be assigned to a grid"
        found.append(f"{plain(revenue.unassigned_own)} NGN of {text}")
    return found


def figures_of(details: Mapping[str, object]) -> PayoutFigures:
    """Read a statement's figures back from its details."""

    def read(name: str) -> Decimal:
        return Decimal(str(details.get(name, 0)))

    return PayoutFigures(
        energy_revenue=read("energy_topup_revenue"),
        connection_fee_revenue=read("connection_fee_revenue"),
        own_revenue=read("revenue_collected_by_organization"),
        exchange_rate=read("exchange_rate"),
        kwh_rented=read("total_kwh_rented"),
        kwp_rented=read("total_kwp_rented"),
        kwh_rental=read("total_kwh_rental_fee"),
        kwp_rental=read("total_kwp_rental_fee"),
        platform_fee=read("nxtgrid_applied_fee"),
        insurance_fee=read("insurance_applied_fee"),
        gateway_fee=read("flutterwave_applied_fee"),
        payout=read("payout"),
    )


def draft_task(payout: Payout, revision: int) -> OutboxTask:
    """Make the task that sends the draft; the revision grows with each recomputation [PAY-121]."""
    return OutboxTask(
        kind=PAYOUT_DRAFT,
        dedupe_key=f"payout:{payout.id}:draft:{revision}",
        grid_id=payout.grid_id,
        payload={"payout_id": payout.id},
        give_up_after=_DRAFTS_FOR,
    )


def unit_of(grid_id: int, period: Period, timezone: str) -> JobUnit:
    """Name the monthly job's work on a grid: ``2026-01``, ``grid:70`` [REL-169]."""
    month = period.start.astimezone(ZoneInfo(timezone))
    return JobUnit(job=GENERATION, period=f"{month:%Y-%m}", unit=f"grid:{grid_id}")


def bookkeeping_task(payout: Payout) -> OutboxTask:
    """Make the task that tells the bookkeepers of a new statement, once [PAY-121]."""
    return OutboxTask(
        kind=PAYOUT_BOOKKEEPING,
        dedupe_key=f"payout:{payout.id}:xero",
        grid_id=payout.grid_id,
        payload={"payout_id": payout.id},
        give_up_after=_DRAFTS_FOR,
    )


def bookkeeping_of(payout: Payout) -> JsonObject:
    """Write a statement as the bookkeepers read it [PAY-163]."""
    details = payout.details
    return {
        "grid_name": details["grid_name"],
        "payout_id": payout.id,
        "start": iso_millis(payout.started_at),
        "kWh": details["total_kwh_rented"],
        "kWp": details["total_kwp_rented"],
        "storage_rental": details["total_kwh_rental_fee"],
        "pv_rental": details["total_kwp_rental_fee"],
        "payment_processing_fee": details["flutterwave_applied_fee"],
        "insurance_fee": details["insurance_applied_fee"],
        "nxt_gridsupport_fee": details["nxtgrid_applied_fee"],
        "usd_to_ngn_rate": details["exchange_rate"],
    }


def _array(rows: object) -> str:
    return json.dumps(list(rows))  # type: ignore[call-overload]  # a generator of rows


def _number(value: Decimal) -> float | int:
    """Write a size as JSON has it inside a string; sizes are not money."""
    return int(value) if value == value.to_integral_value() else float(value)
