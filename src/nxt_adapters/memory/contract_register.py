"""Customers, connections and requested meters in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.listing import page_of
from nxt_domain.grids.contract_ports import Customer
from nxt_domain.grids.contract_views import ConnectionView, ListedCustomer
from nxt_domain.grids.contracts import (
    Connection,
    ContractTerms,
    MeterRequest,
    NewConnection,
    RequestedMeter,
    RequestedMeterChanges,
)
from nxt_domain.identity.scope import Scope
from nxt_domain.shared.errors import Conflict
from nxt_domain.shared.paging import Page, Window


@attrs.frozen(kw_only=True)
class _Row:
    """A connection and what else its table holds."""

    entity: Connection
    view: ConnectionView


@attrs.frozen
class _Request:
    connection_id: int
    meter: RequestedMeter


class MemoryCustomers:
    """Implements ``Customers`` over ``ListedCustomer`` by id.

    Args:
        database: Shared with the other fakes.
        scope: Whose customers.
    """

    def __init__(self, database: MemoryDatabase, scope: Scope) -> None:
        self._rows: dict[int, ListedCustomer] = database.table("customers")
        self._connections: dict[int, _Row] = database.table("connections")
        self._requests: dict[int, _Request] = database.table("connection_requested_meters")
        self._scope = scope

    async def lock(self, customer_ids: Collection[int]) -> Mapping[int, Customer]:
        """See ``Customers.lock``."""
        mine = [row for row in self._visible() if row.id in customer_ids]
        return {
            row.id: Customer(id=row.id, grid_id=row.grid_id, organization_id=row.rls_organization_id) for row in mine
        }

    async def sum_fees(self, customer_ids: Collection[int]) -> None:
        """See ``Customers.sum_fees``."""
        for customer_id in customer_ids:
            fees = [
                request.meter.fee
                for request in self._requests.values()
                if not request.meter.is_deleted and self._counts(request.connection_id, customer_id)
            ]
            self._rows[customer_id] = attrs.evolve(self._rows[customer_id], total_connection_fee=sum(fees, Decimal(0)))

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[ListedCustomer]:
        """See ``Customers.page``."""
        return page_of([row for row in self._visible() if grid_id in {None, row.grid_id}], window)

    def know(self, row: ListedCustomer) -> None:
        """Set up or change a customer."""
        self._rows[row.id] = row

    def _counts(self, connection_id: int, customer_id: int) -> bool:
        connection = self._connections[connection_id].entity
        return connection.customer_id == customer_id and connection.deleted_at is None

    def _visible(self) -> list[ListedCustomer]:
        return [row for row in self._rows.values() if self._scope.admits(row.rls_organization_id)]


class MemoryConnections:
    """Implements ``Connections``.

    Args:
        database: Shared with the other fakes.
        scope: Whose connections.
    """

    def __init__(self, database: MemoryDatabase, scope: Scope) -> None:
        self._database = database
        self._rows: dict[int, _Row] = database.table("connections")
        self._customers: dict[int, ListedCustomer] = database.table("customers")
        self._wallets: dict[int, int] = database.table("connection_wallets")
        self._scope = scope

    async def add(self, connection: NewConnection) -> int:
        """See ``Connections.add``."""
        connection_id = self._database.next_id("connections")
        self._require_free_upload_id(connection_id, connection.upload_uuid)
        entity = Connection(**_terms(connection), id=connection_id, organization_id=self._owner(connection.customer_id))
        shown: dict[str, Any] = {
            **_terms(entity),
            "id": connection_id,
            "created_at": self._database.clock.now(),
            "deleted_at": None,
            "paid": Decimal(0),
            "currency": connection.currency,
            "rls_organization_id": entity.organization_id,
        }
        self._rows[connection_id] = _Row(entity=entity, view=ConnectionView(**shown))
        self._wallets[connection_id] = connection_id
        return connection_id

    async def lock(self, connection_ids: Collection[int]) -> Mapping[int, Connection]:
        """See ``Connections.lock``."""
        return {row.entity.id: row.entity for row in self._visible() if row.entity.id in connection_ids}

    async def save(self, connections: Sequence[Connection]) -> None:
        """See ``Connections.save``."""
        for connection in connections:
            self._require_free_upload_id(connection.id, connection.upload_uuid)
            owner = self._owner(connection.customer_id)
            view = attrs.evolve(
                self._rows[connection.id].view,
                **_terms(connection),
                deleted_at=connection.deleted_at,
                rls_organization_id=owner,
            )
            self._rows[connection.id] = _Row(entity=attrs.evolve(connection, organization_id=owner), view=view)

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[ConnectionView]:
        """See ``Connections.page``."""
        views = [row.view for row in self._visible() if row.view.deleted_at is None]
        return page_of([view for view in views if grid_id in {None, self._customers[view.customer_id].grid_id}], window)

    def _visible(self) -> list[_Row]:
        return [row for row in self._rows.values() if self._scope.admits(row.entity.organization_id)]

    def _owner(self, customer_id: int) -> int | None:
        return self._customers[customer_id].rls_organization_id

    def _require_free_upload_id(self, connection_id: int, upload_uuid: str | None) -> None:
        others = {row.entity.upload_uuid for row in self._rows.values() if row.entity.id != connection_id}
        if upload_uuid is not None and upload_uuid in others:
            raise Conflict("A connection with this upload id already exists", code="UPLOAD_ID_TAKEN")


class MemoryRequestedMeters:
    """Implements ``RequestedMeters``.

    Args:
        database: Shared with the other fakes.
        scope: Whose connections.
    """

    def __init__(self, database: MemoryDatabase, scope: Scope) -> None:
        self._database = database
        self._rows: dict[int, _Request] = database.table("connection_requested_meters")
        self._connections: dict[int, _Row] = database.table("connections")
        self._scope = scope

    async def of(self, connection_id: int) -> Sequence[RequestedMeter]:
        """See ``RequestedMeters.of``."""
        if not self._scope.admits(self._connections[connection_id].entity.organization_id):
            return []
        return [row.meter for row in self._rows.values() if row.connection_id == connection_id]

    async def add(self, connection_id: int, requests: Sequence[MeterRequest]) -> None:
        """See ``RequestedMeters.add``."""
        for request in requests:
            key = self._database.next_id("connection_requested_meters")
            self._rows[key] = _Request(connection_id, RequestedMeter(id=key, **attrs.asdict(request)))

    async def change(self, connection_id: int, changes: RequestedMeterChanges) -> None:
        """See ``RequestedMeters.change``."""
        await self.add(connection_id, changes.added)
        deleted = [attrs.evolve(self._rows[key].meter, is_deleted=True) for key in changes.deleted_ids]
        for meter in (*changes.changed, *deleted):
            self._rows[meter.id] = _Request(connection_id, meter)


def _terms(connection: ContractTerms) -> dict[str, Any]:
    return {field.name: getattr(connection, field.name) for field in attrs.fields(ContractTerms)}
