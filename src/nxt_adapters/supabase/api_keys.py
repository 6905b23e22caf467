"""Machine credentials on the relational plane: hashes, and plain keys of older deployments [API-53, API-54]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping, case, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.tables import api_keys
from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_domain.identity.model import ApiKey, NewApiKey

_SHOWN_CHARACTERS = 8

_COLUMNS = (
    api_keys.c.id,
    api_keys.c.account_id,
    api_keys.c.created_at,
    api_keys.c.is_locked,
    api_keys.c.key_prefix,
    api_keys.c.name,
    api_keys.c.scopes,
    api_keys.c.expires_at,
    api_keys.c.revoked_at,
)


class PostgresApiKeys:
    """``ApiKeys`` and ``ApiKeyRegistry`` on the relational plane.

    Args:
        engine: The process's pool.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def find(self, *, key_hash: str, plaintext: str | None) -> ApiKey | None:
        """See ``ApiKeys.find``; both look-ups go through unique indexes."""
        matches = api_keys.c.key_hash == key_hash
        if plaintext is not None:
            matches = or_(matches, api_keys.c.key == plaintext)
        # The hash is looked at first: a row found by it outranks one that holds the same key in plain text.
        by_hash_first = case((api_keys.c.key_hash == key_hash, 0), else_=1)
        query = select(*_COLUMNS).where(matches).order_by(by_hash_first).limit(1)
        async with PostgresTransaction(self._engine) as tx:
            row = (await tx.connection.execute(query)).mappings().one_or_none()
        return None if row is None else _to_key(row)

    async def add(self, key: NewApiKey) -> int:
        """See ``ApiKeyRegistry.add``."""
        statement = (
            insert(api_keys)
            .values(
                account_id=key.account_id,
                key_hash=key.key_hash,
                key_prefix=key.key_prefix,
                name=key.name,
                scopes=None if key.scopes is None else sorted(key.scopes),
                expires_at=key.expires_at,
            )
            .returning(api_keys.c.id)
        )
        async with PostgresTransaction(self._engine) as tx:
            key_id = (await tx.connection.execute(statement)).scalar_one()
            await tx.commit()
        return int(key_id)

    async def list(self) -> Sequence[ApiKey]:
        """See ``ApiKeyRegistry.list``."""
        async with PostgresTransaction(self._engine) as tx:
            rows = (await tx.connection.execute(select(*_COLUMNS).order_by(api_keys.c.id))).mappings().all()
        return [_to_key(row) for row in rows]

    async def set_locked(self, key_id: int, *, locked: bool) -> bool:
        """See ``ApiKeyRegistry.set_locked``."""
        return await self._change(key_id, {"is_locked": locked})

    async def revoke(self, key_id: int, *, at: datetime) -> bool:
        """See ``ApiKeyRegistry.revoke``."""
        return await self._change(key_id, {"revoked_at": func.coalesce(api_keys.c.revoked_at, at)})

    async def hash_plaintext(self) -> int:
        """See ``ApiKeyRegistry.hash_plaintext``; in one statement, so that no key is half moved."""
        digest = func.encode(func.sha256(func.convert_to(api_keys.c.key, "UTF8")), "hex")
        statement = (
            update(api_keys)
            .where(api_keys.c.key.is_not(None))
            .values(key_hash=digest, key_prefix=func.left(api_keys.c.key, _SHOWN_CHARACTERS), key=None)
            .returning(api_keys.c.id)
        )
        async with PostgresTransaction(self._engine) as tx:
            moved = len((await tx.connection.execute(statement)).all())
            await tx.commit()
        return moved

    async def _change(self, key_id: int, values: dict[str, object]) -> bool:
        statement = update(api_keys).where(api_keys.c.id == key_id).values(**values).returning(api_keys.c.id)
        async with PostgresTransaction(self._engine) as tx:
            is_known = (await tx.connection.execute(statement)).one_or_none() is not None
            await tx.commit()
        return is_known


def _to_key(row: RowMapping) -> ApiKey:
    scopes = row["scopes"]
    return ApiKey(**{**row, "scopes": None if scopes is None else frozenset(scopes)})
