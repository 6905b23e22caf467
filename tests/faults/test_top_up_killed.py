"""kill -9 between the steps of a top-up whose token is made elsewhere [PAY-126] [PAY-127]."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from multiprocessing.process import BaseProcess
from typing import Any

import pytest
from tests.support.money_process import RELAY, SETTLEMENT, TableGateway, accounts_of, owner_of, start
from tests.support.payments_schedules import ScheduleWorld
from tests.support.waiting import until

from nxt_adapters.supabase.engine import create_engine

_WITHIN_S = 20.0
_TOKENS = "select token from gateway.tokens order by n"
_COMMANDS = """
    select i.token, count(m.id) as messages from meter_interactions i
    left join messaging.device_messages m on m.correlation_id = i.id::text
    where i.order_id = %s group by i.id
"""


@pytest.fixture
async def world(relational_url: str) -> AsyncIterator[ScheduleWorld]:
    made = ScheduleWorld(relational_url, create_engine(relational_url, pool_size=4))
    gateway = TableGateway(relational_url)
    gateway.open()
    made.accounts = accounts_of(gateway)
    yield made
    gateway.close()
    await made.close()


@pytest.fixture
def run(relational_url: str) -> Iterator[Callable[[str, float], BaseProcess]]:
    """Start processes, and end them when the test is over."""
    started: list[BaseProcess] = []

    def begin(kind: str, vendor_s: float) -> BaseProcess:
        started.append(start(kind, relational_url, vendor_s=vendor_s))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.join()


async def paid_order(world: ScheduleWorld) -> int:
    order = await world.buy("100")
    world.pay(order)
    await world.verify(order.id)
    return order.id


def kill(world: ScheduleWorld, process: BaseProcess) -> None:
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    # A lease of a dead process lapses after a minute.
    world.owner.execute(
        "update internal.outbox_tasks set lease_until = now() where lease_owner = %s", [owner_of(process.pid or 0)]
    )


async def command_with_message(world: ScheduleWorld, order_id: int) -> dict[str, Any]:
    async def found() -> dict[str, Any] | None:
        rows = world.all(_COMMANDS, order_id)
        return rows[0] if rows and rows[0]["messages"] else None

    return await until(found, _WITHIN_S, f"the command of order {order_id}")


async def test_killed_after_settlement_and_before_the_command(
    world: ScheduleWorld, run: Callable[[str, float], BaseProcess]
) -> None:
    """[PAY-126] [PAY-198] 9: it appears after the restart, once."""
    order_id = await paid_order(world)
    worker = run(SETTLEMENT, 0.0)

    async def is_settled() -> bool:
        return bool(world.one("select order_status = 'COMPLETED' from orders where id = %s", order_id))

    await until(is_settled, _WITHIN_S, "the settlement")
    kill(world, worker)
    assert world.all(_COMMANDS, order_id) == [{"token": None, "messages": 0}], "nothing can go to the meter yet"
    for _ in range(2):
        run(SETTLEMENT, 0.0)
        run(RELAY, 0.0)
    command = await command_with_message(world, order_id)
    await world.work_all_off()
    assert world.all(_COMMANDS, order_id) == [command]
    assert (command["messages"], len(world.all(_TOKENS))) == (1, 1)


async def test_killed_between_making_a_token_and_storing_it(
    world: ScheduleWorld, run: Callable[[str, float], BaseProcess]
) -> None:
    """[PAY-127] [PAY-115] [PAY-198] 10: the next attempt brings the same token."""
    order_id = await paid_order(world)
    run(SETTLEMENT, 0.0)
    relay = run(RELAY, 60.0)

    async def is_made() -> bool:
        return len(world.all(_TOKENS)) == 1

    await until(is_made, _WITHIN_S, "the vendor to make a token")
    kill(world, relay)
    assert world.all(_COMMANDS, order_id) == [{"token": None, "messages": 0}]
    run(RELAY, 0.0)
    command = await command_with_message(world, order_id)
    tokens = [row["token"] for row in world.all(_TOKENS)]
    assert tokens == [command["token"]] * 2
    assert world.all("select token from internal.sts_tokens where token is not null") == [{"token": tokens[0]}]
