"""What messaging needs from outside: a store that loses nothing, and plug-ins that speak to networks and vendors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from nxt_domain.messaging.model import (
    CancelResult,
    CommandType,
    DeliveryStatus,
    DeviceMessage,
    FailureContext,
    NewMessage,
)
from nxt_domain.shared.errors import UpstreamFailed


class SendFailed(UpstreamFailed):
    """An attempt to hand a message to the network failed; the plug-in says why, and whether trying again can help."""

    default_code = "SEND_FAILED"

    def __init__(self, failure: FailureContext) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class RemoteStatusUnknown(UpstreamFailed):
    """The network server could not say whether it still holds a message: no evidence either way."""

    default_code = "REMOTE_STATUS_UNKNOWN"


class PushPlugin(Protocol):
    """Delivers through a network server that reports back by events (``ns → relayNode → device``)."""

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

    async def send(self, message: DeviceMessage) -> str:
        """Hand a message over and return its id at the network server, never empty.

        Raises:
            SendFailed: It was not accepted, or nobody knows; the failure says whether to try again.
        """

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
