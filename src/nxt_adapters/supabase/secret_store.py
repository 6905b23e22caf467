"""Secrets in the relational plane: what clients write in plain text is sealed within seconds [REL-141, R15]."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from nxt_domain.shared.secrets import Sealed, SecretBox, SecretLost

_INBOX = text(
    """
    select id, purpose, owner_type, owner_id, plaintext from internal.secret_inbox
    order by id limit :limit for update skip locked
    """
)
_REPLACE = text(
    """
    with written as materialized (
        select * from unnest(cast(:ids as uuid[]), cast(:purposes as text[]), cast(:owner_types as text[]),
            cast(:owner_ids as bigint[]), cast(:ciphertexts as bytea[]), cast(:key_ids as text[]))
            as w (id, purpose, owner_type, owner_id, ciphertext, key_id)
    ),
    stored as (
        insert into internal.secrets (id, purpose, owner_type, owner_id, ciphertext, key_id)
        select id, purpose, owner_type, owner_id, ciphertext, key_id from written where ciphertext is not null
        returning id
    ),
    pointed as (
        insert into internal.meter_secrets as m (meter_id, decoder_key_id)
        select owner_id, case when ciphertext is null then null else id end from written
        where purpose = 'METER_DECODER_KEY'
        on conflict (meter_id) do update set decoder_key_id = excluded.decoder_key_id, updated_at = now()
        returning m.meter_id
    )
    select count(*) from pointed
    """
)
_FORGET = text(
    """
    delete from internal.secrets s
    using unnest(cast(:purposes as text[]), cast(:owner_types as text[]), cast(:owner_ids as bigint[]),
        cast(:ids as uuid[])) as w (purpose, owner_type, owner_id, id)
    where s.purpose = w.purpose and s.owner_type = w.owner_type and s.owner_id = w.owner_id and s.id <> w.id
    """
)
_EMPTY = text("delete from internal.secret_inbox where id = any(:inbox_ids)")
_STALE = text(
    """
    select id, purpose, owner_type, owner_id, ciphertext, key_id from internal.secrets
    where id > :after and key_id <> :newest order by id limit :limit for update
    """
)
_RESEAL = text(
    """
    update internal.secrets s set ciphertext = w.ciphertext, key_id = :newest, rotated_at = now()
    from unnest(cast(:ids as uuid[]), cast(:ciphertexts as bytea[])) as w (id, ciphertext)
    where s.id = w.id
    """
)
_KEY_IDS = text("select key_id, count(*) as secrets from internal.secrets group by key_id order by key_id")


def context_of(purpose: str, owner_type: str, owner_id: int) -> str:
    """Name what a secret belongs to, as its seal binds it."""
    return f"{purpose}:{owner_type}:{owner_id}"


@attrs.frozen(kw_only=True)
class Resealed:
    """What a rotation did.

    Attributes:
        resealed: Secrets that the newest data key seals now.
        lost: Secrets that no key at hand opens; they are as they were.
    """

    resealed: int = 0
    lost: int = 0


@attrs.frozen(kw_only=True)
class _Written:
    """A row of the inbox; an empty text asks for the deletion of the secret."""

    id: int
    purpose: str
    owner_type: str
    owner_id: int
    plaintext: str = attrs.field(repr=False)


class PostgresSecretStore:
    """Seals the inbox, and knows which data keys are needed.

    Args:
        engine: The process's pool.
        box: The data keys.
    """

    def __init__(self, engine: AsyncEngine, box: SecretBox) -> None:
        self._engine = engine
        self._box = box

    async def empty_inbox(self, *, limit: int = 500) -> int:
        """Seal one batch of what clients wrote, and return how many rows the inbox held; one transaction.

        Of several rows for one secret the newest counts.
        """
        async with self._engine.begin() as connection:
            rows = (await connection.execute(_INBOX, {"limit": limit})).mappings()
            written = [_Written(**row) for row in rows]
            if written:
                newest = {(row.purpose, row.owner_type, row.owner_id): row for row in written}
                await self._store(connection, list(newest.values()))
                await connection.execute(_EMPTY, {"inbox_ids": [row.id for row in written]})
        return len(written)

    async def reseal(self, *, limit: int = 500) -> Resealed:
        """Seal with the newest data key what older ones sealed; each batch is a transaction, a repeat is harmless."""
        after, done = uuid.UUID(int=0), Resealed()
        while True:
            async with self._engine.begin() as connection:
                parameters = {"after": after, "newest": self._box.newest, "limit": limit}
                rows = (await connection.execute(_STALE, parameters)).all()
                if not rows:
                    return done
                sealed = {row.id: anew for row in rows if (anew := self._sealed_anew(row)) is not None}
                facts = {"ids": list(sealed), "ciphertexts": list(sealed.values()), "newest": self._box.newest}
                await connection.execute(_RESEAL, facts)
            after = rows[-1].id
            done = Resealed(resealed=done.resealed + len(sealed), lost=done.lost + len(rows) - len(sealed))

    def _sealed_anew(self, row: Any) -> bytes | None:  # noqa: ANN401 - a row of the table
        """Open and seal one secret; None: its data key is not at hand."""
        context = context_of(row.purpose, row.owner_type, row.owner_id)
        try:
            plain = self._box.open(Sealed(ciphertext=bytes(row.ciphertext), key_id=row.key_id), context=context)
        except SecretLost:
            return None
        return self._box.seal(plain, context=context).ciphertext

    async def lost(self) -> Mapping[str, int]:
        """Count secrets by data key, for the keys that are not configured."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(_KEY_IDS)).all()
        return {row.key_id: row.secrets for row in rows if row.key_id not in self._box.key_ids}

    async def _store(self, connection: AsyncConnection, rows: Sequence[_Written]) -> None:
        sealed = [
            self._box.seal(row.plaintext, context=context_of(row.purpose, row.owner_type, row.owner_id))
            if row.plaintext
            else None
            for row in rows
        ]
        owners = {
            "purposes": [row.purpose for row in rows],
            "owner_types": [row.owner_type for row in rows],
            "owner_ids": [row.owner_id for row in rows],
            "ids": [uuid.uuid4() for _ in rows],
        }
        await connection.execute(
            _REPLACE,
            {
                **owners,
                "ciphertexts": [None if each is None else each.ciphertext for each in sealed],
                "key_ids": [None if each is None else each.key_id for each in sealed],
            },
        )
        await connection.execute(_FORGET, owners)
