"""What work in the field needs from the relational plane, within a scope."""

from __future__ import annotations

from typing import Protocol

from nxt_domain.fieldwork.views import IssueView, NoteView
from nxt_domain.shared.paging import Page, Window


class IssueRegister(Protocol):
    """The issues of a scope."""

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[IssueView]:
        """List issues by ascending id, one statement per page.

        Args:
            window: Which part.
            grid_id: Only those of this grid, of its present meters, and of its PV chargers.
        """


class NoteRegister(Protocol):
    """The notes of a scope."""

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[NoteView]:
        """List notes by ascending id, one statement per page.

        Args:
            window: Which part.
            grid_id: Only those on this grid's customers, their connections, and its present meters.
        """


class HasFieldwork(Protocol):
    """Repositories of tenants' rows, issues and notes among them."""

    @property
    def issues(self) -> IssueRegister:
        """The scope's issues."""

    @property
    def notes(self) -> NoteRegister:
        """The scope's notes."""
