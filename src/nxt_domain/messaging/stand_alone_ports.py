"""What the stand-alone mode needs from outside, beside the queue: an outbox of events, and who takes them [DM 15]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

import attrs

from nxt_domain.messaging.ports import DeviceMessages
from nxt_domain.messaging.webhooks import PostResult
from nxt_domain.shared.errors import UpstreamFailed
from nxt_domain.shared.unit_of_work import UnitOfWork


class NotDelivered(UpstreamFailed):
    """The adopter gave no answer; its text is kept as the event's last error."""

    default_code = "NOT_DELIVERED"


@attrs.frozen(kw_only=True)
class WaitingEvent:
    """An event that this process holds until ``lease_until``.

    Attributes:
        id: Grows within the events of one message.
        body: What is posted, the same bytes each time; None: it is missing or unreadable.
        attempts: Failed attempts so far.
    """

    id: int
    event_id: str
    correlation_id: str | None
    body: bytes | None
    attempts: int
    lease_until: datetime


class EventOutbox(Protocol):
    """Events on their way to the adopter. Each call is a transaction of its own."""

    async def claim(self, *, limit: int, lease: timedelta) -> Sequence[WaitingEvent]:
        """Lease due events, oldest due first, of each message only the earliest that is not told yet [DM-159]."""

    async def delivered(self, event: WaitingEvent) -> None:
        """Forget an event that the adopter has, or that can't be read [DM-160]."""

    async def retry(self, event: WaitingEvent, *, error: str, delay: timedelta) -> None:
        """Give an event back, due after ``delay``, with one failure more."""

    async def bury(self, event: WaitingEvent, *, error: str) -> None:
        """Keep an event as a dead letter; the message's next one may go [DM-158]."""

    async def prune(self, older_than: timedelta) -> int:
        """Drop dead letters that were kept for long enough; return how many."""


class EventReceiver(Protocol):
    """The adopter's webhook."""

    async def post(self, event_id: str, body: bytes) -> int:
        """Post the bytes once, signed, and return the HTTP status; redirects are not followed [DM-155].

        Raises:
            NotDelivered: There was no answer in time.
        """


class EventMetrics(Protocol):
    """Counts attempts."""

    def event_posted(self, result: PostResult) -> None:
        """Count one attempt by its result."""


class EnqueueRequests(Protocol):
    """Requests that named themselves, in the transaction that carries them out."""

    async def remember(self, request_key: str, message_id: str) -> str:
        """Note which message a request became; wait for whoever is carrying out the same one.

        Returns:
            The message's id: the given one, or that of an earlier request with the same key. In the latter case the
            transaction must not be committed.
        """


class CommandTransaction(UnitOfWork, Protocol):
    """What commands from outside need of the store, as one transaction."""

    @property
    def messages(self) -> DeviceMessages:
        """The queue."""

    @property
    def requests(self) -> EnqueueRequests:
        """What was asked for already."""
