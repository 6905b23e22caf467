"""Exchange rates, and where they are kept, in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

from nxt_adapters.memory.database import MemoryDatabase
from nxt_domain.shared.errors import UpstreamFailed
from nxt_domain.telemetry.exchange_rates import DatedRate


class MemoryExchangeRates:
    """Implements ``ExchangeRates``; knows what it is told, and fails when told to.

    Attributes:
        quotes: What a euro was worth, by date and currency.
        asked: Dates, oldest question first.
        is_down: Calls fail.
    """

    def __init__(self) -> None:
        self.quotes: dict[date, Mapping[str, Decimal]] = {}
        self.asked: list[date] = []
        self.is_down = False

    async def of(self, day: date) -> Mapping[str, Decimal]:
        """See ``ExchangeRates.of``."""
        self.asked.append(day)
        if self.is_down:
            raise UpstreamFailed("the provider of rates is away")
        return self.quotes.get(day, {})


class MemoryRateRows:
    """Implements ``RateRows``.

    Attributes:
        rates: Naira for a dollar, by the begin of the local day; ``MemoryPlantHistory`` can read them.
    """

    def __init__(self) -> None:
        self.rates: dict[datetime, Decimal] = {}

    async def known(self, starts: Collection[datetime]) -> Collection[datetime]:
        """See ``RateRows.known``."""
        return {start for start in starts if start.astimezone(UTC) in self.rates}

    async def store(self, rates: Sequence[DatedRate], *, at: datetime) -> None:
        """See ``RateRows.store``."""
        del at
        self.rates.update({rate.period_start.astimezone(UTC): rate.value for rate in rates})


class MemoryReportedGrids:
    """Implements ``ReportedGrids``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._zones: dict[int, str] = database.table("reported_grids")

    def know(self, grid_id: int, timezone: str) -> None:
        """Set up a grid."""
        self._zones[grid_id] = timezone

    async def timezones(self) -> Collection[str]:
        """See ``ReportedGrids.timezones``."""
        return sorted(set(self._zones.values()))
