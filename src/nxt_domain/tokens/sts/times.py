"""The minute in a token [STS-17 to STS-20]."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Final

from nxt_domain.tokens.sts.errors import CannotEncode, Refusal

_MINUTE: Final = timedelta(minutes=1)
LARGEST_TID: Final = 0xFFFFFF
LARGEST_KEN: Final = 255
"""A key that never expires."""


class BaseDate(IntEnum):
    """The year in which a key's token identifiers begin, on 1 January at 00:00 UTC."""

    Y1993 = 1993
    Y2014 = 2014
    Y2035 = 2035

    @property
    def code(self) -> str:
        """Two digits, as key derivation wants them [STS-54]."""
        return f"{self % 100:02d}"

    @property
    def origin(self) -> datetime:
        """The minute of TID 0."""
        return datetime(self, 1, 1, tzinfo=UTC)


def tid_of(issued_at: datetime, base: BaseDate) -> int:
    """Count the minutes from the base date to the minute of issue [STS-17].

    The minute 00:01 of each day is reserved: such a token carries 00:02 [STS-19].

    Args:
        issued_at: Aware.
        base: Where counting begins.

    Raises:
        CannotEncode: ``ISSUE_TIME_INVALID`` for a naive time, or one outside the 24 bits; it never wraps.
    """
    if issued_at.tzinfo is None:
        raise CannotEncode(Refusal.ISSUE_TIME_INVALID, "The issue time has no time zone")
    minutes = (issued_at - base.origin) // _MINUTE
    return checked_tid(minutes + is_reserved(minutes))


def is_reserved(minutes: int) -> bool:
    """Whether a count of minutes since some midnight UTC falls on a day's minute 00:01 [STS-19]."""
    return minutes % 1440 == 1


def checked_tid(tid: int) -> int:
    """Return the TID.

    Raises:
        CannotEncode: ``ISSUE_TIME_INVALID`` if it does not fit 24 bits.
    """
    if not 0 <= tid <= LARGEST_TID:
        raise CannotEncode(Refusal.ISSUE_TIME_INVALID, "The issue time lies outside the range of the base date")
    return tid


def minute_of_tid(tid: int, base: BaseDate) -> datetime:
    """Return the minute that a TID names, aware UTC."""
    return base.origin + tid * _MINUTE


def is_expired(tid: int, key_expiry: int) -> bool:
    """Whether a key of this KEN no longer serves at this TID [STS-20]."""
    return tid >> 16 > key_expiry


def refuse_expired(tid: int, key_expiry: int) -> None:
    """Stop if the key has expired.

    Raises:
        CannotEncode: ``KEY_EXPIRED``.
    """
    if is_expired(tid, key_expiry):
        raise CannotEncode(Refusal.KEY_EXPIRED, f"The decoder key has expired (key expiry number {key_expiry})")
