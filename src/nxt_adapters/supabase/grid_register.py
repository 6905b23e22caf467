"""Grids as dashboards read and change them, within a scope."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

import attrs
from sqlalchemy import ARRAY, ColumnElement, Integer, Select, any_, bindparam, select

from nxt_adapters.supabase.changing import change_rows
from nxt_adapters.supabase.scoping import (
    GRID,
    among,
    columns_of,
    kind_of,
    owned,
    owned_by,
    owner_of,
    page_of,
    pages_of_all,
)
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.tables import grids, organizations
from nxt_adapters.supabase.written import Read
from nxt_domain.grids.views import GridView, GridWithOrganization, OrganizationView
from nxt_domain.identity.scope import Scope
from nxt_domain.shared.changes import RowChange
from nxt_domain.shared.paging import Page, Window

_OWNER = "owner_"
_GRID = columns_of(grids, GridView)
_OWNER_COLUMNS = {field.name: _OWNER + field.name for field in attrs.fields(OrganizationView)}
_ORGANIZATION = columns_of(organizations, OrganizationView, prefix=_OWNER)


class PostgresGridRegister:
    """``GridRegister`` on the relational plane.

    Args:
        session: Of the unit of work.
        scope: Whose grids.
    """

    def __init__(self, session: Session, scope: Scope) -> None:
        self._session = session
        self._scope = scope

    async def get(self, grid_id: int) -> GridWithOrganization | None:
        """See ``GridRegister.get``."""
        found = await self._session.rows(_one(kind_of(self._scope)), {"id": grid_id, **owner_of(self._scope)})
        return _with_organization(found[0]) if found else None

    async def many(self, grid_ids: Collection[int]) -> Mapping[int, GridWithOrganization]:
        """See ``GridRegister.many``."""
        given = {"ids": list(grid_ids), **owner_of(self._scope)}
        found = await self._session.rows(_some(kind_of(self._scope)), given)
        return {row["id"]: _with_organization(row) for row in found}

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[GridView]:
        """See ``GridRegister.page``."""
        read = _pages(kind_of(self._scope), of_grid=grid_id is not None)
        return await page_of(self._session, read, self._scope, window, _shown, grid_id=grid_id)

    async def lock(self, grid_ids: Collection[int]) -> Mapping[int, GridView]:
        """See ``GridRegister.lock``."""
        query = (
            select(*_GRID)
            .where(among(grids.c.id, grid_ids), *self._live())
            .order_by(grids.c.id)
            .with_for_update(key_share=True)
        )
        rows = (await self._session.execute(query)).mappings()
        return {row["id"]: GridView(**row) for row in rows}

    async def change(self, changes: Sequence[RowChange]) -> None:
        """See ``GridRegister.change``."""
        await change_rows(self._session, grids, changes)

    def _live(self) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return owned_by(self._scope, grids.c.organization_id), grids.c.deleted_at.is_(None)


@cache
def _one(scope: Scope) -> Read:
    return Read(_with_owners(scope).where(grids.c.id == bindparam("id", type_=Integer)))


@cache
def _some(scope: Scope) -> Read:
    return Read(_with_owners(scope).where(grids.c.id == any_(bindparam("ids", type_=ARRAY(Integer)))))


@cache
def _pages(scope: Scope, *, of_grid: bool) -> Read:
    query: Select[Any] = select(*_GRID).where(grids.c.deleted_at.is_(None))
    return pages_of_all(query.where(grids.c.id == GRID) if of_grid else query, scope, grids)


def _with_owners(scope: Scope) -> Select[Any]:
    return (
        select(*_GRID, *_ORGANIZATION)
        .join(organizations, organizations.c.id == grids.c.organization_id)
        .where(owned(scope, grids.c.organization_id), grids.c.deleted_at.is_(None))
    )


def _shown(row: Mapping[str, Any]) -> GridView:
    return GridView(**row)


def _with_organization(row: Mapping[str, Any]) -> GridWithOrganization:
    grid = dict(row)
    owner = OrganizationView(**{name: grid.pop(column) for name, column in _OWNER_COLUMNS.items()})
    return GridWithOrganization(**grid, organization=owner)
