"""Requests that named themselves, on the relational plane [REL-155]."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_domain.shared.idempotency import LOCK, Answer, Claim, KeyedRequest, KeyRecord

# Takes a new key, an expired one, or one whose claim on the same request lapsed before anything was committed.
_CLAIM: Final = text(
    """
    insert into internal.idempotency_keys as k (scope, key, method, path, request_hash, state, locked_until)
    values (:scope, :key, :method, :path, :digest, 'IN_PROGRESS', clock_timestamp() + :lock)
    on conflict (scope, key) do update set
        created_at = now(), method = excluded.method, path = excluded.path, request_hash = excluded.request_hash,
        state = excluded.state, response_status = null, response_body = null, locked_until = excluded.locked_until,
        expires_at = excluded.expires_at
    where k.expires_at <= now()
        or (k.state = 'IN_PROGRESS' and k.locked_until <= now()
            and (k.method, k.path, k.request_hash) = (excluded.method, excluded.path, excluded.request_hash))
    returning locked_until
    """
)
_RECORD: Final = text(
    """
    select method, path, request_hash, response_status, response_body, locked_until > now() as is_locked
    from internal.idempotency_keys where scope = :scope and key = :key
    """
)
_COMPLETE: Final = text(
    """
    update internal.idempotency_keys set state = 'COMPLETED', response_status = :status, response_body = :body
    where scope = :scope and key = :key and locked_until = :until
    """
).bindparams(bindparam("body", type_=JSONB))
_RELEASE: Final = text(
    """
    delete from internal.idempotency_keys
    where scope = :scope and key = :key and locked_until = :until and state = 'IN_PROGRESS'
    """
)


class PostgresIdempotencyKeys:
    """``IdempotencyKeys``.

    Args:
        engine: The process's pool.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def claim(self, request: KeyedRequest) -> Claim | KeyRecord:
        """See ``IdempotencyKeys.claim``."""
        found: Claim | KeyRecord | None = None
        while found is None:  # the key that stood in the way was freed meanwhile
            found = await self._claim_or_read(request)
        return found

    async def complete(self, claim: Claim, answer: Answer) -> None:
        """See ``IdempotencyKeys.complete``."""
        await self._execute(_COMPLETE, {**_names(claim), "status": answer.status, "body": answer.body})

    async def release(self, claim: Claim) -> None:
        """See ``IdempotencyKeys.release``."""
        await self._execute(_RELEASE, _names(claim))

    async def _claim_or_read(self, request: KeyedRequest) -> Claim | KeyRecord | None:
        name = {"scope": request.scope, "key": request.key}
        facts = {"method": request.method, "path": request.path, "digest": request.digest, "lock": LOCK}
        async with PostgresTransaction(self._engine) as tx:
            until = (await tx.connection.execute(_CLAIM, {**name, **facts})).scalar_one_or_none()
            if until is None:
                row = (await tx.connection.execute(_RECORD, name)).one_or_none()
                return None if row is None else _record(request, row)
            await tx.commit()
        return Claim(request=request, until=until)

    async def _execute(self, statement: TextClause, values: dict[str, Any]) -> None:
        async with PostgresTransaction(self._engine) as tx:
            await tx.connection.execute(statement, values)
            await tx.commit()


def _names(claim: Claim) -> dict[str, Any]:
    return {"scope": claim.request.scope, "key": claim.request.key, "until": claim.until}


def _record(request: KeyedRequest, row: Any) -> KeyRecord:  # noqa: ANN401 - a row
    first = KeyedRequest(
        scope=request.scope, key=request.key, method=row.method, path=row.path, digest=bytes(row.request_hash)
    )
    is_answered = row.response_status is not None
    answer = Answer(status=row.response_status, body=row.response_body) if is_answered else None
    return KeyRecord(request=first, is_locked=row.is_locked, answer=answer)
