"""Issues within a scope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.scoping import below, columns_of, owned_by, page_of, page_of_all
from nxt_adapters.supabase.tables import issues, meters, mppts
from nxt_domain.fieldwork.views import IssueView
from nxt_domain.identity.scope import Scope
from nxt_domain.shared.paging import Page, Window

_ISSUE = columns_of(issues, IssueView)


class PostgresIssueRegister:
    """``IssueRegister`` on the relational plane.

    Args:
        connection: Of the open transaction.
        scope: Whose issues.
    """

    def __init__(self, connection: AsyncConnection, scope: Scope) -> None:
        self._connection = connection
        self._scope = scope

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[IssueView]:
        """See ``IssueRegister.page``."""
        query: Select[Any] = select(*_ISSUE).where(self._owned())
        if grid_id is None:
            return await page_of_all(self._connection, query, self._scope, issues, window, _shown)
        of_grid = _of_grid(query, grid_id, window)
        return await page_of(self._connection, select(of_grid), of_grid.c.id, window, _shown)

    def _owned(self) -> ColumnElement[bool]:
        return owned_by(self._scope, issues.c.rls_organization_id)


def _shown(row: Mapping[str, Any]) -> IssueView:
    return IssueView(**row)


def _of_grid(mine: Select[Any], grid_id: int, window: Window) -> Subquery:
    of_meter = mine.where(issues.c.meter_id == meters.c.id)
    of_mppt = mine.where(issues.c.mppt_id == mppts.c.id)
    return union(
        mine.where(issues.c.grid_id == grid_id),
        below(meters, meters.c.rls_grid_id == grid_id, of_meter, window),
        below(mppts, mppts.c.grid_id == grid_id, of_mppt, window),
    ).subquery()
