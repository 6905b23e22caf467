"""Energy that was not sold because meters stood still (PAY 17). Pure; days are UTC days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import attrs

from nxt_domain.grids.tariffs import MeterType
from nxt_domain.shared.money import quotient, round_half_up

LOSING_ISSUES = frozenset({"NO_CREDIT", "NO_CONSUMPTION"})
_OPEN, _CLOSED = "OPEN", "CLOSED"
_VALID = frozenset({_OPEN, _CLOSED, "OVERRIDDEN"})
_LONG_HEALTHY = timedelta(days=30)
_DAY = timedelta(days=1)
_ZERO = Decimal(0)


@attrs.frozen(kw_only=True)
class LastIssue:
    """The last issue a meter had.

    Attributes:
        status: ``OPEN``, ``CLOSED`` or ``OVERRIDDEN``.
    """

    issue_type: str
    status: str
    created_at: datetime | None
    closed_at: datetime | None


@attrs.frozen(kw_only=True)
class AssignedMeter:
    """A meter of the grid that serves somebody."""

    meter_id: int
    meter_type: MeterType
    last_issue: LastIssue | None


@attrs.frozen(kw_only=True)
class LossOfType:
    """What was lost at the meters of one service tier.

    Attributes:
        total: Whole units of the currency.
        worst_day: The day of the highest loss and its kWh; None: no day has a loss.
    """

    total: Decimal
    worst_day: tuple[date, Decimal] | None


def start_of_month(now: datetime) -> datetime:
    """Return the first instant of the UTC month."""
    return now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def is_losing(issue: LastIssue | None, now: datetime) -> bool:
    """Tell whether a meter is losing money this month [PAY-182]."""
    if issue is None or issue.issue_type not in LOSING_ISSUES or issue.status not in _VALID or issue.created_at is None:
        return False
    return issue.status == _OPEN or (issue.closed_at is not None and issue.closed_at > start_of_month(now))


def is_reference(issue: LastIssue | None, now: datetime) -> bool:
    """Tell whether a meter shows what healthy ones use [PAY-183]."""
    if issue is None:
        return True
    return issue.status == _CLOSED and issue.closed_at is not None and now - issue.closed_at > _LONG_HEALTHY


def lost_days(issues: Iterable[LastIssue], now: datetime) -> Mapping[date, Decimal]:
    """Add up, for each day since the start of the month, the share of it that meters stood still [PAY-184].

    Args:
        issues: Of losing meters of one tier.
        now: Aware.
    """
    days: dict[date, Decimal] = {}
    for issue in issues:
        if issue.created_at is None:
            continue
        begin = max(issue.created_at, start_of_month(now))
        end = min(issue.closed_at or now, now)
        day = begin.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        while day < end:
            share = min(end, day + _DAY) - max(begin, day)
            if share > timedelta(0):
                days[day.date()] = days.get(day.date(), _ZERO) + quotient(_micros(share), _micros(_DAY))
            day += _DAY
    return days


def loss(days: Mapping[date, Decimal], reference_kwh: Mapping[date, Decimal], tariff: Decimal) -> LossOfType:
    """Price the lost days of one tier [PAY-186].

    Args:
        days: Lost days by day.
        reference_kwh: Mean use of healthy meters of the same tier by day; a day without data counts as zero.
        tariff: Price per kWh of the tier.
    """
    lost_kwh = {day: share * reference_kwh.get(day, _ZERO) for day, share in sorted(days.items())}
    total = sum((round_half_up(kwh * tariff, 0) for kwh in lost_kwh.values()), _ZERO)
    worst: tuple[date, Decimal] | None = None
    for day, kwh in lost_kwh.items():
        if kwh > 0 and (worst is None or kwh >= worst[1]):
            worst = (day, kwh)
    return LossOfType(total=total, worst_day=worst)


def of_type(meters: Sequence[AssignedMeter], meter_type: MeterType) -> Sequence[AssignedMeter]:
    """Return the meters of one tier."""
    return [meter for meter in meters if meter.meter_type is meter_type]


def _micros(duration: timedelta) -> Decimal:
    return Decimal(duration // timedelta(microseconds=1))
