"""Signing in where this system keeps the logins itself: the few calls that client libraries need [R30, API-178]."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from nxt_domain.identity.logins import SESSIONS_END_AT, IssuedTokens, Login, LoginChange, TokenStamp, epoch_ms
from nxt_domain.identity.model import CredentialKind, Principal
from nxt_domain.identity.ports import IdentityProvider, PasswordLogins, SessionTokens
from nxt_domain.identity.rules import NO_ACCESS
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Forbidden, InvalidInput, Unauthenticated


@attrs.frozen(kw_only=True)
class OwnLogin:
    """A login as its owner's client library reads it."""

    id: str
    aud: str
    role: str
    email: str
    phone: str
    app_metadata: Mapping[str, object]
    user_metadata: Mapping[str, object]
    created_at: datetime | None


@attrs.frozen(kw_only=True)
class SignedIn:
    """A session as client libraries read it.

    Attributes:
        expires_in: Seconds from now on.
        expires_at: Seconds since 1970.
    """

    access_token: str = attrs.field(repr=False)
    token_type: str
    expires_in: int
    expires_at: int
    refresh_token: str = attrs.field(repr=False)
    user: OwnLogin


class SignIn:
    """Begins, renews and ends sessions.

    Args:
        logins: Knows passwords.
        provider: Keeps logins.
        tokens: Makes and reads tokens.
        clock: Tells the time.
    """

    def __init__(
        self,
        *,
        logins: PasswordLogins,
        provider: IdentityProvider,
        tokens: SessionTokens,
        clock: Clock,
    ) -> None:
        self._logins = logins
        self._provider = provider
        self._tokens = tokens
        self._clock = clock

    async def by_password(self, *, email: str | None, phone: str | None, password: str) -> SignedIn:
        """Begin a session.

        Raises:
            InvalidInput: Unknown, wrong or banned; strangers and wrong passwords look alike.
        """
        login = await self._logins.check(email=email, phone=phone, password=password)
        if login is None:
            raise InvalidInput("Invalid login credentials", code="INVALID_CREDENTIALS")
        return self._session(login)

    async def refresh(self, token: str) -> SignedIn:
        """Renew a session.

        Raises:
            InvalidInput: The token is not good, or its session has ended.
        """
        try:
            stamp = self._tokens.read_refresh(token)
        except Unauthenticated:
            raise _no_such_session() from None
        login = await self._provider.find(login_id=stamp.login_id)
        if login is None or login.has_ended(stamp.issued_at):
            raise _no_such_session()
        return self._session(login)

    async def own(self, caller: Principal) -> OwnLogin:
        """Return the caller's login.

        Raises:
            Unauthenticated: It is gone.
        """
        return _own(await self._login(caller))

    async def sign_out(self, caller: Principal) -> None:
        """End all sessions of the caller; an API key has none to end.

        Raises:
            Forbidden: The caller is a key.
            Unauthenticated: The login is gone.
        """
        if caller.kind is not CredentialKind.USER:
            raise Forbidden(NO_ACCESS)
        login = await self._login(caller)
        end = epoch_ms(self._clock.now())
        await self._provider.update(login.id, LoginChange(app_metadata={SESSIONS_END_AT: end}))

    async def _login(self, caller: Principal) -> Login:
        login = await self._provider.find(login_id=caller.supabase_id) if caller.supabase_id else None
        if login is None:
            raise Unauthenticated("No valid user data found")
        return login

    def _session(self, login: Login) -> SignedIn:
        now = self._clock.now()
        if login.is_banned(now):
            raise InvalidInput("User is banned", code="USER_BANNED")
        issued: IssuedTokens = self._tokens.issue(login)
        return SignedIn(
            access_token=issued.access_token,
            token_type="bearer",  # noqa: S106 - a kind of token, no token
            expires_in=int((issued.expires_at - now).total_seconds()),
            expires_at=int(issued.expires_at.timestamp()),
            refresh_token=issued.refresh_token,
            user=_own(login),
        )


class ConfirmLocalSession:
    """``LiveSessions`` where this system keeps the logins: the login is there, not banned, and has not signed out.

    Args:
        provider: Keeps logins.
        tokens: Reads tokens.
        clock: Tells the time.
    """

    def __init__(self, *, provider: IdentityProvider, tokens: SessionTokens, clock: Clock) -> None:
        self._provider = provider
        self._tokens = tokens
        self._clock = clock

    async def confirm(self, token: str) -> None:
        """See ``LiveSessions.confirm``; the token's signature has been verified before."""
        stamp: TokenStamp = self._tokens.stamp_of(token)
        login = await self._provider.find(login_id=stamp.login_id)
        if login is None:
            raise Unauthenticated("User from sub claim in JWT does not exist")
        if login.is_banned(self._clock.now()):
            raise Unauthenticated("User is banned")
        if login.has_ended(stamp.issued_at):
            raise Unauthenticated("Session from session_id claim in JWT does not exist")


def _no_such_session() -> InvalidInput:
    return InvalidInput("Invalid Refresh Token: Refresh Token Not Found", code="REFRESH_TOKEN_NOT_FOUND")


def _own(login: Login) -> OwnLogin:
    return OwnLogin(
        id=login.id,
        aud="authenticated",
        role="authenticated",
        email=login.email or "",
        phone=login.phone or "",
        app_metadata=login.app_metadata,
        user_metadata={"full_name": login.full_name},
        created_at=login.created_at,
    )
