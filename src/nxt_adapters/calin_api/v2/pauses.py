"""The waits before each attempt of a call that may be repeated."""

from __future__ import annotations

import random
from collections.abc import Iterator

from nxt_adapters.resilience import RetryPolicy


def pauses(retry: RetryPolicy) -> Iterator[float]:
    """Yield the seconds to wait before each attempt: none before the first, then longer ones with jitter."""
    yield 0.0
    for repeat in range(retry.attempts - 1):
        jitter = random.uniform(0, retry.jitter_s)  # noqa: S311 - it only keeps callers out of step
        yield min(retry.wait_initial_s * 2**repeat, retry.wait_max_s) + jitter
