"""Tokens of sessions that this system keeps itself, in the form of Supabase Auth's [API-44, API-45, R30]."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt

from nxt_adapters.jwt.verifier import AUDIENCE
from nxt_domain.identity.logins import IssuedTokens, Login, TokenStamp, epoch_ms
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Unauthenticated

ACCESS_LIFE: Final = timedelta(hours=1)
REFRESH_LIFE: Final = timedelta(days=30)
_REFRESH_AUDIENCE = "refresh"
_ALGORITHM = "HS256"
_BEGAN_AT = "began_at_ms"  # `iat` has whole seconds only


class LocalTokens:
    """``SessionTokens`` signed with the project's shared secret.

    Args:
        secret: ``SUPABASE_JWT_SECRET``.
        clock: Tells the time.
    """

    def __init__(self, secret: str, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock

    def issue(self, login: Login) -> IssuedTokens:
        """See ``SessionTokens.issue``."""
        issued_at = self._clock.now()
        expires_at = issued_at + ACCESS_LIFE
        access = {
            "sub": login.id,
            "aud": AUDIENCE,
            "role": AUDIENCE,
            "email": login.email or "",
            "phone": login.phone or "",
            "app_metadata": dict(login.app_metadata),
            "user_metadata": {"full_name": login.full_name},
            "session_id": str(uuid.uuid4()),
        }
        refresh = {"sub": login.id, "aud": _REFRESH_AUDIENCE, "jti": str(uuid.uuid4())}
        return IssuedTokens(
            access_token=self._signed(access, issued_at, expires_at),
            refresh_token=self._signed(refresh, issued_at, issued_at + REFRESH_LIFE),
            expires_at=expires_at,
        )

    def read_refresh(self, token: str) -> TokenStamp:
        """See ``SessionTokens.read_refresh``."""
        try:
            # The clock that is given decides over times, as for access tokens.
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],
                audience=_REFRESH_AUDIENCE,
                options={"verify_exp": False, "verify_iat": False},
            )
            is_fresh = float(claims["exp"]) > self._clock.now().timestamp()
        except (jwt.PyJWTError, KeyError, TypeError, ValueError) as reason:
            raise Unauthenticated("Invalid Refresh Token") from reason
        if not is_fresh:
            raise Unauthenticated("Invalid Refresh Token")
        return _stamp(claims)

    def stamp_of(self, token: str) -> TokenStamp:
        """See ``SessionTokens.stamp_of``."""
        try:
            return _stamp(jwt.decode(token, options={"verify_signature": False}))
        except jwt.PyJWTError as reason:
            raise Unauthenticated("No valid user data found") from reason

    def _signed(self, claims: Mapping[str, object], issued_at: datetime, expires_at: datetime) -> str:
        began = {"iat": int(issued_at.timestamp()), _BEGAN_AT: epoch_ms(issued_at)}
        times = {**began, "exp": int(expires_at.timestamp())}
        return jwt.encode({**claims, **times}, self._secret, algorithm=_ALGORITHM)


def _stamp(claims: Mapping[str, Any]) -> TokenStamp:
    try:
        login_id = str(uuid.UUID(str(claims["sub"])))
        issued_at = datetime.fromtimestamp(int(claims[_BEGAN_AT]) / 1000, UTC)
    except (KeyError, TypeError, ValueError, OverflowError) as reason:
        raise Unauthenticated("No valid user data found") from reason
    return TokenStamp(login_id=login_id, issued_at=issued_at)
