"""What can go wrong, by kind. The edge turns a kind into an HTTP status or an exit status; the domain knows neither."""

from __future__ import annotations

from collections.abc import Sequence


class DomainError(Exception):
    """A refusal or failure that the domain names.

    Args:
        message: One sentence for people; part of the contract with clients.
        code: Stable, upper-case name of this very refusal; defaults to that of its kind.
    """

    default_code = "ERROR"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code


class InvalidInput(DomainError):
    """What was sent is malformed or out of range; nothing was read or changed."""

    default_code = "INVALID_INPUT"

    def __init__(self, message: str | Sequence[str], *, code: str | None = None) -> None:
        texts = (message,) if isinstance(message, str) else tuple(message)
        super().__init__("; ".join(texts), code=code)
        self.messages = texts


class NotFound(DomainError):
    """The record does not exist, or belongs to another tenant, which must look the same."""

    default_code = "NOT_FOUND"


class Forbidden(DomainError):
    """The caller is known, and may not do this."""

    default_code = "FORBIDDEN"


class Unauthenticated(DomainError):
    """The credential is missing, invalid, expired or revoked."""

    default_code = "UNAUTHENTICATED"


class Conflict(DomainError):
    """The state of the record, or another record, stands against it."""

    default_code = "CONFLICT"


class NotAcceptable(DomainError):
    """The request makes no sense in the record's present state (kept for payment clients)."""

    default_code = "NOT_ACCEPTABLE"


class Unprocessable(DomainError):
    """Well-formed, but a rule of the business refuses it."""

    default_code = "UNPROCESSABLE"


class TooManyRequests(DomainError):
    """The caller must wait ``retry_after_s`` seconds."""

    default_code = "TOO_MANY_REQUESTS"

    def __init__(self, message: str = "Too many requests", *, retry_after_s: int = 60) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UpstreamFailed(DomainError):
    """An outside system answered wrongly, or refused our credential."""

    default_code = "UPSTREAM_FAILED"


class Unavailable(DomainError):
    """A store or an outside system can't be reached now; trying again later may help."""

    default_code = "UNAVAILABLE"
