"""One HTTP exchange with a CALIN service, whatever came of it."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterator, Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import cast

import aiohttp
import attrs
import msgspec

from nxt_adapters.resilience import (
    BreakerPolicy,
    CallFailed,
    CallPolicy,
    HttpCaller,
    HttpFailed,
    RetryPolicy,
)
from nxt_domain.shared.json import Json, JsonObject

DEFAULT_POLICY = CallPolicy(
    timeout_s=110.0,
    concurrency=128,
    queue_timeout_s=30.0,
    retry=RetryPolicy(attempts=3, wait_initial_s=0.5, wait_max_s=5.0, jitter_s=0.5),
    breaker=BreakerPolicy(failures=10, open_s=10.0),
)
"""Patient, since a slow vendor must not be asked twice [DM-4], and within the 120 s of a send [DM-45]."""

_QUESTION_TIMEOUT_S = 40.0

_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_NO_EFFECT = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE})


class Unreadable(ValueError):
    """An answer that is no JSON object."""


@attrs.frozen(kw_only=True)
class Answer:
    """What a service said, in any status."""

    status: int
    content_type: str
    body: bytes = attrs.field(repr=False)

    @property
    def is_good(self) -> bool:
        """Whether the status is 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_page(self) -> bool:
        """Whether it is a web page, as proxies and login screens are."""
        return "text/html" in self.content_type.lower()

    @property
    def may_follow_an_effect(self) -> bool:
        """Whether the call may have had its effect although this is no proper answer.

        A 4xx, 502 or 503 says that it was turned away; a 500 or 504 says nothing, and neither does nonsense.
        """
        return self.is_good or (self.status >= HTTPStatus.INTERNAL_SERVER_ERROR and self.status not in _NO_EFFECT)

    def json(self) -> JsonObject:
        """Read the body; numbers with a fraction become ``Decimal``.

        Raises:
            Unreadable: It is no JSON object.
        """
        try:
            value = cast("Json", _decode(self.body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, ArithmeticError) as garbage:
            raise Unreadable("no JSON") from garbage
        if not isinstance(value, Mapping):
            raise Unreadable("no JSON object")
        return value


async def exchange(
    http: HttpCaller,
    operation: str,
    url: str,
    body: object,
    *,
    headers: Mapping[str, str] | None = None,
    repeat_unreached: bool = False,
    timeout_s: float | None = None,
) -> Answer:
    """Post JSON and return the answer, also a 429 or 5xx.

    Args:
        http: The guarded client.
        operation: Label of metrics.
        url: Absolute.
        body: The request.
        headers: Beside ``Accept``.
        repeat_unreached: Whether a call whose connection could not be opened is repeated.
        timeout_s: Instead of the policy's.

    Raises:
        CallFailed: There is no answer.
    """
    try:
        reply = await http.request(
            operation,
            "POST",
            url,
            headers={"Accept": "application/json", **(headers or {})},
            json=body,
            repeat_unreached=repeat_unreached,
            timeout_s=timeout_s,
        )
    except HttpFailed as failed:
        return Answer(status=failed.status, content_type=failed.content_type, body=failed.body)
    return Answer(status=reply.status, content_type=reply.headers.get("Content-Type", ""), body=reply.body)


def question_timeout_s(policy: CallPolicy) -> float:
    """Tell how long a call without effect may take: asking again costs nothing, and others wait behind it."""
    return min(policy.timeout_s, _QUESTION_TIMEOUT_S)


def system_code(failed: CallFailed) -> str | None:
    """Name what went wrong below HTTP as operating systems do, e.g. ``ECONNREFUSED`` or ``ETIMEDOUT``.

    Returns:
        None: nobody knows, or the call was not even tried.
    """
    return next((code for cause in _causes(failed) if (code := _code_of(cause)) is not None), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _code_of(cause: BaseException) -> str | None:
    match cause:
        case asyncio.TimeoutError() | aiohttp.ServerTimeoutError():
            return "ETIMEDOUT"
        case aiohttp.ClientConnectorDNSError():
            return "ENOTFOUND"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError():
            return "ECONNRESET"
        case OSError() if cause.errno is not None:
            return errno.errorcode.get(cause.errno)
        case _:
            return None
