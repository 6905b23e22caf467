"""When a token may be issued, and how one looks."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal

from nxt_domain.shared.errors import InvalidInput
from nxt_domain.tokens.sts.values import decode_kwh, encode_kwh

_MINUTE = timedelta(seconds=60)
_RESERVED = (0, 1)
_ALERT_AHEAD = timedelta(minutes=60)
_FURTHEST_AHEAD = timedelta(hours=24)


def next_issue_time(*, last: datetime | None, now: datetime, taken_minutes: Collection[datetime] = ()) -> datetime:
    """Choose a token's issue time, so that no two tokens of a meter share a minute [STS-61, MET-74, PAY-114].

    A token of a day's minute 00:01 would carry 00:02 [STS-19]: that minute is never chosen.

    Args:
        last: Issue time of the meter's last token, aware; may lie in the future.
        now: Aware UTC.
        taken_minutes: Minutes of tokens already recorded, cut to the minute: the last guard.

    Examples:
        last 12:00:30, now 12:00:50 → 12:01:30; again at once → 12:02:30; now 12:05:00 → 12:05:00.
    """
    issue = now if last is None or now - last >= _MINUTE else last + _MINUTE
    while minute_of(issue) in taken_minutes or (issue.hour, issue.minute) == _RESERVED:
        issue += _MINUTE
    return issue


def is_ahead_of_clock(issued_at: datetime, now: datetime) -> bool:
    """Whether a meter has got so many tokens that operators should know [STS-63]."""
    return issued_at - now > _ALERT_AHEAD


def refuse_far_ahead(issued_at: datetime, now: datetime) -> None:
    """Stop when a meter is a day ahead: it would refuse other issuers' tokens as old [STS-63].

    Raises:
        InvalidInput: ``TOKEN_ISSUE_TIME_INVALID``.
    """
    if issued_at - now > _FURTHEST_AHEAD:
        raise InvalidInput(
            "The meter has got more tokens than a day has minutes; wait before the next one",
            code="TOKEN_ISSUE_TIME_INVALID",
        )


def credited_kwh(energy_kwh: Decimal) -> Decimal:
    """Return what a meter really adds for a token of an energy: tokens round up above 1638.3 kWh [STS-23].

    Raises:
        InvalidInput: No token can carry it.
    """
    return decode_kwh(encode_kwh(energy_kwh))


def minute_of(instant: datetime) -> datetime:
    """Cut an instant to its minute: what a token carries."""
    return instant.replace(second=0, microsecond=0)


def is_token(text: str) -> bool:
    """Whether a text is twenty decimal digits."""
    return len(text) == 20 and text.isascii() and text.isdigit()
