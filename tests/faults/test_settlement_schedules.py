"""Random schedules on the real database: many workers, relays and people at once, and sessions cut off anywhere.

Whatever happens, the books are in order, and each payment ends in exactly one place [PAY-197].
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Coroutine, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import attrs
import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from structlog.testing import capture_logs
from tests.support import databases
from tests.support.payments_checks import (
    assert_all_came_to_an_end,
    assert_each_payment_ended_once,
    assert_refunds_are_known,
)
from tests.support.payments_schedules import ScheduleWorld
from tests.support.payments_world import FREE_METER, METER

from nxt_adapters.supabase.engine import create_engine
from nxt_domain.orders.amounts import SMALLEST_AMOUNT
from nxt_domain.orders.gateway_ports import GatewayFailed
from nxt_domain.orders.model import Order
from nxt_domain.orders.suspense import Refund, RefundState, SuspenseAction
from nxt_domain.orders.use_cases.public_orders import CancelPublicOrder

T = TypeVar("T")

SCHEDULES_BY_NIGHT = 2000
_PARTS = 4
SCHEDULES_BY_DAY = 10
_SCHEDULES_PER_DATABASE = 8
_LATEST_CUT = 100
_BUDGET = Decimal(1000)


class Stage:
    """A database for a few schedules, and the loop that all of them run in."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._runner = asyncio.Runner()
        self._world: ScheduleWorld | None = None
        self._closing: Any = None
        self._used = 0
        self.next_tx = 1000
        self.turns = 0
        self.cuts = 0

    def run(self, step: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(step)

    def world(self) -> ScheduleWorld:
        """Return the village, a new one now and then."""
        if self._world is None or self._used >= _SCHEDULES_PER_DATABASE:
            self.clear()
            self._closing = databases.fresh_database(self._server, "relational")
            url = self._closing.__enter__()
            self._world = self.run(self._build(url))
        self._used += 1
        return self._world

    def clear(self) -> None:
        """Throw the database away, for example since a schedule has failed on it."""
        if self._world is not None:
            self.run(self._world.close())
            self._closing.__exit__(None, None, None)
        self._world, self._used = None, 0

    def close(self) -> None:
        self.clear()
        self._runner.close()

    @staticmethod
    async def _build(url: str) -> ScheduleWorld:
        return ScheduleWorld(url, create_engine(url, pool_size=30))


STAGE: list[Stage] = []
_RIGHT = "right"
_ATTEMPT = st.sampled_from([_RIGHT, _RIGHT, _RIGHT, "refused", "too little", "too much", "dollars"])


class Schedules(RuleBasedStateMachine):
    """Buyers, agents, banks, webhooks, staff, workers and relays."""

    orders: Bundle[Order] = Bundle("orders")

    @initialize()
    def begin(self) -> None:
        self.stage = STAGE[0]
        self.world = self.stage.world()
        self.paid: set[str] = set()
        self.people: list[Awaitable[Any]] = []
        self.gateway = self.world.accounts.platform
        self.first_order = self.world.one("select coalesce(max(id), 0) from orders")
        missing = _BUDGET - self.world.wallet_balance(self.world.agent_wallet)
        # What is too little to be sent is near enough: decimals are left by payments of wrong amounts.
        if missing >= SMALLEST_AMOUNT:
            self._send(self.world.system, self.world.agent_wallet, str(missing))
        elif missing <= -SMALLEST_AMOUNT:
            self._send(self.world.agent_wallet, self.world.organization_wallet, str(-missing))
        self._turn(workers=[1])

    # -- orders ---------------------------------------------------------------------------------

    @rule(
        target=orders,
        amount=st.sampled_from(["100", "250.50", "700"]),
        is_priced=st.sampled_from([True] * 4 + [False]),
        attempts=st.lists(st.tuples(_ATTEMPT, st.booleans()), max_size=3),
    )
    def buy(self, amount: str, is_priced: bool, attempts: list[tuple[str, bool]]) -> Order:
        order = self.stage.run(self.world.buy(amount, meter=METER if is_priced else FREE_METER))
        for attempt, is_told in attempts:
            self._pay(order, attempt, is_told)
        return order

    @rule(amounts=st.lists(st.sampled_from(["100", "400", "700", "5000"]), min_size=1, max_size=4))
    def agent_sells(self, amounts: list[str]) -> None:
        for amount in amounts:
            self._send(self.world.agent_wallet, self.world.meter_wallet, amount)

    @rule(
        way=st.sampled_from(["fee", "fee back", "credit back", "meter back", "topped up"]),
        amount=st.sampled_from(["60", "300"]),
    )
    def staff_moves(self, way: str, amount: str) -> None:
        world = self.world
        ways = {
            "fee": (world.agent_wallet, world.connection_wallet),
            "fee back": (world.connection_wallet, world.organization_wallet),
            "credit back": (world.agent_wallet, world.organization_wallet),
            "meter back": (world.meter_wallet, world.organization_wallet),
            "topped up": (world.system, world.agent_wallet),
        }
        self._send(*ways[way], amount)

    # -- the gateway ----------------------------------------------------------------------------

    @rule(order=orders, attempt=_ATTEMPT, is_told=st.booleans())
    def pay(self, order: Order, attempt: str, is_told: bool) -> None:
        self._pay(order, attempt, is_told)

    @rule(
        order=orders,
        back=st.integers(0, 3),
        status=st.sampled_from(["successful", "failed", "again"]),
        times=st.integers(1, 3),
    )
    def webhooks(self, order: Order, back: int, status: str, times: int) -> None:
        for _ in range(times):
            tx_id = str(max(self.stage.next_tx - back, 1))
            self._later(self.world.deliver(order.external_reference, tx_id=tx_id, status=status))

    # -- people ---------------------------------------------------------------------------------

    @rule(order=orders)
    def buyer_asks(self, order: Order) -> None:
        self._later(self.world.verify(order.id))

    @rule(order=orders)
    def buyer_gives_up(self, order: Order) -> None:
        self._later(CancelPublicOrder(begin=self.world.begin)(order.id))

    @rule(choice=st.integers(0, 5))
    def staff_reverses(self, choice: int) -> None:
        settled = self.world.all(
            "select id from orders where order_status = 'COMPLETED' and reversed_at is null and id > %s order by id",
            self.first_order,
        )
        if settled:
            self._later(self.world.reverse(settled[choice % len(settled)]["id"]))

    @rule(is_credit=st.booleans(), times=st.integers(1, 2), answer=st.sampled_from([*RefundState, "lost"]))
    def staff_resolves(self, is_credit: bool, times: int, answer: RefundState | str) -> None:
        waiting = self.world.all("select id from internal.ledger_entries where entry_type = 'GATEWAY_SUSPENSE'")
        self.gateway.forgets_answer = answer == "lost"
        self.gateway.refund_state = RefundState.DONE if answer == "lost" else RefundState(answer)
        for row in waiting[-times:]:
            receiver = self.world.agent_wallet if is_credit else None
            self._later(
                self.world.resolve(row["id"], SuspenseAction.CREDIT if is_credit else SuspenseAction.REFUND, receiver)
            )

    @rule(is_down=st.booleans())
    def reconciliation(self, is_down: bool) -> None:
        self.gateway.failure = GatewayFailed("down") if is_down else None
        self._later(self.world.reconcile())

    @rule(hours=st.sampled_from([0, 1, 25]))
    def time_passes(self, hours: int) -> None:
        self.world.let_time_pass(timedelta(hours=hours))

    # -- at the same time -----------------------------------------------------------------------

    @rule(workers=st.lists(st.sampled_from([1, 2, 3, 200]), min_size=1, max_size=8), relays=st.integers(0, 3))
    def work(self, workers: list[int], relays: int) -> None:
        self._turn(workers=workers, relays=relays)

    @rule(
        workers=st.lists(st.sampled_from([1, 2, 3, 200]), min_size=1, max_size=8),
        relays=st.integers(0, 3),
        cuts=st.sets(st.integers(1, _LATEST_CUT), min_size=1, max_size=6),
    )
    def work_with_accidents(self, workers: list[int], relays: int, cuts: set[int]) -> None:
        self._turn(workers=workers, relays=relays, cuts=cuts)

    # -- the end --------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Once all news have arrived, everything has come to its end."""
        if not hasattr(self, "world"):
            return
        for step in self.people:
            step.close()  # type: ignore[attr-defined]  # a coroutine
        try:
            self._come_to_rest()
            self._check()
        except BaseException:
            self.stage.clear()
            raise

    def _come_to_rest(self) -> None:
        world, gateway = self.world, self.gateway
        gateway.failure, gateway.forgets_answer, gateway.refund_state = None, False, RefundState.DONE
        gateway.refunds = [_decided(refund) for refund in gateway.refunds]
        self.people = [
            world.deliver(gateway._by_id[tx_id].reference, tx_id=tx_id, status=f"last word on {tx_id}")
            for tx_id in sorted(self.paid, key=int)
        ]
        self._turn()
        self.stage.run(world.work_all_off())

    def _check(self) -> None:
        assert self.stage.run(self.world.findings()) == []
        assert self.world.deadlocks() == 0
        assert_each_payment_ended_once(self.world.owner, self.paid)
        assert_all_came_to_an_end(self.world.owner)
        given_back = {refund.gateway_tx_id for refund in self.gateway.refunds if refund.state is RefundState.DONE}
        assert_refunds_are_known(self.world.owner, given_back)

    # -- helpers --------------------------------------------------------------------------------

    def _next_tx(self) -> str:
        self.stage.next_tx += 1
        return str(self.stage.next_tx)

    def _pay(self, order: Order, attempt: str, is_told: bool) -> None:
        tx_id = self._next_tx()
        if attempt == "refused":
            self.world.refuse(order, tx_id=tx_id)
        else:
            self.paid.add(tx_id)
            amount = {"too little": "60.01", "too much": "9000"}.get(attempt)
            self.world.pay(order, tx_id=tx_id, amount=amount, currency="USD" if attempt == "dollars" else "NGN")
        if is_told:
            status = "failed" if attempt == "refused" else "successful"
            self._later(self.world.deliver(order.external_reference, tx_id=tx_id, status=status))

    def _send(self, sender: int, receiver: int, amount: str) -> None:
        self.stage.run(self.world.send(sender, receiver, amount))

    def _later(self, step: Awaitable[Any]) -> None:
        self.people.append(step)

    def _turn(self, **parts: Any) -> None:
        people, self.people = self.people, []
        try:
            self.stage.run(self.world.turn(people=people, **parts))
            self.stage.turns += 1
            self.stage.cuts += self.world.cuts.made
            found = self.stage.run(self.world.findings()) if self.world.cuts.made else []
            assert found == [], "the books are in order at all times [PAY-25] … [PAY-31] [PAY-35] … [PAY-38]"
        except BaseException:
            self.stage.clear()
            raise


def _decided(refund: Refund) -> Refund:
    return attrs.evolve(refund, state=RefundState.DONE) if refund.state is RefundState.UNDER_WAY else refund


@pytest.fixture
def stage(postgres_server: str) -> Iterator[Stage]:
    made = Stage(postgres_server)
    STAGE[:] = [made]
    with capture_logs():  # alerts by the thousand
        yield made
    made.close()
    STAGE.clear()


def run_schedules(count: int) -> None:
    """Run so many schedules; a failure tells the seed that leads to it."""
    number = random.SystemRandom().randrange(2**32)
    print(f"seed {number}")  # noqa: T201 - a failure must be repeatable
    how = settings(
        max_examples=count,
        stateful_step_count=20,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    began = time.monotonic()
    run_state_machine_as_test(seed(number)(type("Seeded", (Schedules,), {})), settings=how)
    stage = STAGE[0]
    print(f"{count} schedules, {stage.turns} turns, {stage.cuts} sessions cut, {time.monotonic() - began:.0f} s")  # noqa: T201
    assert stage.cuts >= count // 4


def test_schedules_on_the_real_database(stage: Stage) -> None:
    """[PAY-125] [PAY-197] a few of them, whenever tests are run."""
    run_schedules(SCHEDULES_BY_DAY)


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(_PARTS))
def test_thousands_of_schedules_on_the_real_database(stage: Stage, part: int) -> None:
    """[PAY-197] at least two thousand, each part with a seed of its own."""
    run_schedules(SCHEDULES_BY_NIGHT // _PARTS)
