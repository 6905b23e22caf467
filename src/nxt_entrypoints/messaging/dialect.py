"""How the stand-alone mode refuses: its own bodies, texts and statuses [DM-143, R40]."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from nxt_domain.messaging.mint import MintFailed, MintTimedOut
from nxt_domain.shared.errors import DomainError, InvalidInput, NotFound, Unauthenticated, Unavailable
from nxt_domain.shared.json import Json, JsonObject
from nxt_entrypoints.http.dispatch import NULL_CHARACTERS
from nxt_entrypoints.http.errors import BodyIncomplete, BodyTooLarge
from nxt_entrypoints.http.json import MalformedJson, decode
from nxt_entrypoints.http.routes import Dialect, RequestFacts
from nxt_entrypoints.http.strict import Issue, Node

INVALID_BODY = "Invalid request body"
INVALID_PATH = "Invalid path parameters"
INVALID_JSON = "Invalid JSON body"
NOT_FOUND = "Not found"
STORAGE_UNAVAILABLE = "Storage unavailable"


class SchemaViolated(InvalidInput):
    """A part of the request is not as the contract says.

    Args:
        message: Which part.
        issues: What is wrong where.
    """

    default_code = "SCHEMA_VIOLATED"

    def __init__(self, message: str, issues: Sequence[Issue]) -> None:
        super().__init__(message)
        self.issues = tuple(issues)


class NotJsonType(InvalidInput):
    """The body calls itself something else than JSON."""

    default_code = "UNSUPPORTED_MEDIA_TYPE"


def read_body(facts: RequestFacts, kind: Node) -> JsonObject:
    """Read a body that has to be as declared; an empty one is missing.

    Raises:
        NotJsonType: Its content type is not ``application/json``; without one it counts as JSON.
        MalformedJson: It is no JSON.
        SchemaViolated: It is not as declared.
    """
    if not facts.raw_body.strip():  # what is not there has no type, whatever the header says
        raise SchemaViolated(INVALID_BODY, [Issue("", "is required")])
    content_type = facts.headers.get("Content-Type", "application/json").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise NotJsonType("Unsupported Media Type")
    body = read_json(facts.raw_body)
    issues = list(kind.issues(body))
    if issues or not isinstance(body, dict):
        raise SchemaViolated(INVALID_BODY, issues)
    return body


def read_json(raw: bytes) -> Json:
    """Read JSON; an empty body is ``null``.

    Raises:
        MalformedJson: It is none.
        SchemaViolated: It is, but holds what can't be stored: a null character, a number of more than 40 digits.
    """
    if not raw.strip():
        return None
    try:
        return decode(raw)
    except MalformedJson as refusal:
        if _is_json(raw):
            raise SchemaViolated(INVALID_BODY, [Issue("", refusal.message)]) from refusal
        raise


def read_path_text(name: str, text: str, kind: Node) -> str:
    """Check a part of the path.

    Raises:
        SchemaViolated: It is not as declared.
    """
    issues = list(kind.issues(text, name))
    if issues:
        raise SchemaViolated(INVALID_PATH, issues)
    return text


def _is_json(raw: bytes) -> bool:
    try:
        _GRAMMAR.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return False
    return True


_GRAMMAR = msgspec.json.Decoder(float_hook=len)
"""Reads any JSON, whatever its numbers are."""

# Most specific first; None: the error's own text, or the status that its kind has everywhere.
_REFUSALS: Sequence[tuple[type[DomainError], int | None, str | None]] = (
    (BodyTooLarge, 413, "Payload Too Large"),
    (NotJsonType, 415, None),
    (MalformedJson, 400, INVALID_JSON),
    (BodyIncomplete, 400, INVALID_JSON),
    (InvalidInput, None, None),
    (Unauthenticated, 401, None),
    (NotFound, 404, NOT_FOUND),
    (MintTimedOut, 504, None),
    (MintFailed, 502, None),
    (Unavailable, 503, STORAGE_UNAVAILABLE),
    (DomainError, 500, "Internal Server Error"),
)


def refuse(error: DomainError, status: int) -> tuple[int, object]:
    """Make status and body of a refusal."""
    if isinstance(error, InvalidInput) and error.message == NULL_CHARACTERS:
        error = SchemaViolated(INVALID_PATH, [Issue("", NULL_CHARACTERS)])  # only paths are read by the frame
    if isinstance(error, SchemaViolated):
        issues = [{"path": issue.path, "message": issue.message} for issue in error.issues]
        return 400, {"error": error.message, "issues": issues}
    own_status, text = next((own, text) for kind, own, text in _REFUSALS if isinstance(error, kind))
    return own_status or status, {"error": error.message if text is None else text}


DIALECT = Dialect(headers={}, refuse=refuse, no_method=NotFound(NOT_FOUND))
