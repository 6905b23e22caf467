"""Keys of merchant accounts at the gateway (PAY 9.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs


@attrs.frozen(kw_only=True)
class MerchantKeys:
    """The keys of one merchant account.

    Attributes:
        public_key: For the browser's checkout; not secret.
        secret_key: For our calls.
        webhook_secret: The secret hash that its webhooks carry; None: none is set.
    """

    public_key: str
    secret_key: str = attrs.field(repr=False)
    webhook_secret: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class OrganizationKeys:
    """The own merchant account of an organization.

    Attributes:
        is_enabled: Whether new payments use it; payments under way use it in any case [PAY-86].
    """

    keys: MerchantKeys
    is_enabled: bool


class OrganizationCredentials(Protocol):
    """Reads the merchant accounts of organizations from the encrypted store."""

    async def read(self, organization_id: int) -> OrganizationKeys | None:
        """Read an organization's account; None: it has none, or a part of it is missing.

        Raises:
            Unavailable: The store can't be reached.
        """


@attrs.frozen(kw_only=True)
class MerchantListing:
    """What may be shown of an organization's account: never a secret."""

    organization_id: int
    organization_name: str
    public_key: str | None
    is_enabled: bool
    is_complete: bool


class MerchantKeyStore(OrganizationCredentials, Protocol):
    """Keeps the merchant accounts of organizations, sealed; the platform's staff sets them [PAY-81, PAY-85]."""

    async def write(self, organization_id: int, keys: MerchantKeys, *, is_enabled: bool) -> None:
        """Store or rotate an organization's keys: new secrets in, the old ones out, at once [REL-153].

        Raises:
            NotFound: There is no such organization.
            InvalidInput: The keys have no webhook secret, so that their payments could not be told from forged ones.
        """

    async def set_enabled(self, organization_id: int, *, is_enabled: bool) -> bool:
        """Let new payments use the account, or not; False: the organization has none.

        Payments under way keep the account they were begun with [PAY-86].
        """

    async def list(self) -> Sequence[MerchantListing]:
        """Return all accounts by organization id; there are dozens, not thousands."""
