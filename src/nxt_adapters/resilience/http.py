"""HTTP calls to vendors: aiohttp behind a guard, with every failure named by what is known of its effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import aiohttp
import attrs
import msgspec

from nxt_adapters.resilience.errors import FateUnknown, Faulty, HttpFailed, NotReached
from nxt_adapters.resilience.guard import Guard
from nxt_adapters.resilience.metrics import OutboundMetrics
from nxt_adapters.resilience.policy import CallPolicy, RetryPolicy
from nxt_domain.shared.json import Json

_EXCERPT_BYTES = 2_000

_JSON = msgspec.json.Encoder(decimal_format="number")
"""Decimals are written as numbers, exactly as they are."""


@attrs.frozen(kw_only=True)
class HttpReply:
    """An answer that was read to its end.

    Attributes:
        status: HTTP status, 200 to 499 but not 429; redirects are not followed.
        headers: As received; look-ups ignore case.
        body: At most the caller's limit of bytes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = attrs.field(repr=lambda body: f"<{len(body)} bytes>")

    def json(self) -> Json:
        """Read the body as JSON; numbers with a fraction become ``float``.

        Raises:
            Faulty: It is no JSON.
        """
        try:
            return cast("Json", msgspec.json.decode(self.body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as garbage:
            raise Faulty(f"answered HTTP {self.status} with something that is no JSON") from garbage


class HttpCaller:
    """Calls one vendor's HTTP interface.

    Args:
        system: Label of metrics and logs, e.g. ``africastalking``.
        policy: Time-outs, retries, breaker and bulkhead.
        metrics: Where outcomes are counted.
        keep_alive: False opens a connection per call, so that a call which must not be repeated never meets a
            connection that the vendor is just closing.
        max_body_bytes: A longer answer is a fault, not a reason to run out of memory.
    """

    def __init__(
        self,
        system: str,
        policy: CallPolicy,
        *,
        metrics: OutboundMetrics | None = None,
        keep_alive: bool = True,
        max_body_bytes: int = 5_000_000,
    ) -> None:
        self.guard = Guard(system, policy, metrics=metrics)
        self._keep_alive = keep_alive
        self._max_body_bytes = max_body_bytes
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        operation: str,
        method: str,
        url: str,
        *,
        repeatable: bool = False,
        repeat_unreached: bool = False,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json: object = None,
        form: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        retry: RetryPolicy | None = None,
    ) -> HttpReply:
        """Send a request and read its answer.

        Args:
            operation: Label of metrics, from a small fixed set; never a URL with ids in it.
            method: ``GET``, ``POST``, …
            url: Absolute URL.
            repeatable: Whether a repeat is harmless, even if the first one had its effect. Then network errors, 502,
                503 and 504 are repeated [API-37].
            repeat_unreached: Whether at least a request that certainly did not arrive is repeated.
            headers: Sent with it; made anew by the caller for each call, so that credentials rotate.
            params: Query parameters.
            json: Body as JSON, if not None.
            form: Body as ``application/x-www-form-urlencoded``, if not None.
            timeout_s: Instead of the policy's.
            retry: Instead of the policy's.

        Returns:
            Any answer of the vendor's own: 2xx, 3xx and 4xx but 429. What a 4xx means is the adapter's knowledge.

        Raises:
            NotReached: DNS, connection refused, TLS, time-out while connecting, circuit open, bulkhead full.
            FateUnknown: Time-out or broken connection after the request may have been sent.
            HttpFailed: 5xx or 429.
            Faulty: The answer is not HTTP, or too long.
        """
        sent_headers = dict(headers or {})
        data: bytes | Mapping[str, str] | None = form
        if json is not None:
            data = _JSON.encode(json)
            sent_headers.setdefault("Content-Type", "application/json")

        async def attempt() -> HttpReply:
            return await self._exchange(method, url, headers=sent_headers, params=params, data=data)

        return await self.guard.call(
            operation,
            attempt,
            repeatable=repeatable,
            repeat_unreached=repeat_unreached,
            timeout_s=timeout_s,
            retry=retry,
        )

    async def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _exchange(self, method: str, url: str, **parts: Any) -> HttpReply:  # noqa: ANN401 - aiohttp's own
        system = self.guard.system
        try:
            async with self._open_session().request(method, url, allow_redirects=False, **parts) as answer:
                body = await self._read(answer)
                reply = HttpReply(status=answer.status, headers=answer.headers, body=body)
        except (aiohttp.ClientConnectorError, aiohttp.ClientSSLError, aiohttp.ConnectionTimeoutError) as unreached:
            raise NotReached(f"{system} could not be reached ({type(unreached).__name__})") from unreached
        except (aiohttp.ClientResponseError, aiohttp.InvalidURL) as garbage:
            raise Faulty(f"{system} answered no valid HTTP ({type(garbage).__name__})") from garbage
        except (aiohttp.ClientError, OSError) as broken:
            raise FateUnknown(f"{system} broke the connection ({type(broken).__name__})") from broken
        if reply.status >= 500 or reply.status == 429:
            raise HttpFailed(
                f"{system} answered HTTP {reply.status}",
                status=reply.status,
                body=body[:_EXCERPT_BYTES],
                content_type=reply.headers.get("Content-Type", ""),
                retry_after_s=_retry_after_s(reply.headers.get("Retry-After")),
            )
        return reply

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in answer.content.iter_any():
            size += len(chunk)
            if size > self._max_body_bytes:
                raise Faulty(f"{self.guard.system} answered more than {self._max_body_bytes} bytes")
            chunks.append(chunk)
        return b"".join(chunks)

    def _open_session(self) -> aiohttp.ClientSession:
        # Made inside the running loop, at the first call: an adapter can be constructed anywhere.
        if self._session is None or self._session.closed:
            policy = self.guard.policy
            connect_s = min(policy.connect_timeout_s, policy.timeout_s)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=policy.concurrency, force_close=not self._keep_alive),
                timeout=aiohttp.ClientTimeout(total=None, connect=connect_s, sock_connect=connect_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session


def _retry_after_s(header: str | None) -> float | None:
    """Read ``Retry-After`` in seconds; a date or nonsense counts as absent."""
    if header is None or not header.isascii() or not header.isdigit() or len(header) > 6:
        return None
    return float(header)
