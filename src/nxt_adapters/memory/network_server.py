"""A LoRaWAN network server in memory."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TypeAlias

import attrs

from nxt_domain.messaging.model import (
    TOKEN_COMMANDS,
    UNSOLICITED_COMMANDS,
    CommandType,
    DeliveryStatus,
    DeviceEvent,
    DeviceMessage,
    FailureContext,
    NewMessage,
    Phase,
    RequestData,
    SetDate,
    SetTime,
)
from nxt_domain.messaging.ports import RemoteStatusUnknown, SendFailed

_ENQUEUEABLE = frozenset(CommandType) - UNSOLICITED_COMMANDS
_Frame: TypeAlias = "tuple[str, Phase | None, RequestData | None]"


@attrs.frozen(kw_only=True)
class QueuedFrame:
    """A downlink that waits for a gateway."""

    id: str
    frame: _Frame
    message: DeviceMessage


class MemoryNetworkServer:
    """Plug-in with the behaviour of a network server: queues per device, outages, lost answers.

    Args:
        plugin_id: Under which it stands in messages.

    Attributes:
        queues: What waits, by meter number, oldest first.
        unregistered: Meters that it does not know.
        is_down: While True every call fails.
        sent: All messages that were taken, oldest first.
    """

    supported_commands: frozenset[CommandType] = _ENQUEUEABLE

    def __init__(self, plugin_id: str = "memory-push") -> None:
        self.plugin_id = plugin_id
        self.queues: defaultdict[str, deque[QueuedFrame]] = defaultdict(deque)
        self.unregistered: set[str] = set()
        self.is_down = False
        self.sent: list[DeviceMessage] = []
        self._failures: deque[FailureContext] = deque()
        self._answers_to_lose = 0

    def ready_queue(self, message: NewMessage) -> str:
        """Name the radio network."""
        node = "unassigned" if message.network_id is None else message.network_id
        return f"queue:{self.plugin_id}:network:{node}"

    async def send(self, message: DeviceMessage) -> str:
        """Queue a message, or fail as told."""
        frame = _frame(message)
        if frame is None:
            raise SendFailed(
                FailureContext(reason="Could not encode request data prior to sending to device", skip_retry=True)
            )
        if self.is_down:
            raise SendFailed(FailureContext(reason="The network server is down", error_code=14))
        if self._failures:
            raise SendFailed(self._failures.popleft())
        reference = message.device.external_reference
        if reference in self.unregistered:
            raise SendFailed(FailureContext(reason="Device not registered in Network Server", skip_retry=True))
        item_id = f"item-{len(self.sent) + 1}"
        self.queues[reference].append(QueuedFrame(id=item_id, frame=frame, message=message))
        self.sent.append(message)
        if self._answers_to_lose:
            self._answers_to_lose -= 1
            raise SendFailed(FailureContext(reason="The answer was lost", error_code=4))
        return item_id

    async def remote_status(self, message: DeviceMessage) -> DeliveryStatus:
        """Tell whether a message still waits."""
        self._ask()
        waiting = self.queues[message.device.external_reference]
        is_queued = any(item.id == message.delivery_queue_id for item in waiting)
        return message.delivery_status if is_queued else DeliveryStatus.DELIVERY_FAILED

    async def adopt(self, message: DeviceMessage) -> str | None:
        """Find the newest waiting item with the same frame."""
        self._ask()
        frame = _frame(message)
        waiting = self.queues[message.device.external_reference]
        return next((item.id for item in reversed(waiting) if item.frame == frame), None)

    def fail_next(self, failure: FailureContext) -> None:
        """Let one send fail without effect."""
        self._failures.append(failure)

    def lose_next_answer(self) -> None:
        """Let one send fail although the message was taken."""
        self._answers_to_lose += 1

    def transmit(self, reference: str) -> DeviceEvent:
        """Radiate the oldest item of a meter and return the event that says so.

        Raises:
            IndexError: Nothing waits.
        """
        item = self.queues[reference].popleft()
        return DeviceEvent(
            delivery_status=DeliveryStatus.SENT_TO_DEVICE,
            device=item.message.device,
            delivery_queue_id=item.id,
        )

    def _ask(self) -> None:
        if self.is_down:
            raise RemoteStatusUnknown("The network server is down")


def _frame(message: DeviceMessage) -> _Frame | None:
    """Stand for a message's bytes: equal for equal commands, None where there are none [DM-78, DM-79]."""
    request = message.request_data or RequestData()
    command = message.command_type
    if command in TOKEN_COMMANDS:
        return ("TOKEN", None, RequestData(token=request.token)) if request.token else None
    if command is CommandType.SET_DATE and not isinstance(request.payload, SetDate):
        return None
    if command is CommandType.SET_TIME and not isinstance(request.payload, SetTime):
        return None
    return command, message.phase, RequestData(payload=request.payload)
