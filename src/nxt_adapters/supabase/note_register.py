"""Notes within a scope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, Subquery, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.scoping import below, columns_of, owned_by, page_of, page_of_all
from nxt_adapters.supabase.tables import connections, customers, meters, notes
from nxt_domain.fieldwork.views import NoteView
from nxt_domain.identity.scope import Scope
from nxt_domain.shared.paging import Page, Window

_NOTE = columns_of(notes, NoteView)


class PostgresNoteRegister:
    """``NoteRegister`` on the relational plane.

    Args:
        connection: Of the open transaction.
        scope: Whose notes.
    """

    def __init__(self, connection: AsyncConnection, scope: Scope) -> None:
        self._connection = connection
        self._scope = scope

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[NoteView]:
        """See ``NoteRegister.page``."""
        query: Select[Any] = select(*_NOTE).where(owned_by(self._scope, notes.c.rls_organization_id))
        if grid_id is None:
            return await page_of_all(self._connection, query, self._scope, notes, window, _shown)
        of_grid = _of_grid(query, grid_id, window)
        return await page_of(self._connection, select(of_grid), of_grid.c.id, window, _shown)


def _shown(row: Mapping[str, Any]) -> NoteView:
    return NoteView(**row)


def _of_grid(mine: Select[Any], grid_id: int, window: Window) -> Subquery:
    contracts = mine.join(connections, connections.c.id == notes.c.connection_id)
    on_grid = customers.c.grid_id == grid_id
    return union(
        below(customers, on_grid, mine.where(notes.c.customer_id == customers.c.id), window),
        below(customers, on_grid, contracts.where(connections.c.customer_id == customers.c.id), window),
        below(meters, meters.c.rls_grid_id == grid_id, mine.where(notes.c.meter_id == meters.c.id), window),
    ).subquery()
