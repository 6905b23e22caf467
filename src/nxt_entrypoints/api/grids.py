"""Routes of grids (API 5.6)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import attrs

from nxt_domain.grids.connectivity import HardwareConnectivity
from nxt_domain.grids.pbg_connections import HEADER, csv_line
from nxt_domain.grids.views import GridView, GridWithOrganization
from nxt_domain.identity.model import Principal
from nxt_domain.shared.paging import Page
from nxt_entrypoints.api.grid_fields import GridFields
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.fields import IdPath, ListQuery
from nxt_entrypoints.http.results import Stream
from nxt_entrypoints.http.routes import LARGE_MAX_BODY, Guard, Route, route
from nxt_entrypoints.http.sheets import joined, workbook

_TAGS = ("grids",)
_DOWNLOAD = "application/octet-stream"
_UNKNOWN = {404: "The grid is unknown."}


class FileKind(StrEnum):
    """What a list can be written as."""

    CSV = "csv"
    XLSX = "xlsx"


@attrs.frozen(kw_only=True)
class DownloadQuery:
    """How a list is wanted."""

    format: FileKind = FileKind.CSV


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


@route(
    "GET",
    "/grids/{id}/metering_hardware_connectivity_stats",
    guard=Guard.USER_OR_KEY,
    summary="Tell how much of a grid's meters and gateways is online",
    tags=_TAGS,
    errors=_UNKNOWN,
)
async def read_connectivity(path: IdPath, caller: Principal, services: ApiServices) -> HardwareConnectivity:
    """Proportions of meters are truncated to two places; a meter without gateway is offline."""
    return await services.sites.read_connectivity(caller, path.id)


@route(
    "GET",
    "/grids/{id}/pbg-connections/download",
    guard=Guard.USER_OR_KEY,
    summary="Download a grid's connections for performance-based grants",
    tags=_TAGS,
    errors=_UNKNOWN,
    produces=_DOWNLOAD,
)
async def download_pbg_connections(
    path: IdPath, query: DownloadQuery, caller: Principal, services: ApiServices
) -> Stream:
    """CSV without quoting, newest commissioning first; `format=xlsx` gives a workbook of the same lines."""
    listed = await services.sites.download_pbg_connections(caller, path.id, query.format)
    chunks = workbook(HEADER, listed.rows) if query.format is FileKind.XLSX else joined(HEADER, listed.rows, csv_line)
    return Stream(chunks=chunks, content_type=_DOWNLOAD, filename=listed.filename)


ROUTES: tuple[Route, ...] = (
    list_grids,
    read_grid,
    update_grids,
    read_connectivity,
    download_pbg_connections,
)
