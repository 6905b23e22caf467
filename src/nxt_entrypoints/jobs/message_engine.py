"""The loops that keep device messages moving; any number of processes may run them [DM-3, DM-36, DM-173]."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any, TypeVar

import attrs
import structlog

from nxt_domain.messaging.plugins import PluginSet
from nxt_domain.messaging.ports import Lease
from nxt_domain.messaging.stages import Stage
from nxt_domain.messaging.use_cases import Dispatch, LeaseKeeper, Outcomes, PassResult, Sweep, Tick
from nxt_domain.messaging.use_cases.changes import Workshop
from nxt_domain.shared.errors import Unavailable
from nxt_domain.shared.wakeups import Channel

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")

_SHORTEST_REST = timedelta(milliseconds=20)
_TIME_PER_CLAIM = timedelta(milliseconds=1)
_REST_PER_SEARCH = 2  # looking through very many queues in vain is expensive: it takes at most a third of the time


def new_owner() -> str:
    """Name this process among all engines, differently at each start."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


@attrs.frozen(kw_only=True)
class EngineSettings:
    """The engine's pace.

    Attributes:
        is_enabled: False: nothing is distributed, polled or timed out [DM-30].
        owner: This process's name on leases.
        lease: Without a sign of life for so long, others take over [DM-17].
        tick: Between looks at what is due [DM-36].
        sweep: Between sweeps [DM-40].
        patience: How long a stop waits for sends under way [DM-173].
        max_sends: Sends of one plug-in at once.
        max_questions: Polls and questions of one plug-in and stage at once [DM-36].
        batch: Due rows claimed at once [DM-36].
    """

    is_enabled: bool = True
    owner: str = attrs.field(factory=new_owner)
    lease: timedelta = timedelta(seconds=60)
    tick: timedelta = timedelta(seconds=1)
    sweep: timedelta = timedelta(seconds=60)
    patience: timedelta = timedelta(seconds=20)
    max_sends: int = 100
    max_questions: int = 10
    batch: int = 500


