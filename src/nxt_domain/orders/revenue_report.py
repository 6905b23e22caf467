"""The weekly report of what grids brought in, as the mail's template reads it (PAY 16.5). Pure; amounts in naira."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import attrs

from nxt_domain.shared.clock import iso_millis
from nxt_domain.shared.json import Json, JsonObject
from nxt_domain.shared.local_days import a_month_ago, month_before, month_of
from nxt_domain.shared.money import plain, quotient, round_half_up

SPENDERS = 3
OLDEST_ISSUES = 4
_RATIO_PLACES = 10
_MINUTE = timedelta(minutes=1)
_TEENS = range(11, 14)
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@attrs.frozen(kw_only=True)
class ReportGrid:
    """A live, reported grid.

    Attributes:
        monthly_rental: What it costs, and so its target.
    """

    id: int
    name: str
    timezone: str
    monthly_rental: Decimal


@attrs.frozen(kw_only=True)
class Windows:
    """What is compared, for a grid [PAY-175]; all half-open.

    Attributes:
        last_month: Begin of last month there.
        same_point: The same point of last month.
        month: Begin of this month there.
        now: The end.
    """

    grid_id: int
    last_month: datetime
    same_point: datetime
    month: datetime
    now: datetime


@attrs.frozen(kw_only=True)
class GridRevenue:
    """Energy that a grid sold (PAY 16.1)."""

    this_month: Decimal
    last_month_at_this_point: Decimal
    last_month_total: Decimal


@attrs.frozen(kw_only=True)
class AgentFigures:
    """What an agent sold of energy [PAY-177]."""

    id: int
    full_name: str | None
    grid_id: int
    balance: Decimal
    topups_this_month: int
    revenue_this_month: Decimal
    revenue_last_month_total: Decimal


@attrs.frozen(kw_only=True)
class Spender:
    """A customer among those for whom most was paid (PAY 16.3)."""

    id: int
    full_name: str | None
    amount: Decimal


@attrs.frozen(kw_only=True)
class CommercialIssue:
    """An open issue of a meter that brings nothing in."""

    grid_id: int
    issue_type: str
    started_at: datetime | None
    customer_full_name: str | None
    meter_id: int
    meter_external_reference: str


@attrs.frozen(kw_only=True)
class Figures:
    """Everything that a report is made of.

    Attributes:
        grids: At least one, by id.
        revenue: By grid.
        agents: By name.
        spenders: Grid by grid, the largest first.
        issues: The oldest of each grid, the oldest first.
        issue_counts: Of all open ones, by grid; who has none is left out.
    """

    grids: Sequence[ReportGrid]
    revenue: Mapping[int, GridRevenue]
    agents: Sequence[AgentFigures]
    spenders: Sequence[Spender]
    issues: Sequence[CommercialIssue]
    issue_counts: Mapping[int, int]


def windows_of(grid: ReportGrid, now: datetime) -> Windows:
    """Work out what is compared, in the grid's own time."""
    zone = ZoneInfo(grid.timezone)
    month, _ = month_of(now, zone)
    last_month, _ = month_before(now, zone)
    return Windows(grid_id=grid.id, last_month=last_month, same_point=a_month_ago(now, zone), month=month, now=now)


