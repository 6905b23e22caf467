"""What a dollar costs in naira, day by day; statements of grids are computed with it (PAY 15)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol
from zoneinfo import ZoneInfo

import attrs

from nxt_domain.shared.errors import UpstreamFailed
from nxt_domain.shared.local_days import midnight
from nxt_domain.shared.money import Currency, quotient, round_half_up

SYMBOLS: Final = (Currency.USD, Currency.NGN)
_TAKEN_AT_HOUR: Final = 1
_TRIED_FOR_DAYS: Final = 7
_DAY: Final = timedelta(days=1)


class RateUnusable(UpstreamFailed):
    """The provider has no rate for a day, or one that makes no sense; nothing is stored then [PAY-169]."""

    default_code = "RATE_UNUSABLE"


@attrs.frozen(kw_only=True)
class DatedRate:
    """Naira for a dollar on a local day.

    Attributes:
        period_start: When the day begins there.
        value: One decimal, above zero.
    """

    period_start: datetime
    value: Decimal


class ExchangeRates(Protocol):
    """Asks somebody who knows what currencies were worth on a day."""

    async def of(self, day: date) -> Mapping[str, Decimal]:
        """Return what one euro was worth in the currencies of ``SYMBOLS``, as far as it is known.

        Raises:
            UpstreamFailed: The provider can't be reached, or refuses.
        """


class RateRows(Protocol):
    """Stored rates, of dollars in naira."""

    async def known(self, starts: Collection[datetime]) -> Collection[datetime]:
        """Tell which days have a rate, by their begin.

        Raises:
            Unavailable: The series store can't be reached.
        """

    async def store(self, rates: Sequence[DatedRate], *, at: datetime) -> None:
        """Store rates; where a day has one, its value is replaced [PAY-168].

        Raises:
            Unavailable: The series store can't be reached.
        """


class ReportedGrids(Protocol):
    """Live grids that are not hidden from reports."""

    async def timezones(self) -> Collection[str]:
        """Tell in which time zones they lie, each once."""


def naira_for_dollar(quotes: Mapping[str, Decimal]) -> Decimal:
    """Work the rate out of what a euro is worth in both [PAY-167].

    Raises:
        RateUnusable: A quote is missing, or no number above zero.
    """
    dollars, naira = (quotes.get(symbol) for symbol in SYMBOLS)
    if dollars is None or naira is None:
        raise RateUnusable("the provider has no rate of dollars and naira for that day")
    if not (dollars.is_finite() and naira.is_finite() and dollars > 0 and naira > 0):
        raise RateUnusable("the provider's rates of that day are no numbers above zero")
    rate = round_half_up(quotient(naira, dollars), 1)
    if rate <= 0:
        raise RateUnusable("the provider's rates of that day come to zero")
    return rate


def last_moment(now: datetime) -> datetime:
    """Return when rates were due last: one o'clock, UTC."""
    today = now.astimezone(UTC).replace(hour=_TAKEN_AT_HOUR, minute=0, second=0, microsecond=0)
    return today if today <= now else today - _DAY


def days_at(moment: datetime, zones: Collection[ZoneInfo]) -> Mapping[datetime, date]:
    """Return the local days at a moment by their begin; zones with equal instants give one [TEL-149]."""
    days = {zone: moment.astimezone(zone).date() for zone in zones}
    return {midnight(day, zone): day for zone, day in days.items()}


def due_days(now: datetime, zones: Collection[ZoneInfo]) -> Mapping[datetime, date]:
    """Return the days whose rate should be there: those of the last moment, and of a week before it [TEL-150]."""
    found: dict[datetime, date] = {}
    for back in range(_TRIED_FOR_DAYS):
        found |= days_at(last_moment(now) - back * _DAY, zones)
    return found
