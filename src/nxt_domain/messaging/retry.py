"""Whether a failed attempt is the last one, and how long the next one waits [DM 6]."""

from __future__ import annotations

import math
from datetime import timedelta

import attrs

from nxt_domain.messaging.model import FailureContext

_JITTER = 0.5


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """The ladder of repetitions; defaults as in [DM-164].

    Attributes:
        max_retries: Repetitions after the first attempt.
        base_delay_ms: Wait before the first repetition.
        multiplier: Growth per repetition, at least 1.
        max_delay_ms: Longest wait, before jitter.
    """

    max_retries: int = attrs.field(default=11, validator=attrs.validators.ge(0))
    base_delay_ms: int = attrs.field(default=2_000, validator=attrs.validators.gt(0))
    multiplier: float = attrs.field(default=2.0, validator=attrs.validators.ge(1))
    max_delay_ms: int = attrs.field(default=3_600_000, validator=attrs.validators.gt(0))

    def is_final(self, failure: FailureContext, retry_count: int) -> bool:
        """Whether no further attempt follows [DM-52].

        Args:
            failure: Why this attempt failed.
            retry_count: Failed attempts before this one.
        """
        return failure.skip_retry or retry_count >= self.max_retries

    def back_off(self, retry_count: int, jitter: float) -> timedelta:
        """Return the wait before the next attempt, to the millisecond [DM-54].

        Args:
            retry_count: Failed attempts before this one.
            jitter: Uniform in [0, 1).
        """
        capped = self._capped_ms(retry_count)
        return timedelta(milliseconds=math.floor(capped) + math.floor(jitter * capped * _JITTER))

    def _capped_ms(self, retry_count: int) -> float:
        try:
            grown = self.base_delay_ms * self.multiplier**retry_count
        except OverflowError:
            return self.max_delay_ms
        return min(grown, self.max_delay_ms)
