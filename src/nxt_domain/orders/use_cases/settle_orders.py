"""Settling paid orders: many in one transaction, one by one after any error (PAY 11.1, R3)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Generic, TypeVar

import attrs

from nxt_domain.orders.settlement import (
    FAILURES_BEFORE_WAITING,
    Balances,
    Settlement,
    accounts_to_read,
    settle,
    waiting_time,
)
from nxt_domain.orders.settlement_ports import SettlementTransaction, TopUps
from nxt_domain.orders.states import OrderStatus
from nxt_domain.shared.alerts import alert
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.wakeups import Channel, WakeUps

TxT = TypeVar("TxT", bound=SettlementTransaction)


@attrs.frozen(kw_only=True)
class SettlementReport:
    """What one look for work came to.

    Attributes:
        completed: Orders settled.
        refused: Orders refused, e.g. for lack of balance.
        errors: Technical failures by order id; those orders stay ``PENDING``.
        batch_error: Why the batch as a whole failed and was repeated order by order.
        is_full: Whether the batch held as many orders as one may: more are likely to wait.
    """

    completed: Sequence[int] = ()
    refused: Sequence[int] = ()
    errors: Sequence[tuple[int, Exception]] = ()
    batch_error: Exception | None = None
    is_full: bool = False

    @property
    def found_work(self) -> bool:
        """Whether there may be more to do at once."""
        return bool(self.completed or self.refused)


class SettleOrders(Generic[TxT]):
    """Takes ``PENDING`` orders, lowest id first; any number of processes may do so at the same time [PAY-102, PAY-124].

    Args:
        begin: Opens a transaction.
        top_ups: Makes the commands that bring bought energy, in the same transaction.
        clock: Tells the time.
        wake_ups: Wakes whoever follows.
        batch_size: Orders in one transaction at most.
    """

    def __init__(
        self,
        *,
        begin: Callable[[], TxT],
        top_ups: TopUps[TxT],
        clock: Clock,
        wake_ups: WakeUps,
        batch_size: int = 200,
    ) -> None:
        self._begin = begin
        self._top_ups = top_ups
        self._clock = clock
        self._wake_ups = wake_ups
        self._batch_size = batch_size

    async def __call__(self) -> SettlementReport:
        """Settle one batch.

        A technical error never makes an order ``FAILED``: it is rolled back, counted, and after five in a row the
        order waits 1, 2, 4 … 60 minutes while all others go on [PAY-104].

        Raises:
            Unavailable: The database can't be reached, or nothing could be claimed.
        """
        claimed: list[int] = []
        try:
            settlements = await self._settle(claimed, self._batch_size)
        except Exception as error:
            if not claimed:
                raise
            report = await self._one_by_one(claimed)
            return attrs.evolve(report, batch_error=error)
        return attrs.evolve(_report(settlements), is_full=len(claimed) >= self._batch_size)

    async def _one_by_one(self, order_ids: Sequence[int]) -> SettlementReport:
        settlements: list[Settlement] = []
        errors: list[tuple[int, Exception]] = []
        for order_id in order_ids:
            try:
                settlements += await self._settle([], 1, only=[order_id])
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one order must not stop the others
                errors.append((order_id, error))
                await self._count_failure(order_id, error)
        return attrs.evolve(_report(settlements), errors=errors)

    async def _settle(
        self, claimed: list[int], limit: int, only: Collection[int] | None = None
    ) -> Sequence[Settlement]:
        """Claim, decide, write and commit; ``claimed`` tells the caller which orders were at stake."""
        async with self._begin() as tx:
            items = await tx.settlements.claim(limit, only=only)
            claimed += [item.order.id for item in items]
            if not items:
                return ()
            balances = Balances(await tx.ledger.balances(accounts_to_read(items)))
            now = self._clock.now()
            settlements = [settle(item, balances, now) for item in items]
            await self._write(tx, settlements)
            await tx.commit()
        self._wake_ups.hint(Channel.OUTBOX, Channel.MESSAGING, Channel.NOTIFICATIONS)
        return settlements

    async def _write(self, tx: TxT, settlements: Sequence[Settlement]) -> None:
        await tx.ledger.post([settlement.entry for settlement in settlements if settlement.entry is not None])
        await tx.settlements.record(settlements)
        await self._top_ups.create_for_orders(
            tx, [settlement.top_up for settlement in settlements if settlement.top_up is not None]
        )
        await tx.notices.add([notice for settlement in settlements for notice in settlement.notices])

    async def _count_failure(self, order_id: int, error: Exception) -> None:
        async with self._begin() as tx:
            failures = await tx.settlement_failures.count(order_id, f"{type(error).__name__}: {error}"[:500])
            await tx.settlement_failures.wait(order_id, waiting_time(failures))
            if failures >= FAILURES_BEFORE_WAITING:
                text = f"Order {order_id} could not be settled {failures} times in a row"
                facts = {"order_id": order_id, "failures": failures}
                now = self._clock.now()
                await tx.outbox.add([alert("SETTLEMENT_FAILING", f"order:{order_id}", text, at=now, facts=facts)])
            await tx.commit()


def _report(settlements: Sequence[Settlement]) -> SettlementReport:
    return SettlementReport(
        completed=[s.order.id for s in settlements if s.order.status is OrderStatus.COMPLETED],
        refused=[s.order.id for s in settlements if s.order.status is OrderStatus.FAILED],
    )
