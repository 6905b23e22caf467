"""What the synchronisation of solar chargers needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from nxt_domain.grids.solar_chargers import SiteDevice, SolarCharger


class SiteDevices(Protocol):
    """The vendor of generation, as far as it lists devices."""

    async def of_site(self, site_id: str) -> Sequence[SiteDevice]:
        """List everything on a site.

        Args:
            site_id: The vendor's number of the site.

        Raises:
            Unavailable: The vendor can't be reached, or asks for patience.
            UpstreamFailed: It refuses us, does not know the site, or answers nonsense.
        """


class SolarChargers(Protocol):
    """Our rows of the solar chargers on a scope's grids."""

    async def live(self, grid_id: int) -> Mapping[int, SolarCharger]:
        """Read a grid's live rows by id."""

    async def remove(self, charger_ids: Collection[int], at: datetime) -> None:
        """Mark rows as deleted, in one statement."""

    async def add(self, grid_id: int, chargers: Sequence[SolarCharger], at: datetime) -> None:
        """Insert rows of chargers that were installed at an instant, in one statement."""
