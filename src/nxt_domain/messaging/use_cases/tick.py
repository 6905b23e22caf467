"""Looking at what is due: time-outs, questions to the network server, polls, repetitions [DM 5]."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial

from nxt_domain.messaging import machine
from nxt_domain.messaging.model import DeviceMessage
from nxt_domain.messaging.plugins import PluginSet
from nxt_domain.messaging.ports import Batch, PollFailed, RemoteStatusUnknown
from nxt_domain.messaging.stages import Pipeline, Stage
from nxt_domain.messaging.use_cases.changes import Changes, Workshop
from nxt_domain.messaging.use_cases.leases import LeaseKeeper
from nxt_domain.messaging.use_cases.outcomes import Outcomes, Verdict

_log = logging.getLogger(__name__)

_Ask = Callable[[DeviceMessage], Awaitable[machine.Decision]]


class Tick:
    """Handles due messages, one stage at a time; stages may run concurrently.

    Args:
        workshop: The store and the rules.
        plugins: Enabled plug-ins.
        keeper: Keeps the leases of messages asked about.
        outcomes: Records results.
        batch: Rows claimed at once [DM-36].
        questions: Questions and polls of one plug-in and stage at once [DM-36].
        budget: After this long a run leaves the rest to the next.
    """

    def __init__(
        self,
        workshop: Workshop,
        plugins: PluginSet,
        keeper: LeaseKeeper,
        outcomes: Outcomes,
        *,
        batch: int = 500,
        questions: int = 10,
        budget: timedelta = timedelta(seconds=5),
    ) -> None:
        self._workshop = workshop
        self._plugins = plugins
        self._keeper = keeper
        self._outcomes = outcomes
        self._batch = batch
        self._questions = questions
        self._budget = budget
        self._is_stopping = False
        self._asks: Mapping[Stage, _Ask] = {
            Stage.NS: self._adopt,
            Stage.RELAY_NODE: self._ask_network,
            Stage.AWAITING_TASK: self._poll,
        }

    def stop(self) -> None:
        """Begin no more questions; rows claimed for them are given back [DM-173]."""
        self._is_stopping = True

    def rounds(self, stage: Stage) -> Sequence[str | None]:
        """Name the runs of a stage: one for each plug-in that it asks, so that none waits for another's vendor.

        Returns:
            Values for ``run``; a stage that asks nobody has one run for all.
        """
        return self._plugin_ids(stage) if stage in self._asks else [None]

    async def run(self, stage: Stage, plugin_id: str | None = None) -> int:
        """Handle what is due in one stage until none is left or the time is up.

        Args:
            stage: Which.
            plugin_id: Whose messages; None: everybody's.

        Returns:
            How many messages were handled.

        Raises:
            Unavailable: The store can't be reached.
        """
        plugin_ids = self._plugin_ids(stage) if plugin_id is None else [plugin_id]
        return await self._repeat(partial(self._run_batch, stage, plugin_ids))

    async def run_stranded(self) -> int:
        """Give up due messages whose plug-in is not enabled any more [DM-38].

        Raises:
            Unavailable: The store can't be reached.
        """
        return await self._repeat(self._finish_stranded)

    async def _repeat(self, run_batch: Callable[[], Awaitable[int]]) -> int:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._budget.total_seconds()
        handled = 0
        while not self._is_stopping:
            size = await run_batch()
            handled += size
            if size < self._batch or loop.time() >= until:
                break
        return handled

    async def _run_batch(self, stage: Stage, plugin_ids: Sequence[str]) -> int:
        if not plugin_ids:
            return 0
        if stage is Stage.RETRY:
            async with self._workshop.begin() as store:
                requeued = await store.claims.requeue(plugin_ids, limit=self._batch)
                await store.commit()
            return requeued
        async with self._workshop.begin() as store:
            batch = await store.claims.due(stage, plugin_ids, self._keeper.lease, limit=self._batch)
            await store.commit()
        await self._handle(stage, batch)
        return len(batch.messages)

    def _plugin_ids(self, stage: Stage) -> Sequence[str]:
        only = {Stage.RELAY_NODE: Pipeline.PUSH, Stage.AWAITING_TASK: Pipeline.PULL}.get(stage)
        return [key for key, lane in self._workshop.lanes.items() if only is None or lane.pipeline is only]

    async def _finish_stranded(self) -> int:
        async with self._workshop.begin() as store:
            batch = await store.claims.stranded(list(self._workshop.lanes), limit=self._batch)
            changes = Changes(self._workshop, batch.now, batch.messages)
            for message in batch.messages:
                changes.take(message, machine.orphaned(message, batch.now))
            await changes.write(store)
            await store.commit()
        changes.committed()
        return len(batch.messages)

    async def _handle(self, stage: Stage, batch: Batch) -> None:
        settled, open_questions = [], []
        for message in batch.messages:
            decide = self._known_answer(stage, message, batch)
            if decide is None:
                open_questions.append(message)
            else:
                settled.append(Verdict(message=message, decide=decide))
        if settled:
            await self._outcomes.write(settled)
        if open_questions:
            await self._ask_all(self._asks[stage], open_questions)

    def _known_answer(self, stage: Stage, message: DeviceMessage, batch: Batch) -> machine.Decision | None:
        if message.expires_at <= batch.now:
            return _expire
        if stage is Stage.DEVICE:
            return machine.timed_out
        if stage is Stage.NS and message.plugin_id not in self._plugins.push:
            return machine.timed_out
        if stage is Stage.AWAITING_TASK:
            if machine.is_task_lost(message, batch.now):
                return machine.task_lost
            if not message.delivery_queue_id:
                return machine.waits_on
        return None

    async def _ask_all(self, ask: _Ask, messages: Sequence[DeviceMessage]) -> None:
        gates = {message.plugin_id: asyncio.Semaphore(self._questions) for message in messages}
        not_begun = {message.id for message in messages}
        self._keeper.hold(not_begun)

        async def one(message: DeviceMessage) -> None:
            async with gates[message.plugin_id]:
                if self._is_stopping:
                    return
                not_begun.discard(message.id)
                try:
                    decide = await self._answer(ask, message)
                    await self._outcomes.record(Verdict(message=message, decide=decide))
                finally:
                    self._keeper.drop([message.id])

        results = await asyncio.gather(*(one(message) for message in messages), return_exceptions=True)
        await self._keeper.release(not_begun)
        for failure in results:
            if failure is not None:
                raise failure

    async def _answer(self, ask: _Ask, message: DeviceMessage) -> machine.Decision:
        try:
            return await ask(message)
        except Exception:  # noqa: BLE001 - a defect of one plug-in must not stop the others' messages; it is logged
            # It waits on in its stage, so that it never blocks those after it [DM-39].
            _log.exception("looking at a message failed", extra=message.names)
            return machine.waits_on

    async def _adopt(self, message: DeviceMessage) -> machine.Decision:
        # Its sender died. What the network server still holds is adopted, not sent again [R20].
        try:
            remote_id = await self._plugins.push[message.plugin_id].adopt(message)
        except RemoteStatusUnknown:
            return machine.not_told
        if remote_id is None:
            return machine.timed_out
        return partial(machine.accepted, attempt=message.retry_count, remote_id=remote_id)

    async def _ask_network(self, message: DeviceMessage) -> machine.Decision:
        try:
            status = await self._plugins.push[message.plugin_id].remote_status(message)
        except RemoteStatusUnknown:
            return machine.not_told
        return partial(machine.still_queued_remotely, status=status)

    async def _poll(self, message: DeviceMessage) -> machine.Decision:
        try:
            event = await self._plugins.pull[message.plugin_id].poll(message)
        except PollFailed as failure:
            _log.warning("polling a message's task failed: %s", failure, extra=message.names)
            self._workshop.metrics.poll_failed(message.plugin_id)
            return machine.waits_on
        return partial(machine.polled, event=event)


def _expire(message: DeviceMessage, at: machine.Moment) -> machine.Step:
    return machine.expired(message, at.now)
