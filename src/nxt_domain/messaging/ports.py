"""What messaging needs from outside: a store that loses nothing, and plug-ins that speak to networks and vendors."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import attrs

from nxt_domain.messaging.admission import Admission
from nxt_domain.messaging.machine import Finished
from nxt_domain.messaging.model import (
    CancelResult,
    CommandType,
    DeliveryStatus,
    DeviceEvent,
    DeviceMessage,
    EventHalf,
    FailureContext,
    NewMessage,
)
from nxt_domain.messaging.stages import Stage
from nxt_domain.shared.errors import UpstreamFailed
from nxt_domain.shared.unit_of_work import UnitOfWork


class SendFailed(UpstreamFailed):
    """An attempt to hand a message to the network failed; the plug-in says why, and whether trying again can help."""

    default_code = "SEND_FAILED"

    def __init__(self, failure: FailureContext) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class RemoteStatusUnknown(UpstreamFailed):
    """The network server could not say whether it still holds a message: no evidence either way."""

    default_code = "REMOTE_STATUS_UNKNOWN"


class PollFailed(UpstreamFailed):
    """The vendor could not be asked about a task: no evidence about the command [DM-49]."""

    default_code = "POLL_FAILED"


class Intake(Protocol):
    """What a process must know of a plug-in to enqueue for it: its name, its commands, its bottlenecks."""

    @property
    def plugin_id(self) -> str:
        """E.g. ``calin-chirpstack``."""

    @property
    def supported_commands(self) -> frozenset[CommandType]:
        """What it accepts [DM-6]."""

    def ready_queue(self, message: NewMessage) -> str:
        """Name the bottleneck a message waits for: ``queue:<plugin>:<kind>:<node>`` [DM-23].

        Raises:
            InvalidInput: The message lacks what the plug-in routes by.
        """


class Courier(Intake, Protocol):
    """What every plug-in does beside: it hands a message over."""

    async def send(self, message: DeviceMessage) -> str:
        """Hand a message over and return its id at the network server or vendor, never empty; ends within 120 s.

        Raises:
            SendFailed: It was not accepted, or nobody knows; the failure says whether to try again.
        """


class PushPlugin(Courier, Protocol):
    """Delivers through a network server that reports back by events (``ns → relayNode → device``)."""

    async def remote_status(self, message: DeviceMessage) -> DeliveryStatus:
        """Tell where a handed-over message is: its present status while queued there, else ``DELIVERY_FAILED``.

        Raises:
            RemoteStatusUnknown: The question itself failed.
        """

    async def adopt(self, message: DeviceMessage) -> str | None:
        """Look for an item with the same frame in the device's queue and return its id [R20].

        Asked when the process that was sending died, so that nothing is sent twice.

        Raises:
            RemoteStatusUnknown: The question itself failed.
        """


class PullPlugin(Courier, Protocol):
    """Delivers by a vendor's task that must be asked about (``ns → awaitingTask``)."""

    async def poll(self, message: DeviceMessage) -> DeviceEvent | None:
        """Ask for the result of a message's task; None: not yet.

        Raises:
            PollFailed: The vendor gave no answer; the task may still be running.
        """


class DeviceMessages(Protocol):
    """The adopter's side of the queue, inside the adopter's own transaction [DM-2, MET-77]."""

    async def enqueue(self, messages: Sequence[NewMessage]) -> Sequence[str]:
        """Store messages with the transaction, in one statement; return their ids in the same order.

        Raises:
            InvalidInput: A plug-in is unknown or can't route a message; nothing is stored.
        """

    async def cancel(self, correlation_ids: Sequence[str]) -> Mapping[str, CancelResult]:
        """Take back what has not been handed over yet; no event follows [DM-65, DM-66]."""

    async def get(self, correlation_id: str) -> DeviceMessage | None:
        """Find the newest live message of an interaction [DM-64]."""

    async def unsettled(self, correlation_ids: Sequence[str]) -> Collection[str]:
        """Tell which of them have a live message, or an outcome that was not taken up yet [MET-80]."""


@attrs.frozen(kw_only=True)
class Lease:
    """Who works on the rows of a claim, and for how long at most without a sign of life [DM-17]."""

    owner: str
    duration: timedelta = timedelta(seconds=60)


@attrs.frozen(kw_only=True)
class Quota:
    """What one plug-in may take from its ready queues.

    Attributes:
        limit: Messages this process can begin to send now; at least 1.
        ns_wait: When a claimed message is due, unless its process pushes it on [DM-33].
        after: Ready queue to go on after, as the last claim told; None: begin anywhere.
    """

    plugin_id: str
    admission: Admission
    limit: int
    ns_wait: timedelta
    after: str | None = None


@attrs.frozen(kw_only=True)
class Batch:
    """Rows that this transaction holds, by ascending id, and the database's time."""

    now: datetime
    messages: Sequence[DeviceMessage]


@attrs.frozen(kw_only=True)
class ReadyBatch(Batch):
    """Newly claimed messages.

    Attributes:
        next_in: When a spaced queue with work opens; zero when queues are left to look at; None: nothing to wait for.
        reached: Per plug-in, the ready queue to go on after, so that every queue has its turn.
    """

    next_in: timedelta | None = None
    reached: Mapping[str, str] = attrs.field(factory=dict)


