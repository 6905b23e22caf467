"""The chain over the audit log in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime

from nxt_adapters.memory.database import MemoryDatabase
from nxt_domain.shared.audit import Act
from nxt_domain.shared.audit_chain import AuditRecord
from nxt_domain.shared.json import JsonObject


class MemoryAuditChain:
    """Implements ``AuditChain``; transactions in memory run one at a time anyway.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._acts: dict[int, Act] = database.table("audit_log")
        self._times: dict[int, datetime] = database.table("audit_log_times")
        self._hashes: dict[int, tuple[bytes | None, bytes | None]] = database.table("audit_log_hashes")
        self._ends: dict[str, bytes] = database.table("audit_log_ends")

    async def hold(self) -> Mapping[str, bytes]:
        """See ``AuditChain.hold``."""
        return dict(self._ends)

    async def ends(self) -> Mapping[str, bytes]:
        """See ``AuditChain.ends``."""
        return dict(self._ends)

    async def unlinked(self, *, before: datetime, limit: int) -> Sequence[AuditRecord]:
        """See ``AuditChain.unlinked``."""
        return [record for record in self._records() if record.hash is None and record.at < before][:limit]

    async def link(self, records: Sequence[AuditRecord], ends: Mapping[str, bytes]) -> None:
        """See ``AuditChain.link``."""
        self._hashes.update({record.id: (record.prev_hash, record.hash) for record in records})
        self._ends.update(ends)

    async def months(self) -> Sequence[str]:
        """See ``AuditChain.months``."""
        return sorted({record.month for record in self._records()})

    async def of_month(self, month: str) -> AsyncIterator[AuditRecord]:
        """See ``AuditChain.of_month``."""
        for record in self._records():
            if record.month == month:
                yield record

    def _records(self) -> list[AuditRecord]:
        records = [self._record(number, act) for number, act in self._acts.items()]
        return sorted(records, key=lambda record: (record.at, record.id))

    def _record(self, number: int, act: Act) -> AuditRecord:
        prev_hash, digest = self._hashes.get(number, (None, None))
        at = self._times[number]
        content: JsonObject = {
            "id": number,
            "at": at.isoformat(),
            "action": act.action,
            "entity_type": act.entity_type,
            "entity_id": act.entity_id,
            "actor_label": act.actor.label,
        }
        return AuditRecord(id=number, at=at, content=content, prev_hash=prev_hash, hash=digest)
