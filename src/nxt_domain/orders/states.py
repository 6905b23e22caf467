"""The state machine of an order [PAY-44]. The database's own check is generated from this table [R16]."""

from __future__ import annotations

from enum import StrEnum

import attrs

from nxt_domain.shared.errors import Conflict


class OrderStatus(StrEnum):
    """Where an order stands (PAY 6.3)."""

    INITIALISED = "INITIALISED"
    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"
    IGNORED = "IGNORED"


class FailureCode(StrEnum):
    """Why an order is ``FAILED``."""

    GATEWAY_REJECTED = "GATEWAY_REJECTED"
    CHARGE_NOT_CREATED = "CHARGE_NOT_CREATED"
    AMOUNT_MISMATCH = "AMOUNT_MISMATCH"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    TARIFF_MISSING = "TARIFF_MISSING"
    WALLET_INVALID = "WALLET_INVALID"
    METER_FAILED = "METER_FAILED"


GATEWAY_FAILURES = frozenset({FailureCode.GATEWAY_REJECTED, FailureCode.CHARGE_NOT_CREATED})
"""Failures that a late payment undoes [PAY-45]; all others are final."""

CREATED_AS = frozenset({OrderStatus.PENDING, OrderStatus.INITIALISED})
"""T1 and T2: what a new order may be."""


class TransitionRefused(Conflict):
    """The order is not where this step begins; somebody else may have been first."""

    default_code = "ORDER_STATE"


@attrs.frozen
class Transition:
    """One row of the table of allowed transitions.

    Attributes:
        number: Row of the table, e.g. ``T3``.
        sources: Statuses it may begin at.
        target: Status it leads to.
        from_gateway_failure: Whether it may also begin at ``FAILED`` with a gateway's failure code.
    """

    number: str
    sources: frozenset[OrderStatus]
    target: OrderStatus
    from_gateway_failure: bool = False

    def allows(self, status: OrderStatus, failure_code: str | None) -> bool:
        """Tell whether an order in this state may take the step."""
        if status in self.sources:
            return True
        return self.from_gateway_failure and status is OrderStatus.FAILED and failure_code in GATEWAY_FAILURES


_WAITING = frozenset({OrderStatus.INITIALISED, OrderStatus.TIMED_OUT})
_PENDING = frozenset({OrderStatus.PENDING})
_INITIALISED = frozenset({OrderStatus.INITIALISED})

PAID = Transition("T3", _WAITING, OrderStatus.PENDING)
PAID_LATE = Transition("T4", frozenset({OrderStatus.CANCELLED}), OrderStatus.PENDING, from_gateway_failure=True)
REFUSED_BY_BANK = Transition("T5", _WAITING, OrderStatus.FAILED)
PAID_WRONGLY = Transition("T6", _WAITING | {OrderStatus.CANCELLED}, OrderStatus.FAILED, from_gateway_failure=True)
CANCELLED = Transition("T7", _INITIALISED, OrderStatus.CANCELLED)
TIMED_OUT = Transition("T8", _INITIALISED, OrderStatus.TIMED_OUT)
SETTLED = Transition("T9", _PENDING, OrderStatus.COMPLETED)
NOT_SETTLED = Transition("T10", _PENDING, OrderStatus.FAILED)
SET_ASIDE = Transition("T11", _WAITING | {OrderStatus.FAILED, OrderStatus.CANCELLED}, OrderStatus.IGNORED)

ALLOWED_TRANSITIONS = (
    PAID,
    PAID_LATE,
    REFUSED_BY_BANK,
    PAID_WRONGLY,
    CANCELLED,
    TIMED_OUT,
    SETTLED,
    NOT_SETTLED,
    SET_ASIDE,
)


def is_allowed(status: OrderStatus, failure_code: str | None, target: OrderStatus) -> bool:
    """Tell whether any transition leads from one state to another [PAY-44]."""
    return any(step.target is target and step.allows(status, failure_code) for step in ALLOWED_TRANSITIONS)
