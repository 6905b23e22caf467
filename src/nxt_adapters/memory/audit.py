"""The audit trail in memory."""

from __future__ import annotations

from datetime import datetime

from nxt_adapters.memory.database import MemoryDatabase
from nxt_domain.shared.audit import Act


class MemoryAuditTrail:
    """Implements ``AuditTrail``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._acts: dict[int, Act] = database.table("audit_log")
        self._times: dict[int, datetime] = database.table("audit_log_times")

    async def record(self, *acts: Act) -> None:
        """See ``AuditTrail.record``."""
        for act in acts:
            number = self._database.next_id("audit_log")
            self._acts[number] = act
            self._times[number] = self._database.clock.now()

    @property
    def acts(self) -> list[Act]:
        """All acts, in their order."""
        return list(self._acts.values())
