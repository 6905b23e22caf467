"""The adopter's side of a queue that lives in another database: tasks of the outbox, and calls [DM-2, R56]."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

import attrs

from nxt_domain.messaging.events import message_stream
from nxt_domain.messaging.messages_wire import new_message_from_json, new_message_to_json
from nxt_domain.messaging.model import CancelResult, DeviceMessage, NewMessage
from nxt_domain.messaging.routing import newborn
from nxt_domain.messaging.tuning import DeliveryPolicy
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.ids import ulid_time
from nxt_domain.shared.json import JsonObject
from nxt_domain.shared.outbox import Outbox, OutboxTask

DEVICE_MESSAGE = "DEVICE_MESSAGE"
"""Kind of the outbox task that brings a command to the service; it is never given up."""

_ASK_AT_ONCE = 10


class MessagingService(Protocol):
    """Stand-alone device messaging, as an adopter calls it."""

    async def enqueue(self, message: JsonObject, *, request_key: str) -> None:
        """Have a command stored; with the same key it is stored once, however often it is sent.

        Raises:
            InvalidInput: It will never take it; the text says why.
            Unavailable: Nobody knows whether it was stored; send it again.
        """

    async def find(self, correlation_id: str) -> DeviceMessage | None:
        """Find the newest live message of a correlation id.

        Raises:
            Unavailable: The service can't be reached.
        """

    async def cancel(self, correlation_ids: Sequence[str]) -> Mapping[str, CancelResult]:
        """Take back what was not handed over.

        Raises:
            Unavailable: The service can't be reached; nobody knows what was taken back.
        """


@attrs.frozen(kw_only=True)
class WaitingCommand:
    """A command that is on its way to the service.

    Attributes:
        key: The task's.
        message: The body without its token, as ``command_of`` wrote it.
        is_held: Whether it is being posted just now.
    """

    key: str
    correlation_id: str
    message: JsonObject
    is_held: bool


class WaitingCommands(Protocol):
    """Tasks of this kind, inside the adopter's transaction."""

    async def lock(self, correlation_ids: Sequence[str]) -> Sequence[WaitingCommand]:
        """Find commands that are not posted yet, and lock their rows."""

    async def withdraw(self, keys: Sequence[str]) -> None:
        """Drop tasks that were locked."""

    async def with_open_tasks(self, correlation_ids: Sequence[str]) -> Collection[str]:
        """Tell for which there is a command to post, or an event to take up."""


@attrs.frozen(kw_only=True)
class PostedCommand:
    """A task's content, as its handler reads it.

    Attributes:
        request_key: Names the request at the service.
        message: The body, without its token.
        needs_token: Whether the token has to be put in [R49].
    """

    request_key: str
    correlation_id: str
    message: JsonObject
    needs_token: bool


def command_task(message: NewMessage, key: str) -> OutboxTask:
    """Wrap a command for the outbox; its token stays where it is [R49]."""
    request = message.request_data
    return OutboxTask(
        kind=DEVICE_MESSAGE,
        dedupe_key=f"device-message:{key}",
        stream_key=message_stream(message.correlation_id or key),
        payload={
            "message": new_message_to_json(message, with_token=False),
            "needsToken": request is not None and request.token is not None,
        },
    )


def posted_command(dedupe_key: str, payload: Mapping[str, object]) -> PostedCommand:
    """Read a task.

    Raises:
        InvalidInput: It was written by somebody else.
    """
    message = payload.get("message")
    correlation_id = message.get("correlationId") if isinstance(message, Mapping) else None
    if not isinstance(message, Mapping) or not isinstance(correlation_id, str):
        raise InvalidInput(f"Task {dedupe_key} holds no command", code="TASK_MALFORMED")
    return PostedCommand(
        request_key=dedupe_key,
        correlation_id=correlation_id,
        message=message,
        needs_token=payload.get("needsToken") is True,
    )


class RemoteDeviceMessages:
    """``DeviceMessages`` over the service; see there.

    Enqueueing is a row of the caller's transaction. Looking up and cancelling are calls, made while it is open: what
    was cancelled stays so even if the transaction is not committed, and the sweep hands it over again [MET-80].

    Args:
        outbox: Of the caller's transaction.
        waiting: What is not posted yet, in the caller's transaction.
        service: The other process.
        new_id: Mints keys.
    """

    def __init__(
        self, *, outbox: Outbox, waiting: WaitingCommands, service: MessagingService, new_id: Callable[[], str]
    ) -> None:
        self._outbox = outbox
        self._waiting = waiting
        self._service = service
        self._new_id = new_id

    async def enqueue(self, messages: Sequence[NewMessage]) -> Sequence[str]:
        """See ``DeviceMessages.enqueue``; what the service refuses shows when it is posted."""
        keys = [self._new_id() for _ in messages]
        await self._outbox.add([command_task(*pair) for pair in zip(messages, keys, strict=True)])
        return keys

    async def cancel(self, correlation_ids: Sequence[str]) -> Mapping[str, CancelResult]:
        """See ``DeviceMessages.cancel``."""
        if not correlation_ids:
            return {}
        waiting = await self._waiting.lock(correlation_ids)
        await self._waiting.withdraw([command.key for command in waiting if not command.is_held])
        held = {command.correlation_id for command in waiting if command.is_held}
        taken = {command.correlation_id for command in waiting if not command.is_held}
        # One whose answer was lost may be there although its task is still open: the service is asked in any case.
        there = await self._service.cancel(correlation_ids)
        return {one: _sum_up(there[one], is_held=one in held, is_taken=one in taken) for one in correlation_ids}

    async def get(self, correlation_id: str) -> DeviceMessage | None:
        """See ``DeviceMessages.get``."""
        waiting = await self._waiting.lock([correlation_id])
        return _as_queued(waiting[-1]) if waiting else await self._service.find(correlation_id)

    async def unsettled(self, correlation_ids: Sequence[str]) -> Collection[str]:
        """See ``DeviceMessages.unsettled``."""
        known = set(await self._waiting.with_open_tasks(correlation_ids))
        gate = asyncio.Semaphore(_ASK_AT_ONCE)

        async def is_live(correlation_id: str) -> bool:
            async with gate:
                return await self._service.find(correlation_id) is not None

        asked = [one for one in correlation_ids if one not in known]
        answers = await asyncio.gather(*(is_live(one) for one in asked))
        return known | {one for one, live in zip(asked, answers, strict=True) if live}


def _sum_up(there: CancelResult, *, is_held: bool, is_taken: bool) -> CancelResult:
    if is_held:
        return CancelResult.NOT_CANCELLABLE
    return CancelResult.CANCELLED if there is CancelResult.NOT_FOUND and is_taken else there


def _as_queued(command: WaitingCommand) -> DeviceMessage:
    """Show a command that is not posted yet as the message that it will be."""
    message_id = command.key.removeprefix("device-message:")
    return newborn(
        new_message_from_json(command.message),
        message_id=message_id,
        ready_queue="",
        now=ulid_time(message_id),
        max_age=DeliveryPolicy().max_age,
    )
