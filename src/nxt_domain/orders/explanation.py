"""How each figure of an order came to be, told from its rows alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import attrs

from nxt_domain.orders.model import NO_TARIFF, Order
from nxt_domain.orders.states import OrderStatus
from nxt_domain.shared.money import plain, quotient


@attrs.frozen(kw_only=True)
class BookedPosting:
    """One leg of an entry; balances are None where the account keeps none."""

    account: str
    amount: Decimal
    balance_before: Decimal | None
    balance_after: Decimal | None


@attrs.frozen(kw_only=True)
class BookedEntry:
    """An entry that concerns the order."""

    id: int
    at: datetime
    key: str
    entry_type: str
    memo: str | None
    postings: Sequence[BookedPosting]


@attrs.frozen(kw_only=True)
class ChargeFacts:
    """The gateway's side.

    Attributes:
        amount: What was asked.
        charged_amount: What the payer was charged.
        app_fee: The gateway's fee.
    """

    merchant: str
    tx_ref: str
    gateway_tx_id: str | None
    status: str | None
    amount: Decimal
    charged_amount: Decimal | None
    app_fee: Decimal | None
    verify_attempts: int
    last_verified_at: datetime | None
    last_error: str | None


@attrs.frozen(kw_only=True)
class EventFacts:
    """A webhook that spoke of the order."""

    at: datetime
    status: str | None
    gateway_tx_id: str | None
    result: str | None


@attrs.frozen(kw_only=True)
class CommandFacts:
    """The top-up command; its token stays out of what is told."""

    id: int
    at: datetime
    status: str
    resolution: str | None
    energy_kwh: Decimal | None
    token_issued_at: datetime | None
    first_transmitted_at: datetime | None
    ended_at: datetime


@attrs.frozen(kw_only=True)
class NoticeFacts:
    """A text message about the order."""

    at: datetime
    notification_type: str
    status: str


@attrs.frozen(kw_only=True)
class OrderStory:
    """Everything that is stored about an order."""

    order: Order
    sender: str
    receiver: str
    author: str | None
    charge: ChargeFacts | None = None
    events: Sequence[EventFacts] = ()
    entries: Sequence[BookedEntry] = ()
    command: CommandFacts | None = None
    notices: Sequence[NoticeFacts] = ()


class OrderStories(Protocol):
    """Reads stories."""

    async def of(self, order_id: int) -> OrderStory | None:
        """Read what is stored about an order; None: there is no such order.

        Raises:
            Unavailable: The store can't be reached.
        """


@attrs.frozen
class Step:
    """One thing that happened, or one figure and where it comes from.

    Attributes:
        at: When; None: it has no moment of its own.
    """

    at: datetime | None
    text: str


def explain(story: OrderStory) -> Sequence[Step]:
    """Tell an order's story, in the order of its moments; figures stand beside the step that made them."""
    steps = [step for part in _PARTS for step in part(story)]
    return sorted(steps, key=lambda step: (step.at is None, step.at or story.order.created_at))


def _made(story: OrderStory) -> Iterator[Step]:
    order = story.order
    by = f" by {story.author}" if story.author else ""
    amount = _money(story, order.amount)
    yield Step(order.created_at, f"order made{by}: {amount} from {story.sender} to {story.receiver}")


def _asked(story: OrderStory) -> Iterator[Step]:
    for event in story.events:
        word = f"webhook: transaction {event.gateway_tx_id} is {event.status}"
        yield Step(event.at, f"{word}; {event.result or 'not processed yet'}")
    charge = story.charge
    if charge is not None and charge.last_verified_at is not None:
        yield Step(charge.last_verified_at, _verification(story, charge))
        if charge.charged_amount is not None:
            fee = _money(story, charge.app_fee or Decimal(0))
            text = f"the payer was charged {_money(story, charge.charged_amount)}, {fee} of it the gateway's fee"
            yield Step(charge.last_verified_at, text)


def _verification(story: OrderStory, charge: ChargeFacts) -> str:
    times = f"asked {charge.verify_attempts} times, last now"
    if charge.last_error is not None:
        return f"the gateway was {times}: no answer ({charge.last_error})"
    said = f"{charge.tx_ref} is {charge.status or 'unknown'}, {_money(story, charge.amount)} was asked for"
    return f"the gateway ({charge.merchant}) was {times}: {said}"


def _booked(story: OrderStory) -> Iterator[Step]:
    for entry in story.entries:
        why = f" ({entry.memo})" if entry.memo else ""
        yield Step(entry.at, f"entry {entry.id} {entry.key}, {entry.entry_type}{why}")
        for posting in entry.postings:
            yield Step(entry.at, f"  {_signed(posting.amount)} on {posting.account}{_running(posting)}")


def _running(posting: BookedPosting) -> str:
    if posting.balance_before is None or posting.balance_after is None:
        return ", which keeps no running balance"
    return f": {plain(posting.balance_before)} became {plain(posting.balance_after)}"


def _decided(story: OrderStory) -> Iterator[Step]:
    order = story.order
    if order.status is OrderStatus.COMPLETED:
        yield Step(order.settled_at, "settled")
    else:
        why = f": {order.failure_code}, {order.failure_message}" if order.failure_code else ""
        yield Step(order.status_since, f"is {order.status}{why}")
    if order.reversed_at is not None:
        yield Step(order.reversed_at, "reversed; its status stays COMPLETED")


def _energy(story: OrderStory) -> Iterator[Step]:
    order, command = story.order, story.command
    if order.tariff != NO_TARIFF and order.settled_at is not None:
        exact = quotient(order.amount, order.tariff)
        shown = plain(exact.quantize(Decimal("0.0001")))
        sold = f"; rounded up to a tenth: {plain(command.energy_kwh)} kWh" if command and command.energy_kwh else ""
        price = f"{plain(order.tariff)} {order.currency}/kWh ({order.tariff_type})"
        yield Step(order.settled_at, f"{_money(story, order.amount)} / {price} = {shown} kWh{sold}")
    if command is None:
        return
    yield Step(command.at, f"top-up command {command.id} made")
    if command.token_issued_at is not None:
        yield Step(command.token_issued_at, f"its token carries the minute {command.token_issued_at:%Y-%m-%d %H:%M}")
    if command.first_transmitted_at is not None:
        yield Step(command.first_transmitted_at, "first sent over the air")
    why = f" ({command.resolution})" if command.resolution else ""
    yield Step(command.ended_at, f"top-up command {command.id} is {command.status}{why}")


def _told(story: OrderStory) -> Iterator[Step]:
    for notice in story.notices:
        yield Step(notice.at, f"text message {notice.notification_type}: {notice.status}")


_PARTS = (_made, _asked, _booked, _decided, _energy, _told)


def _money(story: OrderStory, amount: Decimal) -> str:
    return f"{plain(amount)} {story.order.currency}"


def _signed(amount: Decimal) -> str:
    return f"{'+' if amount > 0 else ''}{plain(amount)}"
