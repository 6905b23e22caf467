"""Merchant accounts of organizations in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from nxt_domain.orders.merchants import MerchantKeys, MerchantListing, OrganizationKeys
from nxt_domain.shared.errors import InvalidInput, NotFound


class MemoryMerchantKeys:
    """Implements ``MerchantKeyStore``.

    Args:
        organizations: Names of organizations by id.
    """

    def __init__(self, organizations: Mapping[int, str]) -> None:
        self._organizations = organizations
        self._keys: dict[int, OrganizationKeys] = {}

    async def read(self, organization_id: int) -> OrganizationKeys | None:
        """See ``OrganizationCredentials.read``."""
        return self._keys.get(organization_id)

    async def write(self, organization_id: int, keys: MerchantKeys, *, is_enabled: bool) -> None:
        """See ``MerchantKeyStore.write``."""
        if not keys.webhook_secret:
            raise InvalidInput("A merchant account needs its webhook secret", code="WEBHOOK_SECRET_MISSING")
        if organization_id not in self._organizations:
            raise NotFound(f"There is no organization {organization_id}", code="ORGANIZATION_UNKNOWN")
        self._keys[organization_id] = OrganizationKeys(keys=keys, is_enabled=is_enabled)

    async def set_enabled(self, organization_id: int, *, is_enabled: bool) -> bool:
        """See ``MerchantKeyStore.set_enabled``."""
        known = self._keys.get(organization_id)
        if known is None:
            return False
        self._keys[organization_id] = attrs.evolve(known, is_enabled=is_enabled)
        return True

    async def list(self) -> Sequence[MerchantListing]:
        """See ``MerchantKeyStore.list``."""
        return [
            MerchantListing(
                organization_id=organization_id,
                organization_name=self._organizations[organization_id],
                public_key=known.keys.public_key,
                is_enabled=known.is_enabled,
                is_complete=True,
            )
            for organization_id, known in sorted(self._keys.items())
        ]
