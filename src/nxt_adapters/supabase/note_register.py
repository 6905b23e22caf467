"""Notes within a scope."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Select, Subquery, select, union

from nxt_adapters.supabase.scoping import GRID, below, columns_of, kind_of, owned, page_of, pages, pages_of_all
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.tables import connections, customers, meters, notes
from nxt_adapters.supabase.written import Read
from nxt_domain.fieldwork.views import NoteView
from nxt_domain.identity.scope import Scope
from nxt_domain.shared.paging import Page, Window

_NOTE = columns_of(notes, NoteView)


class PostgresNoteRegister:
    """``NoteRegister`` on the relational plane.

    Args:
        session: Of the unit of work.
        scope: Whose notes.
    """

    def __init__(self, session: Session, scope: Scope) -> None:
        self._session = session
        self._scope = scope

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[NoteView]:
        """See ``NoteRegister.page``."""
        read = _pages(kind_of(self._scope), of_grid=grid_id is not None)
        return await page_of(self._session, read, self._scope, window, _shown, grid_id=grid_id)


def _shown(row: Mapping[str, Any]) -> NoteView:
    return NoteView(**row)


@cache
def _pages(scope: Scope, *, of_grid: bool) -> Read:
    query: Select[Any] = select(*_NOTE).where(owned(scope, notes.c.rls_organization_id))
    if not of_grid:
        return pages_of_all(query, scope, notes)
    found = _of_grid(query)
    return pages(select(found), found.c.id)


def _of_grid(mine: Select[Any]) -> Subquery:
    contracts = mine.join(connections, connections.c.id == notes.c.connection_id)
    on_grid = customers.c.grid_id == GRID
    return union(
        below(customers, on_grid, mine.where(notes.c.customer_id == customers.c.id)),
        below(customers, on_grid, contracts.where(connections.c.customer_id == customers.c.id)),
        below(meters, meters.c.rls_grid_id == GRID, mine.where(notes.c.meter_id == meters.c.id)),
    ).subquery()
