"""Lists of what stands on grids [R41]."""

from __future__ import annotations

from nxt_domain.grids.hardware_views import PoleView, RouterView
from nxt_domain.identity.model import Principal
from nxt_domain.shared.paging import Page
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.fields import ListQuery
from nxt_entrypoints.http.routes import Guard, Route, route


@route("GET", "/poles", guard=Guard.USER_OR_KEY, summary="List poles", tags=("poles",))
async def list_poles(query: ListQuery, caller: Principal, services: ApiServices) -> Page[PoleView]:
    """Own tenant, by ascending id; `next` is the `after` of the following page."""
    return await services.sites.read_infrastructure.poles(caller, query.window, grid_id=query.grid_id)


@route("GET", "/routers", guard=Guard.USER_OR_KEY, summary="List routers", tags=("routers",))
async def list_routers(query: ListQuery, caller: Principal, services: ApiServices) -> Page[RouterView]:
    """Own tenant, by ascending id; `next` is the `after` of the following page."""
    return await services.sites.read_infrastructure.routers(caller, query.window, grid_id=query.grid_id)


ROUTES: tuple[Route, ...] = (list_poles, list_routers)
