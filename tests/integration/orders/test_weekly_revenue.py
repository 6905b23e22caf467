"""The weekly report from rows to mails, in memory and on PostgreSQL (PAY 16.5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.support.revenue_world import (
    KALONDA,
    LISTED,
    NOW,
    SILENT,
    SUNNY,
    UMUOKE,
    WINDY,
    MemoryRevenueWorld,
    PostgresRevenueWorld,
)

from nxt_adapters.memory.revenue import MemoryRevenueFigures
from nxt_adapters.supabase.revenue import PostgresRevenueFigures
from nxt_domain.orders.use_cases.report_revenue import Reported, ReportRevenue

World = MemoryRevenueWorld | PostgresRevenueWorld


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryRevenueWorld()
        return
    made = PostgresRevenueWorld(request.getfixturevalue("relational_url"))
    yield made
    await made.close()


def job(world: World, *also: int) -> ReportRevenue:
    return ReportRevenue(
        begin=world.begin, clock=world.clock, dashboard_url="https://dashboard.example.org", organization_ids=also
    )


async def report(world: World, organization_id: int = SUNNY) -> Any:
    await job(world)()
    return next(told for to, _, told in await world.mails() if to == f"finance-{organization_id}@example.org")


async def test_who_gets_it(world: World) -> None:
    """[PAY-174] [PAY-179] [AUTO-121] Marked organizations with reported grids; those of the artifact too; each once."""
    assert await job(world)() == Reported(reported=2)
    assert [to for to, _, _ in await world.mails()] == ["finance-7@example.org", "finance-8@example.org"]
    assert await job(world, LISTED, SILENT)() == Reported(reported=1, skipped=3), "one of them has no grid"
    addressed = [(to, subject) for to, subject, _ in await world.mails()]
    assert addressed == [(f"finance-{number}@example.org", "Revenue report") for number in (SUNNY, WINDY, LISTED)]


async def test_a_week_is_reported_once(world: World) -> None:
    """[AUTO-9] [PAY-196] By hand again on another day of the week: nothing; the next week: anew."""
    assert (await job(world)()).reported == 2
    world.clock.advance(timedelta(days=5))
    assert await job(world)() == Reported(skipped=2)
    world.clock.advance(timedelta(days=2))
    assert (await job(world)()).reported == 2
    assert len(await world.mails()) == 4


async def test_revenue_of_grids(world: World) -> None:
    """[PAY-170] [PAY-175] [PAY-176] Half-open windows in the grid's own time, by creation; only what counts."""
    first, second = (await report(world))["grids"]
    assert (first["id"], second["id"]) == (UMUOKE, KALONDA)
    assert first["revenue_this_month"] == 32 + 64
    assert first["revenue_last_month_at_this_point"] == 2 + 4
    assert first["revenue_last_month_total"] == 2 + 4 + 8 + 16
    assert (first["revenue_this_month_string"], first["percent_of_monthly_target_string"]) == ("₦96", "9.60%")
    assert Decimal(str(first["percent_of_monthly_target"])) == Decimal("0.096")
    assert (second["revenue_this_month"], second["percent_of_monthly_target"]) == (256, None)


async def test_top_spenders_of_each_grid(world: World) -> None:
    """[PAY-172] [PAY-176] Three at most for a grid since the same point of last month; nobody of another tenant's."""
    assert (await report(world))["customers"] == [
        {"full_name": "Customer 2", "id": 2, "amount": 8 + 64},
        {"full_name": "Customer 4", "id": 4, "amount": 32},
        {"full_name": "Customer 3", "id": 3, "amount": 16},
        {"full_name": "Customer 5", "id": 5, "amount": 256},
    ]


async def test_agents(world: World) -> None:
    """[PAY-177] By name; those without a live account are left out; this month until now, and all of last month."""
    agents = (await report(world))["agents"]
    assert [(agent["full_name"], agent["grid_name"], agent["balance"]) for agent in agents] == [
        ("Ada", "Umuoke", "₦0"),
        ("Ben", "Umuoke", "₦0"),
    ]
    ada, ben = agents
    assert (ada["topups_this_month"], ada["revenue_this_month"], ada["revenue_last_month_total"]) == (1, 32, 2 + 8)
    assert (ben["topups_this_month"], ben["revenue_this_month"], ben["revenue_last_month_total"]) == (1, 64, 0)
    assert ada["link"] == "https://dashboard.example.org/grid/70/agent/31"


async def test_commercial_issues(world: World) -> None:
    """[PAY-176] The four oldest open ones, oldest first; counted are all of the two types."""
    told = await report(world)
    assert [issue["meter_external_reference"][-1] for issue in told["issues"]] == ["6", "5", "4", "3"]
    assert {issue["issue_type"] for issue in told["issues"]} == {"NO_CREDIT", "NO_CONSUMPTION"}
    assert told["issues"][0]["started_at_string"] == "Mar 1st, 2026"
    assert [grid["commercial_issues"] for grid in told["grids"]] == [6, 0]


async def test_one_that_fails_stops_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """[PAY-174] It is told of, and the same run by hand makes up for it."""
    figures: Any = MemoryRevenueFigures if isinstance(world, MemoryRevenueWorld) else PostgresRevenueFigures
    grids = figures.grids

    async def broken(self: Any, organization_id: int) -> Any:
        if organization_id == SUNNY:
            raise ValueError("a figure is missing")
        return await grids(self, organization_id)

    monkeypatch.setattr(figures, "grids", broken)
    assert await job(world)() == Reported(reported=1, failed=1)
    assert await world.alerts() == ["alert:REVENUE_NOT_REPORTED:organization:7"]
    monkeypatch.undo()
    assert await job(world)() == Reported(reported=1, skipped=1)
    assert [to for to, _, _ in await world.mails()] == ["finance-8@example.org", "finance-7@example.org"]


async def test_two_at_once_report_once(relational_url: str) -> None:
    """[AUTO-9] [PAY-196] Even if a lease were lost."""
    world = PostgresRevenueWorld(relational_url)
    done = await asyncio.gather(*(job(world)() for _ in range(4)))
    assert sum(one.reported for one in done) == 2
    assert len(await world.mails()) == 2
    await world.close()


def test_the_clock_is_a_tuesday() -> None:
    """The seeded moment is one at which the job runs."""
    assert (NOW.isoweekday(), NOW.hour) == (2, 10)
