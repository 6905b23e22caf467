"""Routes of issues and notes (API 5.7)."""

from __future__ import annotations

from nxt_domain.fieldwork.views import IssueView, NoteView
from nxt_domain.identity.model import Principal
from nxt_domain.shared.paging import Page
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.fields import ListQuery
from nxt_entrypoints.http.routes import Guard, Route, route

_TAGS = ("issues",)


@route("GET", "/issues", guard=Guard.USER_OR_KEY, summary="List issues", tags=_TAGS)
async def list_issues(query: ListQuery, caller: Principal, services: ApiServices) -> Page[IssueView]:
    """Own tenant, by ascending id; `next` is the `after` of the following page."""
    return await services.registers.read_fieldwork.issues(caller, query.window, grid_id=query.grid_id)


@route("GET", "/notes", guard=Guard.USER_OR_KEY, summary="List notes", tags=("notes",))
async def list_notes(query: ListQuery, caller: Principal, services: ApiServices) -> Page[NoteView]:
    """Own tenant, by ascending id; `next` is the `after` of the following page."""
    return await services.registers.read_fieldwork.notes(caller, query.window, grid_id=query.grid_id)


ROUTES: tuple[Route, ...] = (list_issues, list_notes)
