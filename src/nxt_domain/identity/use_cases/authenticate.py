"""Authentication: from a credential to a principal."""

from __future__ import annotations

from datetime import timedelta

from nxt_domain.identity.cache import TtlCache
from nxt_domain.identity.model import Account, CallOrigin, OrganizationType, Principal, TokenClaims
from nxt_domain.identity.ports import Accounts, ApiKeys, LiveSessions, TokenVerifier
from nxt_domain.identity.rules import key_hash, may_own_key, principal_of_key, principal_of_user, same_secret
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Forbidden, Unauthenticated, Unavailable

_LONGEST_KEY = 512
_NO_KEY_OWNER = "The API key used does not have a corresponding account"


class AuthenticateUser:
    """Turns a user token into a principal [API-44 … API-47].

    Args:
        tokens: Verifies them.
        accounts: The database's view of the caller.
        sessions: Confirms that the session still exists.
        clock: Tells the time.
        admin_organization_id: Whose members are platform staff.
        ttl: How long an account row, and that a token was signed by the provider, may be remembered; at most 10 s.
    """

    def __init__(
        self,
        *,
        tokens: TokenVerifier,
        accounts: Accounts,
        sessions: LiveSessions,
        clock: Clock,
        admin_organization_id: int = 2,
        ttl: timedelta = timedelta(seconds=10),
    ) -> None:
        self._tokens = tokens
        self._accounts = accounts
        self._sessions = sessions
        self._admin_organization_id = admin_organization_id
        self._clock = clock
        self._known: TtlCache[int, Account] = TtlCache(clock, ttl=ttl)
        # Keyed by hash, so that no credential stays in memory.
        self._verified: TtlCache[str, TokenClaims] = TtlCache(clock, ttl=ttl)

    async def __call__(self, token: str, origin: CallOrigin | None = None) -> Principal:
        """Authenticate the bearer of a token, who called from ``origin``.

        Raises:
            Unauthenticated: With the text that clients know, for each reason.
            Unavailable: The database or the key set can't be reached.
        """
        claims = await self._claims(token)
        if claims.subject is None:
            raise Unauthenticated("No UID in token")
        if claims.account_id is None:
            raise Unauthenticated("This auth.user does not have a corresponding account")
        account = await self._account(claims.account_id)
        if account is None or account.is_closed or account.supabase_id != claims.subject:
            raise Unauthenticated("No account for this user")
        return principal_of_user(
            account, claims, token, admin_organization_id=self._admin_organization_id, origin=origin
        )

    async def confirm_session(self, principal: Principal) -> None:
        """Confirm that a user's session still exists; a key needs none [API-49].

        Raises:
            Unauthenticated: The session is gone.
            Unavailable: The identity provider can't say.
        """
        if principal.token is not None:
            await self._sessions.confirm(principal.token)

    async def _claims(self, token: str) -> TokenClaims:
        """Verify a token; a dashboard sends the same one with all its requests of a moment."""
        digest = key_hash(token)
        claims = self._verified.get(digest)
        if claims is None or claims.expires_at <= self._clock.now():
            claims = await self._tokens.verify(token)
            self._verified.put(digest, claims)
        return claims

    async def _account(self, account_id: int) -> Account | None:
        account = self._known.get(account_id)
        if account is None:
            account = await self._accounts.get(account_id)
            if account is not None:
                self._known.put(account_id, account)
        return account


