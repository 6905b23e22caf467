"""Grids as dashboards read and change them, within a scope."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Integer, Select, any_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.changing import change_rows
from nxt_adapters.supabase.scoping import among, columns_of, fields_of, owned_by, page_of_all, rows_of
from nxt_adapters.supabase.tables import grids, organizations
from nxt_domain.grids.views import GridView, GridWithOrganization, OrganizationView
from nxt_domain.identity.scope import Scope
from nxt_domain.shared.changes import RowChange
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
        return (await self.many([grid_id])).get(grid_id)

    async def many(self, grid_ids: Collection[int]) -> Mapping[int, GridWithOrganization]:
        """See ``GridRegister.many``."""
        found = await self._connection.execute(_with_owners(self._scope), {"ids": list(grid_ids)})
        return {row["id"]: _with_organization(row) for row in rows_of(found)}

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[GridView]:
        """See ``GridRegister.page``."""
        query: Select[tuple[object, ...]] = select(*_GRID).where(grids.c.deleted_at.is_(None))
        if grid_id is not None:
            query = query.where(grids.c.id == grid_id)
        return await page_of_all(self._connection, query, self._scope, grids, window, lambda row: GridView(**row))

    async def lock(self, grid_ids: Collection[int]) -> Mapping[int, GridView]:
        """See ``GridRegister.lock``."""
        query = (
            select(*_GRID)
            .where(among(grids.c.id, grid_ids), *self._live())
            .order_by(grids.c.id)
            .with_for_update(key_share=True)
        )
        rows = (await self._connection.execute(query)).mappings()
        return {row["id"]: GridView(**row) for row in rows}

    async def change(self, changes: Sequence[RowChange]) -> None:
        """See ``GridRegister.change``."""
        await change_rows(self._connection, grids, changes)

    def _live(self) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return owned_by(self._scope, grids.c.organization_id), grids.c.deleted_at.is_(None)


@lru_cache(maxsize=256)
def _with_owners(scope: Scope) -> Select[Any]:
    """Write the statement that dashboards send most, once for each tenant: it has seventy columns to be named."""
    return (
        select(*_GRID, *_ORGANIZATION)
        .join(organizations, organizations.c.id == grids.c.organization_id)
        .where(
            grids.c.id == any_(bindparam("ids", type_=ARRAY(Integer))),
            owned_by(scope, grids.c.organization_id),
            grids.c.deleted_at.is_(None),
        )
    )


def _with_organization(row: Mapping[str, Any]) -> GridWithOrganization:
    owner = OrganizationView(**fields_of(row, OrganizationView, prefix=_OWNER))
    return GridWithOrganization(**fields_of(row, GridView), organization=owner)
