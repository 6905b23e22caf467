"""Tickets in a team's tracker (AUTO 17.5)."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import attrs

CLOSABLE = "This issue can be closed"
"""What the tracker is told when an issue is over [API-100]."""


@attrs.frozen(kw_only=True)
class NewTicket:
    """What a ticket says about a meter's issue [AUTO-153].

    Attributes:
        title: One line that begins with the grid and the meter's number.
        since: Estimated start of the problem.
        customer: Name and phone of the person concerned; None: unknown.
    """

    title: str
    grid_id: int
    grid_name: str
    organization_name: str
    meter_id: int
    meter_number: str
    since: datetime
    customer: str | None = None


class IssueTracker(Protocol):
    """Where a team works on tickets. It is told, and never asked: what an issue's state is stands in our own rows."""

    async def open(self, ticket: NewTicket) -> str:
        """Make a ticket; return its key. A repeat makes another one.

        Raises:
            UpstreamFailed: It is not known to have been made.
        """

    async def comment(self, key: str, text: str) -> None:
        """Write an internal comment on a ticket; a repeat writes it twice.

        Raises:
            NotFound: There is no such ticket.
            UpstreamFailed: The comment is not known to have been written.
        """
