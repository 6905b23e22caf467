"""How CALIN's two HTTP services fail a caller [DM-110, DM-125, DM-190]."""

from __future__ import annotations

from nxt_domain.messaging.model import FailureContext
from nxt_domain.messaging.ports import PollFailed, SendFailed
from nxt_domain.shared.errors import UpstreamFailed


class CalinApiFailed(UpstreamFailed):
    """A call that got no answer of the service's own; every role reports it as ``CALIN_API_FAIL`` [DM-190].

    Args:
        message: The exact text of the specification.
        error_code: HTTP status, or the system's word such as ``ECONNREFUSED``; None: neither is known.
        may_have_acted: Whether the vendor may have done what it was asked to do.
    """

    default_code = "CALIN_API_FAIL"

    def __init__(self, message: str, *, error_code: int | str | None = None, may_have_acted: bool = False) -> None:
        super().__init__(message)
        self.error_code = error_code
        self.may_have_acted = may_have_acted


def send_failure(failed: CalinApiFailed) -> SendFailed:
    """Turn a failed call into a failed attempt, which the engine's ladder repeats [DM-43, DM-189]."""
    return SendFailed(FailureContext(reason=failed.message, error_code=failed.error_code))


def poll_failure(failed: CalinApiFailed) -> PollFailed:
    """Turn a failed call into a poll that tells nothing [DM-49]."""
    code = "" if failed.error_code is None else f" ({failed.error_code})"
    return PollFailed(f"{failed.message}{code}")


def cannot(reason: str) -> SendFailed:
    """Refuse a message that no attempt can deliver [DM-113, DM-114]."""
    return SendFailed(FailureContext(reason=reason, skip_retry=True))
