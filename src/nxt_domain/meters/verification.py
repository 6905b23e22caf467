"""Looking into a top-up whose outcome is unclear, by what the meter's credit did [MET-125]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

import attrs

from nxt_domain.meters.model import CreditObservation, MeterPhase, VerificationState

_READ_TOLERANCE_KWH = Decimal("0.2")
_UNLIMITED_KW = {MeterPhase.SINGLE_PHASE: Decimal(10), MeterPhase.THREE_PHASE: Decimal(30)}


@attrs.frozen(kw_only=True)
class OtherTopUp:
    """Another top-up of the meter that became ``SUCCESSFUL``."""

    succeeded_at: datetime
    energy_kwh: Decimal


def assumed_power_kw(power_limit_w: int | None, phase: MeterPhase) -> Decimal:
    """Bound what a meter can draw: its reported limit, else what its phases carry."""
    return Decimal(power_limit_w) / 1000 if power_limit_w else _UNLIMITED_KW[phase]


def verify_top_up(
    energy_kwh: Decimal,
    observations: Sequence[CreditObservation],
    others: Sequence[OtherTopUp],
    power_bound_kw: Decimal,
    *,
    has_baseline: bool,
) -> VerificationState:
    """Decide from credit observations whether a token's energy arrived.

    Args:
        energy_kwh: q, the token's energy.
        observations: o₀ … oₙ by time; o₀ is the newest one before the token was issued if ``has_baseline``.
        others: The meter's other top-ups in that time.
        power_bound_kw: P, see ``assumed_power_kw``.
        has_baseline: Whether an observation from before the token exists.

    Returns:
        ``CONFIRMED`` if some step's gain is the token's, ``REFUTED`` if no step left room for it, else
        ``INCONCLUSIVE``.
    """
    steps = [_Step.between(before, after, others, power_bound_kw) for before, after in pairwise(observations)]
    half = energy_kwh / 2
    if any(step.gain_kwh > energy_kwh - step.used_kwh - _READ_TOLERANCE_KWH and step.used_kwh < half for step in steps):
        return VerificationState.CONFIRMED
    if has_baseline and steps and all(step.gain_kwh <= energy_kwh / 20 and step.used_kwh < half for step in steps):
        return VerificationState.REFUTED
    return VerificationState.INCONCLUSIVE


@attrs.frozen(kw_only=True)
class _Step:
    gain_kwh: Decimal
    used_kwh: Decimal

    @classmethod
    def between(
        cls,
        before: CreditObservation,
        after: CreditObservation,
        others: Sequence[OtherTopUp],
        power_bound_kw: Decimal,
    ) -> _Step:
        bought = sum(
            (other.energy_kwh for other in others if before.observed_at < other.succeeded_at <= after.observed_at),
            Decimal(0),
        )
        if before.counter_kwh is not None and after.counter_kwh is not None:
            used = after.counter_kwh - before.counter_kwh
        else:
            hours = Decimal(str((after.observed_at - before.observed_at).total_seconds())) / 3600
            used = power_bound_kw * hours
        return cls(gain_kwh=after.credit_kwh - before.credit_kwh - bought, used_kwh=used)
