"""Errors as clients see them: one body shape, one table of statuses [API-15 … API-21, R40]."""

from __future__ import annotations

from collections.abc import Mapping

from nxt_domain.shared.errors import (
    Conflict,
    DomainError,
    Forbidden,
    InvalidInput,
    NotAcceptable,
    NotFound,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unprocessable,
    UpstreamFailed,
)
from nxt_entrypoints.http.inputs import ValidationFailed

PHRASES: Mapping[int, str] = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    406: "Not Acceptable",
    409: "Conflict",
    413: "Payload Too Large",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
INTERNAL_MESSAGE = "Internal server error"
UNAVAILABLE_RETRY_S = 5


class BodyTooLarge(DomainError):
    """The body is over the route's limit [API-8]."""

    default_code = "BODY_TOO_LARGE"

    def __init__(self, message: str = "request entity too large") -> None:
        super().__init__(message)


class BodyIncomplete(InvalidInput):
    """The body broke off, is badly encoded, or takes too long."""

    default_code = "BODY_INCOMPLETE"


_STATUSES: Mapping[type[DomainError], int] = {
    InvalidInput: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    NotAcceptable: 406,
    Conflict: 409,
    BodyTooLarge: 413,
    Unprocessable: 422,
    TooManyRequests: 429,
    UpstreamFailed: 502,
    Unavailable: 503,
}
# Their texts say it all; old clients never saw a reason phrase beside them.
_WITHOUT_PHRASE = frozenset({"Unauthorized", "request entity too large"})


def status_of(error: DomainError, overrides: Mapping[str, int]) -> int:
    """Return the status of an error: its code's on this route, else its kind's, else 500."""
    if error.code in overrides:
        return overrides[error.code]
    kinds = (kind for kind in type(error).__mro__ if kind in _STATUSES)
    return next((_STATUSES[kind] for kind in kinds), 500)


def is_told(error: DomainError, status: int, overrides: Mapping[str, int]) -> bool:
    """Tell whether clients get an error's own words.

    A kind without a status is a defect, of which nothing is told; a code that a route maps to 500 is an old client's
    contract.
    """
    return status != 500 or error.code in overrides


def error_body(error: DomainError, *, status: int, request_id: str, is_expected: bool = True) -> dict[str, object]:
    """Make the body of an error.

    Args:
        error: What happened.
        status: The response's.
        request_id: As in the log.
        is_expected: False: a defect, of which nothing is told [API-21].
    """
    message = _message(error) if is_expected else INTERNAL_MESSAGE
    body: dict[str, object] = {"statusCode": status, "message": message}
    if not (isinstance(message, str) and message in _WITHOUT_PHRASE):
        body["error"] = PHRASES.get(status, "Error")
    return {**body, "code": error.code if is_expected else "INTERNAL_ERROR", "requestId": request_id}


def error_headers(error: DomainError, status: int) -> dict[str, str]:
    """Tell when trying again makes sense [API-17, TEL-169]."""
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(error.retry_after_s)}
    return {"Retry-After": str(UNAVAILABLE_RETRY_S)} if status == 503 else {}


def _message(error: DomainError) -> str | list[str]:
    # Validation answers with an array, whatever its length; other refusals with one sentence.
    if isinstance(error, ValidationFailed) or (isinstance(error, InvalidInput) and len(error.messages) > 1):
        return list(error.messages)
    return error.message
