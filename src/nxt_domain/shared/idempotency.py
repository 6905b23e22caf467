"""The same request, sent again, is carried out once and answered alike [REL-155, PAY-50].

A request with an idempotency key is *claimed* before its work begins. Whatever transaction the work then commits marks
the key as used, in that very transaction; the answer is stored afterwards. So a repeat

* during the work is told to wait,
* after it gets the first answer,
* after a crash before the first commit is carried out as if it were the first,
* after a crash between commit and answer is told that the work was done: it is never done twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Protocol

import attrs

from nxt_domain.shared.errors import Conflict, InvalidInput
from nxt_domain.shared.json import Json

LONGEST_KEY = 128
LOCK = timedelta(seconds=60)
"""A claim that is older, and whose work committed nothing, may be taken over; its late work can't commit any more."""


@attrs.frozen(kw_only=True)
class KeyedRequest:
    """A request that names itself.

    Attributes:
        scope: Whose key it is: ``account:<id>`` or ``key:<API key id>``.
        key: The caller's name for it, 1 to 128 characters.
        digest: SHA-256 of the canonical body.
    """

    scope: str
    key: str = attrs.field(repr=False)
    method: str
    path: str
    digest: bytes = attrs.field(repr=False)

    def is_same_as(self, other: KeyedRequest) -> bool:
        """Tell whether the other one asks for the same."""
        return (self.method, self.path, self.digest) == (other.method, other.path, other.digest)


@attrs.frozen(kw_only=True)
class Answer:
    """What was answered.

    Attributes:
        status: HTTP status.
        body: Null where there was none.
    """

    status: int
    body: Json


@attrs.frozen(kw_only=True)
class KeyRecord:
    """What is stored under a key that is taken.

    Attributes:
        is_locked: Its claim has not lapsed.
        answer: None: there is none yet, or it was lost.
    """

    request: KeyedRequest
    is_locked: bool
    answer: Answer | None = None


@attrs.define(kw_only=True, eq=False)
class Claim:
    """The right to carry a request out.

    Attributes:
        until: When it lapses; distinguishes it from a later claim to the same key.
        is_open: Its work is under way.
    """

    request: KeyedRequest
    until: datetime
    is_open: bool = True


class IdempotencyKeys(Protocol):
    """Requests that named themselves, kept for a week.

    A unit of work that commits while a claim is at work (``claim_at_work``) marks the key as used in its transaction,
    and fails with ``claim_lost`` if the claim was taken over meanwhile.
    """

    async def claim(self, request: KeyedRequest) -> Claim | KeyRecord:
        """Claim a key that is free, expired, or whose claim on the same request lapsed without a commit.

        Returns:
            The claim; or what is stored, if the key is taken.

        Raises:
            Unavailable: The store can't be reached; nothing is claimed.
        """

    async def complete(self, claim: Claim, answer: Answer) -> None:
        """Store the answer; a claim that was lost stores nothing."""

    async def release(self, claim: Claim) -> None:
        """Free the key of a request that failed, unless something was committed for it."""


def keyed_request(*, scope: str, key: str, method: str, path: str, body: bytes) -> KeyedRequest:
    """Name a request.

    Args:
        scope: Whose key it is.
        key: As the caller sent it.
        method: HTTP method.
        path: Path and query.
        body: The body in its canonical form.

    Raises:
        InvalidInput: The key is empty, too long, or no text.
    """
    if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        raise InvalidInput(
            f"Idempotency-Key must have 1 to {LONGEST_KEY} printable characters", code="IDEMPOTENCY_KEY_MALFORMED"
        )
    return KeyedRequest(scope=scope, key=key, method=method, path=path, digest=hashlib.sha256(body).digest())


def stored_answer(record: KeyRecord, request: KeyedRequest) -> Answer:
    """Decide what a repeated request gets.

    Raises:
        Conflict: The key was used for another request; the first one is still being carried out; or it was carried
            out, and its answer was not kept.
    """
    if not record.request.is_same_as(request):
        raise Conflict("This idempotency key was used for another request", code="IDEMPOTENCY_KEY_REUSED")
    if record.answer is not None:
        return record.answer
    if record.is_locked:
        raise Conflict("The request with this idempotency key is being carried out", code="IDEMPOTENCY_IN_PROGRESS")
    raise Conflict(
        "The request with this idempotency key was carried out, but its answer was not kept",
        code="IDEMPOTENCY_ANSWER_LOST",
    )


def claim_lost() -> Conflict:
    """Make the error of work that took so long that another request took its key over."""
    return Conflict("Another request with this idempotency key took over", code="IDEMPOTENCY_CLAIM_LOST")


_at_work: ContextVar[Claim | None] = ContextVar("claim_at_work", default=None)


@contextmanager
def working_on(claim: Claim) -> Iterator[None]:
    """Let transactions of this block, and of the tasks it starts, belong to a claim."""
    token = _at_work.set(claim)
    try:
        yield
    finally:
        claim.is_open = False  # a task that outlives the block works for itself
        _at_work.reset(token)


@contextmanager
def preparing() -> Iterator[None]:
    """Let transactions of this block belong to no claim: a repeat takes what they store up again, or back.

    For work over two systems, whose last transaction alone says that it was done.
    """
    token = _at_work.set(None)
    try:
        yield
    finally:
        _at_work.reset(token)


def claim_at_work() -> Claim | None:
    """Return the claim that the running code works for; None: it has none."""
    claim = _at_work.get()
    return claim if claim is not None and claim.is_open else None