class MessageEngine:
    """Distributes, looks at what is due, keeps leases and sweeps, until it is stopped.

    While the database is away it pauses, and goes on by itself [DM-189].

    Args:
        workshop: The store and the rules; its ``wakeups`` also wake this engine.
        plugins: Enabled plug-ins.
        settings: Its pace.
    """

    def __init__(self, workshop: Workshop, plugins: PluginSet, settings: EngineSettings) -> None:
        self._settings = settings
        self._keeper = LeaseKeeper(workshop, Lease(owner=settings.owner, duration=settings.lease))
        outcomes = Outcomes(workshop)
        self._dispatch = Dispatch(workshop, plugins.couriers, self._keeper, outcomes, max_sends=settings.max_sends)
        self._tick = Tick(
            workshop, plugins, self._keeper, outcomes, batch=settings.batch, questions=settings.max_questions
        )
        self._sweep = Sweep(workshop, batch=settings.batch)
        self._wanted = workshop.wakeups.subscribe(Channel.MESSAGING)
        self._stopping = asyncio.Event()
        self._is_away = False
        self._loops: list[asyncio.Task[None]] = []
        self._renewals: asyncio.Task[None] | None = None
        self._rounds = [(stage, plugin_id) for stage in Stage for plugin_id in self._tick.rounds(stage)]
        self._stages: dict[tuple[Stage, str | None], asyncio.Task[None]] = {}

    def start(self) -> None:
        """Begin to work; needs a running event loop."""
        if not self._settings.is_enabled:
            _log.warning("the message engine is disabled; messages wait", module="messaging")
            return
        self._renewals = asyncio.create_task(self._renew(), name="messaging-renewals")
        self._loops = [
            asyncio.create_task(self._distribute(), name="messaging-distribution"),
            asyncio.create_task(self._look(), name="messaging-ticks"),
            asyncio.create_task(self._clear(), name="messaging-sweeps"),
        ]
        _log.info("the message engine has started", module="messaging", owner=self._settings.owner)

    async def stop(self) -> None:
        """Claim no more, wait for what is under way including its record, give back what was not begun [DM-173].

        Takes at most ``patience``; what is cut off is taken over when its lease lapses.
        """
        self._stopping.set()
        self._tick.stop()
        self._wanted.set()
        loop = asyncio.get_running_loop()
        until = loop.time() + self._settings.patience.total_seconds()
        await _finish([*self._loops, *self._stages.values()], until - loop.time())
        await self._dispatch.drain(timedelta(seconds=max(until - loop.time(), 0)))
        if self._renewals is not None:
            await _finish([self._renewals], 0)
        _log.info("the message engine has stopped", module="messaging", owner=self._settings.owner)

    async def _distribute(self) -> None:
        while not self._stopping.is_set():
            self._wanted.clear()
            self._dispatch.send_ended.clear()
            began = asyncio.get_running_loop().time()
            result = await self._guarded(self._dispatch.run_pass)
            took = timedelta(seconds=asyncio.get_running_loop().time() - began)
            await asyncio.sleep(_rest(result, took).total_seconds())
            await self._await_work(result)

    async def _await_work(self, result: PassResult | None) -> None:
        wait = self._settings.tick
        if result is not None and result.next_in is not None:
            wait = min(wait, result.next_in)
        events = [self._wanted]
        if result is not None and result.is_full:
            events.append(self._dispatch.send_ended)
        await _first(events, wait)

    async def _look(self) -> None:
        while not self._stopping.is_set():
            for stage, plugin_id in self._rounds:
                busy = self._stages.get((stage, plugin_id))
                if busy is None or busy.done():
                    work = self._run_stage(stage, plugin_id)
                    self._stages[stage, plugin_id] = asyncio.create_task(work, name=f"messaging-{stage}")
            await _first([self._stopping], self._settings.tick)

    async def _run_stage(self, stage: Stage, plugin_id: str | None) -> None:
        handled = await self._guarded(lambda: self._tick.run(stage, plugin_id))
        if handled:
            self._wanted.set()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._keeper.interval.total_seconds())
            await self._guarded(self._keeper.renew)

    async def _clear(self) -> None:
        while not self._stopping.is_set():
            await self._guarded(self._sweep)
            await self._guarded(self._tick.run_stranded)
            await _first([self._stopping], self._settings.sweep)

    async def _guarded(self, work: Callable[[], Awaitable[_T]]) -> _T | None:
        try:
            result = await work()
        except Unavailable as absence:
            if not self._is_away:
                _log.warning("the message engine pauses", module="messaging", reason=absence.message)
            self._is_away = True
            return None
        except Exception:  # noqa: BLE001 - one loop's defect must not end the engine; it is logged and tried again
            _log.exception("a loop of the message engine failed", module="messaging")
            return None
        if self._is_away:
            _log.info("the message engine goes on", module="messaging")
        self._is_away = False
        return result


def _rest(result: PassResult | None, took: timedelta) -> timedelta:
    """Tell how long to pause after a pass; it may well take a millisecond for each message that it claimed."""
    claimed = 0 if result is None else result.claimed
    return max(_SHORTEST_REST, (took - claimed * _TIME_PER_CLAIM) * _REST_PER_SEARCH)


async def _first(events: Iterable[asyncio.Event], wait: timedelta) -> None:
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(tasks, timeout=max(wait.total_seconds(), 0), return_when=asyncio.FIRST_COMPLETED)
    await _finish(tasks, 0)


async def _finish(tasks: Iterable[asyncio.Future[Any]], patience_s: float) -> None:
    open_tasks = {task for task in tasks if not task.done()}
    if open_tasks and patience_s > 0:
        _, open_tasks = await asyncio.wait(open_tasks, timeout=patience_s)
    for task in open_tasks:
        task.cancel()
    await asyncio.gather(*open_tasks, return_exceptions=True)
