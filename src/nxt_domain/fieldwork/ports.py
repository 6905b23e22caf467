"""What work in the field needs from the relational plane, within a scope."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from nxt_domain.fieldwork.issues import Issue
from nxt_domain.fieldwork.views import IssueView, IssueWithSubjects, NoteView
from nxt_domain.shared.paging import Page, Window


class IssueRegister(Protocol):
    """The issues of a scope."""

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[IssueView]:
        """List issues by ascending id, one statement per page.

        Args:
            window: Which part.
            grid_id: Only those of this grid, of its present meters, and of its PV chargers.
        """

    async def lock(self, issue_ids: Collection[int]) -> Mapping[int, Issue]:
        """Lock issues by ascending id; unknown ones are left out."""

    async def save(self, issues: Sequence[Issue]) -> None:
        """Write locked issues in one statement; one that is about another grid now follows it to its owner.

        Raises:
            Conflict: The meter, or the grid for this type, has another open issue.
        """

    async def read(self, issue_ids: Collection[int]) -> Mapping[int, IssueWithSubjects]:
        """Read issues with what they are about, in one statement."""


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
