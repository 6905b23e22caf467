"""Rows of solar chargers, and a vendor that lists them, in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_domain.grids.hardware_views import MpptView
from nxt_domain.grids.solar_chargers import MpptType, SiteDevice, SolarCharger
from nxt_domain.grids.views import GridWithOrganization
from nxt_domain.identity.scope import Scope
from nxt_domain.shared.errors import UpstreamFailed


class MemorySolarChargers:
    """Implements ``SolarChargers`` over ``MpptView`` by id.

    Args:
        database: Shared with the other fakes.
        scope: Whose grids.
    """

    def __init__(self, database: MemoryDatabase, scope: Scope) -> None:
        self._database = database
        self._rows: dict[int, MpptView] = database.table("mppt_views")
        self._grids: dict[int, GridWithOrganization] = database.table("grid_views")
        self._scope = scope

    async def live(self, grid_id: int) -> Mapping[int, SolarCharger]:
        """See ``SolarChargers.live``."""
        return {
            row.id: _charger(row)
            for row in self._rows.values()
            if row.grid_id == grid_id and row.deleted_at is None and self._scope.admits(row.rls_organization_id)
        }

    async def remove(self, charger_ids: Collection[int], at: datetime) -> None:
        """See ``SolarChargers.remove``."""
        for charger_id in charger_ids:
            row = self._rows[charger_id]
            if self._scope.admits(row.rls_organization_id):
                self._rows[charger_id] = attrs.evolve(row, deleted_at=at)

    async def add(self, grid_id: int, chargers: Sequence[SolarCharger], at: datetime) -> None:
        """See ``SolarChargers.add``."""
        for charger in chargers:
            key = self._database.next_id("mppts")
            self._rows[key] = MpptView(
                **attrs.asdict(charger),
                id=key,
                created_at=self._database.clock.now(),
                external_system="VICTRON",
                installed_at=at,
                deleted_at=None,
                grid_id=grid_id,
                rls_organization_id=self._grids[grid_id].organization_id,
            )


class MemorySiteDevices:
    """Implements ``SiteDevices``: what a test or a notebook says stands on a site."""

    def __init__(self) -> None:
        self.sites: dict[str, Sequence[SiteDevice]] = {}
        self.failure: Exception | None = None

    async def of_site(self, site_id: str) -> Sequence[SiteDevice]:
        """See ``SiteDevices.of_site``."""
        if self.failure is not None:
            raise self.failure
        if site_id not in self.sites:
            raise UpstreamFailed(f"There is no site {site_id}")
        return self.sites[site_id]


def _charger(row: MpptView) -> SolarCharger:
    values = {field.name: getattr(row, field.name) for field in attrs.fields(SolarCharger)}
    return SolarCharger(**{**values, "mppt_type": MpptType(row.mppt_type)})
