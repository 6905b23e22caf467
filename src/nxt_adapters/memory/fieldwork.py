"""Issues and notes in memory."""

from __future__ import annotations

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.listing import page_of
from nxt_domain.fieldwork.views import IssueView, NoteView
from nxt_domain.identity.scope import Scope
from nxt_domain.shared.paging import Page, Window


class MemoryIssueRegister:
    """Implements ``IssueRegister`` over ``IssueView`` by id.

    Args:
        database: Shared with the other fakes.
        scope: Whose issues.
    """

    def __init__(self, database: MemoryDatabase, scope: Scope) -> None:
        self._rows: dict[int, IssueView] = database.table("issues")
        self._grids: dict[int, int | None] = database.table("issue_grids")
        self._scope = scope

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[IssueView]:
        """See ``IssueRegister.page``."""
        mine = [row for row in self._rows.values() if self._scope.admits(row.rls_organization_id)]
        return page_of([row for row in mine if grid_id in {None, self._grids[row.id]}], window)

    def know(self, row: IssueView, *, on_grid: int | None) -> None:
        """Set up or change an issue, and say where its meter or PV charger is."""
        self._rows[row.id] = row
        self._grids[row.id] = row.grid_id or on_grid


class MemoryNoteRegister:
    """Implements ``NoteRegister`` over ``NoteView`` by id.

    Args:
        database: Shared with the other fakes.
        scope: Whose notes.
    """

    def __init__(self, database: MemoryDatabase, scope: Scope) -> None:
        self._rows: dict[int, NoteView] = database.table("notes")
        self._grids: dict[int, int | None] = database.table("note_grids")
        self._scope = scope

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[NoteView]:
        """See ``NoteRegister.page``."""
        mine = [row for row in self._rows.values() if self._scope.admits(row.rls_organization_id)]
        return page_of([row for row in mine if grid_id in {None, self._grids[row.id]}], window)

    def know(self, row: NoteView, *, on_grid: int | None) -> None:
        """Set up or change a note, and say where its subject is."""
        self._rows[row.id] = row
        self._grids[row.id] = on_grid
