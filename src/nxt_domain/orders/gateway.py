"""Payments at a gateway, in the domain's words (PAY 9)."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import attrs

from nxt_domain.orders.model import Order, PaymentMethod
from nxt_domain.orders.states import FailureCode, OrderStatus
from nxt_domain.shared.json import Json
from nxt_domain.shared.money import Currency

TIME_TO_PAY = timedelta(hours=24)
FIRST_VERIFICATION = timedelta(minutes=2)
_LADDER = tuple(timedelta(minutes=minutes) for minutes in (5, 10, 20, 40, 60))
_DAILY = timedelta(days=1)
_LATE_PAYMENTS_FOR = timedelta(days=7)


class PaymentState(StrEnum):
    """What the gateway's status word means [PAY-62]."""

    PAID = "PAID"
    REFUSED = "REFUSED"
    UNDECIDED = "UNDECIDED"


@attrs.frozen(kw_only=True)
class GatewayTransaction:
    """A transaction as the gateway's verify call tells it, the only word that is trusted [PAY-71].

    Attributes:
        id: The gateway's id.
        reference: The ``tx_ref`` it was made under.
        state: What its status means.
        status: The gateway's own word.
        amount: Asked amount, major units, without the gateway's fees.
        currency: ISO code as the gateway wrote it.
        flw_ref: A second reference of the gateway's own; None: it has none, as others than Flutterwave.
        charged_amount: What the payer was charged, perhaps with fees.
        fee: The gateway's fee.
        payment_type: The gateway's own word.
        method: What that means to us; None: no known method [PAY-63].
    """

    id: str
    reference: str
    state: PaymentState
    status: str
    amount: Decimal
    currency: str
    flw_ref: str | None = None
    charged_amount: Decimal | None = None
    fee: Decimal | None = None
    payment_type: str | None = None
    method: PaymentMethod | None = None


@attrs.frozen(kw_only=True)
class NewCharge:
    """What is asked for at the gateway, stored with its order [PAY-73]."""

    merchant: str
    reference: str
    amount: Decimal
    currency: Currency
    next_verify_at: datetime


@attrs.frozen(kw_only=True)
class Charge:
    """The gateway's side of an order [PAY-73].

    Attributes:
        gateway_tx_id: Transaction the last answer was about; the paying one once the order is paid.
        verify_attempts: Verifications so far, those that failed to get through included.
        last_error: Why the last verification did not get through; None: it did.
        next_verify_at: When reconciliation asks next; None: not any more.
    """

    order_id: int
    merchant: str
    reference: str
    amount: Decimal
    currency: Currency
    gateway_tx_id: str | None = None
    flw_ref: str | None = None
    status: str | None = None
    payment_type: str | None = None
    charged_amount: Decimal | None = None
    fee: Decimal | None = None
    verify_attempts: int = 0
    last_verified_at: datetime | None = None
    next_verify_at: datetime | None = None
    last_error: str | None = None

    def answered(self, answer: GatewayTransaction, at: datetime) -> Charge:
        """Store what the gateway said."""
        return attrs.evolve(
            self.asked(at),
            gateway_tx_id=answer.id,
            flw_ref=answer.flw_ref,
            status=answer.status,
            payment_type=answer.payment_type,
            charged_amount=answer.charged_amount,
            fee=answer.fee,
        )

    def asked(self, at: datetime) -> Charge:
        """Note a verification that got through."""
        return attrs.evolve(self, verify_attempts=self.verify_attempts + 1, last_verified_at=at, last_error=None)

    def unreached(self, at: datetime, error: str) -> Charge:
        """Note a verification that did not get through."""
        return attrs.evolve(self, verify_attempts=self.verify_attempts + 1, last_verified_at=at, last_error=error)


@attrs.frozen(kw_only=True)
class IncomingEvent:
    """What a webhook body says; only the reference is believed [PAY-71].

    Attributes:
        gateway_tx_id: Id of the transaction that it speaks of, if any.
        reference: The ``tx_ref``, if any.
        event: Kind of event, in the gateway's words.
        status: Status, in the gateway's words.
        is_charge: Whether it tells of money coming in; others are only stored.
        payload: The whole body.
    """

    gateway_tx_id: str | None
    reference: str | None
    event: str | None
    status: str | None
    is_charge: bool
    payload: Json


