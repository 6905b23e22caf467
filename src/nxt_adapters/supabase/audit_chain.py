"""The chain over the audit log, on the relational plane [REL-167]."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, BYTEA, JSONB, TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_domain.shared.audit_chain import AuditRecord

_NAME = "audit-chain"
"""Row of ``job_leases`` whose cursor remembers the last hash of each month, and whose lock lets one chainer work."""

_HOLD: Final = text(
    """
    insert into internal.job_leases (name, cursor) values (:name, '{}')
    on conflict (name) do update set cursor = coalesce(job_leases.cursor, '{}')
    returning cursor
    """
).columns(cursor=JSONB)
_ENDS: Final = text("select cursor from internal.job_leases where name = :name").columns(cursor=JSONB)
_COLUMNS = "id, at, to_jsonb(a) - 'prev_hash' - 'hash' as content, prev_hash, hash"
_UNLINKED: Final = text(
    f"""
    select {_COLUMNS} from internal.audit_log a
    where hash is null and at < :before order by at, id limit :limit
    """  # noqa: S608 - constants of this module
).columns(content=JSONB)
_LINK: Final = text(
    """
    update internal.audit_log a set prev_hash = new.prev_hash, hash = new.hash
    from unnest(:ids, :ats, :prev_hashes, :hashes) as new (id, at, prev_hash, hash)
    where a.id = new.id and a.at = new.at
    """
).bindparams(
    bindparam("ids", type_=ARRAY(BIGINT)),
    bindparam("ats", type_=ARRAY(TIMESTAMP(timezone=True))),
    bindparam("prev_hashes", type_=ARRAY(BYTEA)),
    bindparam("hashes", type_=ARRAY(BYTEA)),
)
_REMEMBER: Final = text("update internal.job_leases set cursor = :cursor where name = :name").bindparams(
    bindparam("cursor", type_=JSONB)
)
_MONTHS: Final = text(
    "select generate_series(date_trunc('month', min(at), 'UTC'), max(at), interval '1 month') from internal.audit_log"
)
_OF_MONTH: Final = text(
    f"""
    select {_COLUMNS} from internal.audit_log a
    where at >= :start and at < :end order by at, id
    """  # noqa: S608 - constants of this module
).columns(content=JSONB)


class PostgresAuditChain:
    """``AuditChain``.

    Args:
        connection: Of the open transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def hold(self) -> Mapping[str, bytes]:
        """See ``AuditChain.hold``."""
        return _ends((await self._connection.execute(_HOLD, {"name": _NAME})).scalar_one())

    async def ends(self) -> Mapping[str, bytes]:
        """See ``AuditChain.ends``."""
        return _ends((await self._connection.execute(_ENDS, {"name": _NAME})).scalar_one_or_none())

    async def unlinked(self, *, before: datetime, limit: int) -> Sequence[AuditRecord]:
        """See ``AuditChain.unlinked``."""
        rows = await self._connection.execute(_UNLINKED, {"before": before, "limit": limit})
        return [_record(row) for row in rows]

    async def link(self, records: Sequence[AuditRecord], ends: Mapping[str, bytes]) -> None:
        """See ``AuditChain.link``; two statements, whatever the number of rows."""
        columns = {
            "ids": [record.id for record in records],
            "ats": [record.at for record in records],
            "prev_hashes": [record.prev_hash for record in records],
            "hashes": [record.hash for record in records],
        }
        await self._connection.execute(_LINK, columns)
        cursor = {month: digest.hex() for month, digest in ends.items()}
        await self._connection.execute(_REMEMBER, {"name": _NAME, "cursor": cursor})

    async def months(self) -> Sequence[str]:
        """See ``AuditChain.months``."""
        rows = await self._connection.execute(_MONTHS)
        return [month.astimezone(UTC).strftime("%Y-%m") for month in rows.scalars()]

    async def of_month(self, month: str) -> AsyncIterator[AuditRecord]:
        """See ``AuditChain.of_month``; read through a cursor, so that no month has to fit into memory."""
        start = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
        year, index = divmod(start.year * 12 + start.month, 12)
        bounds = {"start": start, "end": start.replace(year=year, month=index + 1)}
        async with self._connection.stream(_OF_MONTH, bounds) as rows:
            async for row in rows:
                yield _record(row)


def _ends(cursor: Mapping[str, str] | None) -> Mapping[str, bytes]:
    return {month: bytes.fromhex(digest) for month, digest in (cursor or {}).items()}


def _record(row: Any) -> AuditRecord:  # noqa: ANN401 - a row
    return AuditRecord(
        id=row.id,
        at=row.at,
        content=row.content,
        prev_hash=None if row.prev_hash is None else bytes(row.prev_hash),
        hash=None if row.hash is None else bytes(row.hash),
    )
