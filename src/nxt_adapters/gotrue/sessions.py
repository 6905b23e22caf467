"""Whether a user's session still exists [API-49]."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
import msgspec

from nxt_domain.shared.errors import Unauthenticated, Unavailable

_TIMEOUT_S = 5.0
_LONGEST_MESSAGE = 200
_MESSAGE_FIELDS = ("msg", "message", "error_description")
# Answers that say nothing about the session: nobody must be signed out by them [API-16].
_SAY_NOTHING = frozenset({408, 429})


class GoTrueSessions:
    """``LiveSessions`` at Supabase Auth.

    Args:
        base_url: ``SUPABASE_API_URL``.
        anon_key: ``SUPABASE_ANON_KEY``, sent as ``apikey``.
        session: The process's HTTP client.
    """

    def __init__(self, base_url: str, anon_key: str, session: aiohttp.ClientSession) -> None:
        self._url = f"{base_url.rstrip('/')}/auth/v1/user"
        self._anon_key = anon_key
        self._session = session

    async def confirm(self, token: str) -> None:
        """See ``LiveSessions.confirm``."""
        headers = {"apikey": self._anon_key, "Authorization": f"Bearer {token}"}
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        try:
            async with self._session.get(self._url, headers=headers, timeout=timeout, allow_redirects=False) as answer:
                body = _object(await answer.read())
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _away() from error
        if 400 <= status < 500 and status not in _SAY_NOTHING:
            raise Unauthenticated(_message(body))
        if status != 200:
            raise _away()
        if not isinstance(body.get("id"), str):
            raise Unauthenticated("No valid user data found")


def _away() -> Unavailable:
    return Unavailable("The identity provider can't be reached", code="IDENTITY_PROVIDER_UNAVAILABLE")


def _object(body: bytes) -> Mapping[str, object]:
    try:
        value = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _message(body: Mapping[str, object]) -> str:
    texts = (body.get(field) for field in _MESSAGE_FIELDS)
    found = next((text for text in texts if isinstance(text, str) and text), "Unauthorized")
    return found[:_LONGEST_MESSAGE]
