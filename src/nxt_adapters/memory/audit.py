"""The audit trail in memory."""

from __future__ import annotations

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

    async def record(self, *acts: Act) -> None:
        """See ``AuditTrail.record``."""
        for act in acts:
            self._acts[self._database.next_id("audit_log")] = act

    @property
    def acts(self) -> list[Act]:
        """All acts, in their order."""
        return list(self._acts.values())
