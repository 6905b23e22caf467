"""Routes of supply contracts and the customers behind them (API 5.3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import attrs
from msgspec import UNSET, UnsetType

from nxt_domain.grids.contract_views import ConnectionView, ListedCustomer
from nxt_domain.grids.contracts import IdDocumentType, MeterRequest, NewConnection, RequestedMeterEdit
from nxt_domain.grids.model import MeterPhase
from nxt_domain.grids.tariffs import MeterType
from nxt_domain.identity.model import Principal
from nxt_domain.shared.external_systems import ExternalSystem
from nxt_domain.shared.money import Currency
from nxt_domain.shared.paging import Page
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.fields import Created, Id, ListQuery
from nxt_entrypoints.http.routes import LARGE_MAX_BODY, Guard, Route, route
from nxt_entrypoints.http.rules import ID_MAX, maximum, minimum, places

Count = Annotated[int, minimum(0), maximum(ID_MAX)]
Fee = Annotated[Decimal, minimum(0), maximum(1_000_000_000), places(4)]
"""Major units of the connection's currency."""

_TAGS = ("connections",)
_CAPABILITY = "metering"
_UNKNOWN = {404: "Unknown, or another tenant's"}
_TAKEN = {409: "A connection with this upload id already exists"}


@attrs.frozen(kw_only=True)
class RequestedMeterBody:
    """A meter that a contract asks for."""

    meter_type: MeterType
    meter_phase: MeterPhase
    fee: Fee

    def request(self) -> MeterRequest:
        """The same in the domain's words."""
        return MeterRequest(meter_type=self.meter_type, meter_phase=self.meter_phase, fee=self.fee)


@attrs.frozen(kw_only=True)
class NewConnectionBody:
    """A contract to be stored.

    Attributes:
        upload_uuid: Id of the source form; it is taken once.
        paid: Accepted and ignored: payments are orders.
    """

    customer_id: Id
    currency: Currency
    requested_meters: list[RequestedMeterBody]
    is_public: bool
    is_commercial: bool
    is_residential: bool
    women_impacted: Count
    upload_uuid: str | None = None
    external_system: ExternalSystem = ExternalSystem.EPICOLLECT
    document_type: IdDocumentType = IdDocumentType.PASSPORT
    document_id: str | None = None
    paid: Decimal | None = None
    is_using_led_bulbs: bool = False
    is_building_wired: bool = False

    def connection(self) -> NewConnection:
        """The same in the domain's words; a blank upload id is none."""
        return NewConnection(
            customer_id=self.customer_id,
            currency=self.currency,
            upload_uuid=self.upload_uuid or None,
            external_system=self.external_system,
            document_type=self.document_type,
            document_id=self.document_id,
            is_public=self.is_public,
            is_commercial=self.is_commercial,
            is_residential=self.is_residential,
            women_impacted=self.women_impacted,
            is_using_led_bulbs=self.is_using_led_bulbs,
            is_building_wired=self.is_building_wired,
        )


@attrs.frozen(kw_only=True)
class ConnectionPatch:
    """Changes of one contract: absence leaves a value as it is, ``null`` clears it [API-10]."""

    id: Id
    customer_id: Id | UnsetType | None = UNSET
    upload_uuid: str | UnsetType | None = UNSET
    external_system: ExternalSystem | UnsetType | None = UNSET
    document_type: IdDocumentType | UnsetType | None = UNSET
    document_id: str | UnsetType | None = UNSET
    women_impacted: Count | UnsetType | None = UNSET
    is_lifeline: bool | UnsetType | None = UNSET
    is_public: bool | UnsetType | None = UNSET
    is_commercial: bool | UnsetType | None = UNSET
    is_residential: bool | UnsetType | None = UNSET
    is_building_wired: bool | UnsetType | None = UNSET
    is_using_led_bulbs: bool | UnsetType | None = UNSET
    deleted_at: datetime | UnsetType | None = UNSET

    def changes(self) -> dict[str, Any]:
        """The fields that were sent, without the id."""
        fields = attrs.asdict(self, recurse=False)
        return {name: value for name, value in fields.items() if name != "id" and value is not UNSET}


@attrs.frozen(kw_only=True)
class RequestedMeterEditBody(RequestedMeterBody):
    """One element of the list that a client sees."""

    id: Id | None = None
    is_deleted: bool = False

    def edit(self) -> RequestedMeterEdit:
        """The same in the domain's words."""
        return RequestedMeterEdit(
            id=self.id,
            meter_type=self.meter_type,
            meter_phase=self.meter_phase,
            fee=self.fee,
            is_deleted=self.is_deleted,
        )


@attrs.frozen(kw_only=True)
class RequestedMetersBody:
    """The complete list of a connection's requested meters."""

    connection_id: Id
    requested_meters: list[RequestedMeterEditBody]


@route("GET", "/customers", guard=Guard.USER_OR_KEY, summary="List customers", tags=("customers",))
async def list_customers(query: ListQuery, caller: Principal, services: ApiServices) -> Page[ListedCustomer]:
    """Own tenant, by ascending id; `next` is the `after` of the following page."""
    return await services.registers.read_contracts.customers(caller, query.window, grid_id=query.grid_id)


@route("GET", "/connections", guard=Guard.USER_OR_KEY, summary="List connections", tags=_TAGS, capability=_CAPABILITY)
async def list_connections(query: ListQuery, caller: Principal, services: ApiServices) -> Page[ConnectionView]:
    """Own tenant, by ascending id; `next` is the `after` of the following page."""
    return await services.registers.read_contracts.connections(caller, query.window, grid_id=query.grid_id)


@route(
    "POST",
    "/connections",
    guard=Guard.USER_OR_KEY,
    summary="Make a connection with its wallet and requested meters",
    tags=_TAGS,
    capability=_CAPABILITY,
    errors=_UNKNOWN | _TAKEN,
)
async def create_connection(body: NewConnectionBody, caller: Principal, services: ApiServices) -> Created:
    """All or nothing; what the customer owes follows."""
    requests = [meter.request() for meter in body.requested_meters]
    return Created(id=await services.registers.create_connection(caller, body.connection(), requests))


@route(
    "PATCH",
    "/connections",
    guard=Guard.USER_OR_KEY,
    summary="Change connections",
    tags=_TAGS,
    capability=_CAPABILITY,
    max_body=LARGE_MAX_BODY,
    errors=_UNKNOWN | _TAKEN,
)
async def change_connections(body: list[ConnectionPatch], caller: Principal, services: ApiServices) -> Sequence[int]:
    """All or none; of two elements for one connection the later one counts. Gives the ids."""
    changes: dict[int, dict[str, Any]] = {}
    for patch in body:
        changes.setdefault(patch.id, {}).update(patch.changes())
    await services.registers.change_connections(caller, changes)
    return [patch.id for patch in body]


@route(
    "POST",
    "/connections/upsert-requested-meters",
    guard=Guard.USER_OR_KEY,
    summary="Replace the list of meters that a connection asks for",
    tags=_TAGS,
    capability=_CAPABILITY,
    errors=_UNKNOWN,
)
async def upsert_requested_meters(body: RequestedMetersBody, caller: Principal, services: ApiServices) -> Created:
    """Elements without id are new ones; what the customer owes follows."""
    edits = [meter.edit() for meter in body.requested_meters]
    await services.registers.revise_requested_meters(caller, body.connection_id, edits)
    return Created(id=body.connection_id)


ROUTES: tuple[Route, ...] = (
    list_customers,
    list_connections,
    create_connection,
    change_connections,
    upsert_requested_meters,
)
