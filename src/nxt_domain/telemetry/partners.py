"""Hourly consumption for outside verifiers, over all tenants [API-207, TEL-177]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import attrs

from nxt_domain.identity.model import OrganizationType, Principal
from nxt_domain.identity.rules import require_partner

LARGEST_PAGE = 1000
SEGMENT = "functions"


def _at_most(limit: int) -> int:
    return min(limit, LARGEST_PAGE)


@attrs.frozen(kw_only=True)
class ConsumptionWindow:
    """Which readings are wanted.

    Attributes:
        start: First hour, aware; inclusive.
        end: Last hour, aware; inclusive.
        offset: Readings to pass over.
        limit: Readings at most; ``LARGEST_PAGE`` of them are given.
    """

    start: datetime
    end: datetime
    offset: int = 0
    limit: int = attrs.field(default=20, converter=_at_most)


@attrs.frozen(kw_only=True)
class Consumption:
    """What a meter's customer consumed in one hour.

    Attributes:
        at: Begin of the hour, aware.
        meter_number: None: unknown when the hour was recorded.
        energy_kwh: With three decimals.
    """

    at: datetime
    meter_number: str | None
    energy_kwh: Decimal
    customer_id: int | None


class ConsumptionFeed(Protocol):
    """Hours that may be reported, by time and meter."""

    async def read(
        self, window: ConsumptionWindow, *, grid_ids: Sequence[int] | None
    ) -> tuple[int, Sequence[Consumption]]:
        """Count what lies in the window's range, and read a part of it.

        Args:
            window: Range and part.
            grid_ids: Only of these grids; None: of all.

        Raises:
            Unavailable: The store can't be reached.
        """


class SiteDirectory(Protocol):
    """Knows grids by their names."""

    async def grids_named(self, name: str) -> Sequence[int]:
        """Find grids, deleted ones too; neither case nor surrounding blanks count.

        Raises:
            Unavailable: The store can't be reached.
        """


class ReadForAggregators:
    """Shows data aggregators what was consumed.

    Args:
        feed: The hours.
        sites: The grids.
    """

    def __init__(self, feed: ConsumptionFeed, sites: SiteDirectory) -> None:
        self._feed = feed
        self._sites = sites

    async def __call__(
        self, caller: Principal, window: ConsumptionWindow, *, site: str | None = None
    ) -> tuple[int, Sequence[Consumption]]:
        """Return the number of readings, and a part of them.

        Args:
            caller: Who asks.
            window: Range and part.
            site: Only of grids with this name; None or blank: of all.

        Raises:
            Forbidden: The caller is neither platform staff nor a data aggregator.
            Unavailable: A store can't be reached.
        """
        require_partner(caller, OrganizationType.DATA_AGGREGATOR, segment=SEGMENT)
        grid_ids = await self._sites.grids_named(site) if site else None
        return await self._feed.read(window, grid_ids=grid_ids)
