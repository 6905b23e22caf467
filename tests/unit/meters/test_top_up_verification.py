"""The top-up check with all its worked examples [MET-125]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.unit.meters.meters_samples import NOW

from nxt_domain.grids.model import MeterPhase
from nxt_domain.meters.model import CreditObservation, VerificationState
from nxt_domain.meters.verification import CreditClear, OtherTopUp, assumed_power_kw, verify_top_up

CONFIRMED, REFUTED = VerificationState.CONFIRMED, VerificationState.REFUTED
INCONCLUSIVE = VerificationState.INCONCLUSIVE
TEN = NOW.replace(hour=10, minute=0)
LIMITED = assumed_power_kw(200, MeterPhase.SINGLE_PHASE)
UNLIMITED = assumed_power_kw(None, MeterPhase.SINGLE_PHASE)


def at(hours: float) -> datetime:
    return TEN + timedelta(hours=hours)


def seen(hours: float, credit: str, counter: str | None = None) -> CreditObservation:
    return CreditObservation(
        observed_at=at(hours), credit_kwh=Decimal(credit), counter_kwh=None if counter is None else Decimal(counter)
    )


def check(
    *observations: CreditObservation,
    power: Decimal = LIMITED,
    others: Sequence[OtherTopUp] = (),
    clears: Sequence[CreditClear] = (),
    has_baseline: bool = True,
    energy: str = "10",
) -> VerificationState:
    return verify_top_up(Decimal(energy), observations, others, power, has_baseline=has_baseline, clears=clears)


def test_met_125_example_one_read_two_hours_later_confirms() -> None:
    """2.0 kWh at 10:00, 11.7 at 12:00, 200 W: g = 9.7 > 9.4."""
    assert check(seen(0, "2.0"), seen(2, "11.7")) is CONFIRMED


def test_met_125_the_bound_itself_does_not_confirm() -> None:
    assert check(seen(0, "2.0"), seen(2, "11.4")) is INCONCLUSIVE


def test_met_125_example_a_credit_that_fell_refutes() -> None:
    """1.8 → g = −0.2."""
    assert check(seen(0, "2.0"), seen(2, "1.8")) is REFUTED


def test_met_125_up_to_a_twentieth_of_the_energy_still_refutes() -> None:
    assert check(seen(0, "2.0"), seen(2, "2.5")) is REFUTED
    assert check(seen(0, "2.0"), seen(2, "2.51")) is INCONCLUSIVE


@pytest.mark.parametrize("credit", ["11.7", "1.8"])
def test_met_125_example_without_limit_nothing_is_decided(credit: str) -> None:
    """u = 20 ≥ 5."""
    assert check(seen(0, "2.0"), seen(2, credit), power=UNLIMITED) is INCONCLUSIVE


def test_met_125_example_hourly_counters_confirm_without_any_limit() -> None:
    """10:00 (2.0, 100.0), 11:00 (1.4, 100.6), 12:00 (10.9, 101.1): g = 9.5 > 10 − 0.5 − 0.2."""
    steps = seen(0, "2.0", "100.0"), seen(1, "1.4", "100.6"), seen(2, "10.9", "101.1")
    assert check(*steps, power=UNLIMITED) is CONFIRMED


def test_met_125_counters_count_only_between_two_reports() -> None:
    """A read in between brings the bound back: 10 kW for half an hour is 5 kWh, not below q/2."""
    steps = seen(0, "2.0", "100.0"), seen(0.5, "11.9"), seen(1, "11.7", "100.3")
    assert check(*steps, power=UNLIMITED) is INCONCLUSIVE


def test_met_125_without_a_baseline_nothing_is_refuted() -> None:
    assert check(seen(0, "2.0"), seen(2, "1.8"), has_baseline=False) is INCONCLUSIVE
    assert check(seen(0, "2.0"), seen(2, "11.7"), has_baseline=False) is CONFIRMED


def test_met_125_one_undecidable_step_spoils_a_refutation() -> None:
    """Thirty hours at 200 W are 6 kWh, more than q/2."""
    assert check(seen(-30, "2.0"), seen(0, "1.9"), seen(2, "1.8")) is INCONCLUSIVE


def test_met_125_other_top_ups_are_taken_off_the_gain() -> None:
    other = OtherTopUp(succeeded_at=at(1), energy_kwh=Decimal(10))
    assert check(seen(0, "2.0"), seen(2, "11.9"), others=[other]) is REFUTED
    assert check(seen(0, "2.0"), seen(2, "21.8"), others=[other]) is CONFIRMED
    outside = OtherTopUp(succeeded_at=at(0), energy_kwh=Decimal(10))  # it is part of the first observation
    assert check(seen(0, "12.0"), seen(2, "21.8"), others=[outside]) is CONFIRMED


@pytest.mark.parametrize(
    ("clear", "expected"),
    [
        (CreditClear(earliest_at=at(0.5), latest_at=at(1)), INCONCLUSIVE),
        (CreditClear(earliest_at=at(0.5), latest_at=None), INCONCLUSIVE),
        (CreditClear(earliest_at=at(-1), latest_at=at(0.1)), INCONCLUSIVE),
        (CreditClear(earliest_at=at(-1), latest_at=at(0)), REFUTED),
        (CreditClear(earliest_at=at(2.1), latest_at=None), REFUTED),
    ],
)
def test_met_125_a_step_with_a_clear_credit_is_undecidable(clear: CreditClear, expected: VerificationState) -> None:
    assert check(seen(0, "2.0"), seen(2, "1.8"), clears=[clear]) is expected


def test_met_125_too_few_observations_decide_nothing() -> None:
    assert check() is INCONCLUSIVE
    assert check(seen(0, "2.0")) is INCONCLUSIVE


@pytest.mark.parametrize(
    ("limit_w", "phase", "expected"),
    [
        (200, MeterPhase.SINGLE_PHASE, "0.2"),
        (0, MeterPhase.SINGLE_PHASE, "10"),
        (None, MeterPhase.SINGLE_PHASE, "10"),
        (None, MeterPhase.THREE_PHASE, "30"),
        (25_000, MeterPhase.THREE_PHASE, "25"),
    ],
)
def test_met_125_the_power_that_bounds_consumption(limit_w: int | None, phase: MeterPhase, expected: str) -> None:
    assert assumed_power_kw(limit_w, phase) == Decimal(expected)


@given(
    energy=st.decimals(1, 500, places=1),
    start=st.decimals(0, 500, places=2),
    used_share=st.decimals(0, "0.4", places=2),
    arrived=st.booleans(),
)
def test_met_125_the_truth_is_never_contradicted(
    energy: Decimal, start: Decimal, used_share: Decimal, arrived: bool
) -> None:
    """Whatever was really used within the bound, an arrived token is not refuted, a lost one not confirmed."""
    bound = energy * Decimal("0.4")
    used = min(bound * used_share, start)
    assume(bound < energy / 2)
    end = start - used + (energy if arrived else 0)
    observations = [
        CreditObservation(observed_at=at(0), credit_kwh=start),
        CreditObservation(observed_at=at(1), credit_kwh=end),
    ]
    state = verify_top_up(energy, observations, (), bound, has_baseline=True)
    assert state is not (REFUTED if arrived else CONFIRMED)
