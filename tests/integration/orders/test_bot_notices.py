"""From a paid command's row to the chat bot: tasks by the trigger, notices by the relay (PAY 11.5)."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from tests.support.revenue_world import KALONDA, NOW, UMUOKE, PostgresRevenueWorld

from nxt_adapters.flowxo import FlowXoSettings, FlowXoTopUps
from nxt_adapters.memory.bot import MemoryTopUpBot
from nxt_adapters.resilience import BreakerPolicy, CallPolicy, RetryPolicy
from nxt_adapters.supabase.outbox import PostgresOutboxQueue
from nxt_adapters.supabase.wakeups import PostgresWakeUps
from nxt_domain.orders.bot_notices import BOT_NOTICE, TellBot
from nxt_entrypoints.jobs.handlers import Handlers
from nxt_entrypoints.jobs.relay import Lane, OutboxRelay
from nxt_entrypoints.simulators.flowxo.simulator import FlowXo, FlowXoConfig

TOKEN = "12345678901234567890"


class World(PostgresRevenueWorld):
    """A village whose top-ups are announced in a chat."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url
        self.owner.execute("update grids set telegram_response_path_token = 'umuoke-flow' where id = %s", [UMUOKE])
        self.owner.execute("update accounts set phone = '2348031234567' where id = 400")

    def top_up(self, **changes: object) -> int:
        """Insert the command of a new order; return its id."""
        self.order(UMUOKE, 5_000, NOW)
        latest = self.owner.execute("select max(id) from orders").fetchone()
        assert latest is not None
        facts = {
            "meter_id": 1,
            "order_id": latest[0],
            "meter_interaction_type": "TOP_UP",
            "origin": "ORDER",
            "transactive_kwh": "12.3",
        }
        number: int = self.insert("meter_interactions", **{**facts, **changes})
        return number

    def change(self, number: int, **changes: object) -> None:
        """Update a command."""
        sets = ", ".join(f"{name} = %s" for name in changes)
        self.owner.execute(f"update meter_interactions set {sets} where id = %s", [*changes.values(), number])

    def tasks(self) -> list[tuple[Any, ...]]:
        """Read the tasks' commands and statuses in order."""
        return self.owner.execute(
            "select payload->>'interaction_id', payload->>'status' from internal.outbox_tasks"
            " where kind = 'BOT_NOTICE' order by id"
        ).fetchall()

    async def work_off(self, bot: Any) -> int:
        """Let the relay do what is due, once; return how many tasks it took."""
        others: dict[str, Any] = dict.fromkeys(inspect.signature(Handlers).parameters)
        handlers = Handlers(**{**others, "tell_bot": TellBot(begin=self.begin, bot=bot)})
        (lane,) = [lane for lane in handlers.lanes() if lane.kind == BOT_NOTICE]
        wake_ups = PostgresWakeUps(self.url)
        relay = OutboxRelay(
            queue=PostgresOutboxQueue(self.engine), lanes=[lane], owner="test", subscribe=wake_ups.subscribe
        )
        return await relay.work_off(Lane(kind=lane.kind, handle=lane.handle, batch=1, delay=timedelta(0)))


@pytest.fixture
async def world(relational_url: str) -> AsyncIterator[World]:
    made = World(relational_url)
    yield made
    await made.close()


def test_pay_119_when_there_is_a_token_and_when_it_ends(world: World) -> None:
    """[PAY-119] [AUTO-109] [AUTO-110] Once each, whatever comes between; a late token when it is there."""
    number = world.top_up()
    assert world.tasks() == []
    world.change(number, token=TOKEN)
    world.change(number, meter_interaction_status="PROCESSING")
    world.change(number, meter_interaction_status="SUCCESSFUL", result_value="{}")
    world.change(number, attempts=2)
    assert world.tasks() == [(str(number), "PENDING"), (str(number), "SUCCESSFUL")]
    at_once = world.top_up(token=TOKEN)
    world.change(at_once, meter_interaction_status="PROCESSING")
    world.change(at_once, meter_interaction_status="FAILED")
    assert world.tasks()[2:] == [(str(at_once), "PENDING"), (str(at_once), "FAILED")]


def test_pay_119_whom_nobody_is_told_of(world: World) -> None:
    """[PAY-119] [AUTO-111] Aborted ones, those of no order, and those of grids without a chat flow."""
    aborted = world.top_up(token=TOKEN)
    world.change(aborted, meter_interaction_status="ABORTED")
    assert world.tasks() == [(str(aborted), "PENDING")]
    world.top_up(order_id=None, token=TOKEN, origin="USER")
    for flow in (None, ""):
        world.owner.execute("update grids set telegram_response_path_token = %s where id = %s", [flow, UMUOKE])
        world.change(world.top_up(token=TOKEN), meter_interaction_status="FAILED")
    assert len(world.tasks()) == 1
    assert KALONDA != UMUOKE


