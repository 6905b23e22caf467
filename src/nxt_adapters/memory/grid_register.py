"""Grids in memory, as dashboards read them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.listing import page_of
from nxt_domain.grids.views import GridView, GridWithOrganization
from nxt_domain.identity.scope import Scope
from nxt_domain.shared.changes import RowChange
from nxt_domain.shared.errors import Conflict
from nxt_domain.shared.paging import Page, Window


class MemoryGridRegister:
    """Implements ``GridRegister`` over ``GridWithOrganization`` by id.

    Args:
        database: Shared with the other fakes.
        scope: Whose grids.
    """

    def __init__(self, database: MemoryDatabase, scope: Scope) -> None:
        self._rows: dict[int, GridWithOrganization] = database.table("grid_views")
        self._scope = scope

    async def get(self, grid_id: int) -> GridWithOrganization | None:
        """See ``GridRegister.get``."""
        return next((row for row in self._visible() if row.id == grid_id), None)

    async def many(self, grid_ids: Collection[int]) -> Mapping[int, GridWithOrganization]:
        """See ``GridRegister.many``."""
        return {row.id: row for row in self._visible() if row.id in grid_ids}

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[GridView]:
        """See ``GridRegister.page``."""
        wanted = [row for row in self._visible() if grid_id in {None, row.id}]
        return page_of([_own_columns(row) for row in wanted], window)

    async def lock(self, grid_ids: Collection[int]) -> Mapping[int, GridView]:
        """See ``GridRegister.lock``; there is one transaction at a time anyway."""
        return {grid_id: _own_columns(row) for grid_id, row in (await self.many(grid_ids)).items()}

    async def change(self, changes: Sequence[RowChange]) -> None:
        """See ``GridRegister.change``; knows the organizations that have a grid, and no ranges."""
        owners = {row.organization_id: row.organization for row in self._rows.values()}
        for change in changes:
            values: dict[str, Any] = dict(change.values)
            row = attrs.evolve(self._rows[change.id], **values)
            if row.organization_id not in owners:
                raise Conflict("The organization does not exist", code="REFERENCE_MISSING")
            self._rows[row.id] = attrs.evolve(row, organization=owners[row.organization_id])

    def know(self, row: GridWithOrganization) -> None:
        """Set up or change a grid."""
        self._rows[row.id] = row

    def _visible(self) -> list[GridWithOrganization]:
        rows = self._rows.values()
        return [row for row in rows if self._scope.admits(row.organization_id) and row.deleted_at is None]


def _own_columns(row: GridWithOrganization) -> GridView:
    return GridView(**{field.name: getattr(row, field.name) for field in attrs.fields(GridView)})
