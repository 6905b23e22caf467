"""Phone sessions in memory."""

from __future__ import annotations

from nxt_adapters.memory.database import MemoryDatabase
from nxt_domain.orders.ussd import UssdSession


class MemoryUssdSessions:
    """Implements ``UssdSessions``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._rows: dict[int, UssdSession] = database.table("phone_sessions")

    async def find(self, session_id: int) -> UssdSession | None:
        """See ``UssdSessions.find``."""
        return self._rows.get(session_id)

    def know(self, session: UssdSession) -> None:
        """Set up a session."""
        self._rows[session.id] = session
