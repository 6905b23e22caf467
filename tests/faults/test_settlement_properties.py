"""Random lives of payments: whatever happens in whatever order, money is where it should be [PAY-197]."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from tests.support.payments_memory import MemoryWorld

from nxt_adapters.memory.payments import MemoryPayments
from nxt_domain.orders.gateway_ports import GatewayFailed
from nxt_domain.orders.model import Order
from nxt_domain.orders.states import OrderStatus
from nxt_domain.orders.use_cases.public_orders import CancelPublicOrder
from nxt_domain.shared.errors import DomainError, Unavailable

T = TypeVar("T")


class FlakyPayments(MemoryPayments):
    """A transaction that may be cut off right before or right after its commit."""

    plan: list[str] = []  # noqa: RUF012 - shared on purpose: the machine says what befalls the next commits

    async def commit(self) -> None:
        fate = self.plan.pop(0) if self.plan else "fine"
        if fate == "before":
            raise Unavailable("cut before the commit")
        await super().commit()
        if fate == "after":
            raise Unavailable("cut after the commit")


class FlakyWorld(MemoryWorld):
    def begin(self) -> FlakyPayments:
        return FlakyPayments(self.database)


class Payments(RuleBasedStateMachine):
    """Buyers, banks, webhooks, workers and accidents."""

    orders: Bundle[Order] = Bundle("orders")

    def run(self, step: Coroutine[Any, Any, T]) -> T | None:
        """Run a step; a cut or a refusal ends it, as it would end a request."""
        try:
            return asyncio.run(step)
        except DomainError:
            return None
        finally:
            FlakyPayments.plan.clear()

    @initialize()
    def begin(self) -> None:
        FlakyPayments.plan.clear()
        self.world = FlakyWorld()
        self.received: dict[str, Decimal] = {}
        self.next_tx = 100
        asyncio.run(self.world.fund(self.world.agent_wallet, "1000"))

    @rule(cuts=st.lists(st.sampled_from(["fine", "before", "after"]), max_size=4))
    def accident(self, cuts: list[str]) -> None:
        FlakyPayments.plan[:] = cuts

    @rule(target=orders, amount=st.sampled_from(["100", "250.50", "700"]))
    def buy(self, amount: str) -> Order:
        FlakyPayments.plan.clear()
        return asyncio.run(self.world.buy(amount))

    @rule(amount=st.sampled_from(["100", "700", "5000"]))
    def agent_sends(self, amount: str) -> None:
        self.run(self.world.send(self.world.agent_wallet, self.world.meter_wallet, amount))

    @rule(
        order=orders,
        amount=st.sampled_from([None, None, None, "1", "0.01"]),
        currency=st.sampled_from(["NGN", "NGN", "USD"]),
    )
    def pay(self, order: Order, amount: str | None, currency: str) -> None:
        self.next_tx += 1
        self.received[str(self.next_tx)] = order.amount if amount is None else Decimal(amount)
        self.world.pay(order, tx_id=str(self.next_tx), amount=amount, currency=currency)

    @rule(order=orders)
    def bank_refuses(self, order: Order) -> None:
        self.next_tx += 1
        self.world.refuse(order, tx_id=str(self.next_tx))

    @rule(order=orders, back=st.integers(0, 3), status=st.sampled_from(["successful", "failed", "again"]))
    def webhook(self, order: Order, back: int, status: str) -> None:
        self.run(self.world.webhook(order, tx_id=str(max(self.next_tx - back, 1)), status=status))

    @rule(order=orders)
    def cancel(self, order: Order) -> None:
        self.run(CancelPublicOrder(begin=self.world.begin)(order.id))

    @rule(hours=st.sampled_from([0, 1, 25]), is_down=st.booleans())
    def reconcile(self, hours: int, is_down: bool) -> None:
        self.world.clock.advance(timedelta(hours=hours, minutes=3))
        self.world.accounts.platform.failure = GatewayFailed("down") if is_down else None
        self.run(self.world.reconcile())
        self.world.accounts.platform.failure = None

    @rule(size=st.sampled_from([1, 3, 200]))
    def settle(self, size: int) -> None:
        self.run(self.world.settle(batch_size=size)())

    @invariant()
    def books_are_in_order(self) -> None:
        """[PAY-25] [PAY-28] [PAY-29]"""
        assert asyncio.run(self.world.begin().ledger.findings()) == []

    @invariant()
    def completed_means_posted(self) -> None:
        """[REL-68] [PAY-31] [PAY-35] [PAY-38] entry, two rows, and balances that are their sum."""
        tx = self.world.begin()
        rows = tx.settlements.rows()
        for order_id, stored in self.world.database.table("orders").items():
            is_completed = stored.order.status is OrderStatus.COMPLETED
            assert (tx.ledger.booked(f"order:{order_id}:settle") is not None) == is_completed
            assert sum(row.is_successful for row in rows if row.order_id == order_id) == (2 if is_completed else 0)
        meter = [row.amount for row in rows if row.is_successful and row.wallet_id == self.world.meter_wallet]
        assert sum(meter, Decimal(0)) == tx.ledger.balance(f"wallet:{self.world.meter_wallet}")

    @invariant()
    def no_money_is_used_twice(self) -> None:
        """[PAY-197] no gateway transaction both settles an order and lies in suspense."""
        tx = self.world.begin()
        for order_id, charge in self.world.database.table("gateway_charges").items():
            if tx.ledger.booked(f"order:{order_id}:settle") and charge.gateway_tx_id:
                assert tx.ledger.booked(f"gateway:platform:{charge.gateway_tx_id}:suspense") is None

    def teardown(self) -> None:
        """[PAY-197] once all news have arrived, each payment has ended in exactly one of: settled, suspense."""
        if not hasattr(self, "world"):
            return
        FlakyPayments.plan.clear()
        asyncio.run(self._deliver_everything())
        tx = self.world.begin()
        for tx_id in self.received:
            assert self._ends(tx, tx_id) == 1, tx_id
        for stored in self.world.database.table("orders").values():
            assert stored.order.status is not OrderStatus.PENDING

    async def _deliver_everything(self) -> None:
        world = self.world
        world.accounts.platform.failure = None
        for tx_id, paid in list(world.accounts.platform._by_id.items()):
            order = next(
                stored.order
                for stored in world.database.table("orders").values()
                if stored.order.external_reference == paid.reference
            )
            await world.webhook(order, tx_id=tx_id, status=f"last word on {tx_id}")
        for _ in range(3):
            world.clock.advance(timedelta(hours=2))
            while (await world.settle()()).found_work:
                pass

    def _ends(self, tx: MemoryPayments, tx_id: str) -> int:
        in_suspense = tx.ledger.booked(f"gateway:platform:{tx_id}:suspense") is not None
        settled = [
            order_id
            for order_id, charge in self.world.database.table("gateway_charges").items()
            if charge.gateway_tx_id == tx_id and tx.ledger.booked(f"order:{order_id}:settle")
        ]
        return in_suspense + len(settled)


TestPayments = Payments.TestCase
TestPayments.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
