"""Telling the adopter by webhook: who signed, what an answer means, when to try again [DM 15.3]."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from enum import StrEnum

import attrs

from nxt_domain.messaging.retry import RetryPolicy

EVENT_ID_HEADER = "X-Device-Messaging-Event-Id"
SIGNATURE_HEADER = "X-Device-Messaging-Signature"
_PREFIX = "sha256="
_TRY_AGAIN = frozenset({408, 429})


class PostResult(StrEnum):
    """What became of one attempt, as the counter names it [DM-169]."""

    POSTED = "posted"
    RETRIED = "retried"
    BURIED = "dlq"


@attrs.frozen(kw_only=True)
class WebhookPolicy:
    """How patiently events are posted; defaults as in [DM-164].

    Attributes:
        max_attempts: Posts of one event, the first included.
        base_delay_ms: Wait after the first failure.
        multiplier: Growth per failure.
        max_delay_ms: Longest wait.
        request_timeout_ms: Of one post.
        dead_letter_ttl_s: How long an event that could not be told is kept.
    """

    max_attempts: int = attrs.field(default=6, validator=attrs.validators.gt(0))
    base_delay_ms: int = 2_000
    multiplier: float = 2.0
    max_delay_ms: int = 60_000
    request_timeout_ms: int = attrs.field(default=10_000, validator=attrs.validators.gt(0))
    dead_letter_ttl_s: int = attrs.field(default=604_800, validator=attrs.validators.gt(0))

    def judge(self, status: int | None, failures: int) -> PostResult:
        """Decide after an attempt [DM-156, DM-157].

        Args:
            status: The HTTP status; None: there was no answer.
            failures: Failed attempts before this one.
        """
        if status is not None and 200 <= status < 300:
            return PostResult.POSTED
        is_passing = status is None or status in _TRY_AGAIN or status >= 500
        return PostResult.RETRIED if is_passing and failures + 1 < self.max_attempts else PostResult.BURIED

    def wait_after(self, failures: int) -> timedelta:
        """Return the wait after the failed attempt number ``failures``, from 1 on, without jitter [DM-157]."""
        ladder = RetryPolicy(
            base_delay_ms=self.base_delay_ms, multiplier=self.multiplier, max_delay_ms=self.max_delay_ms
        )
        return ladder.back_off(failures - 1, jitter=0.0)


def signature(secret: str, body: bytes) -> str:
    """Sign the exact bytes of a body [DM-155].

    >>> signature("test-secret", b'{"eventId":"01EVENT","message":{}}')
    'sha256=d12a8010f0f475e6b2390d0261b34bcb9e8186b42db678fe266cc6b1e9e5c70f'
    """
    return _PREFIX + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def is_signed(secret: str | None, body: bytes, presented: str | None) -> bool:
    """Check a signature in constant time; without a secret nothing is signed [DM-163, DM-177]."""
    if not secret:
        return False
    shown = (presented or "").encode("utf-8", "surrogatepass")
    return hmac.compare_digest(shown, signature(secret, body).encode())
