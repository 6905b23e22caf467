"""What identity needs from outside: a verifier of tokens, accounts, keys, live sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from nxt_domain.identity.model import Account, ApiKey, NewApiKey, TokenClaims


class TokenVerifier(Protocol):
    """Checks user tokens."""

    async def verify(self, token: str) -> TokenClaims:
        """Check signature, times and audience of a token and read its claims [API-44].

        Raises:
            Unauthenticated: ``Invalid or expired token``, whatever is wrong with it.
            Unavailable: The key set is needed and can't be had; the token may be fine.
        """


class Accounts(Protocol):
    """Reads accounts; one statement per call."""

    async def get(self, account_id: int) -> Account | None:
        """Find an account with its organization, member, agent and customer."""


class ApiKeys(Protocol):
    """Reads machine credentials."""

    async def find(self, *, key_hash: str, plaintext: str | None) -> ApiKey | None:
        """Find a key by its hash, else by its plain text [API-53].

        Args:
            key_hash: Lower-case hexadecimal SHA-256 of the presented key.
            plaintext: The presented key; None: stored plain keys don't count.

        Raises:
            Unavailable: The store can't be reached.
        """


class ApiKeyRegistry(Protocol):
    """Keeps machine credentials: the operator's side [API-54]."""

    async def add(self, key: NewApiKey) -> int:
        """Store a key and return its id.

        Raises:
            Conflict: There is no such account.
        """

    async def list(self) -> Sequence[ApiKey]:
        """Return all keys by ascending id; there are dozens, not thousands."""

    async def set_locked(self, key_id: int, *, locked: bool) -> bool:
        """Lock or unlock a key; False: there is no such key."""

    async def revoke(self, key_id: int, *, at: datetime) -> bool:
        """Revoke a key for good; False: there is no such key. A second call keeps the first time."""

    async def hash_plaintext(self) -> int:
        """Replace stored plain keys by their hashes and return how many there were."""


class LiveSessions(Protocol):
    """Asks the identity provider whether a user's session still exists."""

    async def confirm(self, token: str) -> None:
        """Return when the session lives [API-49].

        Raises:
            Unauthenticated: It does not; with the provider's own words.
            Unavailable: The provider can't say.
        """


class GridOwners(Protocol):
    """Tells whose a grid is."""

    async def organization_of(self, grid_id: int) -> int | None:
        """Return the organization that owns a grid; None: there is no such grid."""
