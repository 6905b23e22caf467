"""The weekly report's figures and words (PAY 16.5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_domain.orders.revenue_report import (
    AgentFigures,
    CommercialIssue,
    Figures,
    GridRevenue,
    ReportGrid,
    Spender,
    date_text,
    elapsed_percent,
    money_text,
    report_of,
    windows_of,
)

LAGOS = ZoneInfo("Africa/Lagos")
NOW = datetime(2026, 3, 10, 10, tzinfo=UTC)
GRID = ReportGrid(id=5, name="Umuoke", timezone="Africa/Lagos", monthly_rental=Decimal(450_000))
ORDINALS = ("1st", "2nd", "3rd", "4th", "10th", "11th", "12th", "13th", "20th", "21st", "22nd", "23rd", "30th", "31st")
DESK = "https://dashboard.example.org/"


@pytest.mark.parametrize(
    ("at", "zone", "percent"),
    [
        (datetime(2026, 3, 10, 12, tzinfo=UTC), "UTC", "30.65"),  # the section's example
        (datetime(2026, 3, 10, 11, tzinfo=UTC), "Africa/Lagos", "30.65"),
        (datetime(2025, 4, 15, 10, tzinfo=UTC), "UTC", "48.06"),  # that of AUTO-123
        (datetime(2026, 2, 28, 23, tzinfo=UTC), "Africa/Lagos", "0"),
        (datetime(2026, 2, 28, 22, 59, tzinfo=UTC), "Africa/Lagos", "100"),
        # A month with an hour less on the wall: the fifteenth at noon is where it always is.
        (datetime(2026, 3, 30, 10, tzinfo=UTC), "Europe/Berlin", "95.16"),
    ],
)
def test_pay_176_how_much_of_the_month_is_over(at: datetime, zone: str, percent: str) -> None:
    """[PAY-176] [AUTO-123] [PAY-198] 16: the table of section 16.5."""
    assert elapsed_percent(at, ZoneInfo(zone)) == Decimal(percent)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("12345", "₦12,345"),
        ("1234567.5", "₦1,234,568"),
        ("0", "₦0"),
        ("-1500", "-₦1,500"),
        ("0.5", "₦1"),
        ("-0.5", "-₦1"),
        ("-0.4", "₦0"),
        ("999.4999", "₦999"),
        ("1E+6", "₦1,000,000"),
    ],
)
def test_pay_178_money_for_people(amount: str, text: str) -> None:
    """[PAY-178] [AUTO-20] Comma grouping, no decimals, the nearest whole unit."""
    assert money_text(Decimal(amount)) == text


@pytest.mark.parametrize("text", ORDINALS)
def test_pay_176_dates_for_people(text: str) -> None:
    """[PAY-176] ``Mar 10th, 2026``."""
    assert date_text(datetime(2026, 3, int(text[:-2]), 12, tzinfo=UTC), LAGOS) == f"Mar {text}, 2026"


def test_a_date_is_that_of_the_grid() -> None:
    assert date_text(datetime(2026, 3, 31, 23, tzinfo=UTC), LAGOS) == "Apr 1st, 2026"


@pytest.mark.parametrize(
    ("now", "same_point"),
    [
        ("2026-03-10T10:00", "2026-02-10T10:00"),
        ("2026-03-31T10:00", "2026-02-28T10:00"),
        ("2028-03-30T10:00", "2028-02-29T10:00"),
        ("2026-01-15T10:00", "2025-12-15T10:00"),
        # In Lagos it is 1 March already; the first of February there began an hour before the UTC day.
        ("2026-02-28T23:30", "2026-01-31T23:30"),
    ],
)
def test_pay_175_the_same_point_of_last_month(now: str, same_point: str) -> None:
    """[PAY-175] One calendar month back on the wall's clock, the day limited to the month's length."""
    windows = windows_of(GRID, datetime.fromisoformat(f"{now}+00:00"))
    assert windows.same_point == datetime.fromisoformat(f"{same_point}+00:00")


def test_pay_175_windows_are_those_of_the_grids_own_time() -> None:
    """[PAY-175] [PAY-7]"""
    windows = windows_of(GRID, NOW)
    assert (windows.month, windows.last_month, windows.now) == (
        datetime(2026, 2, 28, 23, tzinfo=UTC),
        datetime(2026, 1, 31, 23, tzinfo=UTC),
        NOW,
    )
    in_berlin = windows_of(attrs.evolve(GRID, timezone="Europe/Berlin"), datetime(2026, 4, 10, 10, tzinfo=UTC))
    assert in_berlin.same_point == datetime(2026, 3, 10, 11, tzinfo=UTC), "noon on the wall, before summer time"


@given(
    st.integers(1_577_836_800, 2_051_222_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    st.sampled_from(["Africa/Lagos", "Africa/Nairobi", "Europe/Berlin", "America/Los_Angeles"]),
)
def test_pay_175_windows_never_overlap_the_wrong_way(now: datetime, zone: str) -> None:
    """[PAY-175] The same point lies within last month, whatever the day and the clock's jumps."""
    windows = windows_of(attrs.evolve(GRID, timezone=zone), now)
    assert windows.last_month <= windows.same_point < windows.month <= now
    assert timedelta(days=27) < windows.month - windows.last_month < timedelta(days=32)
    assert 0 <= elapsed_percent(now, ZoneInfo(zone)) <= 100


