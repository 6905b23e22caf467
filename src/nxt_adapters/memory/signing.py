"""Signed tokens without cryptography."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta

from nxt_domain.identity.logins import IssuedTokens, Login, TokenStamp
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Unauthenticated


class MemorySigner:
    """``TokenSigner`` whose tokens are their claims."""

    def sign(self, claims: Mapping[str, object]) -> str:
        """See ``TokenSigner.sign``."""
        return json.dumps(dict(claims))


class MemorySessionTokens:
    """``SessionTokens`` without cryptography: it remembers what it issued.

    Args:
        clock: Tells the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._issued: dict[str, TokenStamp] = {}

    def issue(self, login: Login) -> IssuedTokens:
        """See ``SessionTokens.issue``."""
        now = self._clock.now()
        access, refresh = f"access-{len(self._issued)}", f"refresh-{len(self._issued)}"
        self._issued[access] = self._issued[refresh] = TokenStamp(login_id=login.id, issued_at=now)
        return IssuedTokens(access_token=access, refresh_token=refresh, expires_at=now + timedelta(hours=1))

    def read_refresh(self, token: str) -> TokenStamp:
        """See ``SessionTokens.read_refresh``."""
        stamp = self._issued.get(token) if token.startswith("refresh-") else None
        if stamp is None or self._clock.now() - stamp.issued_at >= timedelta(days=30):
            raise Unauthenticated("Invalid Refresh Token")
        return stamp

    def stamp_of(self, token: str) -> TokenStamp:
        """See ``SessionTokens.stamp_of``."""
        if token not in self._issued:
            raise Unauthenticated("No valid user data found")
        return self._issued[token]