class AuthenticateKey:
    """Turns an API key into a principal [API-51 … API-55].

    Args:
        keys: Stored keys.
        accounts: Their owners.
        clock: Tells the time.
        admin_organization_id: Whose members' keys are platform staff.
        accept_plaintext: Whether keys stored in plain text count.
        ttl: How long a positive answer may be remembered; at most 60 s.
    """

    def __init__(
        self,
        *,
        keys: ApiKeys,
        accounts: Accounts,
        clock: Clock,
        admin_organization_id: int = 2,
        accept_plaintext: bool = True,
        ttl: timedelta = timedelta(seconds=30),
    ) -> None:
        self._keys = keys
        self._accounts = accounts
        self._clock = clock
        self._admin_organization_id = admin_organization_id
        self._accept_plaintext = accept_plaintext
        # Keyed by hash, so that no secret stays in memory.
        self._known: TtlCache[str, Principal] = TtlCache(clock, ttl=ttl)

    async def __call__(self, key: str) -> Principal:
        """Authenticate the bearer of a key.

        Raises:
            Unauthenticated: It is unknown, locked, expired, revoked, or its owner may not have keys.
            Unavailable: The database can't be reached, and the key is not remembered.
        """
        if len(key) > _LONGEST_KEY or not (key.isascii() and key.isprintable()):
            raise Unauthenticated(_NO_KEY_OWNER)
        digest = key_hash(key)
        return self._known.get(digest) or await self._look_up(key, digest)

    async def _look_up(self, key: str, digest: str) -> Principal:
        stored = await self._keys.find(key_hash=digest, plaintext=key if self._accept_plaintext else None)
        if stored is None or not stored.is_usable(self._clock.now()):
            raise Unauthenticated(_NO_KEY_OWNER)
        owner = await self._accounts.get(stored.account_id)
        if owner is None or not may_own_key(owner):
            raise Unauthenticated(_NO_KEY_OWNER)
        principal = principal_of_key(owner, stored, admin_organization_id=self._admin_organization_id)
        self._known.put(digest, principal)
        return principal


class AuthenticateService:
    """Guards the inner roles: the shared key, or the key of an operator of the platform [API-57, API-58].

    Args:
        internal_keys: Accepted values of ``X-API-KEY`` (``INTERNAL_API_KEY`` and its aliases).
        by_key: Authenticates operators' own keys.
        is_required: False: everybody is admitted.
    """

    def __init__(
        self, *, internal_keys: frozenset[str], by_key: AuthenticateKey | None = None, is_required: bool = True
    ) -> None:
        self._internal_keys = internal_keys
        self._by_key = by_key
        self._is_required = is_required

    async def __call__(self, key: str | None) -> Principal | None:
        """Admit a caller; the principal is None for the shared key and for open roles.

        Raises:
            Unauthenticated: ``Unauthorized``.
            Unavailable: The key store can't be reached, and the key is not the shared one.
        """
        # Every key is compared, so that time does not tell which one came close.
        matches = [same_secret(key, expected) for expected in self._internal_keys]
        if any(matches) or not self._is_required:
            return None
        if not key or self._by_key is None:
            raise Unauthenticated("Unauthorized")
        principal = await self._operator(key, self._by_key)
        if not principal.is_admin_org:
            raise Unauthenticated("Unauthorized")
        return principal

    async def _operator(self, key: str, by_key: AuthenticateKey) -> Principal:
        try:
            return await by_key(key)
        except Unauthenticated:
            raise Unauthenticated("Unauthorized") from None


class AuthenticateDataReader:
    """Guards the data routes: an API key as bearer token [API-56].

    Whether the key may see the grids that are asked for is decided by the route, which knows them.

    Args:
        by_key: Authenticates the key.
    """

    def __init__(self, by_key: AuthenticateKey) -> None:
        self._by_key = by_key

    async def __call__(self, key: str) -> Principal:
        """Authenticate a reader.

        Raises:
            Unauthenticated: ``Invalid API key``, or ``Unable to verify API key`` while the store is away.
        """
        try:
            return await self._by_key(key)
        except Unauthenticated:
            raise Unauthenticated("Invalid API key") from None
        except Unavailable as away:
            raise Unauthenticated("Unable to verify API key") from away


def require_data_reader(principal: Principal, *, grid_organization_id: int | None) -> None:
    """Let platform staff, data aggregators and the grids' own organization read consumption [API-56].

    Raises:
        Forbidden: ``Not authorized``.
    """
    is_entitled = (
        principal.is_admin_org
        or principal.organization_type is OrganizationType.DATA_AGGREGATOR
        or (grid_organization_id is not None and principal.organization_id == grid_organization_id)
    )
    if not is_entitled:
        raise Forbidden("Not authorized")
