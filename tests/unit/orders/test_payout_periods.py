"""Periods of statements, in the grids' own time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_domain.orders.payouts import PayoutGrid, PeriodRevenue, PlantRecords, month_before, period_of, warnings_of
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.wallets.payouts import BatteryDay, Controller

ZONES = st.sampled_from(["Africa/Lagos", "UTC", "Asia/Kathmandu", "America/Santiago", "Pacific/Apia"])
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


@given(now=MOMENTS, zone=ZONES)
def test_the_month_before(now: datetime, zone: str) -> None:
    """[PAY-146] [PAY-162] A whole local month that is over; its days are counted by the grid's own clock."""
    month = month_before(now, zone)
    begin, end = month.start.astimezone(ZoneInfo(zone)), month.end.astimezone(ZoneInfo(zone))
    assert (begin.day, end.day) == (1, 1)
    assert month.end <= now < month.end + timedelta(days=32)
    days = month.days(zone)
    assert days[0][0] == begin.date()
    assert days[-1][0] == end.date() - timedelta(days=1)
    assert len(days) == (end.date() - begin.date()).days
    assert month.rate_day(zone) == month.end


@given(now=MOMENTS, zone=ZONES)
def test_days_follow_each_other(now: datetime, zone: str) -> None:
    """[PAY-152] [PAY-153] Nothing between two days, whatever clocks do."""
    days = month_before(now, zone).days(zone)
    assert all(before[2] == after[1] for before, after in pairwise(days))


def test_less_than_a_day() -> None:
    """[PAY-146]"""
    now = datetime(2026, 2, 1, tzinfo=UTC)
    assert period_of(now, now + timedelta(days=1)).day_count == 1
    with pytest.raises(InvalidInput):
        period_of(now, now + timedelta(hours=23))
    with pytest.raises(InvalidInput):
        period_of(now, now - timedelta(days=30))


NOTHING = Decimal(0)
GRID = PayoutGrid(
    id=70,
    name="Kalonda",
    timezone="Africa/Lagos",
    organization_id=7,
    kwh_tariff=NOTHING,
    kwp_tariff=NOTHING,
    kwh_per_module=Decimal("3.55"),
    is_generation_managed=True,
)
REVENUE = PeriodRevenue(
    energy=NOTHING,
    connection_fees=NOTHING,
    own=NOTHING,
    unassigned_own=NOTHING,
    connection_count=0,
    meter_count=0,
)
COMPLETE = PlantRecords(
    exchange_rate=Decimal(1500),
    battery_days=[BatteryDay(day=date(2026, 1, 1) + timedelta(days=place), modules=12) for place in range(31)],
    known_battery_days=31,
    controllers=[Controller(reference="c1", kw=Decimal("5.8"), active_days=31)],
)


def test_pay_159_what_finance_should_look_at() -> None:
    """[PAY-159] [PAY-157] A plant that we manage without solar rows, or with days without battery rows."""
    assert warnings_of(GRID, REVENUE, COMPLETE) == []
    gaps = attrs.evolve(COMPLETE, known_battery_days=29)
    assert warnings_of(GRID, REVENUE, gaps) == ["no battery data on 2 of 31 days"]
    dark = attrs.evolve(gaps, controllers=[])
    assert warnings_of(GRID, REVENUE, dark) == ["no solar data in the period", "no battery data on 2 of 31 days"]
    assert warnings_of(attrs.evolve(GRID, is_generation_managed=False), REVENUE, dark) == []
    (told,) = warnings_of(GRID, attrs.evolve(REVENUE, unassigned_own=Decimal("1500.50")), COMPLETE)
    assert told.startswith("1500.5 NGN of top-ups")
