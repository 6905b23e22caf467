"""What a grid is as a business, day by day: revenue, customers, meters, issues (telemetry 11.1, PAY 16.4)."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol

import attrs

from nxt_domain.shared.money import quotient, round_half_up

_AT_HOUR: Final = 1
_DAY: Final = timedelta(days=1)
MADE_UP_FOR: Final = timedelta(hours=12)
"""How long after its time a snapshot that was missed is still taken [TEL-66]."""

ISSUES: Final = (
    "no_communication",
    "no_credit",
    "no_consumption",
    "not_activated",
    "tamper",
    "power_limit_breached",
    "over_voltage",
    "low_voltage",
    "unexpected_power_limit",
    "unexpected_meter_status",
)
COUNTS: Final = (
    "customer_count",
    "residential_connection_count",
    "commercial_connection_count",
    "public_connection_count",
    "total_connection_count",
    "lifeline_connection_count",
    "women_impacted_count",
    "hps_meter_count",
    "fs_meter_count",
    "total_meter_count",
    "single_phase_meter_count",
    "three_phase_meter_count",
    *(f"{kind}_issue_count" for kind in ISSUES),
    "total_issue_count",
)
"""Columns that count something [TEL-134]."""


@attrs.frozen(kw_only=True)
class GridBusiness:
    """A live, reported grid on a day.

    Attributes:
        energy_topup_revenue: Energy sold on that day (PAY 16.1).
        connection_fee_revenue: Connection fees less refunds (PAY 16.2).
        counts: By the names in ``COUNTS``, as they are now.
    """

    grid_id: int
    grid_name: str
    organization_id: int
    organization_name: str
    energy_topup_revenue: Decimal
    connection_fee_revenue: Decimal
    monthly_rental: Decimal
    kwp: Decimal
    kwh: Decimal
    hps_tariff: Decimal
    fs_tariff: Decimal
    hps_single_phase_connection_fee: Decimal
    fs_single_phase_connection_fee: Decimal
    fs_three_phase_connection_fee: Decimal
    counts: Mapping[str, int]


class BusinessFigures(Protocol):
    """Reads what grids are as businesses from the relational plane."""

    async def of_day(self, start: datetime, end: datetime) -> Sequence[GridBusiness]:
        """Add up a day's revenue of all live, reported grids, and count what is theirs now; one statement."""


class BusinessRows(Protocol):
    """Rows of grids and days in the series."""

    async def known(self, day: datetime) -> Collection[int]:
        """Tell which grids have their revenue of a day.

        Raises:
            Unavailable: The series store can't be reached.
        """

    async def store(self, rows: Sequence[GridBusiness], day: datetime) -> None:
        """Write a day's rows; what other jobs know of the day stays [TEL-138].

        Raises:
            Unavailable: The series store can't be reached.
        """


def due_day(now: datetime) -> datetime | None:
    """Return the begin of the UTC day whose snapshot is due; None: it is too late for it, or not yet time."""
    at = now.astimezone(UTC).replace(hour=_AT_HOUR, minute=0, second=0, microsecond=0)
    return day_before(now) if timedelta(0) <= now - at < MADE_UP_FOR else None


def day_before(now: datetime) -> datetime:
    """Return the begin of the UTC day before that of an instant."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - _DAY


def daily_rental(monthly_rental: Decimal, day: datetime) -> Decimal:
    """Share a month's rental out among its days [PAY-173, TEL-137]."""
    days = monthrange(day.year, day.month)[1]
    return round_half_up(quotient(monthly_rental, Decimal(days)), 2)
