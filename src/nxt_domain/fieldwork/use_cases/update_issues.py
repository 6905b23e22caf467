"""Changing many issues at once: all of them, or none [API-95]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs

from nxt_domain.fieldwork.issues import SNOOZABLE, Issue, ticket_closable
from nxt_domain.fieldwork.ports import HasFieldwork
from nxt_domain.fieldwork.views import IssueWithSubjects
from nxt_domain.grids.use_cases.read_grids import HasGrids
from nxt_domain.grids.views import grid_unknown
from nxt_domain.identity.model import Principal
from nxt_domain.identity.rules import NO_ACCESS, actor_of
from nxt_domain.identity.scope import Scoped, scope_of
from nxt_domain.shared.audit import Act, AuditedTransaction, Subjects
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Forbidden, NotFound
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory


class HasIssuesAndGrids(HasFieldwork, HasGrids, Protocol):
    """Repositories of tenants' rows, issues and grids among them."""


class IssuesTransaction(UnitOfWork, AuditedTransaction, Scoped[HasIssuesAndGrids], Protocol):
    """A transaction that changes issues and records who did."""


class UpdateIssues:
    """Applies partial updates; the tracker hears of tickets whose issue is over, by the outbox.

    Args:
        begin: Opens a transaction.
        clock: Tells when an issue was closed.
        has_tracker: Whether there is a tracker to tell.
    """

    def __init__(self, begin: UnitOfWorkFactory[IssuesTransaction], *, clock: Clock, has_tracker: bool) -> None:
        self._begin = begin
        self._clock = clock
        self._has_tracker = has_tracker

    async def __call__(
        self, caller: Principal, changes: Mapping[int, Mapping[str, Any]]
    ) -> Sequence[IssueWithSubjects]:
        """Apply changes, and return the issues as they are then, in the order of ``changes``.

        Args:
            caller: Who asks.
            changes: New values by name, by id of the issue.

        Raises:
            Forbidden: An ordinary organization would change more than when issues are shown again; no row was read.
            NotFound: An issue, or the grid it is to be about, is unknown or another tenant's; nothing was changed.
            InvalidInput: A value may not be cleared; nothing was changed.
            Conflict: The meter or grid has another open issue; nothing was changed.
        """
        if not caller.is_admin_org and any(values.keys() - SNOOZABLE for values in changes.values()):
            raise Forbidden(NO_ACCESS)
        async with self._begin() as tx:
            mine = tx.within(scope_of(caller))
            stored = await mine.issues.lock(changes)
            for unknown in sorted(changes.keys() - stored.keys()):
                raise NotFound(f"Could not find issue with id {unknown}", code="ISSUE_UNKNOWN")
            await _require_grids(mine, changes)
            now = self._clock.now()
            changed = {key: stored[key].changed(values, now) for key, values in changes.items()}
            await mine.issues.save([issue for issue in changed.values() if issue != stored[issue.id]])
            closable = [ticket_closable(stored[issue.id], issue) for issue in changed.values()]
            if self._has_tracker:
                await tx.outbox.add([task for task in closable if task is not None])
            await tx.audit.record(*_acts(caller, stored, changed))
            shown = await mine.issues.read(changes)
            await tx.commit()
        return [shown[key] for key in changes]


async def _require_grids(mine: HasIssuesAndGrids, changes: Mapping[int, Mapping[str, Any]]) -> None:
    wanted = {grid_id for values in changes.values() if (grid_id := values.get("grid_id")) is not None}
    known = await mine.grids.many(wanted) if wanted else {}
    for grid_id in sorted(wanted - known.keys()):
        raise grid_unknown(grid_id)


def _acts(caller: Principal, stored: Mapping[int, Issue], changed: Mapping[int, Issue]) -> list[Act]:
    acts = []
    for issue in changed.values():
        before, after = attrs.asdict(stored[issue.id]), attrs.asdict(issue)
        names = [name for name in after if after[name] != before[name]]
        if names:
            acts.append(
                Act(
                    actor=actor_of(caller),
                    action="issue.update",
                    entity_type="issue",
                    entity_id=issue.id,
                    about=Subjects(
                        organization_id=issue.organization_id, grid_id=issue.grid_id, meter_id=issue.meter_id
                    ),
                    before={name: before[name] for name in names},
                    after={name: after[name] for name in names},
                )
            )
    return acts
