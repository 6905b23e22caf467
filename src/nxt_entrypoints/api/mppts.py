"""Routes of solar chargers (API 5.10)."""

from __future__ import annotations

from nxt_domain.grids.hardware_views import MpptView
from nxt_domain.identity.model import Principal
from nxt_domain.shared.paging import Page
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.fields import ListQuery
from nxt_entrypoints.http.routes import Guard, Route, route

_TAGS = ("mppts",)


@route("GET", "/mppts", guard=Guard.USER_OR_KEY, summary="List solar chargers and PV inverters", tags=_TAGS)
async def list_mppts(query: ListQuery, caller: Principal, services: ApiServices) -> Page[MpptView]:
    """Own tenant, by ascending id; `next` is the `after` of the following page."""
    return await services.sites.read_infrastructure.mppts(caller, query.window, grid_id=query.grid_id)


ROUTES: tuple[Route, ...] = (list_mppts,)
