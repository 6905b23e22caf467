"""Lists of what stands on the grids of one's own tenant [R41]."""

from __future__ import annotations

from typing import Protocol

from nxt_domain.grids.hardware_views import MpptView, PoleView, RouterView
from nxt_domain.grids.ports import Infrastructure
from nxt_domain.identity.model import Principal
from nxt_domain.identity.scope import Scoped, scope_of
from nxt_domain.shared.paging import Page, Window
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory


class HasInfrastructure(Protocol):
    """Repositories of tenants' rows, what stands on grids among them."""

    @property
    def infrastructure(self) -> Infrastructure:
        """What stands on the scope's grids."""


class InfrastructureTransaction(UnitOfWork, Scoped[HasInfrastructure], Protocol):
    """A transaction that lists what stands on grids within a scope."""


class ReadInfrastructure:
    """Lists live things by ascending id; ``grid_id`` narrows a list to one grid.

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, begin: UnitOfWorkFactory[InfrastructureTransaction]) -> None:
        self._begin = begin

    async def mppts(self, caller: Principal, window: Window, *, grid_id: int | None = None) -> Page[MpptView]:
        """Return a part of the list of solar chargers."""
        async with self._begin() as tx:
            return await tx.within(scope_of(caller)).infrastructure.mppts(window, grid_id=grid_id)

    async def poles(self, caller: Principal, window: Window, *, grid_id: int | None = None) -> Page[PoleView]:
        """Return a part of the list of poles."""
        async with self._begin() as tx:
            return await tx.within(scope_of(caller)).infrastructure.poles(window, grid_id=grid_id)

    async def routers(self, caller: Principal, window: Window, *, grid_id: int | None = None) -> Page[RouterView]:
        """Return a part of the list of routers."""
        async with self._begin() as tx:
            return await tx.within(scope_of(caller)).infrastructure.routers(window, grid_id=grid_id)
