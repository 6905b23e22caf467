"""Routes of gateways, which old clients call DCUs (API 5.5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import attrs
from msgspec import UNSET, UnsetType

from nxt_domain.grids.gateways import Assignment
from nxt_domain.grids.hardware_views import DcuView, DcuWithGrid, InstallSessionView
from nxt_domain.grids.model import CommunicationProtocol
from nxt_domain.identity.model import Principal
from nxt_domain.shared.changes import RowChange
from nxt_domain.shared.external_systems import ExternalSystem
from nxt_domain.shared.paging import Page
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.fields import Created, Id, IdPath, ListQuery
from nxt_entrypoints.http.routes import Guard, Route, route
from nxt_entrypoints.http.rules import ID_MAX, NOT_EMPTY, max_length, maximum, minimum

_TAGS = ("dcus",)
_NO_PROVISIONING = {503: "The provisioning role can't be reached; everything is as it was."}

Number = Annotated[str, NOT_EMPTY, max_length(255)]
"""A gateway's number or EUI."""


class StockSystem(StrEnum):
    """Whose gateways are taken into stock."""

    CALIN = "CALIN"


@attrs.frozen(kw_only=True)
class DcuFields:
    """A gateway's id and new values for some of its columns; absent ones stay.

    Attributes:
        grid: null is another spelling of ``"grid_id": null``, which the provisioning role sends.
    """

    id: Id
    external_reference: Number | UnsetType = UNSET
    external_system: ExternalSystem | UnsetType = UNSET
    grid_id: Id | UnsetType | None = UNSET
    grid: object | UnsetType | None = UNSET
    communication_protocol: CommunicationProtocol | UnsetType = UNSET
    is_online: bool | UnsetType = UNSET
    is_online_updated_at: datetime | UnsetType | None = UNSET
    last_online_at: datetime | UnsetType | None = UNSET
    queue_buffer_length: Annotated[int, minimum(1), maximum(ID_MAX)] | UnsetType = UNSET
    last_metering_hardware_install_session_id: Id | UnsetType | None = UNSET

    def as_change(self) -> RowChange:
        """Keep what was sent."""
        values = attrs.asdict(self, recurse=False, filter=lambda _, value: value is not UNSET)
        if values.pop("grid", UNSET) is None:
            values.setdefault("grid_id", None)
        return RowChange(id=values.pop("id"), values=values)


@attrs.frozen(kw_only=True)
class StockFields:
    """A gateway that came into stock."""

    external_reference: Number
    external_system: StockSystem
    communication_protocol: CommunicationProtocol


@attrs.frozen(kw_only=True)
class AssignmentFields:
    """Which gateway goes to which grid."""

    external_reference: Number
    external_system: ExternalSystem
    grid_id: Id
    communication_protocol: CommunicationProtocol

    def as_wish(self) -> Assignment:
        """Return it in the domain's words."""
        return Assignment(**attrs.asdict(self, recurse=False))


@route("GET", "/dcus", guard=Guard.USER_OR_KEY, summary="List gateways", tags=_TAGS)
async def list_dcus(query: ListQuery, caller: Principal, services: ApiServices) -> Page[DcuView]:
    """Own tenant, by ascending id; `next` is the `after` of the following page."""
    return await services.sites.read_gateways.page(caller, query.window, grid_id=query.grid_id)


@route(
    "PUT",
    "/dcus",
    guard=Guard.USER_OR_KEY,
    summary="Change some columns of many gateways",
    tags=_TAGS,
    errors={404: "A gateway or grid is unknown; none was changed.", 409: "A number is taken; none was changed."},
)
async def update_dcus(body: list[DcuFields], caller: Principal, services: ApiServices) -> Sequence[DcuWithGrid]:
    """All of them or none, in their order. A gateway's owner follows from its grid."""
    return await services.sites.update_gateways(caller, [fields.as_change() for fields in body])


@route(
    "POST",
    "/dcus/insert-from-inventory",
    guard=Guard.USER_OR_KEY,
    summary="Take a gateway into stock, once",
    tags=_TAGS,
)
async def stock_dcu(body: StockFields, caller: Principal, services: ApiServices) -> Created:
    """The gateway that has this number already, else a new one."""
    system = ExternalSystem(body.external_system.value)
    dcu_id = await services.sites.stock_gateway(caller, body.external_reference, system, body.communication_protocol)
    return Created(id=dcu_id)


@route(
    "POST",
    "/dcus/assign",
    guard=Guard.USER_OR_KEY,
    summary="Put a gateway on a grid",
    tags=_TAGS,
    errors={404: "The grid is unknown.", 409: "The gateway stands on a grid.", **_NO_PROVISIONING},
)
async def assign_dcu(body: AssignmentFields, caller: Principal, services: ApiServices) -> InstallSessionView | None:
    """From stock alone. The provisioning role registers it at its vendor; empty if that made no import."""
    return await services.sites.gateway_installs.assign(caller, body.as_wish())


@route(
    "PUT",
    "/dcus/unassign/{id}",
    guard=Guard.USER_OR_KEY,
    summary="Have a gateway removed from its grid",
    tags=_TAGS,
    errors={
        404: "The gateway is unknown.",
        409: "It stands on no grid, meters use it, or another request is under way.",
        **_NO_PROVISIONING,
    },
)
async def unassign_dcu(path: IdPath, caller: Principal, services: ApiServices) -> InstallSessionView | None:
    """It leaves its grid when the provisioning role reports back. A removal that is under way is answered again."""
    return await services.sites.gateway_installs.unassign(caller, path.id)


ROUTES: tuple[Route, ...] = (list_dcus, update_dcus, stock_dcu, assign_dcu, unassign_dcu)
