"""Workers that settle orders as the jobs role does: processes of their own, which live through many measurements."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import attrs
import uvloop
from _postgres import counted
from _village import wire

from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_domain.orders.use_cases.settle_orders import SettlementReport, SettleOrders
from nxt_entrypoints.container import Container
from nxt_entrypoints.garbage import spare_what_stays
from nxt_entrypoints.jobs.settlement_worker import SettlementWorker

WARM_UPS = 8
"""Orders that each worker settles one by one before a measurement."""
_T = TypeVar("_T")


@attrs.frozen(kw_only=True)
class Work:
    """What one worker did.

    Attributes:
        ended_at: When its last batch was settled, seconds of the Unix clock.
        cpu_s: Of its process.
        has_more: Its time was up before it found nothing more to do.
    """

    orders: int
    ended_at: float
    cpu_s: float
    statements: int
    has_more: bool


class Crew:
    """Some workers on one database.

    Args:
        environment: What their containers are configured from.
        workers: How many there are.

    Attributes:
        size: How many there are.
    """

    def __init__(self, environment: Mapping[str, str], workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.size = workers
        self._processes = [
            ProcessPoolExecutor(1, mp_context=context, initializer=_begin, initargs=(environment,))
            for _ in range(workers)
        ]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._all(_end)
        finally:  # one that died has nothing to close, and the others stop all the same
            for process in self._processes:
                process.shutdown()

    async def warm_up(self) -> None:
        """Settle a few orders one by one."""
        await self._all(_warm_up)

    async def settle(self, for_s: float | None = None) -> Sequence[Work]:
        """Settle whatever waits, or as much as is begun within a time."""
        return await self._all(partial(_settle, for_s))

    async def _all(self, work: Callable[[], _T]) -> Sequence[_T]:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(process, work) for process in self._processes))


class Worker:
    """What runs in one of the processes."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._container: Container = self._runner.run(_wired(environment))
        spare_what_stays()  # as each role does once it stands

    def warm_up(self) -> None:
        """Let two connections see every statement more than once."""
        self._runner.run(self._warm_up())

    def settle(self, for_s: float | None) -> Work:
        """Settle whatever waits, or as much as is begun within a time."""
        return self._runner.run(self._settle(for_s))

    def end(self) -> None:
        """Close what is open."""
        self._runner.run(self._container.engine().dispose())
        self._runner.close()

    async def _warm_up(self) -> None:
        settle: SettleOrders[SupabaseUnitOfWork] = SettleOrders(
            begin=self._container.unit_of_work,
            top_ups=self._container.top_ups(),
            clock=self._container.clock(),
            wake_ups=self._container.wake_ups(),
            batch_size=1,
        )
        for _ in range(WARM_UPS // 2):
            await asyncio.gather(settle(), settle())

    async def _settle(self, for_s: float | None) -> Work:
        drained = Drained(self._container.settle_orders())
        if for_s is not None:
            asyncio.get_running_loop().call_later(for_s, drained.stopping.set)
        worker = SettlementWorker(settle=drained.settle, wake_ups=self._container.wake_ups())
        with counted(self._container.engine()) as traffic:
            cpu = time.process_time()
            await worker.run(drained.stopping)
            return Work(
                orders=drained.orders,
                ended_at=time.time(),
                cpu_s=time.process_time() - cpu,
                statements=traffic.statements,
                has_more=not drained.is_empty,
            )


class Drained:
    """Settles for a worker, and stops it when neither of its lanes finds anything more.

    Args:
        settle: Settles one batch.
    """

    def __init__(self, settle: Callable[[], Awaitable[SettlementReport]]) -> None:
        self._settle = settle
        self._at_work = 0
        self.orders = 0
        self.is_empty = False
        self.stopping = asyncio.Event()

    async def settle(self) -> SettlementReport:
        """Settle one batch."""
        self._at_work += 1
        try:
            report = await self._settle()
        finally:
            self._at_work -= 1
        self.orders += len(report.completed) + len(report.refused)
        self.is_empty = self.is_empty or not report.found_work
        if not (report.found_work or self._at_work):
            self.stopping.set()
        return report


_here: list[Worker] = []


def _begin(environment: Mapping[str, str]) -> None:
    _here.append(Worker(environment))


def _warm_up() -> None:
    _here[0].warm_up()


def _settle(for_s: float | None) -> Work:
    return _here[0].settle(for_s)


def _end() -> None:
    _here.pop().end()


async def _wired(environment: Mapping[str, str]) -> Container:
    return wire(environment)
