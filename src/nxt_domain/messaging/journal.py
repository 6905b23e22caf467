"""What is kept of messages, live and archived, for the people who look after them [DM-12]."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import attrs

from nxt_domain.messaging.model import FailureRecord
from nxt_domain.shared.paging import DEFAULT_PAGE, LONGEST_PAGE


class MessageState(StrEnum):
    """Where a message is: its delivery status, or one of two ends that are none."""

    QUEUED = "QUEUED"
    SENT_TO_NS = "SENT_TO_NS"
    DELIVERED_TO_NS = "DELIVERED_TO_NS"
    SENT_TO_DEVICE = "SENT_TO_DEVICE"
    TO_RETRY = "TO_RETRY"
    DELIVERY_SUCCESSFUL = "DELIVERY_SUCCESSFUL"
    DELIVERY_FAILED = "DELIVERY_FAILED"
    CANCELLED = "CANCELLED"
    """Taken back before it was handed over [DM-65]."""
    UNREADABLE = "UNREADABLE"
    """Set aside, because its row can't be read [DM-15]."""

    @property
    def is_live(self) -> bool:
        """Whether the message still has something before it."""
        return self not in _ENDS


_ENDS = frozenset({MessageState.DELIVERY_SUCCESSFUL, MessageState.DELIVERY_FAILED, MessageState.CANCELLED})


@attrs.frozen(kw_only=True)
class Passage:
    """The moment at which a message came into a status, by the database's clock [DM-14]."""

    at: datetime
    status: MessageState


@attrs.frozen(kw_only=True)
class MessageRecord:
    """A message as it is kept, without what it carries: a token is never part of it.

    Attributes:
        state: Where it is.
        meter: The meter's number; None: the row does not tell.
        delivery_queue_id: Id of the present attempt at the network server or vendor; empty while there is none.
        past_delivery_queue_ids: Those of earlier attempts, oldest first.
        retry_count: Failed attempts.
        failures: Newest first; empty if they can't be read.
        passages: Oldest first, from its queueing on.
        due_at: When the engine looks at it next.
        lease_owner: The engine that works on it, until ``lease_until``.
        finished_at: When it ended; None while it is live.
        execution: What the meter did with it.
    """

    id: str
    state: MessageState
    command_type: str
    plugin_id: str
    priority: float
    meter: str | None
    ready_queue: str
    phase: str | None
    network_id: int | None
    correlation_id: str | None
    delivery_queue_id: str
    past_delivery_queue_ids: Sequence[str]
    retry_count: int
    failures: Sequence[FailureRecord]
    passages: Sequence[Passage]
    enqueued_at: datetime
    expires_at: datetime | None
    due_at: datetime | None
    lease_owner: str | None
    lease_until: datetime | None
    finished_at: datetime | None
    execution: str | None


@attrs.frozen(kw_only=True)
class MessageFilter:
    """Which messages are wanted; None: any.

    Attributes:
        network_id: Id of the grid.
        meter: Number of the meter.
        since: Born then or later.
    """

    state: MessageState | None = None
    plugin_id: str | None = None
    network_id: int | None = None
    meter: str | None = None
    since: datetime | None = None


@attrs.frozen(kw_only=True)
class MessageWindow:
    """Which part of a list is wanted; the youngest messages come first.

    Attributes:
        limit: At most so many, 1 to ``LONGEST_PAGE``.
        after: Only messages older than the one with this id; None: from the youngest on.
    """

    limit: int = attrs.field(
        default=DEFAULT_PAGE, validator=attrs.validators.and_(attrs.validators.ge(1), attrs.validators.le(LONGEST_PAGE))
    )
    after: str | None = None


@attrs.frozen(kw_only=True)
class MessagePage:
    """Some messages, youngest first, and the id to go on after; None on the last page."""

    items: Sequence[MessageRecord]
    next: str | None


class MessageJournal(Protocol):
    """Reads messages, live and archived; nothing is locked or changed."""

    async def page(self, wanted: MessageFilter, window: MessageWindow) -> MessagePage:
        """List messages, youngest first."""

    async def find(self, ids: Collection[str]) -> Sequence[MessageRecord]:
        """Return the messages that have one of some ids, or were asked for under one of them, by ascending id."""


def page_of(found: Sequence[MessageRecord], window: MessageWindow) -> MessagePage:
    """Make a page of what was found by asking for one more than the page holds."""
    shown = found[: window.limit]
    return MessagePage(items=shown, next=shown[-1].id if len(found) > window.limit else None)
