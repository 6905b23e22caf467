"""The settlement worker: woken when an order becomes ``PENDING``, looking by itself at least every 2 s [PAY-102].

It has two lanes. A batch keeps this process busy half of its time and the database the other half, so where many orders
wait, a second batch is settled beside the first: either works while the other waits. Each lane is what another process
would be [PAY-124]; the second one sleeps as long as one batch takes all there is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from prometheus_client import Counter

from nxt_domain.orders.use_cases.settle_orders import SettlementReport
from nxt_domain.shared.wakeups import Channel, WakeUps
from nxt_entrypoints.jobs.loops import work_until_stopped

_POLL_S = 2.0
_log = structlog.get_logger(__name__)

SETTLED = Counter("nxt_orders_settled_total", "Orders that settlement decided, by outcome", ["outcome"])


class SettlementWorker:
    """Settles batch after batch until stopped; any number of processes may run one.

    Args:
        settle: Settles one batch, e.g. a ``SettleOrders``.
        wake_ups: Brings hints from other processes.
    """

    def __init__(self, *, settle: Callable[[], Awaitable[SettlementReport]], wake_ups: WakeUps) -> None:
        self._settle = settle
        self._wake_ups = wake_ups
        self._many_wait = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until ``stopping`` is set; batches under way are finished first."""
        async with asyncio.TaskGroup() as lanes:
            for woken in (self._wake_ups.subscribe(Channel.SETTLEMENT), self._many_wait):
                lanes.create_task(
                    work_until_stopped("settlement", self.work_once, woken=woken, stopping=stopping, poll_s=_POLL_S)
                )

    async def work_once(self) -> int:
        """Settle one batch and return how many orders were decided."""
        report = await self._settle()
        if report.is_full:
            self._many_wait.set()
        _tell(report)
        return len(report.completed) + len(report.refused)


def _tell(report: SettlementReport) -> None:
    SETTLED.labels("completed").inc(len(report.completed))
    SETTLED.labels("refused").inc(len(report.refused))
    SETTLED.labels("error").inc(len(report.errors))
    if report.batch_error is not None:
        _log.warning("settlement batch repeated order by order", error=type(report.batch_error).__name__)
    for order_id, error in report.errors:
        _log.error("order could not be settled", order_id=order_id, error=type(error).__name__, exc_info=error)
