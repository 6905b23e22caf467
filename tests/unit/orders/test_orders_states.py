"""The state machine of orders [PAY-44]."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.orders.orders_samples import ORDER

from nxt_domain.orders import states
from nxt_domain.orders.model import Order
from nxt_domain.orders.states import (
    ALLOWED_TRANSITIONS,
    CREATED_AS,
    GATEWAY_FAILURES,
    FailureCode,
    OrderStatus,
    TransitionRefused,
    is_allowed,
)

S = OrderStatus
NOW = datetime(2026, 3, 10, tzinfo=UTC)
STEPS: tuple[Callable[[Order], Order], ...] = (
    lambda order: order.pay(None),
    lambda order: order.refuse(),
    lambda order: order.refuse_mismatch(FailureCode.AMOUNT_MISMATCH, "other amount"),
    lambda order: order.cancel(),
    lambda order: order.time_out(),
    lambda order: order.complete(NOW),
    lambda order: order.refuse_settlement(FailureCode.INSUFFICIENT_BALANCE, "too low"),
    lambda order: order.set_aside(),
)
TABLE = {
    (S.INITIALISED, S.PENDING),
    (S.TIMED_OUT, S.PENDING),
    (S.CANCELLED, S.PENDING),
    (S.INITIALISED, S.FAILED),
    (S.TIMED_OUT, S.FAILED),
    (S.CANCELLED, S.FAILED),
    (S.INITIALISED, S.CANCELLED),
    (S.INITIALISED, S.TIMED_OUT),
    (S.PENDING, S.COMPLETED),
    (S.PENDING, S.FAILED),
    (S.INITIALISED, S.IGNORED),
    (S.TIMED_OUT, S.IGNORED),
    (S.FAILED, S.IGNORED),
    (S.CANCELLED, S.IGNORED),
}
BY_GATEWAY = {(S.FAILED, S.PENDING), (S.FAILED, S.FAILED)}


@pytest.mark.parametrize("source", list(S))
@pytest.mark.parametrize("target", list(S))
@pytest.mark.parametrize("code", [None, *FailureCode])
def test_the_table_of_transitions(source: S, target: S, code: FailureCode | None) -> None:
    """[PAY-44] [PAY-45] exactly the table; from FAILED back only if the gateway caused it."""
    expected = (source, target) in TABLE
    if source is S.FAILED and code in GATEWAY_FAILURES:
        expected = expected or (source, target) in BY_GATEWAY
    assert is_allowed(source, code, target) is expected


def test_every_transition_has_its_number() -> None:
    """[PAY-44] T3 to T11; T1 and T2 make orders."""
    assert [step.number for step in ALLOWED_TRANSITIONS] == [f"T{number}" for number in range(3, 12)]
    assert {S.PENDING, S.INITIALISED} == CREATED_AS


@given(st.sampled_from(sorted(CREATED_AS)), st.lists(st.sampled_from(STEPS), max_size=12))
def test_any_sequence_of_steps_stays_within_the_table(
    first: OrderStatus, steps: list[Callable[[Order], Order]]
) -> None:
    """[PAY-44] [PAY-46] a refused step changes nothing, and COMPLETED and IGNORED are left never."""
    order = attrs.evolve(ORDER, status=first)
    for step in steps:
        try:
            after = step(order)
        except TransitionRefused:
            continue
        assert is_allowed(order.status, order.failure_code, after.status)
        assert order.status not in {S.COMPLETED, S.IGNORED}
        assert (after.status is S.FAILED) == (after.failure_code is not None)
        order = after


def test_a_late_payment_is_told_from_one_in_time() -> None:
    """[PAY-44] T3 against T4."""
    rejected = attrs.evolve(ORDER, status=S.INITIALISED).refuse()
    assert (rejected.failure_code, rejected.is_late, rejected.awaits_payment) == ("GATEWAY_REJECTED", True, True)
    assert not attrs.evolve(ORDER, status=S.TIMED_OUT).is_late
    paid = rejected.pay(None)
    assert (paid.status, paid.failure_code, paid.failure_message) == (S.PENDING, None, None)
    final = attrs.evolve(ORDER, status=S.FAILED, failure_code=FailureCode.AMOUNT_MISMATCH.value)
    assert not final.awaits_payment
    with pytest.raises(TransitionRefused):
        final.pay(None)
    assert states.PAID_LATE.number == "T4"
