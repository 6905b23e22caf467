"""A meter that is taken away while somebody's money is on its way to it (PAY 11.4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.revenue_world import NOW, UMUOKE, PostgresRevenueWorld

from nxt_domain.meters.news import top_up_command
from nxt_domain.shared.alerts import alert

METER, OTHER = 1, 2


class World(PostgresRevenueWorld):
    """A village whose meters have connections."""

    def paid(self, **changes: object) -> int:
        """Insert a settled order; return its id."""
        self.order(UMUOKE, 5_000, NOW, **changes)
        return int(self.value("select max(id) from orders"))

    def top_up(self, order_id: int | None, status: str = "QUEUED", meter_id: int = METER) -> None:
        """Insert the command of an order."""
        self.insert(
            "meter_interactions",
            meter_id=meter_id,
            order_id=order_id,
            meter_interaction_type="TOP_UP",
            origin="USER" if order_id is None else "ORDER",
            transactive_kwh="12.3",
            meter_interaction_status=status,
        )

    def connect(self, connection_id: int | None, meter_id: int = METER) -> None:
        """Give a meter to a connection, or take it away."""
        self.owner.execute("update meters set connection_id = %s where id = %s", [connection_id, meter_id])

    def value(self, query: str, *parameters: object) -> Any:
        """Return the first value of the first row."""
        row = self.owner.execute(query, parameters).fetchone()
        assert row is not None
        return row[0]

    def calls(self) -> list[int]:
        """Return the orders that a person was called for, in the order of the calls."""
        return [
            int(order_id)
            for (order_id,) in self.owner.execute(
                "select payload -> 'facts' ->> 'order_id' from internal.outbox_tasks"
                " where kind = 'ALERT' and payload ->> 'code' = 'TOP_UP_METER_UNASSIGNED' order by id"
            ).fetchall()
        ]


@pytest.fixture
async def world(relational_url: str) -> AsyncIterator[World]:
    made = World(relational_url)
    yield made
    await made.close()


def test_pay_118_a_person_is_called_with_the_order(world: World) -> None:
    """[PAY-118] [PAY-134] For each command that is not finished; a call as any other."""
    connection_id = world.value("select connection_id from meters where id = %s", METER)
    queued, sent = world.paid(), world.paid()
    world.top_up(queued)
    world.top_up(sent, "PROCESSING")
    world.connect(None)
    assert world.calls() == [queued, sent]
    row = world.owner.execute(
        "select dedupe_key, payload, created_at from internal.outbox_tasks where kind = 'ALERT' order by id"
    ).fetchone()
    assert row is not None
    expected = alert(
        "TOP_UP_METER_UNASSIGNED",
        f"order:{queued}",
        "A meter was unassigned before its paid top-up was done",
        at=row[2],
        facts={"order_id": queued, "meter_id": METER, "connection_id": connection_id},
    )
    assert (row[0], row[1]) == (expected.dedupe_key, expected.payload)


def test_pay_118_a_meter_that_is_taken_twice(world: World) -> None:
    """[PAY-118] [PAY-134] The same order calls once an hour; one transaction lies within one hour."""
    connection_id = world.value("select connection_id from meters where id = %s", METER)
    order_id = world.paid()
    world.top_up(order_id)
    with world.owner.transaction():
        for taken_by in (None, connection_id, None):
            world.connect(taken_by)
    assert world.calls() == [order_id]


def test_pay_118_a_command_that_is_still_to_be_made(world: World) -> None:
    """[PAY-118] The money is there, a tariff or the token's maker is waited for; once it is done nobody is called."""
    waiting, done = world.paid(), world.paid()
    for order_id, done_at in ((waiting, None), (done, NOW)):
        task = top_up_command(order_id)
        world.owner.execute(
            "insert into internal.outbox_tasks (kind, dedupe_key, order_id, payload, done_at)"
            " values (%s, %s, %s, '{}', %s)",
            [task.kind, task.dedupe_key, task.order_id, done_at],
        )
    world.connect(None)
    assert world.calls() == [waiting]


def test_pay_118_whom_nobody_is_called_for(world: World) -> None:
    """[PAY-118] What has ended, what nobody paid, what was paid back, other meters, and changes of other kinds."""
    connection_id = world.value("select connection_id from meters where id = %s", METER)
    for status in ("SUCCESSFUL", "FAILED", "ABORTED"):
        world.top_up(world.paid(), status)
    world.top_up(None)
    world.top_up(world.paid(reversed_at=NOW))
    world.top_up(world.paid(), meter_id=OTHER)
    world.connect(None)
    world.top_up(world.paid())
    world.connect(connection_id)
    world.connect(connection_id)
    world.owner.execute("update meters set balance = 5 where id = %s", [METER])
    assert world.calls() == []


def test_pay_118_a_meter_that_goes_straight_to_another_house(world: World) -> None:
    """[PAY-118] It would light the wrong one."""
    order_id = world.paid()
    world.top_up(order_id)
    elsewhere = world.value(
        "insert into connections (customer_id, currency, women_impacted, is_public, is_commercial, is_residential)"
        " values (1, 'NGN', 0, false, false, true) returning id"
    )
    world.connect(elsewhere)
    assert world.calls() == [order_id]
