"""Lists of what stands on grids, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.listing import page_of
from nxt_domain.grids.hardware_views import MpptView, PoleView, RouterView
from nxt_domain.identity.scope import Scope
from nxt_domain.shared.paging import Page, Window

T = TypeVar("T", MpptView, PoleView, RouterView)


class MemoryInfrastructure:
    """Implements ``Infrastructure`` over views by id.

    Args:
        database: Shared with the other fakes.
        scope: Whose grids.
    """

    def __init__(self, database: MemoryDatabase, scope: Scope) -> None:
        self._mppts: dict[int, MpptView] = database.table("mppt_views")
        self._poles: dict[int, PoleView] = database.table("pole_views")
        self._routers: dict[int, RouterView] = database.table("router_views")
        self._scope = scope

    async def mppts(self, window: Window, *, grid_id: int | None = None) -> Page[MpptView]:
        """See ``Infrastructure.mppts``."""
        return self._page(self._mppts, window, grid_id)

    async def poles(self, window: Window, *, grid_id: int | None = None) -> Page[PoleView]:
        """See ``Infrastructure.poles``."""
        return self._page(self._poles, window, grid_id)

    async def routers(self, window: Window, *, grid_id: int | None = None) -> Page[RouterView]:
        """See ``Infrastructure.routers``."""
        return self._page(self._routers, window, grid_id)

    def know(self, row: MpptView | PoleView | RouterView) -> None:
        """Set up or change a thing."""
        match row:
            case MpptView():
                self._mppts[row.id] = row
            case PoleView():
                self._poles[row.id] = row
            case RouterView():
                self._routers[row.id] = row

    def _page(self, rows: Mapping[int, T], window: Window, grid_id: int | None) -> Page[T]:
        seen = [
            row
            for row in rows.values()
            if self._scope.admits(row.rls_organization_id) and row.deleted_at is None and grid_id in {None, row.grid_id}
        ]
        return page_of(seen, window)
