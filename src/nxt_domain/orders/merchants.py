"""Keys of merchant accounts at the gateway (PAY 9.6)."""

from __future__ import annotations

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
