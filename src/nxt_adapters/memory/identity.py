"""Identity in memory: accounts, keys, grids, sessions and a verifier without cryptography."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_domain.identity.model import Account, ApiKey, NewApiKey, TokenClaims
from nxt_domain.identity.rules import key_hash as hash_of
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Conflict, Unauthenticated, Unavailable


@attrs.frozen(kw_only=True)
class _StoredKey:
    key: ApiKey
    key_hash: str | None
    plaintext: str | None = None


class MemoryAccounts:
    """``Accounts`` over the table ``accounts`` of a ``MemoryDatabase``."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._rows = database.table("accounts")

    def put(self, account: Account) -> None:
        """Store or replace an account."""
        self._rows[account.id] = account

    async def get(self, account_id: int) -> Account | None:
        """See ``Accounts.get``."""
        account: Account | None = self._rows.get(account_id)
        return account


class MemoryGridOwners:
    """``GridOwners`` over a dictionary of organization ids by grid id."""

    def __init__(self, owners: dict[int, int | None] | None = None) -> None:
        self.owners = owners or {}

    async def organization_of(self, grid_id: int) -> int | None:
        """See ``GridOwners.organization_of``."""
        return self.owners.get(grid_id)


class MemoryApiKeys:
    """``ApiKeys`` and ``ApiKeyRegistry`` over the table ``api_keys`` of a ``MemoryDatabase``.

    Attributes:
        is_away: True: the store can't be reached.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._rows = database.table("api_keys")
        self._accounts = database.table("accounts")
        self.is_away = False

    def put_plaintext(self, account_id: int, plaintext: str) -> int:
        """Store a key as operators of older deployments do: by hand, in plain text."""
        key_id = self._database.next_id("api_keys")
        key = ApiKey(id=key_id, account_id=account_id, created_at=self._database.clock.now())
        self._rows[key_id] = _StoredKey(key=key, key_hash=None, plaintext=plaintext)
        return key_id

    async def find(self, *, key_hash: str, plaintext: str | None) -> ApiKey | None:
        """See ``ApiKeys.find``."""
        if self.is_away:
            raise Unavailable("The database can't be reached")
        by_hash = [row.key for row in self._rows.values() if row.key_hash == key_hash]
        by_text = [row.key for row in self._rows.values() if plaintext is not None and row.plaintext == plaintext]
        return next(iter(by_hash + by_text), None)

    async def add(self, key: NewApiKey) -> int:
        """See ``ApiKeyRegistry.add``."""
        if key.account_id not in self._accounts:
            raise Conflict("the account does not exist", code="REFERENCE_MISSING")
        key_id = self._database.next_id("api_keys")
        stored = ApiKey(
            id=key_id,
            account_id=key.account_id,
            created_at=self._database.clock.now(),
            key_prefix=key.key_prefix,
            name=key.name,
            scopes=key.scopes,
            expires_at=key.expires_at,
        )
        self._rows[key_id] = _StoredKey(key=stored, key_hash=key.key_hash)
        return key_id

    async def list(self) -> Sequence[ApiKey]:
        """See ``ApiKeyRegistry.list``."""
        return [self._rows[key_id].key for key_id in sorted(self._rows)]

    async def set_locked(self, key_id: int, *, locked: bool) -> bool:
        """See ``ApiKeyRegistry.set_locked``."""
        return self._change(key_id, is_locked=locked)

    async def revoke(self, key_id: int, *, at: datetime) -> bool:
        """See ``ApiKeyRegistry.revoke``."""
        row = self._rows.get(key_id)
        return row is not None and self._change(key_id, revoked_at=row.key.revoked_at or at)

    async def hash_plaintext(self) -> int:
        """See ``ApiKeyRegistry.hash_plaintext``."""
        plain = {key_id: row.plaintext for key_id, row in self._rows.items() if row.plaintext is not None}
        for key_id, text in plain.items():
            key = attrs.evolve(self._rows[key_id].key, key_prefix=text[:8])
            self._rows[key_id] = _StoredKey(key=key, key_hash=hash_of(text))
        return len(plain)

    def _change(self, key_id: int, **values: object) -> bool:
        row = self._rows.get(key_id)
        if row is None:
            return False
        self._rows[key_id] = attrs.evolve(row, key=attrs.evolve(row.key, **values))
        return True


class MemoryTokens:
    """``TokenVerifier`` that knows tokens by heart."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._claims: dict[str, TokenClaims] = {}

    def put(self, token: str, claims: TokenClaims) -> None:
        """Make a token valid."""
        self._claims[token] = claims

    async def verify(self, token: str) -> TokenClaims:
        """See ``TokenVerifier.verify``."""
        claims = self._claims.get(token)
        if claims is None or claims.expires_at <= self._clock.now():
            raise Unauthenticated("Invalid or expired token")
        return claims


class MemorySessions:
    """``LiveSessions``: every session lives until it is ended.

    Attributes:
        is_away: True: the provider can't say.
        asked: How often it was asked.
    """

    def __init__(self) -> None:
        self._ended: set[str] = set()
        self.is_away = False
        self.asked = 0

    def end(self, token: str) -> None:
        """End the session of a token."""
        self._ended.add(token)

    async def confirm(self, token: str) -> None:
        """See ``LiveSessions.confirm``."""
        self.asked += 1
        if self.is_away:
            raise Unavailable("The identity provider can't be reached")
        if token in self._ended:
            raise Unauthenticated("Session from session_id claim in JWT does not exist")
