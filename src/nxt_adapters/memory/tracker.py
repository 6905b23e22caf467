"""A team's tracker in memory."""

from __future__ import annotations

from nxt_domain.fieldwork.tracker import NewTicket
from nxt_domain.shared.errors import NotFound, UpstreamFailed


class MemoryTracker:
    """Implements ``IssueTracker``; keeps what it is told, and fails when told to.

    Attributes:
        tickets: By key.
        comments: Ticket and text, oldest first.
        is_down: Calls fail without effect.
    """

    def __init__(self) -> None:
        self.tickets: dict[str, NewTicket] = {}
        self.comments: list[tuple[str, str]] = []
        self.is_down = False

    async def open(self, ticket: NewTicket) -> str:
        """See ``IssueTracker.open``."""
        self._require_up()
        key = f"OPS-{len(self.tickets) + 1}"
        self.tickets[key] = ticket
        return key

    async def comment(self, key: str, text: str) -> None:
        """See ``IssueTracker.comment``."""
        self._require_up()
        if key not in self.tickets:
            raise NotFound(f"there is no ticket {key}", code="TICKET_UNKNOWN")
        self.comments.append((key, text))

    def _require_up(self) -> None:
        if self.is_down:
            raise UpstreamFailed("the tracker is away")