@attrs.frozen(kw_only=True)
class StoredEvent:
    """An event of the inbox [PAY-72]."""

    id: int
    merchant: str
    gateway_tx_id: str | None
    reference: str | None
    is_processed: bool


class Verdict(StrEnum):
    """What an answer of the gateway means for an order [PAY-74]."""

    NOTHING = "NOTHING"
    PAID = "PAID"
    REFUSED = "REFUSED"
    AMOUNT_MISMATCH = "AMOUNT_MISMATCH"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    UNDECIDED = "UNDECIDED"
    SECOND_PAYMENT = "SECOND_PAYMENT"
    UNWANTED_PAYMENT = "UNWANTED_PAYMENT"
    FOREIGN = "FOREIGN"

    @property
    def goes_to_suspense(self) -> bool:
        """Whether the money came in and fits no order [PAY-79]."""
        return self in {self.AMOUNT_MISMATCH, self.CURRENCY_MISMATCH, self.SECOND_PAYMENT, self.UNWANTED_PAYMENT}


def judge(order: Order, charge: Charge, answer: GatewayTransaction, *, belongs_to_other: bool = False) -> Verdict:
    """Decide what an answer means for an order, whatever happened to it meanwhile [PAY-74, PAY-77, PAY-79].

    Args:
        order: As it is now, locked.
        charge: Its charge row.
        answer: What the gateway said.
        belongs_to_other: Whether the transaction is already booked to another order.
    """
    if answer.reference != charge.reference or belongs_to_other:
        return Verdict.FOREIGN
    if answer.state is PaymentState.UNDECIDED:
        return Verdict.UNDECIDED
    if answer.state is PaymentState.REFUSED:
        is_waiting = order.status in {OrderStatus.INITIALISED, OrderStatus.TIMED_OUT}
        return Verdict.REFUSED if is_waiting else Verdict.NOTHING
    return _judge_payment(order, charge, answer)


def _judge_payment(order: Order, charge: Charge, answer: GatewayTransaction) -> Verdict:
    if order.is_paid:
        return Verdict.NOTHING if answer.id == charge.gateway_tx_id else Verdict.SECOND_PAYMENT
    if not order.awaits_payment:
        return Verdict.UNWANTED_PAYMENT
    if answer.currency != order.currency:
        return Verdict.CURRENCY_MISMATCH
    return Verdict.PAID if answer.amount == order.amount else Verdict.AMOUNT_MISMATCH


def mismatch(verdict: Verdict, order: Order, answer: GatewayTransaction) -> tuple[FailureCode, str]:
    """Say what differs, for the order's record [PAY-59]."""
    if verdict is Verdict.CURRENCY_MISMATCH:
        return FailureCode.CURRENCY_MISMATCH, f"Ordered in {order.currency}, paid in {answer.currency}"
    return FailureCode.AMOUNT_MISMATCH, f"Ordered {order.amount}, paid {answer.amount}"


def next_verification(order: Order, *, attempts: int, now: datetime) -> datetime | None:
    """Tell when reconciliation asks the gateway again; None: never [PAY-89, PAY-91].

    Args:
        order: As it is after the verification.
        attempts: Verifications so far.
        now: Present instant.
    """
    if order.status is OrderStatus.INITIALISED:
        return now + _LADDER[min(attempts, len(_LADDER)) - 1]
    may_be_paid_late = order.status in {OrderStatus.TIMED_OUT, OrderStatus.CANCELLED} or order.has_failed_at_gateway
    return now + _DAILY if may_be_paid_late and now < order.status_since + _LATE_PAYMENTS_FOR else None


def is_overdue(order: Order, now: datetime) -> bool:
    """Tell whether an order has waited for its payment for 24 hours (T8)."""
    return order.status is OrderStatus.INITIALISED and now - order.created_at >= TIME_TO_PAY