def figures(**changes: object) -> Figures:
    known = Figures(
        grids=[GRID],
        revenue={
            5: GridRevenue(
                this_month=Decimal("150000.5"),
                last_month_at_this_point=Decimal(120_000),
                last_month_total=Decimal(400_000),
            )
        },
        agents=[
            AgentFigures(
                id=31,
                full_name="Ada",
                grid_id=5,
                balance=Decimal("1500.50"),
                topups_this_month=2,
                revenue_this_month=Decimal(2000),
                revenue_last_month_total=Decimal(0),
            )
        ],
        spenders=[Spender(id=9, full_name="Customer 9", amount=Decimal(90_000))],
        issues=[
            CommercialIssue(
                grid_id=5,
                issue_type="NO_CREDIT",
                started_at=datetime(2026, 3, 1, 23, 30, tzinfo=UTC),
                customer_full_name="Customer 9",
                meter_id=47,
                meter_external_reference="47001771477",
            )
        ],
        issue_counts={5: 11},
    )
    return attrs.evolve(known, **changes)  # type: ignore[arg-type]  # by name


def test_pay_176_the_object_of_the_template() -> None:
    """[PAY-176] [PAY-177] [AUTO-122] Member by member."""
    assert report_of(figures(), NOW, DESK) == {
        "date": "2026-03-10T10:00:00.000Z",
        "date_string": "Mar 10th, 2026",
        "percentage_of_month_elapsed": Decimal("30.51"),
        "percentage_of_month_elapsed_string": "30.51%",
        "grids": [
            {
                "id": 5,
                "name": "Umuoke",
                "currency": "NGN",
                "dashboard_link": "https://dashboard.example.org/grid/5",
                "topups_link": "https://dashboard.example.org/grid/5/top-ups",
                "issues_link": "https://dashboard.example.org/grid/5/issues",
                "revenue_this_month": Decimal("150000.5"),
                "revenue_this_month_string": "₦150,001",
                "revenue_last_month_at_this_point": Decimal(120_000),
                "revenue_last_month_at_this_point_string": "₦120,000",
                "revenue_last_month_total": Decimal(400_000),
                "revenue_last_month_total_string": "₦400,000",
                "percent_of_monthly_target": Decimal("0.3333344444"),
                "percent_of_monthly_target_string": "33.33%",
                "estimated_monthly_cost": Decimal(450_000),
                "estimated_monthly_cost_string": "₦450,000",
                "commercial_issues": 11,
            }
        ],
        "agents": [
            {
                "id": 31,
                "full_name": "Ada",
                "link": "https://dashboard.example.org/grid/5/agent/31",
                "balance": "₦1,501",
                "grid_name": "Umuoke",
                "topups_this_month": 2,
                "revenue_this_month": Decimal(2000),
                "revenue_this_month_string": "₦2,000",
                "revenue_last_month_total": Decimal(0),
                "revenue_last_month_total_string": "₦0",
            }
        ],
        "customers": [{"full_name": "Customer 9", "id": 9, "amount": Decimal(90_000)}],
        "issues": [
            {
                "started_at": "2026-03-01T23:30:00.000Z",
                "started_at_string": "Mar 2nd, 2026",
                "customer_full_name": "Customer 9",
                "grid_name": "Umuoke",
                "link": "https://dashboard.example.org/grid/5/meter/47",
                "meter_external_reference": "47001771477",
                "issue_type": "NO_CREDIT",
            }
        ],
    }


def test_pay_176_a_grid_without_rental_has_no_target() -> None:
    """[PAY-176] Null, and ``n/a``; and without a dashboard there are no links."""
    free = attrs.evolve(GRID, monthly_rental=Decimal(0))
    (grid,) = report_of(figures(grids=[free], issue_counts={}), NOW, None)["grids"]  # type: ignore[misc,union-attr]
    assert (grid["percent_of_monthly_target"], grid["percent_of_monthly_target_string"]) == (None, "n/a")  # type: ignore[index,call-overload]
    assert (grid["dashboard_link"], grid["commercial_issues"]) == (None, 0)  # type: ignore[index,call-overload]


@pytest.mark.parametrize(
    ("revenue", "rental", "text"),
    [("1125", "9000", "12.50%"), ("1", "3", "33.33%"), ("20000", "10000", "200.00%"), ("0", "1", "0.00%")],
)
def test_pay_176_percents_have_two_decimals(revenue: str, rental: str, text: str) -> None:
    """[PAY-176]"""
    nothing = Decimal(0)
    sold = GridRevenue(this_month=Decimal(revenue), last_month_at_this_point=nothing, last_month_total=nothing)
    grid = attrs.evolve(GRID, monthly_rental=Decimal(rental))
    report = report_of(figures(grids=[grid], revenue={5: sold}), NOW, DESK)
    assert report["grids"][0]["percent_of_monthly_target_string"] == text  # type: ignore[index,call-overload]
