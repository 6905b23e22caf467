"""Commands on their way to stand-alone messaging, in memory; and that service itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.outbox import TaskState
from nxt_domain.messaging.events import message_stream
from nxt_domain.messaging.messages_wire import new_message_from_json
from nxt_domain.messaging.model import CancelResult, DeviceMessage
from nxt_domain.messaging.remote import DEVICE_MESSAGE, WaitingCommand
from nxt_domain.messaging.routing import newborn
from nxt_domain.messaging.tuning import DeliveryPolicy
from nxt_domain.shared.ids import UlidFactory
from nxt_domain.shared.json import JsonObject
from nxt_domain.shared.outbox import OutboxTask


class MemoryWaitingCommands:
    """Implements ``WaitingCommands``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._tasks: dict[str, OutboxTask] = database.table("outbox_tasks")
        self._states: dict[str, TaskState] = database.table("outbox_states")

    async def lock(self, correlation_ids: Sequence[str]) -> Sequence[WaitingCommand]:
        """See ``WaitingCommands.lock``."""
        of_stream = {message_stream(each): each for each in correlation_ids}
        return [
            WaitingCommand(
                key=key,
                correlation_id=of_stream[task.stream_key or ""],
                message=_message_of(task),
                is_held=self._is_held(key),
            )
            for key, task in self._tasks.items()
            if task.kind == DEVICE_MESSAGE and task.stream_key in of_stream and self._is_open(key)
        ]

    async def withdraw(self, keys: Sequence[str]) -> None:
        """See ``WaitingCommands.withdraw``."""
        for key in keys:
            if key in self._states:
                self._states[key] = attrs.evolve(self._states[key], dropped_at=self._database.clock.now())

    async def with_open_tasks(self, correlation_ids: Sequence[str]) -> Collection[str]:
        """See ``WaitingCommands.with_open_tasks``."""
        of_stream = {message_stream(each): each for each in correlation_ids}
        return {
            of_stream[task.stream_key or ""]
            for key, task in self._tasks.items()
            if task.stream_key in of_stream and self._is_open(key)
        }

    def _is_open(self, key: str) -> bool:
        return key not in self._states or self._states[key].is_open

    def _is_held(self, key: str) -> bool:
        lease = self._states[key].lease_until if key in self._states else None
        return lease is not None and lease > self._database.clock.now()


def _message_of(task: OutboxTask) -> JsonObject:
    message = task.payload["message"]
    if not isinstance(message, Mapping):
        raise TypeError("a task holds no command")
    return message


class MemoryMessagingService:
    """Implements ``MessagingService``; messages wait for ever, unless told otherwise.

    Attributes:
        bodies: What was enqueued, by request key.
        failure: Raised by every call, if set.
        refusal: Raised by ``enqueue``, if set.
        handed_over: Correlation ids that can't be taken back any more.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._new_id = UlidFactory(database.clock)
        self.bodies: dict[str, JsonObject] = {}
        self.live: dict[str, DeviceMessage] = {}
        self.failure: Exception | None = None
        self.refusal: Exception | None = None
        self.handed_over: set[str] = set()

    async def enqueue(self, message: JsonObject, *, request_key: str) -> None:
        """See ``MessagingService.enqueue``."""
        self._fail_if_told()
        if self.refusal is not None:
            raise self.refusal
        if request_key in self.bodies:
            return
        self.bodies[request_key] = message
        new = new_message_from_json(message)
        born = newborn(
            new,
            message_id=self._new_id(),
            ready_queue="",
            now=self._database.clock.now(),
            max_age=DeliveryPolicy().max_age,
        )
        self.live[new.correlation_id or born.id] = born

    async def find(self, correlation_id: str) -> DeviceMessage | None:
        """See ``MessagingService.find``."""
        self._fail_if_told()
        return self.live.get(correlation_id)

    async def cancel(self, correlation_ids: Sequence[str]) -> Mapping[str, CancelResult]:
        """See ``MessagingService.cancel``."""
        self._fail_if_told()
        return {one: self._cancel(one) for one in correlation_ids}

    def _cancel(self, correlation_id: str) -> CancelResult:
        if correlation_id in self.handed_over:
            return CancelResult.NOT_CANCELLABLE
        gone = self.live.pop(correlation_id, None)
        return CancelResult.NOT_FOUND if gone is None else CancelResult.CANCELLED

    def _fail_if_told(self) -> None:
        if self.failure is not None:
            raise self.failure
