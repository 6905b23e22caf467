"""Reading grids of one's own tenant."""

from __future__ import annotations

from typing import Protocol

from nxt_domain.grids.ports import GridRegister
from nxt_domain.grids.views import GridView, GridWithOrganization
from nxt_domain.identity.model import Principal
from nxt_domain.identity.scope import Scoped, scope_of
from nxt_domain.shared.paging import Page, Window
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory


class HasGrids(Protocol):
    """Repositories of tenants' rows, grids among them."""

    @property
    def grids(self) -> GridRegister:
        """The scope's grids."""


class GridsTransaction(UnitOfWork, Scoped[HasGrids], Protocol):
    """A transaction that reads grids within a scope."""


class ReadGrids:
    """Shows a caller the grids of their tenant; foreign and deleted ones do not exist [R39].

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, begin: UnitOfWorkFactory[GridsTransaction]) -> None:
        self._begin = begin

    async def one(self, caller: Principal, grid_id: int) -> GridWithOrganization | None:
        """Return a grid with its organization; None: there is none for this caller [API-91]."""
        async with self._begin() as tx:
            return await tx.within(scope_of(caller)).grids.get(grid_id)

    async def page(self, caller: Principal, window: Window, *, grid_id: int | None = None) -> Page[GridView]:
        """Return a part of the list of grids [R41].

        Args:
            caller: Who asks.
            window: Which part.
            grid_id: Only this one, as in the lists of things on a grid; None: all.
        """
        async with self._begin() as tx:
            return await tx.within(scope_of(caller)).grids.page(window, grid_id=grid_id)
