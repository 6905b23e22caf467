"""kill -9 of settlement workers and relays under load: nothing is lost, doubled or stuck [PAY-124] … [PAY-128]."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess

import pytest
from tests.support.home import Home, command
from tests.support.money_process import RELAY, SETTLEMENT, TableGateway, accounts_of, owner_of, start
from tests.support.payments_checks import (
    assert_all_came_to_an_end,
    assert_each_payment_ended_once,
    assert_refunds_are_known,
)
from tests.support.payments_schedules import ScheduleWorld
from tests.support.waiting import until

from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.wakeups import PostgresWakeUps
from nxt_domain.orders.suspense import SuspenseAction
from nxt_domain.shared.errors import Conflict

KILLS_BY_NIGHT = 120
KILLS_BY_DAY = 6
_STREETS = 3
_CREW = (SETTLEMENT, SETTLEMENT, RELAY, RELAY)
_REST_WITHIN_S = 60.0
_ATTEMPTS = (["right"], ["right"], ["right"], ["refused", "right"], ["wrong"], ["right", "right"])
_OPEN = """
    select (select count(*) from internal.outbox_tasks where done_at is null)
        + (select count(*) from orders where order_status = 'PENDING')
"""


class Town:
    """A village, its processes, and what was paid so far."""

    def __init__(self, url: str, dice: random.Random) -> None:
        self.url = url
        self.dice = dice
        self.world = ScheduleWorld(url, create_engine(url, pool_size=8))
        self.gateway = TableGateway(url)
        self.gateway.open()
        self.world.accounts = accounts_of(self.gateway)
        self.wake_ups = PostgresWakeUps(url)
        self.world.wake_ups = self.wake_ups  # type: ignore[assignment]  # the real ones
        self.crew: list[tuple[str, BaseProcess]] = []
        self.numbers = itertools.count(1000)
        self.placed: list[int] = []
        self.paid: set[str] = set()
        self.kills = 0

    async def open(self) -> None:
        world = self.world
        await self.wake_ups.start()
        await world.send(world.system, world.agent_wallet, "9000")
        self.crew = [(kind, start(kind, self.url)) for kind in _CREW]

    async def close(self) -> None:
        for _, process in self.crew:
            process.kill()
            process.join()
        await self.wake_ups.stop()
        self.gateway.close()
        await self.world.close()

    # -- load -----------------------------------------------------------------------------------

    async def live(self, over: asyncio.Event) -> None:
        """Buyers, webhooks and agents, until it is over."""
        while not over.is_set():
            self.world.clock.advance(datetime.now(UTC) - self.world.clock.now())
            await self._buy()
            if self.dice.random() < 0.3:
                await self._sell()
            if self.dice.random() < 0.1:
                await self._give_back()
            await asyncio.sleep(self.dice.uniform(0, 0.04))

    async def _buy(self) -> None:
        """One attempt or two; news come twice, and in any order."""
        dice, world = self.dice, self.world
        order = await world.buy(dice.choice(("100", "250.50", "700")))
        self.placed.append(order.id)
        news = []
        for attempt in dice.choice(_ATTEMPTS):
            tx_id = str(next(self.numbers))
            if attempt == "refused":
                world.refuse(order, tx_id=tx_id)
            else:
                self.paid.add(tx_id)
                world.pay(order, tx_id=tx_id, amount="60.01" if attempt == "wrong" else None)
            news += [(tx_id, "failed" if attempt == "refused" else "successful")] * dice.randint(1, 2)
        dice.shuffle(news)
        for tx_id, status in news:
            await world.deliver(order.external_reference, tx_id=tx_id, status=status)

    async def _sell(self) -> None:
        world = self.world
        receiver = self.dice.choice((world.meter_wallet, world.connection_wallet))
        order = await world.send(world.agent_wallet, receiver, self.dice.choice(("100", "700")))
        self.placed.append(order.id)

    async def _give_back(self) -> None:
        """Staff decide about the oldest money in suspense that nobody has decided about."""
        entry_id = self.world.one(
            "select e.id from internal.ledger_entries e where e.entry_type = 'GATEWAY_SUSPENSE' and not exists ("
            " select from internal.suspense_resolutions r where r.entry_id = e.id) order by e.id limit 1"
        )
        if entry_id is None:
            return
        try:
            await self.world.resolve(entry_id, SuspenseAction.REFUND)
        except Conflict as refusal:  # staff of another street was faster
            assert refusal.code == "ALREADY_RESOLVED"  # noqa: PT017 - any other refusal is a defect

    # -- kills ----------------------------------------------------------------------------------

    async def kill(self, times: int) -> None:
        """Kill one process after another, each at a random moment; another takes its place."""
        for _ in range(times):
            await asyncio.sleep(self.dice.uniform(0.02, 0.4))
            place = self.dice.randrange(len(self.crew))
            kind, victim = self.crew[place]
            assert victim.is_alive(), f"a {kind} process ended by itself with {victim.exitcode}"
            os.kill(victim.pid or 0, signal.SIGKILL)
            victim.join()
            self.kills += victim.exitcode == -signal.SIGKILL
            # A lease of a dead relay lapses after a minute.
            self.world.owner.execute(
                "update internal.outbox_tasks set lease_until = now() where lease_owner = %s",
                [owner_of(victim.pid or 0)],
            )
            self.crew[place] = (kind, start(kind, self.url))

    async def come_to_rest(self) -> None:
        async def nothing_is_open() -> bool:
            return self.world.one(_OPEN) == 0

        await until(nothing_is_open, _REST_WITHIN_S, "all orders and tasks to be done")


@pytest.fixture
async def town(relational_url: str) -> AsyncIterator[Town]:
    number = random.SystemRandom().randrange(10**6)
    print(f"seed {number}")  # noqa: T201 - a failure must be repeatable
    made = Town(relational_url, random.Random(number))
    try:
        await made.open()
        yield made
    finally:
        await made.close()


async def live_and_kill(town: Town, kills: int) -> None:
    began, over = time.monotonic(), asyncio.Event()
    living = asyncio.gather(*(town.live(over) for _ in range(_STREETS)))
    try:
        await town.kill(kills)
    finally:
        over.set()
        await living
    await town.come_to_rest()
    owner = town.world.owner
    print(f"{town.kills} kills, {len(town.placed)} orders, {len(town.paid)} payments, {time.monotonic() - began:.0f} s")  # noqa: T201
    assert town.kills == kills
    stored = town.world.all("select id, order_status::text as status from orders where id = any(%s)", town.placed)
    assert len(stored) == len(town.placed), "no order is lost"
    assert {row["status"] for row in stored} <= {"COMPLETED", "FAILED"}, "no order is stuck"
    assert_each_payment_ended_once(owner, town.paid)
    assert_all_came_to_an_end(owner)
    given_back = [row["tx"] for row in town.world.all("select gateway_tx_id as tx from gateway.refunds")]
    assert len(given_back) == len(set(given_back)), "nothing is given back twice"
    assert_refunds_are_known(owner, given_back)
    assert_books_are_clean(town.url)


def assert_books_are_clean(url: str) -> None:
    home = Home()
    with contextlib.ExitStack() as stack:
        stack.callback(home.remove)
        done = subprocess.run(
            command("ledger", "audit", "--url", url), env=home.environment, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr


async def test_a_few_kills(town: Town) -> None:
    """[PAY-124] [PAY-125] [PAY-126] [PAY-197] a few of them, whenever tests are run."""
    await live_and_kill(town, KILLS_BY_DAY)


@pytest.mark.nightly
async def test_a_hundred_kills(town: Town) -> None:
    """[PAY-124] [PAY-125] [PAY-126] [PAY-197] as many as a night allows."""
    await live_and_kill(town, KILLS_BY_NIGHT)
