"""Routes of grids (API 5.6)."""

from __future__ import annotations

from nxt_domain.grids.views import GridView, GridWithOrganization
from nxt_domain.identity.model import Principal
from nxt_domain.shared.paging import Page
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.fields import IdPath, ListQuery
from nxt_entrypoints.http.routes import Guard, Route, route

_TAGS = ("grids",)


@route("GET", "/grids", guard=Guard.USER_OR_KEY, summary="List grids", tags=_TAGS)
async def list_grids(query: ListQuery, caller: Principal, services: ApiServices) -> Page[GridView]:
    """Own tenant, by ascending id; `next` is the `after` of the following page."""
    return await services.sites.read_grids.page(caller, query.window, grid_id=query.grid_id)


@route("GET", "/grids/{id}", guard=Guard.USER_OR_KEY, summary="Read a grid with its organization", tags=_TAGS)
async def read_grid(path: IdPath, caller: Principal, services: ApiServices) -> GridWithOrganization | None:
    """An unknown, deleted or foreign grid gives 200 and an empty body, as chat-bot flows expect."""
    return await services.sites.read_grids.one(caller, path.id)


ROUTES: tuple[Route, ...] = (list_grids, read_grid)
