"""Making and changing supply contracts: connections, the meters they ask for, and what customers owe for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs

from nxt_domain.grids.contract_ports import Customer, HasContracts
from nxt_domain.grids.contract_views import ConnectionView, ListedCustomer
from nxt_domain.grids.contracts import (
    Connection,
    MeterRequest,
    NewConnection,
    RequestedMeterEdit,
    compare_requested_meters,
)
from nxt_domain.identity.model import Principal
from nxt_domain.identity.rules import actor_of
from nxt_domain.identity.scope import Scoped, scope_of
from nxt_domain.shared.audit import Act, AuditedTransaction, Subjects
from nxt_domain.shared.errors import NotFound
from nxt_domain.shared.paging import Page, Window
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory


class ContractsTransaction(UnitOfWork, AuditedTransaction, Scoped[HasContracts], Protocol):
    """A transaction over contracts within a scope."""


Begin = UnitOfWorkFactory[ContractsTransaction]


class CreateConnection:
    """Makes a connection with its wallet and the meters it asks for [API-82].

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, caller: Principal, new: NewConnection, requests: Sequence[MeterRequest]) -> int:
        """Make one; return its id.

        Raises:
            NotFound: The customer is unknown, deleted or another tenant's.
            Conflict: A connection with this upload id exists.
        """
        async with self._begin() as tx:
            mine = tx.within(scope_of(caller))
            customer = await _lock_customer(mine, new.customer_id)
            connection_id = await mine.connections.add(new)
            await mine.requested_meters.add(connection_id, requests)
            await mine.customers.sum_fees([customer.id])
            after = {**attrs.asdict(new), "requested_meters": [attrs.asdict(request) for request in requests]}
            await tx.audit.record(_act(caller, "connection.create", _about(connection_id, customer), after=after))
            await tx.commit()
        return connection_id


class ReviseRequestedMeters:
    """Replaces the list of meters that a connection asks for [API-83].

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, caller: Principal, connection_id: int, edits: Sequence[RequestedMeterEdit]) -> None:
        """Store a client's list, and what the customer owes then.

        Raises:
            NotFound: The connection is unknown, deleted or another tenant's.
            InvalidInput: An element names a meter that is not one of the connection's.
        """
        async with self._begin() as tx:
            mine = tx.within(scope_of(caller))
            connection = (await mine.connections.lock([connection_id])).get(connection_id)
            if connection is None or connection.deleted_at is not None:
                raise _no_connection(connection_id)
            customer = await _lock_customer(mine, connection.customer_id)
            stored = await mine.requested_meters.of(connection_id)
            changes = compare_requested_meters(stored, edits)
            await mine.requested_meters.change(connection_id, changes)
            await mine.customers.sum_fees([customer.id])
            before = {"requested_meters": [attrs.asdict(meter) for meter in stored if not meter.is_deleted]}
            about = _about(connection_id, customer)
            act = _act(caller, "connection.request_meters", about, before=before, after=attrs.asdict(changes))
            await tx.audit.record(act)
            await tx.commit()


class ChangeConnections:
    """Changes what contracts say [API-84].

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, caller: Principal, changes: Mapping[int, Mapping[str, Any]]) -> None:
        """Change connections, all or none.

        Args:
            caller: Who asks.
            changes: New values by name, by id of the connection; see ``ContractTerms``, and ``deleted_at``.

        Raises:
            NotFound: A connection, or the customer it is to belong to, is unknown or another tenant's.
            InvalidInput: A value may not be cleared.
            Conflict: Another connection has the upload id.
        """
        async with self._begin() as tx:
            mine = tx.within(scope_of(caller))
            stored = await mine.connections.lock(changes)
            for unknown in sorted(changes.keys() - stored.keys()):
                raise _no_connection(unknown)
            changed = {key: stored[key].changed(values) for key, values in changes.items()}
            customers = await mine.customers.lock(_whose_fees_change(stored, changed))
            for row in changed.values():
                if row.customer_id != stored[row.id].customer_id and row.customer_id not in customers:
                    raise _no_customer(row.customer_id)
            await mine.connections.save([row for row in changed.values() if row != stored[row.id]])
            await mine.customers.sum_fees(customers)
            await tx.audit.record(*_updates(caller, stored, changed))
            await tx.commit()


class ReadContracts:
    """Lists the customers and connections of a caller's tenant [R41].

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def customers(self, caller: Principal, window: Window, *, grid_id: int | None = None) -> Page[ListedCustomer]:
        """Return a part of the list of customers; ``grid_id`` narrows it to one grid."""
        async with self._begin() as tx:
            return await tx.within(scope_of(caller)).customers.page(window, grid_id=grid_id)

    async def connections(
        self, caller: Principal, window: Window, *, grid_id: int | None = None
    ) -> Page[ConnectionView]:
        """Return a part of the list of connections; ``grid_id`` narrows it to one grid."""
        async with self._begin() as tx:
            return await tx.within(scope_of(caller)).connections.page(window, grid_id=grid_id)


async def _lock_customer(mine: HasContracts, customer_id: int) -> Customer:
    customer = (await mine.customers.lock([customer_id])).get(customer_id)
    if customer is None:
        raise _no_customer(customer_id)
    return customer


def _no_customer(customer_id: int) -> NotFound:
    return NotFound(f"Could not find a customer with ID {customer_id}.", code="CUSTOMER_NOT_FOUND")


def _no_connection(connection_id: int) -> NotFound:
    return NotFound(f"Could not find a connection with ID {connection_id}.", code="CONNECTION_NOT_FOUND")


def _whose_fees_change(stored: Mapping[int, Connection], changed: Mapping[int, Connection]) -> set[int]:
    moved = [(stored[row.id], row) for row in changed.values() if _owing(stored[row.id]) != _owing(row)]
    return {row.customer_id for pair in moved for row in pair}


def _owing(connection: Connection) -> tuple[int, bool]:
    return connection.customer_id, connection.deleted_at is None


def _updates(caller: Principal, stored: Mapping[int, Connection], changed: Mapping[int, Connection]) -> list[Act]:
    acts = []
    for row in changed.values():
        before, after = attrs.asdict(stored[row.id]), attrs.asdict(row)
        names = [name for name in after if after[name] != before[name]]
        if names:
            about = Subjects(
                connection_id=row.id, customer_id=row.customer_id, organization_id=stored[row.id].organization_id
            )
            old, new = ({name: side[name] for name in names} for side in (before, after))
            acts.append(_act(caller, "connection.update", about, before=old, after=new))
    return acts


def _about(connection_id: int, customer: Customer) -> Subjects:
    return Subjects(
        connection_id=connection_id,
        customer_id=customer.id,
        grid_id=customer.grid_id,
        organization_id=customer.organization_id,
    )


def _act(
    caller: Principal,
    action: str,
    about: Subjects,
    *,
    after: Mapping[str, object],
    before: Mapping[str, object] | None = None,
) -> Act:
    return Act(
        actor=actor_of(caller),
        action=action,
        entity_type="connection",
        entity_id=about.connection_id,
        about=about,
        before=before,
        after=after,
    )
