"""Routes of issues and notes (API 5.7)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import attrs
from msgspec import UNSET, UnsetType

from nxt_domain.fieldwork.issues import IssueStatus, IssueType
from nxt_domain.fieldwork.views import IssueView, IssueWithSubjects, NoteView
from nxt_domain.identity.model import CallOrigin, Principal
from nxt_domain.identity.rules import stranger
from nxt_domain.shared.paging import Page
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.fields import Id, ListQuery
from nxt_entrypoints.http.routes import Guard, RequestFacts, Route, route
from nxt_entrypoints.http.rules import maximum, minimum, places

Loss = Annotated[Decimal, minimum(0), maximum(1_000_000_000_000), places(4)]
"""Major units of the grid's currency."""

_TAGS = ("issues",)
_CAPABILITY = "fieldOperations"


@attrs.frozen(kw_only=True)
class IssuePatch:
    """Changes of one issue: absence leaves a value as it is, ``null`` clears it [API-10]."""

    id: Id
    issue_type: IssueType | UnsetType | None = UNSET
    issue_status: IssueStatus | UnsetType | None = UNSET
    snoozed_until: datetime | UnsetType | None = UNSET
    closed_at: datetime | UnsetType | None = UNSET
    external_reference: str | UnsetType | None = UNSET
    estimated_lost_revenue: Loss | UnsetType | None = UNSET
    grid_id: Id | UnsetType | None = UNSET

    def changes(self) -> dict[str, Any]:
        """The fields that were sent, without the id."""
        fields = attrs.asdict(self, recurse=False)
        return {name: value for name, value in fields.items() if name != "id" and value is not UNSET}


@attrs.frozen(kw_only=True)
class DebugBody:
    """Which meter the issue check tells all about.

    Attributes:
        external_reference: Its number; null: none.
    """

    external_reference: str | None = None


@route("GET", "/issues", guard=Guard.USER_OR_KEY, summary="List issues", tags=_TAGS, capability=_CAPABILITY)
async def list_issues(query: ListQuery, caller: Principal, services: ApiServices) -> Page[IssueView]:
    """Own tenant, by ascending id; `next` is the `after` of the following page."""
    return await services.registers.read_fieldwork.issues(caller, query.window, grid_id=query.grid_id)


@route(
    "PUT",
    "/issues",
    guard=Guard.USER_OR_KEY,
    summary="Change issues",
    tags=_TAGS,
    capability=_CAPABILITY,
    errors={
        404: "An issue or a grid is unknown, or another tenant's; none was changed.",
        409: "The meter or grid has another open issue; none was changed.",
    },
)
async def update_issues(
    body: list[IssuePatch], caller: Principal | None, facts: RequestFacts, services: ApiServices
) -> Sequence[IssueWithSubjects]:
    """All or none; of two elements for one issue the later one counts. The tracker is told of those that are over."""
    changes: dict[int, dict[str, Any]] = {}
    for patch in body:
        changes.setdefault(patch.id, {}).update(patch.changes())
    return await services.registers.update_issues(_known(caller, facts), changes)


@route(
    "POST",
    "/issues/debug",
    guard=Guard.USER_OR_KEY,
    summary="Let the issue check log all about one meter",
    tags=_TAGS,
    capability=_CAPABILITY,
)
async def debug_issues(body: DebugBody, services: ApiServices) -> None:
    """For a day; null clears the mark."""
    await services.registers.debug_issue_check(body.external_reference)


@route("GET", "/notes", guard=Guard.USER_OR_KEY, summary="List notes", tags=("notes",))
async def list_notes(query: ListQuery, caller: Principal, services: ApiServices) -> Page[NoteView]:
    """Own tenant, by ascending id; `next` is the `after` of the following page."""
    return await services.registers.read_fieldwork.notes(caller, query.window, grid_id=query.grid_id)


def _known(caller: Principal | None, facts: RequestFacts) -> Principal:
    # Nobody is known only where the operator opened the route again [API-193].
    return caller or stranger(CallOrigin(request_id=facts.request_id))


ROUTES: tuple[Route, ...] = (list_issues, update_issues, debug_issues, list_notes)
