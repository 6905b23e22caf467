"""Meters in memory, as people list and search them."""

from __future__ import annotations

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.listing import page_of
from nxt_domain.identity.scope import Scope
from nxt_domain.meters.views import FoundMeter, MeterView
from nxt_domain.shared.paging import Page, Window


class MemoryMeterRegister:
    """Implements ``MeterRegister`` over ``MeterView`` by id.

    Args:
        database: Shared with the other fakes.
        scope: Whose meters.
    """

    def __init__(self, database: MemoryDatabase, scope: Scope) -> None:
        self._rows: dict[int, MeterView] = database.table("meter_views")
        self._scope = scope

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[MeterView]:
        """See ``MeterRegister.page``."""
        live = [row for row in self._rows.values() if row.deleted_at is None]
        mine = [row for row in live if self._scope.admits(row.rls_organization_id)]
        return page_of([row for row in mine if grid_id in {None, row.rls_grid_id}], window)

    def know(self, row: MeterView) -> None:
        """Set up or change a meter."""
        self._rows[row.id] = row


class MemoryMeterSearch:
    """Implements ``MeterSearch`` over meters that are ready for use, by number.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._ready: dict[str, FoundMeter] = database.table("found_meters")

    async def find(self, external_reference: str) -> FoundMeter | None:
        """See ``MeterSearch.find``."""
        return self._ready.get(external_reference)

    def know(self, meter: FoundMeter) -> None:
        """Set up a meter that is ready for use."""
        self._ready[meter.external_reference] = meter
