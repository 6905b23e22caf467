"""Orders and what is recorded with them (PAY 3, 6)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import attrs

from nxt_domain.grids.tariffs import MeterType
from nxt_domain.orders import states
from nxt_domain.orders.states import GATEWAY_FAILURES, FailureCode, OrderStatus, Transition, TransitionRefused
from nxt_domain.shared.money import Currency

NO_TARIFF = Decimal(-1)


class OrderType(StrEnum):
    """Kind of an order [PAY-41]."""

    ENERGY_TOPUP = "ENERGY_TOPUP"
    CONNECTION_PAYMENT = "CONNECTION_PAYMENT"
    CONNECTION_REFUND = "CONNECTION_REFUND"
    AGENT_WITHDRAWAL = "AGENT_WITHDRAWAL"
    AGENT_TOPUP = "AGENT_TOPUP"
    ORGANIZATION_TOPUP = "ORGANIZATION_TOPUP"
    ORGANIZATION_WITHDRAWAL = "ORGANIZATION_WITHDRAWAL"
    CUSTOMER_TOPUP = "CUSTOMER_TOPUP"


class ActorType(StrEnum):
    """Owner of a wallet, as an order remembers it."""

    BANKING_SYSTEM = "BANKING_SYSTEM"
    ORGANIZATION = "ORGANIZATION"
    CONNECTION = "CONNECTION"
    METER = "METER"
    AGENT = "AGENT"
    CUSTOMER = "CUSTOMER"


class AccountType(StrEnum):
    """What a person is to the system."""

    AGENT = "AGENT"
    MEMBER = "MEMBER"
    CUSTOMER = "CUSTOMER"


class PaymentChannel(StrEnum):
    """Front end that took the order."""

    USSD = "USSD"
    AYRTON = "AYRTON"
    NIFFLER = "NIFFLER"
    TELEGRAM = "TELEGRAM"


class PaymentMethod(StrEnum):
    """How the payer paid at the gateway."""

    CREDIT_CARD = "CREDIT_CARD"
    USSD = "USSD"
    BANK_TRANSFER = "BANK_TRANSFER"


@attrs.frozen(kw_only=True)
class OrderMeta:
    """How things were when the order was made; never recomputed [PAY-42].

    Attributes:
        is_hidden_from_reporting: Left out of revenue figures; None: does not apply.
        grid_id: ``historical_grid_id``, the grid of the receiving (or refunding) side.
        organization_id: ``rls_organization_id``, the tenant the order belongs to.
    """

    order_type: OrderType | None
    author_type: AccountType | None = None
    author_id: int | None = None
    author_name: str | None = None
    sender_type: ActorType
    sender_id: int | None
    sender_name: str | None
    sender_name_part_2: str | None = None
    receiver_type: ActorType
    receiver_id: int | None
    receiver_name: str | None
    receiver_name_part_2: str | None = None
    receiver_id_part_2: int | None = None
    is_hidden_from_reporting: bool | None
    grid_id: int | None
    organization_id: int | None


@attrs.frozen(kw_only=True)
class NewOrder:
    """An order about to be stored.

    Attributes:
        amount: Major units, > 0.
        external_reference: The gateway's ``tx_ref``; unique; None: paid from a wallet.
        routing_organization_id: Organization whose own merchant account takes the money; None: the platform's [PAY-86].
    """

    status: OrderStatus
    amount: Decimal
    currency: Currency
    sender_wallet_id: int
    receiver_wallet_id: int
    meta: OrderMeta
    channel: PaymentChannel | None = None
    author_id: int | None = None
    external_reference: str | None = None
    routing_organization_id: int | None = None
    ussd_session_id: int | None = None
    meter_credit_transfer_id: int | None = None


@attrs.frozen(kw_only=True)
class Order:
    """An order as stored; steps return a new one.

    Attributes:
        status_since: Last change of the order row, which is that of its status.
        failure_code: Why it is ``FAILED``; see ``FailureCode``.
        historical_grid_id: Grid it belongs to, if any.
        organization_id: Tenant it belongs to, if any.
        reversed_at: When its settlement was taken back; it stays ``COMPLETED``.
    """

    id: int
    status: OrderStatus
    amount: Decimal
    currency: Currency
    sender_wallet_id: int
    receiver_wallet_id: int
    created_at: datetime
    status_since: datetime
    external_reference: str | None = None
    payment_method: PaymentMethod | None = None
    payment_channel: PaymentChannel | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    routing_organization_id: int | None = None
    ussd_session_id: int | None = None
    historical_grid_id: int | None = None
    organization_id: int | None = None
    tariff: Decimal = NO_TARIFF
    tariff_type: MeterType | None = None
    settled_at: datetime | None = None
    reversed_at: datetime | None = None

    @property
    def is_paid(self) -> bool:
        """Whether its money has arrived: ready to settle, or settled."""
        return self.status in {OrderStatus.PENDING, OrderStatus.COMPLETED}

    @property
    def awaits_payment(self) -> bool:
        """Whether a payment, however late, is still credited (T3, T4)."""
        return states.PAID.allows(self.status, self.failure_code) or self.is_late

    @property
    def is_late(self) -> bool:
        """Whether a payment would be a late one (T4)."""
        return states.PAID_LATE.allows(self.status, self.failure_code)

    @property
    def has_failed_at_gateway(self) -> bool:
        """Whether it is ``FAILED`` by the gateway's word only, which a late payment undoes [PAY-45]."""
        return self.status is OrderStatus.FAILED and self.failure_code in GATEWAY_FAILURES

    def pay(self, method: PaymentMethod | None) -> Order:
        """Note that the gateway confirmed the payment: T3, or T4 if it is late.

        Raises:
            TransitionRefused: No payment is awaited.
        """
        step = states.PAID_LATE if self.is_late else states.PAID
        return self._step(step, payment_method=method)

    def refuse(self) -> Order:
        """Note the bank's final refusal (T5).

        Raises:
            TransitionRefused: The order does not wait for the bank's word.
        """
        return self._fail(states.REFUSED_BY_BANK, FailureCode.GATEWAY_REJECTED, "The bank rejected the payment")

    def refuse_charge(self, why: str) -> Order:
        """Note that the gateway made no charge, so that nobody can pay (T5) [PAY-100].

        Raises:
            TransitionRefused: The order does not wait for its payment.
        """
        return self._fail(states.REFUSED_BY_BANK, FailureCode.CHARGE_NOT_CREATED, why)

    def give_up(self, code: FailureCode, message: str) -> Order:
        """Note that the credit it books can't be moved from one meter to another (T5) [PAY-141].

        Raises:
            TransitionRefused: It was released to settle.
        """
        return self._fail(states.REFUSED_BY_BANK, code, message)

    def refuse_mismatch(self, code: FailureCode, message: str) -> Order:
        """Note that a payment of another amount or currency came in (T6).

        Raises:
            TransitionRefused: No payment is awaited.
        """
        return self._fail(states.PAID_WRONGLY, code, message)

    def cancel(self) -> Order:
        """Give the purchase up before paying (T7).

        Raises:
            TransitionRefused: It is being or has been processed.
        """
        return self._step(states.CANCELLED)

    def time_out(self) -> Order:
        """Stop waiting for the payment (T8).

        Raises:
            TransitionRefused: It does not wait.
        """
        return self._step(states.TIMED_OUT)

    def complete(self, at: datetime, tariff: Decimal | None = None, tariff_type: MeterType | None = None) -> Order:
        """Note that the ledger moved the money (T9).

        Raises:
            TransitionRefused: It is not ready to settle.
        """
        return self._step(states.SETTLED, settled_at=at, tariff=tariff or NO_TARIFF, tariff_type=tariff_type)

    def refuse_settlement(self, code: FailureCode, message: str) -> Order:
        """Note that settlement is refused (T10).

        Raises:
            TransitionRefused: It is not ready to settle.
        """
        return self._fail(states.NOT_SETTLED, code, message)

    def set_aside(self) -> Order:
        """Ignore it from now on (T11).

        Raises:
            TransitionRefused: Money has moved or is about to.
        """
        return self._step(states.SET_ASIDE)

    def _step(self, step: Transition, **facts: Any) -> Order:  # noqa: ANN401 - values of any attribute
        if not step.allows(self.status, self.failure_code):
            raise TransitionRefused(f"order {self.id} is {self.status}, so {step.number} can't happen")
        return attrs.evolve(self, **{"status": step.target, "failure_code": None, "failure_message": None} | facts)

    def _fail(self, step: Transition, code: FailureCode, message: str) -> Order:
        return self._step(step, failure_code=code.value, failure_message=message)
