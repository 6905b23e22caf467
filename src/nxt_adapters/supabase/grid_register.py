"""Grids as dashboards read them, within a scope."""

from __future__ import annotations

from sqlalchemy import ColumnElement, RowMapping, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.scoping import columns_of, owned_by, page_of
from nxt_adapters.supabase.tables import grids, organizations
from nxt_domain.grids.views import GridView, GridWithOrganization, OrganizationView
from nxt_domain.identity.scope import Scope
from nxt_domain.shared.paging import Page, Window

_OWNER = "owner_"
_GRID = columns_of(grids, GridView)
_ORGANIZATION = columns_of(organizations, OrganizationView, prefix=_OWNER)


class PostgresGridRegister:
    """``GridRegister`` on the relational plane.

    Args:
        connection: Of the open transaction.
        scope: Whose grids.
    """

    def __init__(self, connection: AsyncConnection, scope: Scope) -> None:
        self._connection = connection
        self._scope = scope

    async def get(self, grid_id: int) -> GridWithOrganization | None:
        """See ``GridRegister.get``."""
        query = (
            select(*_GRID, *_ORGANIZATION)
            .join(organizations, organizations.c.id == grids.c.organization_id)
            .where(grids.c.id == grid_id, *self._live())
        )
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else _with_organization(row)

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[GridView]:
        """See ``GridRegister.page``."""
        query: Select[tuple[object, ...]] = select(*_GRID).where(*self._live())
        if grid_id is not None:
            query = query.where(grids.c.id == grid_id)
        return await page_of(self._connection, query, grids.c.id, window, lambda row: GridView(**row))

    def _live(self) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return owned_by(self._scope, grids.c.organization_id), grids.c.deleted_at.is_(None)


def _with_organization(row: RowMapping) -> GridWithOrganization:
    owner = {name.removeprefix(_OWNER): value for name, value in row.items() if name.startswith(_OWNER)}
    own = {name: value for name, value in row.items() if not name.startswith(_OWNER)}
    return GridWithOrganization(**own, organization=OrganizationView(**owner))
