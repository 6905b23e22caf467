"""How a call to an outside system can fail, by what is known of its effect there.

The one question that matters after a failure is: may the other side have acted? Everything else follows from it.
"""

from __future__ import annotations

from nxt_domain.shared.errors import UpstreamFailed


class CallFailed(UpstreamFailed):
    """A call that the other side did not answer properly. Counts against its circuit.

    Args:
        message: One sentence for people, without secrets or personal data.
        retry_after_s: How long the other side asked us to wait, seconds.
    """

    default_code = "CALL_FAILED"

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s

    @property
    def is_transient(self) -> bool:
        """Whether the same call may go better in a moment [API-37]."""
        return True


class NotReached(CallFailed):
    """It certainly did not reach the other side: nothing happened there, and repeating is safe."""

    default_code = "NOT_REACHED"


class FateUnknown(CallFailed):
    """It may have reached the other side and may have had its effect; only harmless calls are repeated."""

    default_code = "FATE_UNKNOWN"


class Faulty(CallFailed):
    """The other side answered that it is in trouble, or answered nonsense; it may or may not have acted."""

    default_code = "FAULTY"

    @property
    def is_transient(self) -> bool:
        """Nonsense is rarely a matter of the moment."""
        return False


class HttpFailed(Faulty):
    """An HTTP answer that means trouble over there: 5xx, or 429.

    Args:
        status: The HTTP status.
        body: The first bytes of the answer, for a vendor-specific reading of it.
        content_type: Its content type, as sent.
    """

    default_code = "HTTP_FAILED"

    def __init__(
        self,
        message: str,
        *,
        status: int,
        body: bytes = b"",
        content_type: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.status = status
        self.body = body
        self.content_type = content_type

    @property
    def is_transient(self) -> bool:
        """Whether a repeat may help: after 502, 503 and 504 alone [API-37]."""
        return self.status in {502, 503, 504}


class CircuitOpen(NotReached):
    """Not even tried: the last calls failed, and the system is given time to recover."""

    default_code = "CIRCUIT_OPEN"

    @property
    def is_transient(self) -> bool:
        """The circuit stays open longer than a retry waits."""
        return False


class Overloaded(NotReached):
    """Not even tried: as many calls as allowed are under way already, and none ended in time."""

    default_code = "OVERLOADED"

    @property
    def is_transient(self) -> bool:
        """The call has waited already."""
        return False
