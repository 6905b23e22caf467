"""What came in on a grid during a period, for its statement (PAY 14.2, 16.1, 16.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from tests.support.revenue_world import LISTED, MONTH, NOW, SUNNY, WINDY, PostgresRevenueWorld

from nxt_domain.orders.payouts import PeriodRevenue, period_of

TUMBA = 90
PERIOD = period_of(MONTH, MONTH + timedelta(days=31))


@pytest.fixture
async def world(relational_url: str) -> AsyncIterator[PostgresRevenueWorld]:
    made = PostgresRevenueWorld(relational_url)
    yield made
    await made.close()


async def revenue(world: PostgresRevenueWorld) -> PeriodRevenue:
    async with world.begin() as tx:
        grid = await tx.payouts.grid(TUMBA)
        found: PeriodRevenue = await tx.payouts.revenue(grid, PERIOD)
        return found


async def test_pay_171_connection_fees(world: PostgresRevenueWorld) -> None:
    """[PAY-171] [PAY-151] Less refunds, hidden ones too; by creation; not reversed, not unsettled, nothing else."""
    assert (await revenue(world)).connection_fees == 0, "none: zero"
    for amount, changes in (
        (1_000, {}),
        (200, {"meta_is_hidden_from_reporting": True}),
        (30, {"meta_is_hidden_from_reporting": None}),
        (50_000, {"reversed_at": NOW}),
        (50_000, {"order_status": "FAILED"}),
        (50_000, {"created_at": MONTH - timedelta(milliseconds=1)}),
        (50_000, {"created_at": PERIOD.end}),
        (50_000, {"historical_grid_id": 70}),
    ):
        changed: dict[str, Any] = {"meta_order_type": "CONNECTION_PAYMENT", **changes}
        world.order(TUMBA, amount, MONTH, **changed)
    world.order(TUMBA, 100, MONTH, meta_order_type="CONNECTION_REFUND")
    world.order(TUMBA, 7, MONTH, meta_order_type="CONNECTION_REFUND", meta_is_hidden_from_reporting=True)
    world.order(TUMBA, 50_000, MONTH, meta_order_type="CONNECTION_REFUND", reversed_at=NOW)
    world.order(TUMBA, 4_000, MONTH)
    found = await revenue(world)
    assert found.connection_fees == 1_000 + 200 + 30 - 100 - 7
    assert found.energy == 4_000


async def test_pay_170_energy_is_what_the_clients_function_says(world: PostgresRevenueWorld) -> None:
    """[PAY-170] [PAY-151] One rule: the statement asks the very function that dashboards call."""
    function = world.owner.execute(
        "select pg_get_functiondef('find_energy_topup_revenue(integer, timestamptz, timestamptz)'::regprocedure)"
    ).fetchone()
    assert function is not None
    world.order(TUMBA, 4_000, MONTH)
    assert (await revenue(world)).energy == 4_000
    anew = function[0].replace("coalesce(sum(o.amount), 0)", "coalesce(sum(o.amount), 0) * 2")
    assert anew != function[0]
    world.owner.execute(anew)
    assert (await revenue(world)).energy == 8_000


async def test_pay_157_what_reached_the_owner_already(world: PostgresRevenueWorld) -> None:
    """[PAY-157] Through the owner's own merchant account, as far as it is part of the statement or an agent's."""
    own: dict[str, Any] = {"routing_organization_id": LISTED}
    world.order(TUMBA, 1, MONTH)
    world.order(TUMBA, 2, MONTH, **own)
    world.order(TUMBA, 4, MONTH, meta_order_type="CONNECTION_PAYMENT", meta_is_hidden_from_reporting=True, **own)
    world.order(TUMBA, 1, MONTH, meta_order_type="CONNECTION_REFUND", **own)
    world.order(TUMBA, 8, MONTH, meta_order_type="AGENT_TOPUP", **own)
    for changes in (
        {"meta_is_hidden_from_reporting": True},
        {"reversed_at": NOW},
        {"order_status": "FAILED"},
        {"meta_order_type": "AGENT_WITHDRAWAL"},
        {"created_at": PERIOD.end},
    ):
        changed: dict[str, Any] = {**own, **changes}
        world.order(TUMBA, 50_000, MONTH, **changed)
    # Those of the organization itself belong to no grid; another organization's are not ours.
    topup = {"meta_order_type": "ORGANIZATION_TOPUP"}
    world.order(None, 16, MONTH, **own, **topup)
    world.order(None, 50_000, MONTH, routing_organization_id=WINDY, **topup)
    world.order(None, 50_000, PERIOD.end, **own, **topup)
    found = await revenue(world)
    assert (found.energy, found.connection_fees) == (1 + 2, 4 - 1)
    assert (found.own, found.unassigned_own) == (2 + 4 - 1 + 8, 16)
    assert SUNNY != LISTED
