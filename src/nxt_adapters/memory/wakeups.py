"""Hints inside one process."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from nxt_domain.shared.wakeups import Channel


class MemoryWakeUps:
    """``WakeUps`` within one event loop; remembers what was hinted."""

    def __init__(self) -> None:
        self.hinted: list[Channel] = []
        self._listeners: dict[Channel, list[asyncio.Event]] = defaultdict(list)

    def hint(self, *channels: Channel) -> None:
        """Ring at once."""
        self.hinted.extend(channels)
        for channel in channels:
            for event in self._listeners[channel]:
                event.set()

    def subscribe(self, channel: Channel) -> asyncio.Event:
        """See ``WakeUps.subscribe``."""
        event = asyncio.Event()
        self._listeners[channel].append(event)
        return event
