"""Posting events to the adopter: in order for each message, some messages at once, patiently [DM 15.3]."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from nxt_domain.messaging.stand_alone_ports import EventMetrics, EventOutbox, EventReceiver, NotDelivered, WaitingEvent
from nxt_domain.messaging.webhooks import PostResult, WebhookPolicy

_log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
AT_ONCE = 10
_ERROR_CHARACTERS = 500


class DeliverEvents:
    """Begins as many posts as may run at once; each tells the outbox what became of it.

    Args:
        outbox: Where events wait.
        receiver: Who takes them.
        policy: How patiently.
        metrics: Counts attempts.
        at_once: Posts under way at the same time [DM-159].
        ended: Set whenever a post has ended, so that the next may begin.
    """

    def __init__(
        self,
        *,
        outbox: EventOutbox,
        receiver: EventReceiver,
        policy: WebhookPolicy,
        metrics: EventMetrics,
        at_once: int = AT_ONCE,
        ended: asyncio.Event | None = None,
    ) -> None:
        self._outbox = outbox
        self._receiver = receiver
        self._policy = policy
        self._metrics = metrics
        self._at_once = at_once
        self._posts: set[asyncio.Task[None]] = set()
        self._ended = ended or asyncio.Event()

    async def begin(self) -> int:
        """Claim due events for the places that are free, and begin to post them; return how many.

        No more are claimed than can begin at once: a lease must not run down while its event waits for a place.

        Raises:
            Unavailable: The outbox can't be reached.
        """
        free = self._at_once - len(self._posts)
        if free <= 0:
            return 0
        claimed = await self._outbox.claim(limit=free, lease=LEASE)
        for event in claimed:
            post = asyncio.create_task(self._post(event), name=f"webhook {event.event_id}")
            self._posts.add(post)
            post.add_done_callback(self._end)
        return len(claimed)

    async def drain(self, patience: timedelta) -> None:
        """Wait for posts under way; those cut off are posted again when their lease has lapsed [DM-173]."""
        if not self._posts:
            return
        _, late = await asyncio.wait(self._posts, timeout=patience.total_seconds())
        for post in late:
            post.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _end(self, post: asyncio.Task[None]) -> None:
        self._posts.discard(post)
        self._ended.set()
        if not post.cancelled() and (failure := post.exception()) is not None:
            # The event stays leased, and is posted again afterwards: at least once, by design.
            _log.warning("what became of an event could not be written down", exc_info=failure)

    async def _post(self, event: WaitingEvent) -> None:
        if event.body is None:
            _log.error("event %s can't be read and is removed", event.event_id)
            await self._outbox.delivered(event)
            return
        status, error = await self._attempt(event.event_id, event.body)
        result = self._policy.judge(status, event.attempts)
        self._metrics.event_posted(result)
        match result:
            case PostResult.POSTED:
                await self._outbox.delivered(event)
            case PostResult.RETRIED:
                _log.warning("event %s was not taken: %s", event.event_id, error)
                await self._outbox.retry(event, error=error, delay=self._policy.wait_after(event.attempts + 1))
            case PostResult.BURIED:
                _log.error("event %s of correlation id %s is given up: %s", event.event_id, event.correlation_id, error)
                await self._outbox.bury(event, error=error)

    async def _attempt(self, event_id: str, body: bytes) -> tuple[int | None, str]:
        try:
            status = await self._receiver.post(event_id, body)
        except NotDelivered as silence:
            return None, silence.message[:_ERROR_CHARACTERS]
        return status, f"HTTP {status}"
