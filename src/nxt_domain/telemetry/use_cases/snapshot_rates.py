"""Takes each day's exchange rate, and comes back for those that could not be had [PAY-167 … PAY-169]."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from nxt_domain.shared.alerts import alert
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Unavailable, UpstreamFailed
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory
from nxt_domain.telemetry.exchange_rates import (
    DatedRate,
    ExchangeRates,
    RateRows,
    ReportedGrids,
    days_at,
    due_days,
    last_moment,
    naira_for_dollar,
)


class RateTransaction(UnitOfWork, Protocol):
    """One transaction over what the rates are needed for."""

    @property
    def reported_grids(self) -> ReportedGrids:
        """Grids."""


@attrs.frozen(kw_only=True)
class RatesTaken:
    """What a run did.

    Attributes:
        stored: Rates, one for each local day.
        failed_dates: Dates whose rate could not be had.
    """

    stored: int = 0
    failed_dates: int = 0


class SnapshotRates:
    """Asks for each date once, and stores its rate for all time zones; a date that fails holds up no other.

    Args:
        begin: Opens a transaction.
        provider: Knows the rates.
        rows: Where they are kept.
        clock: Present time.
    """

    def __init__(
        self,
        *,
        begin: UnitOfWorkFactory[RateTransaction],
        provider: ExchangeRates,
        rows: RateRows,
        clock: Clock,
    ) -> None:
        self._begin = begin
        self._provider = provider
        self._rows = rows
        self._clock = clock

    async def __call__(self) -> RatesTaken:
        """Take what is due and not there yet; run every hour, so that what failed is tried again.

        Raises:
            Unavailable: A store can't be reached.
        """
        now = self._clock.now()
        due = due_days(now, await self._zones(now))
        known = await self._rows.known(due)
        return await self._take({start: day for start, day in due.items() if start not in known}, now)

    async def again(self) -> RatesTaken:
        """Take the rates of the present days anew, whatever is stored; for people, by hand.

        Raises:
            Unavailable: A store can't be reached.
        """
        now = self._clock.now()
        return await self._take(days_at(last_moment(now), await self._zones(now)), now)

    async def _zones(self, now: datetime) -> Collection[ZoneInfo]:
        """Find the grids' time zones; one that nobody knows is told, and holds up no other."""
        async with self._begin() as tx:
            names = await tx.reported_grids.timezones()
        found = []
        for name in names:
            try:
                found.append(ZoneInfo(name))
            except (ZoneInfoNotFoundError, ValueError):
                await self._tell("TIMEZONE_UNKNOWN", f"timezone:{name}", "a grid's time zone is unknown", now)
        return found

    async def _take(self, days: Mapping[datetime, date], now: datetime) -> RatesTaken:
        stored, failed = 0, 0
        for day in sorted(set(days.values()), reverse=True):
            starts = [start for start, of in days.items() if of == day]
            try:
                value = naira_for_dollar(await self._provider.of(day))
            except (UpstreamFailed, Unavailable) as error:
                failed += 1
                await self._tell_failed(day, min(starts), error)
                continue
            await self._rows.store([DatedRate(period_start=start, value=value) for start in starts], at=now)
            stored += len(starts)
        return RatesTaken(stored=stored, failed_dates=failed)

    async def _tell_failed(self, day: date, start: datetime, error: Exception) -> None:
        """Tell of a day once, however often it fails: the alert is known by the day's begin [TEL-150]."""
        text, facts = "an exchange rate is missing; payouts of that day wait for it", {"reason": str(error)}
        await self._tell("RATE_MISSING", f"date:{day.isoformat()}", text, start, facts)

    async def _tell(
        self, code: str, subject: str, text: str, at: datetime, facts: Mapping[str, object] | None = None
    ) -> None:
        async with self._begin() as tx:
            await tx.outbox.add([alert(code, subject, text, at=at, facts=facts)])
            await tx.commit()
