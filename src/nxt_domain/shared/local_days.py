"""Days and months as clocks on a wall show them, as instants."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant, in UTC, at which a day begins somewhere."""
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def month_of(moment: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return begin and end of the calendar month in which an instant lies somewhere."""
    first = moment.astimezone(zone).date().replace(day=1)
    return midnight(first, zone), midnight(first + timedelta(days=monthrange(first.year, first.month)[1]), zone)


def month_before(moment: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return begin and end of the calendar month before that of an instant."""
    begin, _ = month_of(moment, zone)
    return month_of(begin - _DAY, zone)


def a_month_ago(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the same point of last month, its day limited to that month's length [PAY-175].

    The time of day is that of a wall clock: 12:00 stays 12:00 when summer time begins in between.
    """
    local = moment.astimezone(zone)
    last = local.date().replace(day=1) - _DAY
    day = min(local.day, last.day)
    return datetime.combine(last.replace(day=day), local.time(), tzinfo=zone).astimezone(UTC)
