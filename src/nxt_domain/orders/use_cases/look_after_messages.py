"""What operators do with device messages: look, take back, try again [DM-65, MET-95, MET-97]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import attrs

from nxt_domain.messaging.journal import (
    MessageFilter,
    MessageJournal,
    MessagePage,
    MessageRecord,
    MessageWindow,
)
from nxt_domain.messaging.model import CancelResult
from nxt_domain.meters.gatekeeper import Circumstances, judge
from nxt_domain.meters.model import Interaction, InteractionStatus, InteractionType, Meter, Origin
from nxt_domain.meters.news import Operation, socket_event
from nxt_domain.meters.ports import MetersTransaction
from nxt_domain.meters.retries import rivals_of, tried_again, why_not_again
from nxt_domain.meters.use_cases.hand_over import hand_over
from nxt_domain.meters.use_cases.judge_top_ups import judge_top_ups
from nxt_domain.meters.use_cases.top_ups import credit_fences, is_fenced
from nxt_domain.meters.withdrawals import is_withdrawn, withdrawn
from nxt_domain.orders.message_story import MessageStory, ServedInteraction, ServedOrder
from nxt_domain.orders.ports import OrdersTransaction
from nxt_domain.shared.audit import Act, Actor, AuditedTransaction, Subjects
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Conflict, InvalidInput, NotFound
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory

MOST_AT_ONCE = 200
_LONGEST_INTERACTION_ID = 18


class MessagesTransaction(OrdersTransaction, MetersTransaction, AuditedTransaction, Protocol):
    """One transaction over messages and what they serve."""

    @property
    def message_journal(self) -> MessageJournal:
        """Device messages, as people look at them."""


class RetryRefused(Conflict):
    """The rules do not allow to send this command again."""

    default_code = "RETRY_REFUSED"


class RetryOutcome(StrEnum):
    """What became of a command that was to be tried again."""

    REQUEUED = "REQUEUED"
    SUSPENDED = "SUSPENDED"
    ABORTED = "ABORTED"
    FAILED = "FAILED"


@attrs.frozen(kw_only=True)
class Cancellation:
    """What became of the wish to take a command back.

    Attributes:
        id: As it was asked.
        why: One sentence; None: there is nothing to add.
    """

    id: str
    result: CancelResult
    why: str | None = None


@attrs.frozen(kw_only=True)
class Retry:
    """A command after it was tried again."""

    interaction_id: int
    outcome: RetryOutcome
    why: str | None = None


class ReadMessages:
    """Lists messages and tells their stories; changes nothing.

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, begin: UnitOfWorkFactory[MessagesTransaction]) -> None:
        self._begin = begin

    async def page(self, wanted: MessageFilter, window: MessageWindow) -> MessagePage:
        """List messages, live and archived, youngest first."""
        async with self._begin() as tx:
            return await tx.message_journal.page(wanted, window)

    async def story(self, message_id: str) -> MessageStory:
        """Tell what is known of a command.

        Args:
            message_id: Id of one of its messages, or what they were asked for under: the interaction's id.

        Raises:
            NotFound: No message has this id, or has kept it.
        """
        async with self._begin() as tx:
            records = await _all_of(tx, message_id)
            interaction = await _interaction_of(tx, records)
            order = None
            if interaction is not None and interaction.order_id is not None:
                order = await tx.orders.find(order_id=interaction.order_id)
        return MessageStory(
            messages=records,
            interaction=None if interaction is None else ServedInteraction.of(interaction),
            order=None if order is None else ServedOrder.of(order),
        )


