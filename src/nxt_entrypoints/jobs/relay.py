"""The relay: what transactions left in the outbox becomes effects, at least once [REL-156, PAY-121]."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import timedelta
from functools import partial

import attrs
import structlog
from prometheus_client import Counter

from nxt_domain.shared.errors import DomainError, Unavailable
from nxt_domain.shared.outbox import ClaimedTask, OutboxQueue
from nxt_domain.shared.wakeups import Channel
from nxt_entrypoints.jobs.loops import sleep_until_woken, work_until_stopped

_log = structlog.get_logger(__name__)

_LEASE = timedelta(seconds=60)
_WORK_S = 50.0
"""A handler ends before its lease does, so that no one else begins while it is still at work."""
_FIRST_DELAY = timedelta(seconds=5)
_LONGEST_DELAY = timedelta(minutes=10)
_POLL_S = 1.0
_SHORTEST_REST_S = 0.02
_UNRUNG_S = 60.0

TASKS = Counter("nxt_outbox_tasks_total", "Outbox tasks by kind and outcome", ["kind", "outcome"])

Handler = Callable[[Sequence[ClaimedTask]], Awaitable[None]]
"""Does the work of some tasks, all or none; raising means that none of them is done. Must be idempotent."""


@attrs.frozen(kw_only=True)
class Lane:
    """Tasks of one kind, worked off beside other kinds, so that a slow effect holds up nothing else.

    Attributes:
        batch: Tasks claimed and handled at once, at most 100 [REL-156].
        delay: Wait after the first failure; doubled up to ten minutes.
        channel: Where its wake-ups come from.
    """

    kind: str
    handle: Handler
    batch: int = 100
    delay: timedelta = _FIRST_DELAY
    channel: Channel = Channel.OUTBOX


def retry_delay(attempts: int, first: timedelta = _FIRST_DELAY) -> timedelta:
    """Tell how long a task waits after its failure number ``attempts`` + 1: 5 s × 2ⁿ up to 10 min [PAY-121]."""
    doubled: timedelta = first * (1 << min(attempts, 20))
    return min(doubled, _LONGEST_DELAY)


class OutboxRelay:
    """Works lanes off until stopped; any number of processes may run one.

    Args:
        queue: The claims.
        lanes: One per kind.
        owner: Names this process in leases.
        subscribe: Gives an event that is set when there may be work for a channel's lanes.
    """

    def __init__(
        self, *, queue: OutboxQueue, lanes: Sequence[Lane], owner: str, subscribe: Callable[[Channel], asyncio.Event]
    ) -> None:
        self._queue = queue
        self._lanes = lanes
        self._owner = owner
        self._subscribe = subscribe

    async def run(self, stopping: asyncio.Event) -> None:
        """Run all lanes side by side until ``stopping`` is set; what is under way is finished first."""
        rings = {lane.kind: asyncio.Event() for lane in self._lanes}
        channels: dict[Channel, dict[str, asyncio.Event]] = {}
        for lane in self._lanes:
            channels.setdefault(lane.channel, {})[lane.kind] = rings[lane.kind]
        await asyncio.gather(
            *(self._watch(channel, of_channel, stopping) for channel, of_channel in channels.items()),
            *(self._run_lane(lane, rings[lane.kind], stopping) for lane in self._lanes),
        )

    async def _watch(self, channel: Channel, rings: Mapping[str, asyncio.Event], stopping: asyncio.Event) -> None:
        """Ring the lanes of a channel that have something to do: one look for all, instead of one claim for each."""
        woken = self._subscribe(channel)
        while not stopping.is_set():
            for kind in await self._due(list(rings)):
                rings[kind].set()
            await asyncio.sleep(_SHORTEST_REST_S)
            await sleep_until_woken(woken, stopping, _POLL_S)

    async def _due(self, kinds: Sequence[str]) -> Collection[str]:
        if len(kinds) == 1:  # its claim is the look
            return kinds
        try:
            return await self._queue.due(kinds)
        except Exception as error:  # noqa: BLE001 - the lanes look for themselves, and tell what is wrong
            _log.debug("the outbox can't be looked at", error=_summary(error))
            return kinds

    async def work_off(self, lane: Lane) -> int:
        """Claim and handle one batch; return how many tasks were claimed."""
        deadline = asyncio.get_running_loop().time() + _WORK_S
        tasks = await self._queue.claim(owner=self._owner, kinds=[lane.kind], limit=lane.batch, lease=_LEASE)
        if tasks:
            await self._handle(lane, tasks, deadline)
        return len(tasks)

    async def _run_lane(self, lane: Lane, rung: asyncio.Event, stopping: asyncio.Event) -> None:
        await work_until_stopped(
            f"outbox {lane.kind}", partial(self.work_off, lane), woken=rung, stopping=stopping, poll_s=_UNRUNG_S
        )

    async def _handle(self, lane: Lane, tasks: Sequence[ClaimedTask], deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await lane.handle(tasks)
        except Exception as error:  # noqa: BLE001 - whatever it was, the tasks are kept and tried again
            if len(tasks) == 1 or isinstance(error, Unavailable | TimeoutError):
                await self._failed(lane, tasks, error)
            else:
                await self._one_by_one(lane, tasks, deadline)
        else:
            await self._queue.done(tasks)
            TASKS.labels(lane.kind, "done").inc(len(tasks))

    async def _one_by_one(self, lane: Lane, tasks: Sequence[ClaimedTask], deadline: float) -> None:
        """Handle tasks alone, since a bad one must not hold up its neighbours; what time is left for."""
        for task in tasks:
            if asyncio.get_running_loop().time() < deadline:
                await self._handle(lane, [task], deadline)

    async def _failed(self, lane: Lane, tasks: Sequence[ClaimedTask], error: Exception) -> None:
        log = _log.warning if isinstance(error, DomainError | TimeoutError) else _log.exception
        most = max(task.attempts for task in tasks) + 1
        log(
            "outbox tasks failed", kind=lane.kind, ids=[task.id for task in tasks], attempts=most, error=_summary(error)
        )
        TASKS.labels(lane.kind, "retried").inc(len(tasks))
        delays = [(task, retry_delay(task.attempts, lane.delay)) for task in tasks]
        for task in await self._queue.retry(delays, error=_summary(error)):
            _log.warning("an outbox task is given up", kind=lane.kind, id=task.id, error=_summary(error))
            TASKS.labels(lane.kind, "dropped").inc()


def _summary(error: Exception) -> str:
    return f"{error.code}: {error.message}" if isinstance(error, DomainError) else type(error).__name__
