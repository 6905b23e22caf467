"""Merchant accounts of organizations: public keys in plain text, secrets sealed [PAY-82, PAY-85, REL-151 … REL-153]."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from nxt_adapters.supabase.secret_store import context_of
from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_domain.orders.merchants import MerchantKeys, MerchantListing, OrganizationKeys
from nxt_domain.shared.errors import InvalidInput, NotFound
from nxt_domain.shared.secrets import Sealed, SecretBox

_OWNER: Final = "organization"
_SECRET_KEY: Final = "FLUTTERWAVE_SECRET_KEY"  # noqa: S105 - a purpose's name
_WEBHOOK_SECRET: Final = "FLUTTERWAVE_WEBHOOK_SECRET"  # noqa: S105 - as above
_FOREIGN_KEY_VIOLATION: Final = "23503"

_READ: Final = text(
    """
    select c.flutterwave_enabled, c.flutterwave_public_key, key.ciphertext as key_ciphertext,
        key.key_id as key_key_id, hook.ciphertext as hook_ciphertext, hook.key_id as hook_key_id
    from internal.organization_payment_credentials c
    join internal.secrets key on key.id = c.flutterwave_secret_key_id
    join internal.secrets hook on hook.id = c.flutterwave_webhook_secret_id
    where c.organization_id = :organization_id and c.flutterwave_public_key is not null
    """
)
_SEAL: Final = text(
    """
    insert into internal.secrets (id, purpose, owner_type, owner_id, ciphertext, key_id)
    values (:id, :purpose, 'organization', :organization_id, :ciphertext, :key_id)
    """
)
_POINT: Final = text(
    """
    insert into internal.organization_payment_credentials as c (
        organization_id, flutterwave_enabled, flutterwave_public_key, flutterwave_secret_key_id,
        flutterwave_webhook_secret_id)
    values (:organization_id, :is_enabled, :public_key, :secret_key_id, :webhook_secret_id)
    on conflict (organization_id) do update set
        flutterwave_enabled = excluded.flutterwave_enabled, flutterwave_public_key = excluded.flutterwave_public_key,
        flutterwave_secret_key_id = excluded.flutterwave_secret_key_id,
        flutterwave_webhook_secret_id = excluded.flutterwave_webhook_secret_id, updated_at = now()
    """
)
_FORGET: Final = text(
    """
    delete from internal.secrets
    where owner_type = 'organization' and owner_id = :organization_id and purpose = any(:purposes)
        and not id = any(:kept)
    """
)
_ENABLE: Final = text(
    """
    update internal.organization_payment_credentials set flutterwave_enabled = :is_enabled, updated_at = now()
    where organization_id = :organization_id returning organization_id
    """
)
_LIST: Final = text(
    """
    select c.organization_id, o.name as organization_name, c.flutterwave_public_key as public_key,
        c.flutterwave_enabled as is_enabled,
        c.flutterwave_public_key is not null and c.flutterwave_secret_key_id is not null
            and c.flutterwave_webhook_secret_id is not null as is_complete
    from internal.organization_payment_credentials c join public.organizations o on o.id = c.organization_id
    order by c.organization_id
    """
)


class PostgresMerchantKeys:
    """Implements ``MerchantKeyStore``.

    Args:
        engine: The process's pool.
        box: The data keys.
    """

    def __init__(self, engine: AsyncEngine, box: SecretBox) -> None:
        self._engine = engine
        self._box = box

    async def read(self, organization_id: int) -> OrganizationKeys | None:
        """See ``OrganizationCredentials.read``."""
        async with PostgresTransaction(self._engine) as tx:
            row = (await tx.connection.execute(_READ, {"organization_id": organization_id})).one_or_none()
        if row is None:
            return None
        keys = MerchantKeys(
            public_key=row.flutterwave_public_key,
            secret_key=self._open(organization_id, _SECRET_KEY, row.key_ciphertext, row.key_key_id),
            webhook_secret=self._open(organization_id, _WEBHOOK_SECRET, row.hook_ciphertext, row.hook_key_id),
        )
        return OrganizationKeys(keys=keys, is_enabled=row.flutterwave_enabled)

    async def write(self, organization_id: int, keys: MerchantKeys, *, is_enabled: bool) -> None:
        """See ``MerchantKeyStore.write``; one transaction."""
        if not keys.webhook_secret:
            raise InvalidInput("A merchant account needs its webhook secret", code="WEBHOOK_SECRET_MISSING")
        try:
            async with PostgresTransaction(self._engine) as tx:
                secret_key_id = await self._seal(tx.connection, organization_id, _SECRET_KEY, keys.secret_key)
                hook_id = await self._seal(tx.connection, organization_id, _WEBHOOK_SECRET, keys.webhook_secret)
                row = {
                    "organization_id": organization_id,
                    "is_enabled": is_enabled,
                    "public_key": keys.public_key,
                    "secret_key_id": secret_key_id,
                    "webhook_secret_id": hook_id,
                }
                await _point(tx.connection, row)
                purposes = [_SECRET_KEY, _WEBHOOK_SECRET]
                old = {"organization_id": organization_id, "purposes": purposes, "kept": [secret_key_id, hook_id]}
                await tx.connection.execute(_FORGET, old)
                await tx.commit()
        except _NoSuchOrganization as error:
            raise NotFound(f"There is no organization {organization_id}", code="ORGANIZATION_UNKNOWN") from error

    async def set_enabled(self, organization_id: int, *, is_enabled: bool) -> bool:
        """See ``MerchantKeyStore.set_enabled``."""
        parameters = {"organization_id": organization_id, "is_enabled": is_enabled}
        async with PostgresTransaction(self._engine) as tx:
            is_known = (await tx.connection.execute(_ENABLE, parameters)).one_or_none() is not None
            await tx.commit()
        return is_known

    async def list(self) -> Sequence[MerchantListing]:
        """See ``MerchantKeyStore.list``."""
        async with PostgresTransaction(self._engine) as tx:
            return [_listing(row) for row in await tx.connection.execute(_LIST)]

    async def _seal(self, connection: AsyncConnection, organization_id: int, purpose: str, secret: str) -> uuid.UUID:
        sealed = self._box.seal(secret, context=context_of(purpose, _OWNER, organization_id))
        secret_id = uuid.uuid4()
        row = {"id": secret_id, "purpose": purpose, "organization_id": organization_id}
        await connection.execute(_SEAL, {**row, "ciphertext": sealed.ciphertext, "key_id": sealed.key_id})
        return secret_id

    def _open(self, organization_id: int, purpose: str, ciphertext: bytes, key_id: str) -> str:
        sealed = Sealed(ciphertext=bytes(ciphertext), key_id=key_id)
        return self._box.open(sealed, context=context_of(purpose, _OWNER, organization_id))


class _NoSuchOrganization(Exception):
    """The organization's row is missing."""


async def _point(connection: AsyncConnection, row: dict[str, object]) -> None:
    try:
        await connection.execute(_POINT, row)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _FOREIGN_KEY_VIOLATION:
            raise _NoSuchOrganization from error
        raise


def _listing(row: Row[Any]) -> MerchantListing:
    return MerchantListing(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name of a row's columns