class CancelMessages:
    """Takes commands back that were not handed over yet; their interactions end as ``CANCELLED``.

    Args:
        begin: Opens a transaction.
        clock: Tells the time.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[MessagesTransaction], clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self, actor: Actor, ids: Sequence[str]) -> Sequence[Cancellation]:
        """Take back all messages of some correlation ids, in one transaction.

        Args:
            actor: Who does it.
            ids: Of messages or interactions; at most 200.

        Raises:
            InvalidInput: There are too many.
        """
        if len(ids) > MOST_AT_ONCE:
            raise InvalidInput(f"At most {MOST_AT_ONCE} commands at once")
        now = self._clock.now()
        async with self._begin() as tx:
            known = await tx.message_journal.find(ids)
            asked_for = {record.id: record.correlation_id for record in known}
            correlation_ids = {named for one in ids if (named := asked_for.get(one, one)) is not None}
            served = {one: number for one in correlation_ids if (number := _interaction_id(one)) is not None}
            meters = await tx.meters.lock(set((await tx.interactions.meters_of(list(served.values()))).values()))
            locked = await tx.interactions.lock(list(served.values()))
            results = await tx.messages.cancel(sorted(correlation_ids))
            ended = _withdrawn(served, locked, results, now)
            await self._store(tx, actor, ended, meters, now)
            await tx.commit()
        return [_cancellation(one, known, results, {each.id: each for each in ended}) for one in ids]

    async def _store(
        self,
        tx: MessagesTransaction,
        actor: Actor,
        ended: Sequence[Interaction],
        meters: Mapping[int, Meter],
        now: datetime,
    ) -> None:
        await tx.interactions.save(ended)
        verdicts = await judge_top_ups(tx, [i for i in ended if i.origin is Origin.VERIFICATION], meters, now)
        await _tell(tx, (*ended, *verdicts), meters)
        await tx.audit.record(*(_act(actor, "cancel", each, meters.get(each.meter_id)) for each in ended))


class RetryMessage:
    """Sends a failed command again, with the token that it has.

    Args:
        begin: Opens a transaction, whose queue knows the plug-ins.
        clock: Tells the time.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[MessagesTransaction], clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self, actor: Actor, message_id: str) -> Retry:
        """Try a command again, if the rules allow it.

        Args:
            actor: Who does it.
            message_id: Id of one of its messages, or of its interaction.

        Raises:
            NotFound: There is no such message.
            RetryRefused: It must not be sent again; the text says why.
        """
        now = self._clock.now()
        async with self._begin() as tx:
            records = await _all_of(tx, message_id)
            known = await _interaction_of(tx, records)
            if known is None:
                raise RetryRefused("No interaction asked for it, and the archive keeps no tokens")
            meter = (await tx.meters.lock([known.meter_id])).get(known.meter_id)
            interaction = (await tx.interactions.lock([known.id]))[known.id]
            if meter is None:
                raise RetryRefused("Its meter is gone")
            await self._refuse(tx, interaction, meter, now)
            after = await self._retry(tx, interaction, meter, now)
            await tx.audit.record(_act(actor, "retry", after, meter))
            await tx.commit()
        return _retried(after)

    async def _refuse(self, tx: MessagesTransaction, interaction: Interaction, meter: Meter, now: datetime) -> None:
        live = await tx.messages.get(str(interaction.id))
        if live is not None:
            raise RetryRefused(f"Message {live.id} is {live.delivery_status} and goes on by itself")
        # The lock of the interaction holds up whoever reverses the order: what is read here stays true.
        order = None if interaction.order_id is None else await tx.orders.find(order_id=interaction.order_id)
        if order is not None and order.reversed_at is not None:
            raise RetryRefused(
                f"Order {order.id} was reversed at {order.reversed_at:%Y-%m-%d %H:%M:%S}: it is not paid"
            )
        rivals = rivals_of(interaction)
        why_not = why_not_again(
            interaction,
            now=now,
            is_fenced=is_fenced(interaction, await credit_fences(tx, [meter.id])),
            later=await tx.interactions.later(interaction, rivals) if rivals else (),
        )
        if why_not is not None:
            raise RetryRefused(f"{interaction.type} {interaction.id} can't be sent again: {why_not}")

    async def _retry(
        self, tx: MessagesTransaction, interaction: Interaction, meter: Meter, now: datetime
    ) -> Interaction:
        twins = {} if meter.grid_id is None else await tx.grids.twins({meter.grid_id})
        why = Circumstances(is_retry=True, from_commissioning=interaction.meter_commissioning_id is not None)
        verdict = judge(interaction.type, meter, twins.get(meter.grid_id or 0), now, circumstances=why)
        after = tried_again(interaction, verdict, now)
        await tx.interactions.save([after])
        if after.status is InteractionStatus.QUEUED:
            refused = await hand_over(tx, [(after, meter)], now)
            after = refused[0] if refused else after
        await _tell(tx, [after], {meter.id: meter})
        return after


