"""The identity provider's published keys, fetched seldom [API-44]."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import aiohttp
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from nxt_domain.shared.errors import Unavailable

MAX_AGE_S = 600.0
MIN_PAUSE_S = 30.0
_TIMEOUT_S = 5.0
_KINDS = {"RSA": "RS256", "EC": "ES256"}

_log = logging.getLogger(__name__)

Fetch = Callable[[], Awaitable[Mapping[str, Any]]]
"""Gets the key set as JSON; raises ``Unavailable``."""


class KeySet:
    """Keys by their id; fresh for ten minutes, asked for again at most once per 30 s.

    Keys that were fetched stay in use while the provider is away, so that its outage signs nobody out.

    Args:
        fetch: Gets the key set.
        now: Monotonic seconds.
    """

    def __init__(self, fetch: Fetch, *, now: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._now = now
        self._keys: dict[str, PyJWK] | None = None
        self._fetched_at = 0.0
        self._tried_at: float | None = None
        self._fetching = asyncio.Lock()

    async def find(self, key_id: str) -> PyJWK | None:
        """Find a key; None: the provider has none of this id.

        Raises:
            Unavailable: The key set was never fetched, and can't be now.
        """
        if self._is_wanting(key_id):
            async with self._fetching:
                # Others may have fetched it while this caller waited.
                if self._is_wanting(key_id):
                    await self._refresh()
        if self._keys is None:
            raise Unavailable("The identity provider's keys can't be fetched", code="KEY_SET_UNAVAILABLE")
        return self._keys.get(key_id)

    def _is_wanting(self, key_id: str) -> bool:
        if self._keys is None:
            # Nothing can be verified: a short pause spares the provider, and recovery is quick.
            return self._is_paused_for(1.0)
        is_stale = self._now() - self._fetched_at >= MAX_AGE_S
        return (is_stale or key_id not in self._keys) and self._is_paused_for(MIN_PAUSE_S)

    def _is_paused_for(self, pause_s: float) -> bool:
        return self._tried_at is None or self._now() - self._tried_at >= pause_s

    async def _refresh(self) -> None:
        self._tried_at = self._now()
        try:
            document = await self._fetch()
        except Unavailable as away:
            _log.warning("the key set can't be fetched: %s", away.message)
            return
        self._keys = _keys(document.get("keys"))
        self._fetched_at = self._now()


class HttpKeySource:
    """Gets a key set over HTTP.

    Args:
        url: ``SUPABASE_JWKS_URL``, else ``{SUPABASE_API_URL}/auth/v1/.well-known/jwks.json``.
        session: The process's HTTP client.
    """

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def __call__(self) -> Mapping[str, Any]:
        """Fetch the key set.

        Raises:
            Unavailable: The provider did not answer with one.
        """
        try:
            async with self._session.get(self._url, timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S)) as answer:
                answer.raise_for_status()
                document = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unavailable(f"The identity provider's keys can't be fetched ({type(error).__name__})") from error
        if not isinstance(document, dict):
            raise Unavailable("The identity provider's key set is no object")
        return document


def _keys(entries: object) -> dict[str, PyJWK]:
    """Read the keys that tokens may be signed with; others are left out."""
    found: dict[str, PyJWK] = {}
    for entry in entries if isinstance(entries, Sequence) else ():
        if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str) or entry.get("use", "sig") != "sig":
            continue
        algorithm = _KINDS.get(str(entry.get("kty")))
        if algorithm is None or entry.get("alg", algorithm) != algorithm:
            continue
        try:
            found[entry["kid"]] = PyJWK(entry, algorithm=algorithm)
        except PyJWTError as malformed:
            _log.warning("a published key is malformed: %s", type(malformed).__name__)
    return found
