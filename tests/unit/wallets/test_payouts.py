"""The monthly statement: the worked example of PAY 14.2, its entries, and properties of both."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_domain.shared.errors import Conflict
from nxt_domain.wallets.payouts import (
    BatteryDay,
    Controller,
    PayoutInputs,
    PayoutStatus,
    accrual_entry,
    check_step,
    compute,
    disbursement_entry,
)
from nxt_domain.wallets.rules import validate

JANUARY = [BatteryDay(day=date(2026, 1, 1) + timedelta(days=day), modules=12) for day in range(31)]
EXAMPLE = PayoutInputs(
    day_count=31,
    energy_revenue=Decimal(4_200_000),
    connection_fee_revenue=Decimal(150_000),
    exchange_rate=Decimal("1532.46"),
    kwh_tariff=Decimal("9.5"),
    kwp_tariff=Decimal(14),
    kwh_per_module=Decimal("3.55"),
    battery_days=JANUARY,
    controllers=[
        Controller(reference=str(place), kw=Decimal("5.8"), active_days=days) for place, days in enumerate((31, 30, 28))
    ],
)
PARTIES: dict[str, Any] = {"payout_id": 9, "grid_id": 5, "organization_id": 7, "author_id": 1}


def test_the_worked_example() -> None:
    """[PAY-150] [PAY-154] [PAY-155] [PAY-156] [PAY-198] 16: the table of 14.2, figure by figure."""
    figures = compute(EXAMPLE)
    assert figures.exchange_rate == Decimal("1532.5")
    assert (figures.kwh_rented, figures.kwh_rental) == (Decimal("42.6"), Decimal("620202.75"))
    assert (figures.kwp_rented, figures.kwp_rental) == (Decimal("16.652"), Decimal("357260.355"))
    assert figures.rental == Decimal("977463.105")
    assert (figures.platform_fee, figures.insurance_fee, figures.gateway_fee) == (420_000, 84_000, 87_000)
    assert figures.payout == Decimal("2781536.895")


def test_money_that_reached_the_owner_already() -> None:
    """[PAY-157] Lowers the payout, and takes no gateway fee."""
    figures = compute(attrs.evolve(EXAMPLE, own_revenue=Decimal(350_000)))
    assert figures.gateway_fee == Decimal(80_000)
    assert figures.payout == compute(EXAMPLE).payout - 350_000 + 7_000
    beyond = compute(attrs.evolve(EXAMPLE, own_revenue=Decimal(9_000_000)))
    assert beyond.gateway_fee == 0


MONEY = st.decimals(0, 10**9, places=2)
INPUTS = st.builds(
    PayoutInputs,
    day_count=st.integers(1, 366),
    energy_revenue=MONEY,
    connection_fee_revenue=MONEY,
    own_revenue=MONEY,
    exchange_rate=st.decimals(1, 5000, places=4),
    kwh_tariff=st.decimals(0, 100, places=4),
    kwp_tariff=st.decimals(0, 100, places=4),
    kwh_per_module=st.decimals(0, 50, places=3),
    battery_days=st.lists(
        st.builds(BatteryDay, day=st.just(date(2026, 1, 1)), modules=st.integers(0, 200)), max_size=40
    ),
    controllers=st.lists(
        st.builds(Controller, reference=st.just("c"), kw=st.decimals(0, 200, places=3), active_days=st.integers(0, 31)),
        max_size=10,
    ),
)


@given(inputs=INPUTS, approved=st.decimals(-(10**9), 10**9, places=3))
def test_every_accrual_balances(inputs: PayoutInputs, approved: Decimal) -> None:
    """[PAY-165] [PAY-25] Whatever the figures, to the cent; rounding leaves less than a cent for each share."""
    figures = compute(inputs)
    entry = accrual_entry(figures, approved=approved, **PARTIES)
    if len(entry.postings) < 2:
        assert figures.total_revenue == figures.own_revenue
        return
    validate(entry)
    shares = {posting.account: posting.amount for posting in entry.postings}
    assert abs(shares.get("income:rounding", Decimal(0))) <= Decimal("0.05")
    assert figures.payout == (
        figures.total_revenue
        - figures.rental
        - figures.platform_fee
        - figures.insurance_fee
        - figures.gateway_fee
        - figures.own_revenue
    )


def test_the_entries_of_the_example() -> None:
    """[PAY-165] [PAY-166] What was approved is owed, the difference is an adjustment; paying it owes nothing."""
    accrued = accrual_entry(compute(EXAMPLE), approved=Decimal(2_780_000), **PARTIES)
    assert {posting.account: posting.amount for posting in accrued.postings} == {
        "clearing:revenue:5": Decimal("-4350000.00"),
        "income:rental": Decimal("977463.11"),
        "income:platform_fee": Decimal("420000.00"),
        "income:insurance": Decimal("84000.00"),
        "income:gateway_fee": Decimal("87000.00"),
        "payable:developer:7": Decimal("2780000.00"),
        "income:payout_adjustment": Decimal("1536.90"),
        "income:rounding": Decimal("-0.01"),
    }
    paid = disbursement_entry(payout_id=9, organization_id=7, approved=Decimal(2_780_000), author_id=1)
    validate(paid)
    assert (accrued.key, paid.key) == ("payout:9:accrue", "payout:9:disburse")


def test_steps() -> None:
    """[PAY-149] Forward, or failed from anywhere but the end."""
    allowed = {
        (present, wanted) for present in PayoutStatus for wanted in PayoutStatus if not _refused(present, wanted)
    }
    names = {(present.value[0], wanted.value[0]) for present, wanted in allowed}
    assert names == {("I", "W"), ("I", "F"), ("W", "P"), ("W", "F"), ("P", "S"), ("P", "F")}


def _refused(present: PayoutStatus, wanted: PayoutStatus) -> bool:
    try:
        check_step(9, present, wanted)
    except Conflict:
        return True
    return False


def test_a_refused_step_says_so() -> None:
    with pytest.raises(Conflict, match="Payout 9 is SUCCESSFUL"):
        check_step(9, PayoutStatus.SUCCESSFUL, PayoutStatus.FAILED)
