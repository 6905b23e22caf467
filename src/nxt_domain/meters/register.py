"""Reading meters: the list of a tenant, and the search that pay pages use."""

from __future__ import annotations

from typing import Protocol

from nxt_domain.identity.model import Principal
from nxt_domain.identity.scope import Scoped, scope_of
from nxt_domain.meters.views import FoundMeter, MeterView
from nxt_domain.shared.errors import NotFound
from nxt_domain.shared.paging import Page, Window
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory


class MeterRegister(Protocol):
    """The meters of a scope, as people see them; those in stock belong to nobody."""

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[MeterView]:
        """List undeleted meters by ascending id, one statement per page; ``grid_id`` narrows the list to one grid."""


class MeterSearch(Protocol):
    """Finds meters by their number, whoever asks."""

    async def find(self, external_reference: str) -> FoundMeter | None:
        """Find a meter that is ready for use, by its exact number.

        Returns:
            None: unknown, deleted, without customer, or its last commissioning did not succeed.
        """


class HasMeters(Protocol):
    """Repositories of tenants' rows, meters among them."""

    @property
    def meters(self) -> MeterRegister:
        """The scope's meters."""


class MetersListing(UnitOfWork, Scoped[HasMeters], Protocol):
    """A transaction that lists meters within a scope."""


class MeterSearching(UnitOfWork, Protocol):
    """A transaction that looks for meters of any tenant."""

    @property
    def meter_search(self) -> MeterSearch:
        """Finds meters by their number."""


class ReadMeters:
    """Lists the meters of a caller's tenant [R41].

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, begin: UnitOfWorkFactory[MetersListing]) -> None:
        self._begin = begin

    async def page(self, caller: Principal, window: Window, *, grid_id: int | None = None) -> Page[MeterView]:
        """Return a part of the list; ``grid_id`` narrows it to one grid."""
        async with self._begin() as tx:
            return await tx.within(scope_of(caller)).meters.page(window, grid_id=grid_id)


class SearchMeter:
    """Shows anybody what is needed to pay for a meter whose number they know [API-102].

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, begin: UnitOfWorkFactory[MeterSearching]) -> None:
        self._begin = begin

    async def __call__(self, external_reference: str) -> FoundMeter:
        """Find a meter.

        Raises:
            NotFound: It is unknown or not ready for use.
        """
        async with self._begin() as tx:
            found = await tx.meter_search.find(external_reference)
        if found is None:
            text = f"Meter {external_reference} not found or ready for use"
            raise NotFound(text, code="METER_NOT_READY")
        return found
