"""One line in, one JSON object out: how the tools speak with programs [R55]."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from nxt_domain.shared.errors import DomainError, InvalidInput
from nxt_domain.shared.json import JsonObject
from nxt_entrypoints.http.json import decode, encode

Answer = Callable[[str], JsonObject]


def answer_lines(answer: Answer) -> None:
    """Answer each line of standard input by one of standard output, at once; blank lines are skipped.

    Args:
        answer: Makes the object; what it refuses becomes ``{"error", "message"}``, and the next line is read.
    """
    answers = sys.stdout.buffer
    for line in sys.stdin.buffer:
        if line.strip():
            answers.write(encode(_answered(answer, line)) + b"\n")
            answers.flush()


def _answered(answer: Answer, line: bytes) -> JsonObject:
    try:
        return answer(line.decode().strip())
    except UnicodeDecodeError:
        return {"error": "INVALID_TEXT", "message": "The line is no UTF-8 text"}
    except DomainError as refusal:
        return {"error": refusal.code, "message": refusal.message}


def read_object(line: str) -> JsonObject:
    """Read a line as one JSON object.

    Raises:
        InvalidInput: It is none.
    """
    value = decode(line.encode())
    if not isinstance(value, Mapping):
        raise InvalidInput("The line is no JSON object", code="MALFORMED_JSON")
    return value
