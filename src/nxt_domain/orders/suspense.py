"""Money that came in and fits no order, and what becomes of it [PAY-79, PAY-80, PAY-92]."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import attrs

from nxt_domain.shared.errors import NotFound
from nxt_domain.shared.money import Currency
from nxt_domain.shared.outbox import OutboxTask
from nxt_domain.wallets.accounts import AccountClass, currency_of, gateway_account, kind_of, suspense_account
from nxt_domain.wallets.model import Entry, EntryType, Posting, StoredEntry

GATEWAY_REFUND = "GATEWAY_REFUND"
_REFUNDS_TAKE = timedelta(days=30)
"""A gateway takes 3 to 15 working days; after this a person has to look."""


class SuspenseAction(StrEnum):
    """The two ways out of suspense."""

    CREDIT = "credit"
    REFUND = "refund"


class ResolutionState(StrEnum):
    """How far a resolution is."""

    CREDITED = "CREDITED"
    """An order gives the money out; that order's status tells the rest."""
    REFUNDING = "REFUNDING"
    """The gateway has not been asked yet."""
    REFUND_ASKED = "REFUND_ASKED"
    """It was, or may have been, asked: its own record is looked at before anything is repeated."""
    REFUNDED = "REFUNDED"
    FAILED = "FAILED"
    """The gateway refuses; another way may be chosen."""


@attrs.frozen(kw_only=True)
class SuspendedMoney:
    """What a suspense entry holds.

    Attributes:
        merchant: Merchant account that received it.
        gateway_tx_id: The gateway's transaction.
        amount: Major units, > 0.
    """

    entry_id: int
    merchant: str
    gateway_tx_id: str
    amount: Decimal
    currency: Currency


@attrs.frozen(kw_only=True)
class Resolution:
    """What was decided about a suspense entry; there is one at a time.

    Attributes:
        order_id: The order that gives the money out, for ``CREDITED``.
        gateway_refund_id: The gateway's id of the refund, once it is known.
        last_error: Why the last attempt led nowhere.
    """

    entry_id: int
    action: SuspenseAction
    state: ResolutionState
    reason: str
    author_account_id: int
    order_id: int | None = None
    gateway_refund_id: str | None = None
    last_error: str | None = None


class RefundState(StrEnum):
    """What the gateway says of a refund."""

    DONE = "DONE"
    REFUSED = "REFUSED"
    UNDER_WAY = "UNDER_WAY"


@attrs.frozen(kw_only=True)
class Refund:
    """A refund as the gateway tells it; ``amount`` in major units."""

    id: str
    gateway_tx_id: str
    amount: Decimal
    state: RefundState
    status: str
    created_at: datetime | None = None


def suspended_money(entry: StoredEntry | None, entry_id: int) -> SuspendedMoney:
    """Read what a suspense entry holds.

    Raises:
        NotFound: There is no such entry, or it is one of another kind.
    """
    if entry is None or entry.entry_type is not EntryType.GATEWAY_SUSPENSE:
        raise NotFound(f"Could not find suspense entry with id {entry_id}", code="SUSPENSE_UNKNOWN")
    held = next(leg for leg in entry.postings if kind_of(leg.account).account_class is AccountClass.SUSPENSE)
    # ``gateway:<merchant>:<gateway tx id>:suspense``; a merchant's name may hold a colon itself [PAY-27].
    merchant, _, gateway_tx_id = entry.key.removeprefix("gateway:").removesuffix(":suspense").rpartition(":")
    return SuspendedMoney(
        entry_id=entry.id,
        merchant=merchant,
        gateway_tx_id=gateway_tx_id,
        amount=held.amount,
        currency=currency_of(held.account),
    )


def refund_entry(money: SuspendedMoney, *, author_account_id: int, memo: str) -> Entry:
    """Book that the gateway gave suspended money back to the payer."""
    return Entry(
        key=f"suspense:{money.entry_id}:refund",
        entry_type=EntryType.SUSPENSE_RESOLUTION,
        author_account_id=author_account_id,
        memo=memo,
        postings=(
            Posting(gateway_account(money.merchant, money.currency), money.amount),
            Posting(suspense_account(money.merchant, money.currency), -money.amount),
        ),
    )


def refund_task(money: SuspendedMoney, attempt: int) -> OutboxTask:
    """Make the task that asks the gateway.

    Args:
        money: What is given back.
        attempt: Which decision this is; an entry whose refund was refused may be decided anew.
    """
    return OutboxTask(
        kind=GATEWAY_REFUND,
        dedupe_key=f"suspense:{money.entry_id}:refund:{attempt}",
        payload={"entry_id": money.entry_id},
        give_up_after=_REFUNDS_TAKE,
    )
