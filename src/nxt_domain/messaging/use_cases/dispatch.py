"""Handing messages over: claim what admission allows, send it outside any transaction, record the result."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial

import attrs

from nxt_domain.messaging.events import delivery_task, message_event
from nxt_domain.messaging.machine import accepted, refused
from nxt_domain.messaging.model import DeviceMessage, FailureContext
from nxt_domain.messaging.ports import Courier, Quota, SendFailed
from nxt_domain.messaging.stages import Stage
from nxt_domain.messaging.use_cases.changes import Workshop
from nxt_domain.messaging.use_cases.leases import LeaseKeeper
from nxt_domain.messaging.use_cases.outcomes import Outcomes, Verdict
from nxt_domain.shared.errors import Unavailable
from nxt_domain.shared.wakeups import Channel

_log = logging.getLogger(__name__)

SEND_LIMIT = timedelta(seconds=120)
"""A send always ends [DM-45]."""

_STORE_PAUSE_S = 1.0


@attrs.frozen(kw_only=True)
class PassResult:
    """What a distribution pass did.

    Attributes:
        claimed: Messages whose send has begun.
        is_full: Whether this process could not have begun more; look again when a send ends.
        next_in: When another pass can claim more, of what is known now; None: nothing to wait for.
    """

    claimed: int
    is_full: bool
    next_in: timedelta | None


class Dispatch:
    """Claims and sends, with bounded concurrency per plug-in.

    Args:
        workshop: The store and the rules.
        couriers: Enabled plug-ins.
        keeper: Keeps the leases of messages being sent.
        outcomes: Records results.
        max_sends: Sends of one plug-in at once.
    """

    def __init__(
        self,
        workshop: Workshop,
        couriers: Mapping[str, Courier],
        keeper: LeaseKeeper,
        outcomes: Outcomes,
        *,
        max_sends: int = 100,
    ) -> None:
        self._workshop = workshop
        self._couriers = couriers
        self._keeper = keeper
        self._outcomes = outcomes
        self._max_sends = max_sends
        self._sending: Counter[str] = Counter()
        self._reached: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.send_ended = asyncio.Event()
        """Set whenever a send has ended and its result is durable; the waiter clears it."""

    async def run_pass(self) -> PassResult:
        """Claim what admission and this process's capacity allow, over all ready queues, and begin to send it [DM-29].

        Raises:
            Unavailable: The store can't be reached; nothing was claimed.
        """
        quotas = self._quotas()
        if not quotas:
            return PassResult(claimed=0, is_full=True, next_in=None)
        async with self._workshop.begin() as store:
            batch = await store.claims.ready(quotas, self._keeper.lease)
            first = [message for message in batch.messages if message.retry_count == 0]
            events = [message_event(message, event_id=self._workshop.new_id(), now=batch.now) for message in first]
            if events:
                await store.outbox.add([delivery_task(event) for event in events])
            await store.commit()
        if events:
            self._workshop.wakeups.hint(Channel.OUTBOX)
        self._reached.update(batch.reached)
        self._begin(batch.messages)
        taken = Counter(message.plugin_id for message in batch.messages)
        is_full = any(taken[quota.plugin_id] >= quota.limit for quota in quotas) or len(quotas) < len(self._couriers)
        return PassResult(claimed=len(batch.messages), is_full=is_full, next_in=batch.next_in)

    async def drain(self, patience: timedelta) -> None:
        """Wait for sends under way and their results, then cut the rest off; their rows lapse [DM-173]."""
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=patience.total_seconds())
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _quotas(self) -> Sequence[Quota]:
        return [
            Quota(
                plugin_id=plugin_id,
                admission=lane.admission,
                limit=self._max_sends - self._sending[plugin_id],
                ns_wait=lane.entry_wait(Stage.NS),
                after=self._reached.get(plugin_id),
            )
            for plugin_id, lane in self._workshop.lanes.items()
            if plugin_id in self._couriers and self._sending[plugin_id] < self._max_sends
        ]

    def _begin(self, messages: Sequence[DeviceMessage]) -> None:
        self._keeper.hold(message.id for message in messages)
        for message in messages:
            self._sending[message.plugin_id] += 1
            task = asyncio.create_task(self._send(message), name=f"send-{message.id}")
            self._tasks.add(task)
            task.add_done_callback(partial(self._end, message))

    def _end(self, message: DeviceMessage, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._sending[message.plugin_id] -= 1
        self._keeper.drop([message.id])
        self.send_ended.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("the result of sending a message was not recorded", exc_info=error, extra=message.names)

    async def _send(self, message: DeviceMessage) -> None:
        verdict = await self._attempt(message)
        while True:
            try:
                await self._outcomes.record(verdict)
            except Unavailable:
                # The network has it, and only this process knows: hold on until the store is back.
                await asyncio.sleep(_STORE_PAUSE_S)
            else:
                return

    async def _attempt(self, message: DeviceMessage) -> Verdict:
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(SEND_LIMIT.total_seconds()):
                remote_id = await self._couriers[message.plugin_id].send(message)
            decide = partial(accepted, attempt=message.retry_count, remote_id=remote_id)
        except SendFailed as refusal:
            decide = partial(refused, attempt=message.retry_count, failure=refusal.failure)
        except TimeoutError:
            failure = FailureContext(reason=f"The network did not answer within {SEND_LIMIT.total_seconds():.0f} s")
            decide = partial(refused, attempt=message.retry_count, failure=failure)
        except Exception:  # noqa: BLE001 - a defect of one plug-in must not stop the others' messages; it is logged
            _log.exception("the plug-in failed to send a message", extra=message.names)
            failure = FailureContext(reason="The plug-in failed while sending")
            decide = partial(refused, attempt=message.retry_count, failure=failure)
        self._mention_slow(message, asyncio.get_running_loop().time() - began)
        return Verdict(message=message, decide=decide, needs_same_stage=False)

    def _mention_slow(self, message: DeviceMessage, took_s: float) -> None:
        if took_s > self._workshop.lanes[message.plugin_id].entry_wait(Stage.NS).total_seconds():
            _log.warning("sending a message took %.1f s", took_s, extra=message.names)
