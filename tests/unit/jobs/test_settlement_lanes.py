"""The settlement worker's two lanes: a second batch beside the first, where more orders wait than one batch takes."""

from __future__ import annotations

import asyncio

from nxt_adapters.memory.wakeups import MemoryWakeUps
from nxt_domain.orders.use_cases.settle_orders import SettlementReport
from nxt_domain.shared.wakeups import Channel
from nxt_entrypoints.jobs.settlement_worker import SettlementWorker

_BATCH = 3


class Backlog:
    """Orders that wait; every batch takes a moment in which another may begin."""

    def __init__(self, orders: int) -> None:
        self.orders = orders
        self.looks = 0
        self.at_work = 0
        self.most_at_work = 0

    async def settle(self) -> SettlementReport:
        self.looks += 1
        taken = range(min(self.orders, _BATCH))
        self.orders -= len(taken)
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work if taken else 0)
        await asyncio.sleep(0.01)
        self.at_work -= 1
        return SettlementReport(completed=list(taken), is_full=len(taken) == _BATCH)


async def looks_after_a_hint(backlog: Backlog, orders: int) -> int:
    """Run a worker until it is idle, let orders come, and return how often it then looked."""
    wake_ups, stopping = MemoryWakeUps(), asyncio.Event()
    running = asyncio.create_task(SettlementWorker(settle=backlog.settle, wake_ups=wake_ups).run(stopping))
    await asyncio.sleep(0.1)
    before, backlog.most_at_work = backlog.looks, 0
    backlog.orders = orders
    wake_ups.hint(Channel.SETTLEMENT)
    await asyncio.sleep(0.3)
    looks = backlog.looks - before
    stopping.set()
    await asyncio.wait_for(running, 1)
    return looks


async def test_two_batches_are_under_way_where_many_orders_wait() -> None:
    """[PAY-102] a worker settles a backlog by two batches at a time, and leaves nothing of it."""
    backlog = Backlog(0)
    await looks_after_a_hint(backlog, 10 * _BATCH)
    assert (backlog.orders, backlog.most_at_work) == (0, 2)


async def test_a_few_orders_wake_one_lane() -> None:
    """[PAY-102] as long as one batch takes all there is, nobody else looks for more."""
    backlog = Backlog(0)
    assert await looks_after_a_hint(backlog, _BATCH - 1) == 2  # the batch, and the look that finds nothing more
    assert (backlog.orders, backlog.most_at_work) == (0, 1)


async def test_batches_under_way_are_finished_when_stopping() -> None:
    """[PAY-125] both lanes end after their batch, not in it."""
    backlog, stopping = Backlog(100 * _BATCH), asyncio.Event()
    worker = SettlementWorker(settle=backlog.settle, wake_ups=MemoryWakeUps())
    running = asyncio.create_task(worker.run(stopping))
    await asyncio.sleep(0.05)
    stopping.set()
    await asyncio.wait_for(running, 1)
    assert backlog.at_work == 0
    assert backlog.orders > 0
