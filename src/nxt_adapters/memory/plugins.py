"""Plug-ins ``stub-push`` and ``stub-pull`` for tests and demonstrations, adjustable by hand [DM-168]."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from nxt_domain.messaging.admission import queue_key
from nxt_domain.messaging.model import (
    UNSOLICITED_COMMANDS,
    CommandType,
    DeliveryStatus,
    DeviceEvent,
    DeviceMessage,
    NewMessage,
)
from nxt_domain.messaging.wire import event_from_json
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.json import JsonObject

ALL_COMMANDS = frozenset(CommandType) - UNSOLICITED_COMMANDS

Send = Callable[[DeviceMessage], Awaitable[str]]


class _Stub:
    def __init__(self, new_id: Callable[[], str], send_s: float) -> None:
        self._new_id = new_id
        self.send_s = send_s
        self.sent: list[DeviceMessage] = []
        self.on_send: Send | None = None

    @property
    def supported_commands(self) -> frozenset[CommandType]:
        """All that can be enqueued."""
        return ALL_COMMANDS

    async def send(self, message: DeviceMessage) -> str:
        """Take ``send_s`` seconds and return ``stub-ext-<ULID>``, or do what ``on_send`` says."""
        self.sent.append(message)
        if self.send_s:
            await asyncio.sleep(self.send_s)
        return await self.on_send(message) if self.on_send else f"stub-ext-{self._new_id()}"


class StubPush(_Stub):
    """A network server that accepts everything and reports only what its ingress is told.

    Args:
        new_id: Mints remote ids.
        send_s: How long a send takes, seconds.

    Attributes:
        sent: What was handed over, in order.
        on_send: Replaces the end of a send; may raise ``SendFailed``.
        remote_statuses: What is told of a remote id; ``QUEUED`` unless set.
        adoptable: Remote id found in the queue of a device, by message id.
    """

    plugin_id = "stub-push"

    def __init__(self, new_id: Callable[[], str], *, send_s: float = 0.0) -> None:
        super().__init__(new_id, send_s)
        self.remote_statuses: dict[str, DeliveryStatus] = {}
        self.adoptable: dict[str, str] = {}

    def ready_queue(self, message: NewMessage) -> str:
        """One queue for each network."""
        node = "unassigned" if message.network_id is None else message.network_id
        return queue_key(self.plugin_id, "network", node)

    async def remote_status(self, message: DeviceMessage) -> DeliveryStatus:
        """Tell that it is still queued, unless set otherwise."""
        return self.remote_statuses.get(message.delivery_queue_id, DeliveryStatus.QUEUED)

    async def adopt(self, message: DeviceMessage) -> str | None:
        """Find what ``adoptable`` says."""
        return self.adoptable.get(message.id)

    def read_ingress(self, body: JsonObject | None) -> DeviceEvent | None:
        """Take a normalised event as it is; anything else is ignored."""
        if body is None:
            return None
        try:
            return event_from_json(body)
        except InvalidInput:
            return None


class StubPull(_Stub):
    """A vendor whose tasks never have a result, unless told otherwise.

    Args:
        new_id: Mints task ids.
        send_s: How long creating a task takes, seconds.

    Attributes:
        results: Result of a task by remote id.
        on_poll: Replaces a poll; may raise ``PollFailed``.
        polled: What was asked about, in order.
    """

    plugin_id = "stub-pull"

    def __init__(self, new_id: Callable[[], str], *, send_s: float = 0.0) -> None:
        super().__init__(new_id, send_s)
        self.results: dict[str, DeviceEvent] = {}
        self.on_poll: Callable[[DeviceMessage], Awaitable[DeviceEvent | None]] | None = None
        self.polled: list[DeviceMessage] = []

    def ready_queue(self, message: NewMessage) -> str:
        """One queue for each relay node."""
        node = message.device.relay_node
        return queue_key(self.plugin_id, "relayNode", "unassigned" if node is None or node.id is None else node.id)

    async def poll(self, message: DeviceMessage) -> DeviceEvent | None:
        """Look into ``results``, or do what ``on_poll`` says."""
        self.polled.append(message)
        return await self.on_poll(message) if self.on_poll else self.results.get(message.delivery_queue_id)
