"""From a provider's ``http`` object to the limits that adapters are called with (R28, API-37)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nxt_adapters.resilience.policy import BreakerPolicy, CallPolicy, RetryPolicy

if TYPE_CHECKING:
    from nxt_entrypoints.settings.artifact import Http

_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 5.0


def call_policy(http: Http) -> CallPolicy:
    """The limits in seconds; repeats wait 1 s, then 2 s, plus jitter [API-37]."""
    return CallPolicy(
        timeout_s=http.timeout_ms / 1000,
        connect_timeout_s=http.connect_timeout_ms / 1000,
        concurrency=http.concurrency,
        queue_timeout_s=http.queue_timeout_ms / 1000,
        retry=RetryPolicy(attempts=http.attempts, wait_initial_s=_FIRST_WAIT_S, wait_max_s=_LONGEST_WAIT_S),
        breaker=BreakerPolicy(failures=http.breaker.failures, open_s=http.breaker.open_ms / 1000),
    )
