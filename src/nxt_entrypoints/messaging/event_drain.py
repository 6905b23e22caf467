"""The loop that empties the outbox of events [DM-159]."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from nxt_domain.messaging.use_cases.deliver_events import DeliverEvents
from nxt_domain.shared.errors import Unavailable
from nxt_entrypoints.jobs.loops import sleep_until_woken

_log = structlog.get_logger(__name__)
_POLL_S = 1.0


class EventDrain:
    """Begins posts after every new event, whenever one has ended, and every second.

    Args:
        deliver: Claims and posts.
        woken: Set when there is a new event, or room for one.
        patience: How long a stop waits for posts under way [DM-173].
    """

    def __init__(
        self, deliver: DeliverEvents, woken: asyncio.Event, *, patience: timedelta = timedelta(seconds=20)
    ) -> None:
        self._deliver = deliver
        self._woken = woken
        self._patience = patience

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until told to stop, then wait for what is under way."""
        while not stopping.is_set():
            try:
                await self._deliver.begin()
            except Unavailable as absence:
                _log.warning("the outbox of events is away", module="messaging", reason=absence.message)
            except Exception:  # noqa: BLE001 - the loop outlives whatever befalls one claim; rows keep the events
                _log.exception("events could not be claimed; the drain goes on", module="messaging")
            await sleep_until_woken(self._woken, stopping, _POLL_S)
        await self._deliver.drain(self._patience)