class Claims(Protocol):
    """Taking work. Rows that another transaction or engine holds are skipped, never waited for [DM-3, DM-37].

    A row that can't be read leaves its queue, is logged and counted, and never stops the others [DM-15].
    """

    async def ready(self, quotas: Sequence[Quota], lease: Lease) -> ReadyBatch:
        """Take the most urgent messages of all ready queues that admission lets through [DM-29].

        They are ``SENT_TO_NS`` and leased afterwards. Queues take turns; those of plug-ins without quota, or with a
        malformed key, are left alone [DM-31]. With very many queues one call looks at some of them.
        """

    async def due(self, stage: Stage, plugin_ids: Collection[str], lease: Lease, *, limit: int) -> Batch:
        """Lease messages whose due time has come in one stage, oldest due first, of some plug-ins [DM-36]."""

    async def stranded(self, plugin_ids: Collection[str], *, limit: int) -> Batch:
        """Lock due messages of plug-ins other than the given ones [DM-38]."""

    async def expired(self, *, limit: int) -> Batch:
        """Lock messages in ready queues that have become too old [DM-40]."""

    async def requeue(self, plugin_ids: Collection[str], *, limit: int) -> int:
        """Put messages whose back-off has passed into their ready queues again; return how many [DM-55]."""

    async def renew(
        self, message_ids: Collection[str], lease: Lease, ns_waits: Mapping[str, timedelta]
    ) -> Sequence[str]:
        """Prolong leases this owner still has; messages being sent also get a new due time [DM-44].

        Args:
            message_ids: What its process works on.
            lease: The owner and the new duration.
            ns_waits: Per plug-in, how far ahead the due time of a message being sent is pushed.

        Returns:
            The ids that are still its own.
        """

    async def release(self, message_ids: Collection[str], owner: str) -> None:
        """Give back leases of rows that were not begun [DM-173]."""


class Rows(Protocol):
    """Changing messages under lock."""

    async def lock(self, message_ids: Collection[str]) -> Batch:
        """Load live messages and lock their rows in ascending id, waiting for whoever holds one [R25]."""

    async def lock_by_remote_ids(self, plugin_id: str, remote_ids: Collection[str]) -> Batch:
        """Load and lock the messages that a plug-in's remote ids belong to, present and earlier ones [DM-13, DM-55]."""

    async def save(self, messages: Sequence[DeviceMessage]) -> None:
        """Write changed rows in one statement; their leases end, and a slot is kept only while in flight [DM-28]."""

    async def archive(self, finished: Sequence[Finished]) -> None:
        """Move rows at their end to the archive, without their tokens, in one statement [DM-16, R49]."""


class EarlyNews(Protocol):
    """News that came before what it belongs to. All of it is short-lived."""

    async def pair(self, halves: Sequence[EventHalf]) -> Sequence[DeviceEvent]:
        """Store halves and return the events of those that now have their other half, as one atomic step [DM-104]."""

    async def park(self, plugin_id: str, events: Sequence[DeviceEvent]) -> None:
        """Keep events whose remote id is not known yet for 60 s, at most 20 per id [DM-59]."""

    async def parked_ids(self, plugin_id: str, remote_ids: Collection[str]) -> Collection[str]:
        """Tell for which of some remote ids events are kept; nothing is taken."""

    async def take_parked(self, plugin_id: str, remote_ids: Collection[str]) -> Sequence[DeviceEvent]:
        """Take kept events of remote ids, in the order they came."""

    async def prune(self) -> int:
        """Drop what is past its time; return how many kept events nobody claimed."""


class MessageStore(UnitOfWork, Protocol):
    """One transaction over the durable queue: the engine's view [DM-16]."""

    @property
    def claims(self) -> Claims:
        """Taking work."""

    @property
    def rows(self) -> Rows:
        """Changing messages."""

    @property
    def early(self) -> EarlyNews:
        """News that came too early."""


class MessagingMetrics(Protocol):
    """The counters of [DM-169]."""

    def finished(self, status: str, retry_count: int) -> None:
        """Count a message at its end, or one that was cancelled (``CANCELLED``)."""

    def attempt_failed(self, plugin_id: str, reason: str) -> None:
        """Count a failed attempt, or an end without success, by its reason [DM-56]."""

    def stage_missed(self, stage: Stage) -> None:
        """Count a failed gate [DM-21]."""

    def poll_failed(self, plugin_id: str) -> None:
        """Count a poll without answer."""

    def ingress_unhandled(self, plugin_id: str) -> None:
        """Count a vendor's post that the plug-in ignores."""

    def undecodable_frame(self, reason: str) -> None:
        """Count a frame that could not be read [DM-80]."""

    def corrupt(self, count: int) -> None:
        """Count rows that could not be read [DM-15]."""

    def events_orphaned(self, count: int) -> None:
        """Count kept events that no message claimed [DM-59]."""


class NoMetrics:
    """Counts nothing; for notebooks and tests."""

    def finished(self, status: str, retry_count: int) -> None:
        """See ``MessagingMetrics``."""

    def attempt_failed(self, plugin_id: str, reason: str) -> None:
        """See ``MessagingMetrics``."""

    def stage_missed(self, stage: Stage) -> None:
        """See ``MessagingMetrics``."""

    def poll_failed(self, plugin_id: str) -> None:
        """See ``MessagingMetrics``."""

    def ingress_unhandled(self, plugin_id: str) -> None:
        """See ``MessagingMetrics``."""

    def undecodable_frame(self, reason: str) -> None:
        """See ``MessagingMetrics``."""

    def corrupt(self, count: int) -> None:
        """See ``MessagingMetrics``."""

    def events_orphaned(self, count: int) -> None:
        """See ``MessagingMetrics``."""
