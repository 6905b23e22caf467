"""How patiently an outside system is called: the ``http`` object of a provider [R28], with API-37's defaults."""

from __future__ import annotations

import attrs

_AT_LEAST_ONE = attrs.validators.ge(1)
_POSITIVE = attrs.validators.gt(0.0)
_NOT_NEGATIVE = attrs.validators.ge(0.0)


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """Repeats of a failed call: the first pause is ``wait_initial_s``, each next one twice that, plus jitter.

    Attributes:
        attempts: Calls in all, the first included.
        wait_initial_s: First pause, seconds.
        wait_max_s: Longest pause, seconds; also the most that a ``Retry-After`` is obeyed.
        jitter_s: Up to this many seconds are added at random, so that callers don't come back in step.
        after_any_trouble: Whether 429 and every 5xx is repeated, and not only 502, 503 and 504 [TEL-43].
    """

    attempts: int = attrs.field(default=3, validator=_AT_LEAST_ONE)
    wait_initial_s: float = attrs.field(default=1.0, validator=_NOT_NEGATIVE)
    wait_max_s: float = attrs.field(default=5.0, validator=_NOT_NEGATIVE)
    jitter_s: float = attrs.field(default=0.5, validator=_NOT_NEGATIVE)
    after_any_trouble: bool = False


@attrs.frozen(kw_only=True)
class BreakerPolicy:
    """When to leave a failing system alone.

    Attributes:
        failures: Failures in a row that open the circuit.
        open_s: Seconds it stays open; then one call is let through as a probe.
    """

    failures: int = attrs.field(default=5, validator=_AT_LEAST_ONE)
    open_s: float = attrs.field(default=30.0, validator=_POSITIVE)


@attrs.frozen(kw_only=True)
class CallPolicy:
    """All limits for calls to one outside system.

    Attributes:
        timeout_s: One attempt, from its start to the last byte of its answer, seconds.
        connect_timeout_s: Opening the connection, seconds; part of ``timeout_s``.
        concurrency: Attempts under way at once (the bulkhead).
        queue_timeout_s: Longest wait for a place in the bulkhead, seconds.
        retry: Repeats.
        breaker: Circuit breaker.
    """

    timeout_s: float = attrs.field(default=30.0, validator=_POSITIVE)
    connect_timeout_s: float = attrs.field(default=5.0, validator=_POSITIVE)
    concurrency: int = attrs.field(default=10, validator=_AT_LEAST_ONE)
    queue_timeout_s: float = attrs.field(default=10.0, validator=_POSITIVE)
    retry: RetryPolicy = attrs.field(factory=RetryPolicy)
    breaker: BreakerPolicy = attrs.field(factory=BreakerPolicy)
