"""What comes next in a transfer of credit, from what has happened (PAY 13.2)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import attrs
from hypothesis import given
from hypothesis import strategies as st

from nxt_domain.meters.model import Interaction, InteractionStatus, InteractionType, Origin
from nxt_domain.orders.credit_transfers import (
    CreditTransfer,
    TransferAction,
    TransferStatus,
    TransferStep,
    next_action,
)
from nxt_domain.orders.states import OrderStatus
from nxt_domain.shared.money import Currency

AT = datetime(2026, 3, 10, 9, tzinfo=UTC)
A, S = TransferAction, TransferStep
TRANSFER = CreditTransfer(
    id=1,
    created_at=AT,
    status=TransferStatus.PROCESSING,
    amount=Decimal(600),
    currency=Currency.NGN,
    sender_meter_id=10,
    receiver_meter_id=11,
    author_id=3,
    organization_id=9,
    order_id=50,
)
STATUSES = st.sampled_from(InteractionStatus)


def command(status: InteractionStatus, *, was_sent: bool = True) -> Interaction:
    return Interaction(
        id=1,
        created_at=AT,
        updated_at=AT,
        meter_id=10,
        type=InteractionType.TURN_OFF,
        status=status,
        origin=Origin.USER,
        first_transmitted_at=AT if was_sent else None,
    )


def test_the_example_of_the_specification() -> None:
    """[PAY-141] 600 at 300 are 2.0 kWh; of 5.3 kWh the sender gets 3.3 back, worth 990."""
    measured = TRANSFER.measured(Decimal("5.3"), Decimal(300))
    assert (measured.energy_kwh, measured.give_back_kwh) == (Decimal("2.0"), Decimal("3.3"))
    assert measured.sender_meter_set_to_amount == 990


@given(credit=st.decimals("0.1", 10_000, places=3), tariff=st.decimals(1, 999, places=2))
def test_nobody_loses_a_watt_hour(credit: Decimal, tariff: Decimal) -> None:
    """[PAY-141] [PAY-108] What goes over and what goes back hold all that was there, and less than 0.1 kWh more."""
    measured = TRANSFER.measured(credit, tariff)
    assert measured.energy_kwh is not None
    assert measured.give_back_kwh is not None
    assert 0 <= measured.energy_kwh + measured.give_back_kwh - credit < Decimal("0.1")


@given(
    commands=st.dictionaries(st.sampled_from(S), STATUSES),
    order=st.sampled_from(OrderStatus),
    is_paid_out=st.booleans(),
    is_refused=st.booleans(),
)
def test_no_step_is_taken_before_the_one_before_has_succeeded(
    commands: dict[TransferStep, InteractionStatus], order: OrderStatus, is_paid_out: bool, is_refused: bool
) -> None:
    """[PAY-141] Whatever the rows say: nothing is cleared or paid twice, and nothing too early."""
    transfer = attrs.evolve(TRANSFER, give_back_kwh=Decimal("3.3"), is_paid_out=is_paid_out, is_refused=is_refused)
    made = {step: command(status) for step, status in commands.items()}
    action = next_action(transfer, made, order)
    worked = {step for step, status in commands.items() if status is InteractionStatus.SUCCESSFUL}
    if action in {A.TURN_OFF, A.READ_CREDIT, A.TURN_ON}:
        assert TransferStep(action.value) not in commands
    if action is A.MEASURE:
        assert worked >= {S.TURN_OFF, S.READ_CREDIT}
        assert S.CLEAR_CREDIT not in commands
    if action is A.PAY_OUT:
        assert not is_paid_out
        assert S.CLEAR_CREDIT in worked
    if action is A.TURN_ON and not is_refused:
        assert worked >= {S.CLEAR_CREDIT, S.GIVE_BACK, S.DELIVER}
    if action is A.REFUSE:
        assert S.CLEAR_CREDIT not in worked


def test_a_clearing_that_may_have_happened_is_never_taken_for_none() -> None:
    """[PAY-141] No answer is no refusal: people look into it. One that never left was not done."""
    before = {S.TURN_OFF: command(InteractionStatus.SUCCESSFUL), S.READ_CREDIT: command(InteractionStatus.SUCCESSFUL)}
    silent = before | {S.CLEAR_CREDIT: command(InteractionStatus.FAILED)}
    unsent = before | {S.CLEAR_CREDIT: command(InteractionStatus.ABORTED, was_sent=False)}
    assert next_action(TRANSFER, silent, OrderStatus.INITIALISED) is A.ALERT
    assert next_action(TRANSFER, unsent, OrderStatus.INITIALISED) is A.REFUSE


def test_money_that_did_not_move_leaves_energy_owed() -> None:
    """[PAY-142] The order failed after the clearing: an alert, and the sender stays as it is."""
    made = {step: command(InteractionStatus.SUCCESSFUL) for step in (S.TURN_OFF, S.READ_CREDIT, S.CLEAR_CREDIT)}
    paid = attrs.evolve(TRANSFER, is_paid_out=True)
    assert next_action(paid, made, OrderStatus.FAILED) is A.ALERT
