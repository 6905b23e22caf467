"""Routes of grids (API 5.6)."""

from __future__ import annotations

from collections.abc import Sequence

from nxt_domain.grids.views import GridView, GridWithOrganization
from nxt_domain.identity.model import Principal
from nxt_domain.shared.paging import Page
from nxt_entrypoints.api.grid_fields import GridFields
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.fields import IdPath, ListQuery
from nxt_entrypoints.http.routes import LARGE_MAX_BODY, Guard, Route, route

_TAGS = ("grids",)


@route("GET", "/grids", guard=Guard.USER_OR_KEY, summary="List grids", tags=_TAGS)
async def list_grids(query: ListQuery, caller: Principal, services: ApiServices) -> Page[GridView]:
    """Own tenant, by ascending id; `next` is the `after` of the following page."""
    return await services.sites.read_grids.page(caller, query.window, grid_id=query.grid_id)


@route("GET", "/grids/{id}", guard=Guard.USER_OR_KEY, summary="Read a grid with its organization", tags=_TAGS)
async def read_grid(path: IdPath, caller: Principal, services: ApiServices) -> GridWithOrganization | None:
    """An unknown, deleted or foreign grid gives 200 and an empty body, as chat-bot flows expect."""
    return await services.sites.read_grids.one(caller, path.id)


@route(
    "PUT",
    "/grids",
    guard=Guard.USER_OR_KEY,
    summary="Change some columns of many grids",
    tags=_TAGS,
    max_body=LARGE_MAX_BODY,
    errors={404: "A grid is unknown; none was changed.", 409: "A name or identifier is taken; none was changed."},
)
async def update_grids(
    body: list[GridFields], caller: Principal, services: ApiServices
) -> Sequence[GridWithOrganization]:
    """All of them or none. Absent columns stay, null clears a column that may be empty, unknown fields are ignored."""
    return await services.sites.update_grids(caller, [fields.as_change() for fields in body])


ROUTES: tuple[Route, ...] = (list_grids, read_grid, update_grids)
