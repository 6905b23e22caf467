"""Finding payments whose webhook never came [PAY-89 … PAY-91]."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

import attrs

from nxt_domain.orders.gateway import TIME_TO_PAY, Charge, Verdict
from nxt_domain.orders.model import Order
from nxt_domain.orders.ports import OrdersTransaction
from nxt_domain.orders.use_cases.verification import PaymentVerification
from nxt_domain.shared.clock import Clock

_PER_RUN = 200
_IN_PARALLEL = 5
_TIMED_OUT_PER_RUN = 1000
_DAILY = timedelta(days=1)


@attrs.frozen(kw_only=True)
class Reconciliation:
    """What a run came to.

    Attributes:
        asked: Orders verified.
        found: Payments found.
        timed_out: Orders that waited too long.
        errors: What went wrong, by order; those orders are asked again at the next run.
    """

    asked: int
    found: int
    timed_out: int
    errors: Sequence[tuple[int, BaseException]]


class ReconcileGatewayOrders:
    """Verifies the orders whose time has come; the caller holds the job's lease [R48].

    Args:
        begin: Opens a transaction.
        verification: Asks the gateway and concludes.
        clock: Tells the time.
    """

    def __init__(
        self, *, begin: Callable[[], OrdersTransaction], verification: PaymentVerification, clock: Clock
    ) -> None:
        self._begin = begin
        self._verification = verification
        self._clock = clock

    async def __call__(self) -> Reconciliation:
        """Verify at most 200 orders, 5 at a time, then time out those that waited 24 h.

        Raises:
            Unavailable: The database can't be reached.
        """
        due = await self._due()
        limit = asyncio.Semaphore(_IN_PARALLEL)
        outcomes = await asyncio.gather(*(self._verify(*one, limit) for one in due), return_exceptions=True)
        timed_out = await self._time_out()
        return Reconciliation(
            asked=len(due),
            found=sum(outcome is Verdict.PAID for outcome in outcomes),
            timed_out=timed_out,
            errors=[
                (order.id, outcome)
                for (order, _), outcome in zip(due, outcomes, strict=True)
                if isinstance(outcome, Exception)
            ],
        )

    async def _due(self) -> Sequence[tuple[Order, Charge]]:
        async with self._begin() as tx:
            due = await tx.charges.due(self._clock.now(), _PER_RUN)
            orders, charges = await tx.orders.read(due), await tx.charges.find_all(due)
        return [(orders[order_id], charges[order_id]) for order_id in due]

    async def _verify(self, order: Order, charge: Charge, limit: asyncio.Semaphore) -> Verdict:
        async with limit:
            return (await self._verification.by_reference(order, charge)).verdict

    async def _time_out(self) -> int:
        now = self._clock.now()
        async with self._begin() as tx:
            moved = await tx.charges.time_out(now - TIME_TO_PAY, now + _DAILY, _TIMED_OUT_PER_RUN)
            await tx.commit()
        return len(moved)