async def _all_of(tx: MessagesTransaction, message_id: str) -> Sequence[MessageRecord]:
    """Find a message with all that were asked for together with it, oldest first."""
    found = await tx.message_journal.find([message_id])
    if not found:
        text = (
            f"There is no message {message_id}, neither live nor in the archive, nor one for an interaction of that id"
        )
        raise NotFound(text, code="MESSAGE_UNKNOWN")
    correlation_id = found[0].correlation_id
    return found if correlation_id is None else await tx.message_journal.find([correlation_id])


async def _interaction_of(tx: MessagesTransaction, records: Sequence[MessageRecord]) -> Interaction | None:
    number = _interaction_id(records[0].correlation_id)
    return None if number is None else (await tx.interactions.read([number])).get(number)


def _interaction_id(correlation_id: str | None) -> int | None:
    if correlation_id is None or len(correlation_id) > _LONGEST_INTERACTION_ID:
        return None
    return int(correlation_id) if correlation_id.isascii() and correlation_id.isdecimal() else None


def _withdrawn(
    served: Mapping[str, int],
    locked: Mapping[int, Interaction],
    results: Mapping[str, CancelResult],
    now: datetime,
) -> Sequence[Interaction]:
    return [
        withdrawn(interaction, now, reason="An operator took it back", code="CANCELLED")
        for one, number in sorted(served.items(), key=lambda item: item[1])
        if results.get(one) is CancelResult.CANCELLED
        and (interaction := locked.get(number)) is not None
        and is_withdrawn(interaction, CancelResult.CANCELLED)
    ]


def _cancellation(
    one: str,
    known: Sequence[MessageRecord],
    results: Mapping[str, CancelResult],
    ended: Mapping[int, Interaction],
) -> Cancellation:
    own = [record for record in known if one in {record.id, record.correlation_id}]
    correlation_id = own[-1].correlation_id if own else one
    if correlation_id is None:
        return Cancellation(id=one, result=CancelResult.NOT_CANCELLABLE, why="it has no correlation id")
    result = results[correlation_id]
    return Cancellation(id=one, result=result, why=_why(result, own, ended.get(_interaction_id(correlation_id) or 0)))


def _why(result: CancelResult, own: Sequence[MessageRecord], ended: Interaction | None) -> str | None:
    if result is CancelResult.NOT_CANCELLABLE:
        return "it was handed over, or is being handed over"
    if result is CancelResult.NOT_FOUND:
        return None if not own else f"its message {own[-1].id} has ended: {own[-1].state}"
    if ended is not None and ended.type is InteractionType.TOP_UP and ended.order_id is not None:
        return f"order {ended.order_id} is paid, its energy not delivered: reverse it, or let its token be keyed in"
    return None


def _retried(after: Interaction) -> Retry:
    outcome = {
        InteractionStatus.QUEUED: RetryOutcome.REQUEUED,
        InteractionStatus.SUSPENDED: RetryOutcome.SUSPENDED,
        InteractionStatus.FAILED: RetryOutcome.FAILED,
    }.get(after.status, RetryOutcome.ABORTED)
    newest = after.delivery_failures[0]
    return Retry(
        interaction_id=after.id, outcome=outcome, why=None if outcome is RetryOutcome.REQUEUED else newest.reason
    )


async def _tell(tx: MetersTransaction, changed: Sequence[Interaction], meters: Mapping[int, Meter]) -> None:
    told = [interaction for interaction in changed if interaction.meter_id in meters]
    news = (socket_event(Operation.UPDATE, interaction, meters[interaction.meter_id]) for interaction in told)
    await tx.outbox.add([task for task in news if task is not None])


def _act(actor: Actor, verb: str, interaction: Interaction, meter: Meter | None) -> Act:
    return Act(
        actor=actor,
        action=f"meter_interaction.{verb}",
        entity_type="meter_interaction",
        entity_id=interaction.id,
        about=Subjects(
            organization_id=None if meter is None else meter.organization_id,
            grid_id=None if meter is None else meter.grid_id,
            meter_id=interaction.meter_id,
        ),
        after={"type": interaction.type.value, "status": interaction.status.value, "order_id": interaction.order_id},
    )
