"""Lists of what stands on grids, within a scope."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy import Select, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.scoping import columns_of, owned_by, page_of_all, page_within
from nxt_adapters.supabase.tables import mppts, poles, routers
from nxt_domain.grids.hardware_views import MpptView, PoleView, RouterView
from nxt_domain.identity.scope import Scope
from nxt_domain.shared.paging import Page, Window

T = TypeVar("T")


class PostgresInfrastructure:
    """``Infrastructure`` on the relational plane.

    Args:
        connection: Of the open transaction.
        scope: Whose grids.
    """

    def __init__(self, connection: AsyncConnection, scope: Scope) -> None:
        self._connection = connection
        self._scope = scope

    async def mppts(self, window: Window, *, grid_id: int | None = None) -> Page[MpptView]:
        """See ``Infrastructure.mppts``."""
        return await self._page(mppts, MpptView, window, grid_id)

    async def poles(self, window: Window, *, grid_id: int | None = None) -> Page[PoleView]:
        """See ``Infrastructure.poles``."""
        return await self._page(poles, PoleView, window, grid_id)

    async def routers(self, window: Window, *, grid_id: int | None = None) -> Page[RouterView]:
        """See ``Infrastructure.routers``."""
        return await self._page(routers, RouterView, window, grid_id)

    async def _page(self, table: Table, view: type[T], window: Window, grid_id: int | None) -> Page[T]:
        query: Select[tuple[object, ...]] = select(*columns_of(table, view)).where(table.c.deleted_at.is_(None))
        if grid_id is None:
            return await page_of_all(self._connection, query, self._scope, table, window, lambda row: view(**row))
        query = query.where(owned_by(self._scope, table.c.rls_organization_id))
        group = table.c.grid_id, grid_id
        return await page_within(self._connection, query, group, table.c.id, window, lambda row: view(**row))
