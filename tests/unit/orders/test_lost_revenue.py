"""Lost revenue: the worked examples of PAY 17."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_domain.orders.lost_revenue import LastIssue, is_losing, is_reference, loss, lost_days

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def at(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def issue(kind: str, created: str | None, closed: str | None = None) -> LastIssue:
    return LastIssue(
        issue_type=kind,
        status="OPEN" if closed is None else "CLOSED",
        created_at=None if created is None else at(created),
        closed_at=None if closed is None else at(closed),
    )


def test_the_worked_example() -> None:
    """[PAY-184] [PAY-186] [PAY-198] 16: the table of 17: five days of loss, 410 in all, the worst of them the first."""
    a = issue("NO_CREDIT", "2026-03-08T18:00")
    b = issue("NO_CONSUMPTION", "2026-02-20T10:00", "2026-03-02T06:00")
    days = lost_days([a, b], NOW)
    assert days == {
        date(2026, 3, 1): Decimal(1),
        date(2026, 3, 2): Decimal("0.25"),
        date(2026, 3, 8): Decimal("0.25"),
        date(2026, 3, 9): Decimal(1),
        date(2026, 3, 10): Decimal("0.5"),
    }
    reference = {
        date(2026, 3, 1): Decimal("0.84"),
        date(2026, 3, 2): Decimal("0.90"),
        date(2026, 3, 8): Decimal("1.20"),
    }
    found = loss(days, reference, Decimal(300))
    assert found.total == Decimal(410)
    assert found.worst_day == (date(2026, 3, 1), Decimal("0.84"))
    assert loss({}, reference, Decimal(300)).worst_day is None


@pytest.mark.parametrize(
    ("last", "losing", "reference"),
    [
        (None, False, True),
        (issue("LOW_VOLTAGE", "2026-03-01"), False, False),
        (issue("NO_CONSUMPTION", "2026-03-01"), True, False),
        (issue("NO_CREDIT", "2026-03-01", "2026-03-03"), True, False),
        (issue("NO_CONSUMPTION", "2026-02-01", "2026-02-27"), False, False),
        (issue("NO_CONSUMPTION", "2026-01-01", "2026-01-29"), False, True),
        (issue("NO_CREDIT", None), False, False),
    ],
)
def test_the_two_groups(last: LastIssue | None, losing: bool, reference: bool) -> None:
    """[PAY-182] [PAY-183] [PAY-198] 16: the second table of 17."""
    assert (is_losing(last, NOW), is_reference(last, NOW)) == (losing, reference)


def test_the_later_of_two_worst_days_is_told() -> None:
    """[PAY-186]"""
    days = {date(2026, 3, 1): Decimal(1), date(2026, 3, 2): Decimal(1)}
    found = loss(days, dict.fromkeys(days, Decimal(2)), Decimal(10))
    assert found.worst_day == (date(2026, 3, 2), Decimal(2))


@given(begin=st.integers(-90 * 24 * 60, 20 * 24 * 60), length=st.integers(0, 90 * 24 * 60))
def test_shares_of_days_add_up(begin: int, length: int) -> None:
    """[PAY-184] No share is above one, and all of them together are the time within the month."""
    created = NOW + timedelta(minutes=begin)
    closed = created + timedelta(minutes=length)
    stood = LastIssue(issue_type="NO_CREDIT", status="CLOSED", created_at=created, closed_at=closed)
    days = lost_days([stood], NOW)
    assert all(0 < share <= 1 for share in days.values())
    overlap = min(closed, NOW) - max(created, at("2026-03-01"))
    expected = max(overlap, timedelta(0)) / timedelta(days=1)
    assert abs(float(sum(days.values())) - expected) < 1e-9