def elapsed_percent(now: datetime, zone: ZoneInfo) -> Decimal:
    """Tell how much of the month is over, by the clock on the wall [AUTO-123]."""
    begin, end = (moment.astimezone(zone).replace(tzinfo=None) for moment in month_of(now, zone))
    passed = (now.astimezone(zone).replace(tzinfo=None) - begin) // _MINUTE
    return round_half_up(quotient(Decimal(100 * passed), Decimal((end - begin) // _MINUTE)), 2)


def money_text(amount: Decimal) -> str:
    """Write naira for people: ``₦12,345``, ``-₦1,500``; exact halves go away from zero [PAY-178, AUTO-20]."""
    whole = abs(amount).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    sign = "-" if amount < 0 and whole else ""
    return f"{sign}₦{whole:,f}"


def date_text(moment: datetime, zone: ZoneInfo) -> str:
    """Write a date for people: ``Mar 10th, 2026``."""
    local = moment.astimezone(zone)
    ending = "th" if local.day in _TEENS else _ENDINGS.get(local.day % 10, "th")
    return f"{_MONTHS[local.month - 1]} {local.day}{ending}, {local.year}"


def report_of(figures: Figures, now: datetime, dashboard_url: str | None) -> JsonObject:
    """Make what the mail's template reads [PAY-176].

    Args:
        figures: Of an organization's grids.
        now: When they were collected.
        dashboard_url: Where links lead (``AYRTON_URL``); None: there are none.
    """
    # Of several time zones, that of the grid with the lowest id [AUTO-122].
    zone = ZoneInfo(figures.grids[0].timezone)
    elapsed = elapsed_percent(now, zone)
    desk = _Desk(dashboard_url, {grid.id: grid for grid in figures.grids})
    return {
        "date": iso_millis(now),
        "date_string": date_text(now, zone),
        "percentage_of_month_elapsed": elapsed,
        "percentage_of_month_elapsed_string": f"{plain(elapsed)}%",
        "grids": [desk.grid(grid, figures) for grid in figures.grids],
        "agents": [desk.agent(agent) for agent in figures.agents],
        "customers": [{"full_name": one.full_name, "id": one.id, "amount": one.amount} for one in figures.spenders],
        "issues": [desk.issue(issue) for issue in figures.issues],
    }


@attrs.frozen
class _Desk:
    """Writes the parts of a report, with links into the dashboard."""

    url: str | None
    grids: Mapping[int, ReportGrid]

    def link(self, grid_id: int, *rest: object) -> str | None:
        if self.url is None:
            return None
        return "/".join([f"{self.url.rstrip('/')}/grid/{grid_id}", *map(str, rest)])

    def grid(self, grid: ReportGrid, figures: Figures) -> JsonObject:
        revenue = figures.revenue[grid.id]
        return {
            "id": grid.id,
            "name": grid.name,
            "currency": "NGN",
            "dashboard_link": self.link(grid.id),
            "topups_link": self.link(grid.id, "top-ups"),
            "issues_link": self.link(grid.id, "issues"),
            **_money("revenue_this_month", revenue.this_month),
            **_money("revenue_last_month_at_this_point", revenue.last_month_at_this_point),
            **_money("revenue_last_month_total", revenue.last_month_total),
            **_target(revenue.this_month, grid.monthly_rental),
            **_money("estimated_monthly_cost", grid.monthly_rental),
            "commercial_issues": figures.issue_counts.get(grid.id, 0),
        }

    def agent(self, agent: AgentFigures) -> JsonObject:
        return {
            "id": agent.id,
            "full_name": agent.full_name,
            "link": self.link(agent.grid_id, "agent", agent.id),
            "balance": money_text(agent.balance),
            "grid_name": self.grids[agent.grid_id].name,
            "topups_this_month": agent.topups_this_month,
            **_money("revenue_this_month", agent.revenue_this_month),
            **_money("revenue_last_month_total", agent.revenue_last_month_total),
        }

    def issue(self, issue: CommercialIssue) -> JsonObject:
        grid = self.grids[issue.grid_id]
        started = issue.started_at
        return {
            "started_at": None if started is None else iso_millis(started),
            "started_at_string": None if started is None else date_text(started, ZoneInfo(grid.timezone)),
            "customer_full_name": issue.customer_full_name,
            "grid_name": grid.name,
            "link": self.link(grid.id, "meter", issue.meter_id),
            "meter_external_reference": issue.meter_external_reference,
            "issue_type": issue.issue_type,
        }


def _money(name: str, amount: Decimal) -> Mapping[str, Json]:
    return {name: amount, f"{name}_string": money_text(amount)}


def _target(revenue: Decimal, rental: Decimal) -> Mapping[str, Json]:
    """Compare what came in with what the grid costs; a grid without rental has no target."""
    if rental == 0:
        return {"percent_of_monthly_target": None, "percent_of_monthly_target_string": "n/a"}
    percent = round_half_up(quotient(revenue * 100, rental), 2)
    ratio = round_half_up(quotient(revenue, rental), _RATIO_PLACES)
    return {"percent_of_monthly_target": ratio, "percent_of_monthly_target_string": f"{percent:.2f}%"}
