"""Text messages about orders [PAY-120]. Each is sent once per order and addressee [R19]."""

from __future__ import annotations

from enum import StrEnum

import attrs

from nxt_domain.orders.model import Order
from nxt_domain.orders.states import FailureCode
from nxt_domain.shared.money import plain


class NoticeType(StrEnum):
    """Reason of a notification, in the database's words."""

    CREDIT_RECEIVED = "CREDIT_RECEIVED"
    METER_TOPPED_UP = "METER_TOPPED_UP"
    PAYMENT_REJECTED = "PAYMENT_REJECTED"


@attrs.frozen(kw_only=True)
class Contact:
    """Somebody who may be told.

    Attributes:
        account_id: Their account; None: a caller without one.
        phone: With country code, with or without leading plus; None: can't be told.
    """

    account_id: int | None
    phone: str | None


@attrs.frozen(kw_only=True)
class SmsNotice:
    """A text message waiting to be sent.

    Attributes:
        phone: With country code and leading plus [API-30].
        dedupe_key: A second notice with it is not stored.
    """

    type: NoticeType
    phone: str
    message: str
    account_id: int | None
    grid_id: int | None
    organization_id: int | None
    dedupe_key: str


def credit_received(order: Order, to: Contact) -> SmsNotice | None:
    """Tell the receiving agent, or the receiving meter's customer."""
    return _notice(order, to, NoticeType.CREDIT_RECEIVED, f"You received {_amount(order)}", "received")


def meter_topped_up(order: Order, to: Contact, meter_reference: str) -> SmsNotice | None:
    """Tell the agent who paid for a meter."""
    text = f"Sent {_amount(order)} to meter {meter_reference}"
    return _notice(order, to, NoticeType.METER_TOPPED_UP, text, "sent")


def not_sent(order: Order, to: Contact) -> SmsNotice | None:
    """Tell the agent whose order was refused at settlement."""
    is_poor = order.failure_code == FailureCode.INSUFFICIENT_BALANCE
    text = f"Could not send {_amount(order)}: {'balance too low' if is_poor else 'not possible now'}"
    return _notice(order, to, NoticeType.PAYMENT_REJECTED, text, "refused")


def bank_refused(order: Order, to: Contact) -> SmsNotice | None:
    """Tell the caller of a phone session that the bank refused [PAY-78]."""
    return _notice(order, to, NoticeType.PAYMENT_REJECTED, "Your bank rejected the payment", "bank-refused")


def ussd_code(order: Order, to: Contact, note: str) -> SmsNotice | None:
    """Tell the caller of a phone session what to dial [PAY-99]."""
    return _notice(order, to, NoticeType.CREDIT_RECEIVED, f"USSD code: {note}", "ussd-code")


def _notice(order: Order, to: Contact, kind: NoticeType, message: str, event: str) -> SmsNotice | None:
    if not to.phone:
        return None
    addressee = f"phone-{to.phone}" if to.account_id is None else str(to.account_id)
    return SmsNotice(
        type=kind,
        phone=to.phone if to.phone.startswith("+") else f"+{to.phone}",
        message=message,
        account_id=to.account_id,
        grid_id=order.historical_grid_id,
        organization_id=order.organization_id,
        dedupe_key=f"order:{order.id}:sms:{addressee}:{event}",
    )


def _amount(order: Order) -> str:
    return f"{order.currency} {plain(order.amount)}"