def test_pay_119_commands_that_one_statement_makes(world: World) -> None:
    """[PAY-119] [PAY-124] As settlement stores a batch: each is told of by itself, in their order."""
    for _ in range(4):
        world.order(UMUOKE, 5_000, NOW)
    made = world.owner.execute(
        "insert into meter_interactions"
        " (meter_id, order_id, meter_interaction_type, origin, transactive_kwh, meter_interaction_status, token)"
        " select 1, o.id, 'TOP_UP', 'ORDER', 12.3, s.status::meter_interaction_status_enum, s.token"
        " from (select id, row_number() over (order by id desc) as n from orders) o"
        " join (values (1, 'QUEUED', %s), (2, 'QUEUED', null), (3, 'FAILED', null), (4, 'FAILED', %s))"
        " as s (n, status, token) using (n) order by n returning id",
        [TOKEN, TOKEN],
    ).fetchall()
    with_token, _, failed, both = [str(number) for (number,) in made]
    told = [(with_token, "PENDING"), (failed, "FAILED"), (both, "PENDING"), (both, "FAILED")]
    assert world.tasks() == told
    world.owner.execute("insert into meter_interactions select * from meter_interactions where false")
    assert world.tasks() == told


def test_pay_121_tasks_hold_no_token(world: World) -> None:
    """[PAY-121] [REL-142] [R49] Known by order and status; of one order one after another; for a day."""
    number = world.top_up(token=TOKEN)
    row = world.owner.execute(
        "select dedupe_key, stream_key, order_id, grid_id, organization_id, payload, give_up_at - created_at"
        " from internal.outbox_tasks where kind = 'BOT_NOTICE'"
    ).fetchone()
    order = world.owner.execute("select order_id from meter_interactions where id = %s", [number]).fetchone()
    assert row is not None
    assert order is not None
    assert row[:5] == (f"order:{order[0]}:bot:PENDING", f"order:{order[0]}:bot", order[0], UMUOKE, 7)
    assert row[5] == {"interaction_id": number, "status": "PENDING"}
    assert abs(row[6] - timedelta(hours=24)) < timedelta(seconds=5)


async def test_pay_119_the_bot_hears_in_order_even_after_an_outage(world: World) -> None:
    """[PAY-119] [PAY-131] Over a socket; what failed is on its row, and comes first when the bot is back."""
    simulator = FlowXo(FlowXoConfig())
    await simulator.start()
    bot = FlowXoTopUps(
        FlowXoSettings(host=simulator.api_url, endpoint=simulator.endpoint, response_path="https://bot.example.org"),
        policy=CallPolicy(timeout_s=2.0, retry=RetryPolicy(attempts=1), breaker=BreakerPolicy(failures=100)),
    )
    number = world.top_up(token=TOKEN)
    world.change(number, meter_interaction_status="PROCESSING")
    world.change(number, meter_interaction_status="SUCCESSFUL")
    simulator.control.update({"down": True})
    assert await world.work_off(bot) == 1
    noted = world.owner.execute("select attempts, last_error from internal.outbox_tasks order by id").fetchall()
    assert [(attempts, (error or "").split(":")[0]) for attempts, error in noted] == [(1, "HTTP_FAILED"), (0, "")]
    assert TOKEN not in str(noted)
    simulator.control.update({"down": False})
    assert [await world.work_off(bot) for _ in range(3)] == [1, 1, 0]
    told = [(notice["directive_id"], notice["directive_status"]) for notice in simulator.notices]
    assert told == [(number, "PENDING"), (number, "SUCCESSFUL")]
    announced = simulator.notices[0]
    assert (announced["token"], announced["customer_name"], announced["customer_phone"]) == (
        TOKEN,
        "Customer 1",
        "2348031234567",
    )
    assert (announced["grid_name"], announced["response_path"]) == ("Umuoke", "https://bot.example.org/c/umuoke-flow")
    assert (str(announced["kwh"]), str(announced["amount"])) == ("12.3", "5000")
    await bot.close()
    await simulator.stop()


async def test_pay_13_without_a_bot_nothing_waits(world: World) -> None:
    """[PAY-13] Tasks are closed unsent."""
    world.top_up(token=TOKEN)
    assert await world.work_off(None) == 1
    assert await world.work_off(MemoryTopUpBot()) == 0
