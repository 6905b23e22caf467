"""What became of a command, told from its rows alone: message, interaction, order [DM-12]."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

import attrs

from nxt_domain.messaging.journal import MessageRecord, MessageState
from nxt_domain.messaging.model import FailureRecord
from nxt_domain.meters.model import Interaction
from nxt_domain.orders.explanation import Step
from nxt_domain.orders.model import Order
from nxt_domain.shared.money import plain


@attrs.frozen(kw_only=True)
class ServedInteraction:
    """The interaction that asked for a message; its token stays out of what is told."""

    id: int
    type: str
    status: str
    resolution: str | None
    verification_state: str | None
    origin: str
    created_at: datetime
    updated_at: datetime
    meter_id: int
    energy_kwh: Decimal | None
    has_token: bool
    attempts: int
    expires_at: datetime | None

    @classmethod
    def of(cls, interaction: Interaction) -> ServedInteraction:
        """Take what may be told."""
        return cls(
            id=interaction.id,
            type=interaction.type.value,
            status=interaction.status.value,
            resolution=interaction.resolution,
            verification_state=interaction.verification_state,
            origin=interaction.origin.value,
            created_at=interaction.created_at,
            updated_at=interaction.updated_at,
            meter_id=interaction.meter_id,
            energy_kwh=interaction.energy_kwh,
            has_token=interaction.token is not None,
            attempts=interaction.attempts,
            expires_at=interaction.expires_at,
        )


@attrs.frozen(kw_only=True)
class ServedOrder:
    """The order that paid for it."""

    id: int
    status: str
    amount: Decimal
    currency: str
    reversed_at: datetime | None

    @classmethod
    def of(cls, order: Order) -> ServedOrder:
        """Take what is told."""
        return cls(
            id=order.id,
            status=order.status.value,
            amount=order.amount,
            currency=order.currency.value,
            reversed_at=order.reversed_at,
        )


@attrs.frozen(kw_only=True)
class MessageStory:
    """All messages of one correlation id, oldest first, and what they serve; None: nothing that is known here."""

    messages: Sequence[MessageRecord]
    interaction: ServedInteraction | None = None
    order: ServedOrder | None = None


def tell(story: MessageStory) -> Iterator[str]:
    """Say whose command it is."""
    first = story.messages[0]
    yield f"{first.command_type} for meter {first.meter or '(unreadable)'}, by {first.plugin_id}"
    interaction, order = story.interaction, story.order
    if interaction is None:
        yield f"asked for by {first.correlation_id or 'nobody'}, which is no interaction here"
    else:
        ended = f" ({interaction.resolution})" if interaction.resolution else ""
        yield f"interaction {interaction.id} of origin {interaction.origin} is {interaction.status}{ended}"
        if interaction.verification_state is not None:
            yield f"its outcome was unclear; the look into the meter's credit: {interaction.verification_state}"
    if order is not None:
        reversed_at = "" if order.reversed_at is None else f", reversed at {order.reversed_at:%Y-%m-%d %H:%M:%S}"
        yield f"order {order.id} over {plain(order.amount)} {order.currency} is {order.status}{reversed_at}"


def explain_messages(story: MessageStory) -> Sequence[Step]:
    """Tell a command's way, in the order of its moments: stages with times, attempts with reasons."""
    steps = [step for message in story.messages for step in _way_of(message)]
    if story.interaction is not None:
        made = f"interaction {story.interaction.id} made: {story.interaction.type}"
        steps.append(Step(story.interaction.created_at, made))
    return sorted(steps, key=lambda step: (step.at is None, step.at or story.messages[0].enqueued_at))


def _way_of(message: MessageRecord) -> Iterator[Step]:
    name = message.id + (f" phase {message.phase}" if message.phase else "")
    attempt = 0
    for passage in message.passages:
        if passage.status is MessageState.SENT_TO_NS:
            attempt += 1
        yield Step(passage.at, f"{name}: {_entry(message, passage.status, attempt)}")
    for failure in message.failures:
        yield Step(failure.timestamp, f"{name}: {_failure(failure)}")
    known = [remote_id for remote_id in (*message.past_delivery_queue_ids, message.delivery_queue_id) if remote_id]
    if known:
        yield Step(None, f"{name}: known there as {', '.join(known)}")
    yield from _now(message, name)


_ENTRIES = {
    MessageState.QUEUED: "queued again",
    MessageState.DELIVERED_TO_NS: "accepted by the network server or vendor",
    MessageState.SENT_TO_DEVICE: "radiated by a gateway",
    MessageState.TO_RETRY: "the attempt failed; another follows",
    MessageState.DELIVERY_FAILED: "given up",
    MessageState.CANCELLED: "taken back before it was handed over",
}


def _entry(message: MessageRecord, status: MessageState, attempt: int) -> str:
    if status is MessageState.QUEUED and attempt == 0:
        return f"queued in {message.ready_queue} with priority {message.priority:g}"
    if status is MessageState.SENT_TO_NS:
        return f"attempt {attempt}: being handed over"
    if status is MessageState.DELIVERY_SUCCESSFUL:
        return f"answered: {message.execution or 'without a result'}"
    return _ENTRIES[status]


def _failure(failure: FailureRecord) -> str:
    code = "" if failure.error_code is None else f" [{failure.error_code}]"
    details = "" if failure.details is None else f" ({failure.details})"
    last = ", for good" if failure.is_final else ""
    return f"failed while {failure.status}{last}: {failure.reason}{code}{details}"


def _now(message: MessageRecord, name: str) -> Iterator[Step]:
    if message.state is MessageState.UNREADABLE:
        yield Step(None, f"{name}: its row can't be read, so it has left its queue")
        return
    if not message.state.is_live:
        return
    due = "" if message.due_at is None else f"; the engine looks at it at {message.due_at:%Y-%m-%d %H:%M:%S}"
    if message.lease_owner is not None and message.lease_until is not None:
        due += f"; held by {message.lease_owner} until {message.lease_until:%H:%M:%S}"
    end = "" if message.expires_at is None else f"; given up at {message.expires_at:%Y-%m-%d %H:%M:%S}"
    yield Step(None, f"{name}: is {message.state} after {message.retry_count} failed attempts{due}{end}")
