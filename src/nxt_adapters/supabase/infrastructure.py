"""Lists of what stands on grids, within a scope."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Select, Table, select

from nxt_adapters.supabase.scoping import GRID, columns_of, kind_of, owned, page_of, pages_of_all, pages_within
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.tables import mppts, poles, routers
from nxt_adapters.supabase.written import Read
from nxt_domain.grids.hardware_views import MpptView, PoleView, RouterView
from nxt_domain.identity.scope import Scope
from nxt_domain.shared.paging import Page, Window


class PostgresInfrastructure:
    """``Infrastructure`` on the relational plane.

    Args:
        session: Of the unit of work.
        scope: Whose grids.
    """

    def __init__(self, session: Session, scope: Scope) -> None:
        self._session = session
        self._scope = scope

    async def mppts(self, window: Window, *, grid_id: int | None = None) -> Page[MpptView]:
        """See ``Infrastructure.mppts``."""
        read = _mppts(kind_of(self._scope), of_grid=grid_id is not None)
        return await page_of(self._session, read, self._scope, window, lambda row: MpptView(**row), grid_id=grid_id)

    async def poles(self, window: Window, *, grid_id: int | None = None) -> Page[PoleView]:
        """See ``Infrastructure.poles``."""
        read = _poles(kind_of(self._scope), of_grid=grid_id is not None)
        return await page_of(self._session, read, self._scope, window, lambda row: PoleView(**row), grid_id=grid_id)

    async def routers(self, window: Window, *, grid_id: int | None = None) -> Page[RouterView]:
        """See ``Infrastructure.routers``."""
        read = _routers(kind_of(self._scope), of_grid=grid_id is not None)
        return await page_of(self._session, read, self._scope, window, lambda row: RouterView(**row), grid_id=grid_id)


@cache
def _mppts(scope: Scope, *, of_grid: bool) -> Read:
    return _pages(mppts, MpptView, scope, of_grid=of_grid)


@cache
def _poles(scope: Scope, *, of_grid: bool) -> Read:
    return _pages(poles, PoleView, scope, of_grid=of_grid)


@cache
def _routers(scope: Scope, *, of_grid: bool) -> Read:
    return _pages(routers, RouterView, scope, of_grid=of_grid)


def _pages(table: Table, view: type[Any], scope: Scope, *, of_grid: bool) -> Read:
    query: Select[Any] = select(*columns_of(table, view)).where(table.c.deleted_at.is_(None))
    if not of_grid:
        return pages_of_all(query, scope, table)
    query = query.where(owned(scope, table.c.rls_organization_id))
    return pages_within(query, table.c.grid_id, GRID, table.c.id)
