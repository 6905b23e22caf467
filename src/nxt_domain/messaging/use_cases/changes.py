"""Decisions of one transaction: taken on locked rows, written in as many statements for many rows as for one."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

import attrs

from nxt_domain.messaging.events import delivery_task, message_event
from nxt_domain.messaging.machine import Decision, Finished, Moment, Moved, Step, Unmoved
from nxt_domain.messaging.model import DeliveryEvent, DeviceMessage
from nxt_domain.messaging.ports import MessageStore, MessagingMetrics, NoMetrics
from nxt_domain.messaging.stages import Stage
from nxt_domain.messaging.tuning import DeliveryPolicy, Lanes
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_domain.shared.wakeups import Channel, WakeUps

_log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class Workshop:
    """What every use case of messaging needs.

    Attributes:
        begin: Opens a transaction on the store.
        lanes: Enabled plug-ins as the rules see them.
        policy: What holds for all plug-ins.
        new_id: Mints ids of events.
        wakeups: Where the relay is told that there are events.
        metrics: Counters.
        draw: Uniform in [0, 1), for back-off [DM-54].
    """

    begin: UnitOfWorkFactory[MessageStore]
    lanes: Lanes
    policy: DeliveryPolicy
    new_id: Callable[[], str]
    wakeups: WakeUps
    metrics: MessagingMetrics = attrs.field(factory=NoMetrics)
    draw: Callable[[], float] = random.random

    def moment(self, message: DeviceMessage, now: datetime) -> Moment | None:
        """Gather what a decision depends on; None: the message's plug-in is not enabled here."""
        lane = self.lanes.get(message.plugin_id)
        return None if lane is None else Moment(now=now, lane=lane, policy=self.policy, jitter=self.draw())


class Changes:
    """Rows of one transaction on their way from one state to the next.

    Args:
        workshop: Rules and ids.
        now: The database's time.
        messages: Locked rows.
    """

    def __init__(self, workshop: Workshop, now: datetime, messages: Iterable[DeviceMessage]) -> None:
        self._workshop = workshop
        self._now = now
        self._before = {message.id: message for message in messages}
        self._live = dict(self._before)
        self._finished: dict[str, Finished] = {}
        self._events: list[DeliveryEvent] = []
        self._missed: list[tuple[DeviceMessage, Stage]] = []

    def current(self, message_id: str) -> DeviceMessage | None:
        """Return a row as it would be written now; None: it is not live any more."""
        return self._live.get(message_id)

    def apply(self, message_id: str, decide: Decision) -> Step:
        """Take one decision; further ones see its result."""
        message = self._live.get(message_id)
        if message is None:
            return Unmoved("the message is gone")
        moment = self._workshop.moment(message, self._now)
        if moment is None:
            return Unmoved(f"plug-in {message.plugin_id} is not enabled")
        step = decide(message, moment)
        self.take(message, step)
        return step

    def take(self, message: DeviceMessage, step: Step) -> None:
        """Note a decision that was taken elsewhere."""
        match step:
            case Moved(message=moved, missed=missed):
                self._live[message.id] = moved
                if missed is not None:
                    self._missed.append((message, missed))
            case Finished():
                del self._live[message.id]
                self._finished[message.id] = step
            case Unmoved(missed=missed):
                if missed is not None:
                    self._missed.append((message, missed))

    def announce(self, event: DeliveryEvent) -> None:
        """Add an event for the adopter."""
        self._events.append(event)

    def learned_ids(self) -> dict[str, dict[str, list[str]]]:
        """Tell which messages got to know which remote ids: plug-in → remote id → message ids."""
        learned: dict[str, dict[str, list[str]]] = {}
        for message_id, message in self._live.items():
            before = self._before[message_id]
            for remote_id in (message.delivery_queue_id, *message.past_delivery_queue_ids):
                if remote_id and not before.knows(remote_id):
                    learned.setdefault(message.plugin_id, {}).setdefault(remote_id, []).append(message_id)
        return learned

    async def write(self, store: MessageStore) -> None:
        """Store everything with the transaction: rows, archive, and the adopter's events [DM-154]."""
        moved = [message for key, message in self._live.items() if message is not self._before[key]]
        if moved:
            await store.rows.save(moved)
        if self._finished:
            await store.rows.archive(list(self._finished.values()))
        events = [*self._events, *self._terminal_events()]
        if events:
            await store.outbox.add([delivery_task(event) for event in events])

    def _terminal_events(self) -> Sequence[DeliveryEvent]:
        workshop = self._workshop
        return [
            message_event(end.message, event_id=workshop.new_id(), now=self._now, response=end.response)
            for end in self._finished.values()
        ]

    def _failures(self) -> Iterator[tuple[str, str]]:
        after = (*self._live.values(), *(end.message for end in self._finished.values()))
        for message in after:
            known = len(self._before[message.id].failure_history)
            for record in message.failure_history[: len(message.failure_history) - known]:
                yield message.plugin_id, record.reason

    def committed(self) -> None:
        """Count and tell, now that it is true."""
        metrics = self._workshop.metrics
        for end in self._finished.values():
            metrics.finished(end.message.delivery_status.value, end.message.retry_count)
        for plugin_id, reason in self._failures():
            metrics.attempt_failed(plugin_id, reason)
        for message, stage in self._missed:
            _log.warning("a message left stage %s before it could be moved", stage, extra=message.names)
            metrics.stage_missed(stage)
        if self._finished or self._events:
            self._workshop.wakeups.hint(Channel.OUTBOX)
