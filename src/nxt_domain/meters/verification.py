"""Looking into a top-up whose outcome is unclear, by what the meter's credit did [MET-125]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

import attrs

from nxt_domain.grids.model import MeterPhase
from nxt_domain.meters.model import CreditObservation, VerificationState

_READ_TOLERANCE_KWH = Decimal("0.2")
_UNLIMITED_KW = {MeterPhase.SINGLE_PHASE: Decimal(10), MeterPhase.THREE_PHASE: Decimal(30)}


@attrs.frozen(kw_only=True)
class OtherTopUp:
    """Another top-up of the meter that became ``SUCCESSFUL``."""

    succeeded_at: datetime
    energy_kwh: Decimal


@attrs.frozen(kw_only=True)
class CreditClear:
    """A ``CLEAR_CREDIT`` that did or may have wiped out the credit.

    Attributes:
        earliest_at: When the delivery layer first handed it on.
        latest_at: When its outcome was known; None: it is under way.
    """

    earliest_at: datetime
    latest_at: datetime | None

    def is_within(self, start: datetime, end: datetime) -> bool:
        """Whether it may have acted after ``start`` and not after ``end``."""
        return self.earliest_at <= end and (self.latest_at is None or self.latest_at > start)


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
    clears: Sequence[CreditClear] = (),
) -> VerificationState:
    """Decide from credit observations whether a token's energy arrived.

    Args:
        energy_kwh: q, the token's energy.
        observations: o₀ … oₙ by time; o₀ is the newest one before the token was issued if ``has_baseline``.
        others: The meter's other top-ups in that time.
        power_bound_kw: P, see ``assumed_power_kw``.
        has_baseline: Whether an observation from before the token exists.
        clears: The meter's credit clears in that time; a step that holds one decides nothing.

    Returns:
        ``CONFIRMED`` if some step's gain is the token's, ``REFUTED`` if no step left room for it, else
        ``INCONCLUSIVE``.
    """
    steps = [_Step.between(before, after, others, clears, power_bound_kw) for before, after in pairwise(observations)]
    if any(step.shows(energy_kwh) for step in steps):
        return VerificationState.CONFIRMED
    if has_baseline and steps and all(step.excludes(energy_kwh) for step in steps):
        return VerificationState.REFUTED
    return VerificationState.INCONCLUSIVE


@attrs.frozen(kw_only=True)
class _Step:
    """What happened between two observations.

    Attributes:
        gain_kwh: g, what the credit gained beyond the other top-ups.
        used_kwh: u, what was used, or could have been at most.
    """

    gain_kwh: Decimal
    used_kwh: Decimal
    is_decidable: bool

    def shows(self, energy_kwh: Decimal) -> bool:
        return self._is_clear(energy_kwh) and self.gain_kwh > energy_kwh - self.used_kwh - _READ_TOLERANCE_KWH

    def excludes(self, energy_kwh: Decimal) -> bool:
        return self._is_clear(energy_kwh) and self.gain_kwh <= energy_kwh / 20

    def _is_clear(self, energy_kwh: Decimal) -> bool:
        return self.is_decidable and self.used_kwh < energy_kwh / 2

    @classmethod
    def between(
        cls,
        before: CreditObservation,
        after: CreditObservation,
        others: Sequence[OtherTopUp],
        clears: Sequence[CreditClear],
        power_bound_kw: Decimal,
    ) -> _Step:
        start, end = before.observed_at, after.observed_at
        bought = sum((other.energy_kwh for other in others if start < other.succeeded_at <= end), Decimal(0))
        if before.counter_kwh is not None and after.counter_kwh is not None:
            used = after.counter_kwh - before.counter_kwh
        else:
            used = power_bound_kw * Decimal(str((end - start).total_seconds())) / 3600
        return cls(
            gain_kwh=after.credit_kwh - before.credit_kwh - bought,
            used_kwh=used,
            is_decidable=not any(clear.is_within(start, end) for clear in clears),
        )
