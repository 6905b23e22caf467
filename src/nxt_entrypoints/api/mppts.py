"""Routes of solar chargers (API 5.10)."""

from __future__ import annotations

import re

import attrs

from nxt_domain.grids.hardware_views import MpptView
from nxt_domain.grids.views import grid_unknown
from nxt_domain.identity.model import Principal
from nxt_domain.shared.errors import Unprocessable
from nxt_domain.shared.paging import Page
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.fields import ListQuery
from nxt_entrypoints.http.routes import Guard, Route, route
from nxt_entrypoints.http.rules import ID_MAX

_TAGS = ("mppts",)
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)


@attrs.frozen(kw_only=True)
class SyncPath:
    """Which grid is synchronised; what is no number has an answer of its own."""

    grid_id: str

    def as_id(self) -> int:
        """Read the id.

        Raises:
            Unprocessable: It is no number, or 0.
            NotFound: No grid can have it.
        """
        grid_id = int(self.grid_id) if _NUMBER.fullmatch(self.grid_id) else 0
        if grid_id == 0:
            raise Unprocessable("Grid ID is required", code="GRID_ID_REQUIRED")
        if not 0 < grid_id <= ID_MAX:
            raise grid_unknown(grid_id)
        return grid_id


@attrs.frozen(kw_only=True)
class SyncBegun:
    """The synchronisation is under way."""

    response: str = "ok"


@route(
    "GET",
    "/mppts",
    guard=Guard.USER_OR_KEY,
    summary="List solar chargers and PV inverters",
    tags=_TAGS,
    capability="production",
)
async def list_mppts(query: ListQuery, caller: Principal, services: ApiServices) -> Page[MpptView]:
    """Own tenant, by ascending id; `next` is the `after` of the following page."""
    return await services.sites.read_infrastructure.mppts(caller, query.window, grid_id=query.grid_id)


@route(
    "GET",
    "/mppts/sync/{grid_id}",
    guard=Guard.USER_OR_KEY,
    summary="Make our list of a grid's solar chargers agree with the vendor's",
    tags=_TAGS,
    capability="production",
    changes=True,
    errors={404: "The grid is unknown.", 422: "The id is no number, or 0."},
)
async def sync_mppts(path: SyncPath, caller: Principal, services: ApiServices) -> SyncBegun:
    """Answered at once; the work goes on, one run per grid at a time. What came of it is in the log and in the list."""
    await services.sites.solar_sync.begin(caller, path.as_id())
    return SyncBegun()


ROUTES: tuple[Route, ...] = (list_mppts, sync_mppts)
