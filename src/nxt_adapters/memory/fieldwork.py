"""Issues and notes in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.listing import page_of
from nxt_domain.fieldwork.issues import Issue, IssueStatus, IssueType
from nxt_domain.fieldwork.views import IssueMeter, IssueView, IssueWithSubjects, NoteView
from nxt_domain.grids.hardware_views import MpptView
from nxt_domain.grids.views import GridWithOrganization
from nxt_domain.identity.scope import Scope
from nxt_domain.shared.errors import Conflict
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
        self._sites: dict[int, GridWithOrganization] = database.table("grid_views")
        self._subjects: dict[int, tuple[IssueMeter | None, MpptView | None]] = database.table("issue_subjects")
        self._scope = scope

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[IssueView]:
        """See ``IssueRegister.page``."""
        places = {row.id: {None, row.grid_id, self._grids[row.id]} for row in self._visible()}
        return page_of([row for row in self._visible() if grid_id in places[row.id]], window)

    async def lock(self, issue_ids: Collection[int]) -> Mapping[int, Issue]:
        """See ``IssueRegister.lock``."""
        return {row.id: _issue(row) for row in self._visible() if row.id in issue_ids}

    async def save(self, issues: Sequence[Issue]) -> None:
        """See ``IssueRegister.save``."""
        for issue in issues:
            values = {name: value for name, value in attrs.asdict(issue).items() if name != "organization_id"}
            before = self._rows[issue.id]
            owner = before.rls_organization_id
            if issue.grid_id != before.grid_id and issue.meter_id is None and issue.grid_id in self._sites:
                owner = self._sites[issue.grid_id].organization_id
            self._rows[issue.id] = attrs.evolve(before, **values, rls_organization_id=owner)
        open_meters = [row.meter_id for row in self._rows.values() if row.issue_status == "OPEN" and row.meter_id]
        if len(set(open_meters)) < len(open_meters):
            raise Conflict("There is another open issue of the same kind", code="ISSUE_OPEN")

    async def read(self, issue_ids: Collection[int]) -> Mapping[int, IssueWithSubjects]:
        """See ``IssueRegister.read``."""
        return {row.id: self._with_subjects(row) for row in self._visible() if row.id in issue_ids}

    def know(
        self,
        row: IssueView,
        *,
        on_grid: int | None,
        meter: IssueMeter | None = None,
        mppt: MpptView | None = None,
    ) -> None:
        """Set up or change an issue, and say where its meter or PV charger is, and what they are."""
        self._rows[row.id] = row
        self._grids[row.id] = on_grid
        self._subjects[row.id] = meter, mppt

    def _visible(self) -> list[IssueView]:
        return [row for row in self._rows.values() if self._scope.admits(row.rls_organization_id)]

    def _with_subjects(self, row: IssueView) -> IssueWithSubjects:
        meter, mppt = self._subjects[row.id]
        values: dict[str, Any] = {field.name: getattr(row, field.name) for field in attrs.fields(IssueView)}
        return IssueWithSubjects(**values, meter=meter, mppt=mppt)


def _issue(row: IssueView) -> Issue:
    names = {field.name for field in attrs.fields(Issue)} - {"issue_type", "issue_status", "organization_id"}
    values: dict[str, Any] = {name: getattr(row, name) for name in names}
    return Issue(
        **values,
        issue_type=IssueType(row.issue_type),
        issue_status=IssueStatus(row.issue_status),
        organization_id=row.rls_organization_id,
    )


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
