"""What supply contracts need from the relational plane, within a scope."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import attrs

from nxt_domain.grids.contract_views import ConnectionView, ListedCustomer
from nxt_domain.grids.contracts import (
    Connection,
    MeterRequest,
    NewConnection,
    RequestedMeter,
    RequestedMeterChanges,
)
from nxt_domain.shared.paging import Page, Window


@attrs.frozen(kw_only=True)
class Customer:
    """Whom a connection supplies, and where."""

    id: int
    grid_id: int
    organization_id: int | None


class Customers(Protocol):
    """The customers of a scope; those whose account is deleted do not exist."""

    async def lock(self, customer_ids: Collection[int]) -> Mapping[int, Customer]:
        """Lock customers by ascending id until the end of the transaction; unknown ones are left out.

        Whoever changes what a customer's fees are the sum of holds this lock.
        """

    async def sum_fees(self, customer_ids: Collection[int]) -> None:
        """Write anew what locked customers owe for connections [REL-82].

        It is the sum of the undeleted requested meters of their undeleted connections.
        """

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[ListedCustomer]:
        """List customers by ascending id, one statement per page; ``grid_id`` narrows the list to one grid."""


class Connections(Protocol):
    """The connections of a scope."""

    async def add(self, connection: NewConnection) -> int:
        """Store a connection and its wallet [REL-24]; return its id.

        Raises:
            Conflict: Another connection has its upload id.
        """

    async def lock(self, connection_ids: Collection[int]) -> Mapping[int, Connection]:
        """Lock connections, deleted ones too, by ascending id; unknown ones are left out. Comes before customers."""

    async def save(self, connections: Sequence[Connection]) -> None:
        """Write locked connections in one statement; those that changed hands take what is below them along [REL-84].

        Raises:
            Conflict: Another connection has an upload id of theirs.
        """

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[ConnectionView]:
        """List undeleted connections by ascending id, one statement per page."""


class RequestedMeters(Protocol):
    """What locked connections of a scope ask for."""

    async def of(self, connection_id: int) -> Sequence[RequestedMeter]:
        """Read all requested meters of a connection, deleted ones too."""

    async def add(self, connection_id: int, requests: Sequence[MeterRequest]) -> None:
        """Store new ones."""

    async def change(self, connection_id: int, changes: RequestedMeterChanges) -> None:
        """Store what a client's list changes."""


class HasContracts(Protocol):
    """Repositories of tenants' rows, contracts among them."""

    @property
    def customers(self) -> Customers:
        """The scope's customers."""

    @property
    def connections(self) -> Connections:
        """The scope's connections."""

    @property
    def requested_meters(self) -> RequestedMeters:
        """What the scope's connections ask for."""
