"""Periods of statements, in the grids' own time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_domain.orders.payouts import month_before, period_of
from nxt_domain.shared.errors import InvalidInput

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
