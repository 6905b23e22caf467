"""Commands that were enqueued with their cause are brought to stand-alone device messaging [DM-2, R56]."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from nxt_domain.messaging.remote import MessagingService, PostedCommand
from nxt_domain.meters.model import Interaction
from nxt_domain.meters.news import Operation, socket_event
from nxt_domain.meters.ports import MetersTransaction
from nxt_domain.meters.use_cases.hand_over import end_refused
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import DomainError, InvalidInput, Unprocessable
from nxt_domain.shared.json import Json, JsonObject
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_domain.shared.wakeups import Channel, WakeUps


class PostMessages:
    """Posts commands, any number of times: the service knows each by its key.

    A command whose interaction has ended meanwhile is not posted. One that the service refuses ends its interaction,
    as it would have in the embedded mode.

    Args:
        begin: Opens a transaction.
        service: The other process.
        clock: Tells the time.
        wakeups: Wakes those who publish.
    """

    def __init__(
        self,
        *,
        begin: UnitOfWorkFactory[MetersTransaction],
        service: MessagingService,
        clock: Clock,
        wakeups: WakeUps,
    ) -> None:
        self._begin = begin
        self._service = service
        self._clock = clock
        self._wakeups = wakeups

    async def __call__(self, commands: Sequence[PostedCommand]) -> None:
        """Post commands, at the same time.

        Raises:
            Unavailable: At least one was not stored for certain; all may be posted again.
        """
        interactions = await self._interactions(commands)
        results = await asyncio.gather(*(self._post(command, interactions) for command in commands))
        refused = {number: why for number, why in results if why is not None}
        if refused:
            await self._end(refused)

    async def _interactions(self, commands: Sequence[PostedCommand]) -> Mapping[int, Interaction]:
        async with self._begin() as tx:
            return await tx.interactions.read({_number(command) for command in commands})

    async def _post(
        self, command: PostedCommand, interactions: Mapping[int, Interaction]
    ) -> tuple[int, DomainError | None]:
        number = _number(command)
        interaction = interactions.get(number)
        if interaction is None or interaction.status.is_final:
            return number, None
        try:
            await self._service.enqueue(_with_token(command, interaction), request_key=command.request_key)
        except (InvalidInput, Unprocessable) as refusal:
            return number, refusal
        return number, None

    async def _end(self, refused: Mapping[int, DomainError]) -> None:
        now = self._clock.now()
        async with self._begin() as tx:
            meter_of = await tx.interactions.meters_of(_keys(refused))
            meters = await tx.meters.lock(set(meter_of.values()))
            locked = await tx.interactions.lock(_keys(refused))
            waiting = [one for _, one in sorted(locked.items()) if not one.status.is_final]
            ended = await end_refused(tx, [(one, refused[one.id]) for one in waiting], now)
            known = [failed for failed in ended if failed.meter_id in meters]
            news = (socket_event(Operation.UPDATE, failed, meters[failed.meter_id]) for failed in known)
            await tx.outbox.add([task for task in news if task is not None])
            await tx.commit()
        self._wakeups.hint(Channel.OUTBOX)


def _keys(refused: Mapping[int, DomainError]) -> Collection[int]:
    return list(refused)


def _number(command: PostedCommand) -> int:
    text = command.correlation_id
    if not (text.isascii() and text.isdecimal()):
        raise InvalidInput(f"{command.request_key} belongs to no interaction", code="TASK_MALFORMED")
    return int(text)


def _with_token(command: PostedCommand, interaction: Interaction) -> JsonObject:
    """Put the token in, which no task holds [R49]."""
    if not command.needs_token:
        return command.message
    if interaction.token is None:
        raise Unprocessable(f"Interaction {interaction.id} has no token", code="TOKEN_MISSING")
    request = command.message.get("requestData")
    carried: dict[str, Json] = dict(request) if isinstance(request, Mapping) else {}
    return {**command.message, "requestData": {**carried, "token": interaction.token}}
