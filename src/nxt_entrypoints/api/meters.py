"""Routes that read meters (API 5.9)."""

from __future__ import annotations

import attrs

from nxt_domain.identity.model import Principal
from nxt_domain.meters.views import FoundMeter, MeterView
from nxt_domain.shared.paging import Page
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.fields import ListQuery
from nxt_entrypoints.http.rate_limit import METER_SEARCH
from nxt_entrypoints.http.routes import Guard, Route, route

_TAGS = ("meters",)
_CAPABILITY = "metering"


@attrs.frozen(kw_only=True)
class SearchQuery:
    """What is looked for.

    Attributes:
        search: The meter's number, exactly; without it nothing is found.
    """

    search: str = ""


@route("GET", "/meters", guard=Guard.USER_OR_KEY, summary="List meters", tags=_TAGS, capability=_CAPABILITY)
async def list_meters(query: ListQuery, caller: Principal, services: ApiServices) -> Page[MeterView]:
    """Own tenant, by ascending id, without those in stock; `next` is the `after` of the following page."""
    return await services.registers.read_meters.page(caller, query.window, grid_id=query.grid_id)


@route(
    "GET",
    "/meters/search",
    guard=Guard.PUBLIC,
    summary="Find a meter that can be paid for",
    tags=_TAGS,
    capability=_CAPABILITY,
    limit=METER_SEARCH,
    errors={404: "Unknown or not ready for use"},
)
async def search_meter(query: SearchQuery, services: ApiServices) -> FoundMeter:
    """By its exact number; a meter that serves nobody, or isn't commissioned, is not found."""
    return await services.registers.search_meter(query.search)


ROUTES: tuple[Route, ...] = (list_meters, search_meter)
