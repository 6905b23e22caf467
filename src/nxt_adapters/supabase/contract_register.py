"""Customers, connections and requested meters within a scope."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import attrs
from psycopg.errors import UniqueViolation
from sqlalchemy import ARRAY, ColumnElement, Integer, RowMapping, Select, any_, bindparam, insert, literal, select

from nxt_adapters.supabase.engine import dump_json
from nxt_adapters.supabase.scoping import (
    GRID,
    below,
    columns_of,
    kind_of,
    owned,
    owned_by,
    owner_of,
    page_of,
    pages,
    pages_of_all,
    pages_within,
)
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.tables import accounts, connection_requested_meters, connections, customers
from nxt_adapters.supabase.written import Read, Written, insertion
from nxt_domain.grids.contract_ports import Customer
from nxt_domain.grids.contract_views import ConnectionView, ListedCustomer
from nxt_domain.grids.contracts import (
    Connection,
    ContractTerms,
    IdDocumentType,
    MeterRequest,
    NewConnection,
    RequestedMeter,
    RequestedMeterChanges,
)
from nxt_domain.grids.model import MeterPhase
from nxt_domain.grids.tariffs import MeterType
from nxt_domain.identity.scope import Scope
from nxt_domain.shared.errors import Conflict
from nxt_domain.shared.external_systems import ExternalSystem
from nxt_domain.shared.paging import Page, Window

UPLOAD_ID_TAKEN = "A connection with this upload id already exists"

_CUSTOMER = [*columns_of(customers, ListedCustomer), accounts.c.full_name, accounts.c.phone]
_CONNECTION = columns_of(connections, ConnectionView)
_TERMS = [
    *columns_of(connections, ContractTerms),
    connections.c.id,
    connections.c.deleted_at,
    connections.c.rls_organization_id,
]
_REQUESTED = connection_requested_meters

# The customers' rows are locked before this statement looks, so it sees every sum that another transaction stored.
_SUM_FEES: Final = Written(
    """
    update public.customers customer set total_connection_fee = coalesce((
        select sum(requested.fee)
        from public.connections connection
        join public.connection_requested_meters requested on requested.connection_id = connection.id
        where connection.customer_id = customer.id and connection.deleted_at is null and requested.deleted_at is null
    ), 0)
    where customer.id = any(:ids)
    """
)

_SAVE: Final = Written(
    """
    update public.connections connection set
        upload_uuid = new.upload_uuid, external_system = new.external_system, document_type = new.document_type,
        document_id = new.document_id, women_impacted = new.women_impacted, is_lifeline = new.is_lifeline,
        is_public = new.is_public, is_commercial = new.is_commercial, is_residential = new.is_residential,
        is_building_wired = new.is_building_wired, is_using_led_bulbs = new.is_using_led_bulbs,
        deleted_at = new.deleted_at
    from jsonb_populate_recordset(null::public.connections, cast(:rows as jsonb)) as new
    where connection.id = new.id
    """
)

# A statement of its own: the mere mention of the column makes triggers derive anew what is below [REL-84].
_MOVE: Final = Written(
    """
    update public.connections connection set customer_id = new.customer_id
    from jsonb_to_recordset(cast(:rows as jsonb)) as new (id int, customer_id int)
    where connection.id = new.id and connection.customer_id <> new.customer_id
    """
)

_CHANGE: Final = Written(
    """
    update public.connection_requested_meters requested set
        meter_type = new.meter_type, meter_phase = new.meter_phase, fee = new.fee
    from jsonb_populate_recordset(null::public.connection_requested_meters, cast(:rows as jsonb)) as new
    where requested.id = new.id and requested.connection_id = :connection_id
    """
)

_ADD: Final = Written(
    insert(connections)
    .values({field.name: bindparam(field.name) for field in attrs.fields(NewConnection)})
    .returning(connections.c.id)
)
_OPEN_WALLET: Final = Written(
    """
    insert into public.wallets (connection_id, wallet_type, currency)
    values (:connection_id, 'VIRTUAL', cast(:currency as public.currency_enum))
    """
)
_DELETE: Final = Written(
    """
    update public.connection_requested_meters set deleted_at = now()
    where id = any(:ids) and connection_id = :connection_id and deleted_at is null
    """
)


class PostgresCustomers:
    """``Customers`` on the relational plane.

    Args:
        session: Of the unit of work.
        scope: Whose customers.
    """

    def __init__(self, session: Session, scope: Scope) -> None:
        self._session = session
        self._scope = scope

    async def lock(self, customer_ids: Collection[int]) -> Mapping[int, Customer]:
        """See ``Customers.lock``."""
        wanted = {"ids": sorted(customer_ids), **owner_of(self._scope)}
        rows = await self._session.objects(_locking_customers(kind_of(self._scope)), wanted)
        return {
            row.id: Customer(id=row.id, grid_id=row.grid_id, organization_id=row.rls_organization_id) for row in rows
        }

    async def sum_fees(self, customer_ids: Collection[int]) -> None:
        """See ``Customers.sum_fees``."""
        await self._session.run(_SUM_FEES, {"ids": list(customer_ids)})

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[ListedCustomer]:
        """See ``Customers.page``."""
        read = _pages_of_customers(kind_of(self._scope), of_grid=grid_id is not None)
        return await page_of(self._session, read, self._scope, window, _listed, grid_id=grid_id)


class PostgresConnections:
    """``Connections`` on the relational plane.

    Args:
        session: Of the unit of work.
        scope: Whose connections.
    """

    def __init__(self, session: Session, scope: Scope) -> None:
        self._session = session
        self._scope = scope

    async def add(self, connection: NewConnection) -> int:
        """See ``Connections.add``."""
        with _told_of_taken_upload_ids():
            (made,) = await self._session.objects(_ADD, attrs.asdict(connection))
        await self._session.run(_OPEN_WALLET, {"connection_id": made.id, "currency": connection.currency})
        return int(made.id)

    async def lock(self, connection_ids: Collection[int]) -> Mapping[int, Connection]:
        """See ``Connections.lock``."""
        query = (
            select(*_TERMS)
            .where(connections.c.id == any_(literal(sorted(connection_ids))), self._owned())
            .order_by(connections.c.id)
            .with_for_update(of=connections, key_share=True)
        )
        return {row["id"]: _connection(row) for row in (await self._session.execute(query)).mappings()}

    async def save(self, connections: Sequence[Connection]) -> None:
        """See ``Connections.save``."""
        if not connections:
            return
        rows = {"rows": dump_json([attrs.asdict(connection) for connection in connections])}
        with _told_of_taken_upload_ids():
            await self._session.run(_SAVE, rows)
        await self._session.run(_MOVE, rows)

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[ConnectionView]:
        """See ``Connections.page``."""
        read = _pages_of_connections(kind_of(self._scope), of_grid=grid_id is not None)
        return await page_of(self._session, read, self._scope, window, _shown, grid_id=grid_id)

    def _owned(self) -> ColumnElement[bool]:
        return owned_by(self._scope, connections.c.rls_organization_id)


class PostgresRequestedMeters:
    """``RequestedMeters`` on the relational plane.

    Args:
        session: Of the unit of work.
        scope: Whose connections.
    """

    def __init__(self, session: Session, scope: Scope) -> None:
        self._session = session
        self._scope = scope

    async def of(self, connection_id: int) -> Sequence[RequestedMeter]:
        """See ``RequestedMeters.of``."""
        is_own = owned_by(self._scope, _REQUESTED.c.rls_organization_id)
        query = select(_REQUESTED).where(_REQUESTED.c.connection_id == connection_id, is_own).order_by(_REQUESTED.c.id)
        return [_requested(row) for row in (await self._session.execute(query)).mappings()]

    async def add(self, connection_id: int, requests: Sequence[MeterRequest]) -> None:
        """See ``RequestedMeters.add``."""
        if requests:
            rows = [{"connection_id": connection_id, **attrs.asdict(request)} for request in requests]
            await self._session.run(*insertion("public.connection_requested_meters", rows))

    async def change(self, connection_id: int, changes: RequestedMeterChanges) -> None:
        """See ``RequestedMeters.change``; at most one statement of each kind."""
        await self.add(connection_id, changes.added)
        if changes.changed:
            rows = dump_json([attrs.asdict(meter) for meter in changes.changed])
            await self._session.run(_CHANGE, {"rows": rows, "connection_id": connection_id})
        if changes.deleted_ids:
            await self._session.run(_DELETE, {"ids": list(changes.deleted_ids), "connection_id": connection_id})


@cache
def _locking_customers(scope: Scope) -> Written:
    return Written(
        select(customers.c.id, customers.c.grid_id, customers.c.rls_organization_id)
        .join(accounts, accounts.c.id == customers.c.account_id)
        .where(
            customers.c.id == any_(bindparam("ids", type_=ARRAY(Integer))),
            owned(scope, customers.c.rls_organization_id),
            accounts.c.deleted_at.is_(None),
        )
        .order_by(customers.c.id)
        .with_for_update(of=customers, key_share=True)
    )


@cache
def _pages_of_customers(scope: Scope, *, of_grid: bool) -> Read:
    query: Select[Any] = (
        select(*_CUSTOMER)
        .join(accounts, accounts.c.id == customers.c.account_id)
        .where(owned(scope, customers.c.rls_organization_id), accounts.c.deleted_at.is_(None))
    )
    if of_grid:
        return pages_within(query, customers.c.grid_id, GRID, customers.c.id)
    return pages_of_all(query, scope, customers)


@cache
def _pages_of_connections(scope: Scope, *, of_grid: bool) -> Read:
    is_own = owned(scope, connections.c.rls_organization_id)
    query: Select[Any] = select(*_CONNECTION).where(is_own, connections.c.deleted_at.is_(None))
    if not of_grid:
        return pages_of_all(query, scope, connections)
    of_customer = query.where(connections.c.customer_id == customers.c.id)
    query = below(customers, customers.c.grid_id == GRID, of_customer)
    return pages(query, query.selected_columns.id)


@contextmanager
def _told_of_taken_upload_ids() -> Iterator[None]:
    try:
        yield
    except UniqueViolation as error:
        if error.diag.constraint_name != "ux_connections_upload_uuid":
            raise
        raise Conflict(UPLOAD_ID_TAKEN, code="UPLOAD_ID_TAKEN") from error


def _listed(row: Mapping[str, Any]) -> ListedCustomer:
    return ListedCustomer(**row)


def _shown(row: Mapping[str, Any]) -> ConnectionView:
    return ConnectionView(**row)


def _connection(row: RowMapping) -> Connection:
    values = dict(row)
    organization_id = values.pop("rls_organization_id")
    system, document = values.pop("external_system"), values.pop("document_type")
    return Connection(
        **values,
        organization_id=organization_id,
        external_system=None if system is None else ExternalSystem(system),
        document_type=None if document is None else IdDocumentType(document),
    )


def _requested(row: RowMapping) -> RequestedMeter:
    return RequestedMeter(
        id=row["id"],
        meter_type=MeterType(row["meter_type"]),
        meter_phase=MeterPhase(row["meter_phase"]),
        fee=row["fee"],
        is_deleted=row["deleted_at"] is not None,
    )
