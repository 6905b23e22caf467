"""When a token may be issued, and how one looks."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

_MINUTE = timedelta(seconds=60)


def next_issue_time(*, last: datetime | None, now: datetime, taken_minutes: Collection[datetime] = ()) -> datetime:
    """Choose a token's issue time, so that no two tokens of a meter share a minute [MET-74, PAY-114].

    Args:
        last: Issue time of the meter's last token, aware; may lie in the future.
        now: Aware UTC.
        taken_minutes: Minutes of tokens already recorded, cut to the minute: the last guard.

    Examples:
        last 12:00:30, now 12:00:50 → 12:01:30; again at once → 12:02:30; now 12:05:00 → 12:05:00.
    """
    issue = now if last is None or now - last >= _MINUTE else last + _MINUTE
    while minute_of(issue) in taken_minutes:
        issue += _MINUTE
    return issue


def minute_of(instant: datetime) -> datetime:
    """Cut an instant to its minute: what a token carries."""
    return instant.replace(second=0, microsecond=0)


def is_token(text: str) -> bool:
    """Whether a text is twenty decimal digits."""
    return len(text) == 20 and text.isascii() and text.isdigit()
