"""Hints that make waiting workers look sooner. Polling is the guarantee [R4]."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Protocol


class Channel(StrEnum):
    """Who may be woken."""

    SETTLEMENT = "settlement"
    OUTBOX = "outbox"
    MESSAGING = "messaging"
    GATEWAY_EVENTS = "gateway_events"
    NOTIFICATIONS = "notifications"


class WakeUps(Protocol):
    """Carries hints between processes; one may get lost, none does harm."""

    def hint(self, *channels: Channel) -> None:
        """Note that there is work; sent after commit, at most every 50 ms."""

    def subscribe(self, channel: Channel) -> asyncio.Event:
        """Return an event that is set on each hint; the waiter clears it."""
