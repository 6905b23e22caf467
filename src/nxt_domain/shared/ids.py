"""Ids that sort by the time they were made: ULIDs, 26 characters of Crockford's base 32."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from threading import Lock

from nxt_domain.shared.clock import Clock

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]  # two letters at a time: ids are made by the thousand
_SHIFTS = range(120, -1, -10)
_RANDOM_BITS = 80
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class UlidFactory:
    """Makes ULIDs that grow within one process, also inside one millisecond [DM-5].

    Args:
        clock: Gives the time part.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        self._lock = Lock()

    def __call__(self) -> str:
        """Return the next id."""
        millis = (self._clock.now() - _EPOCH) // _MILLISECOND  # whole numbers: floats lose a millisecond
        fresh = (millis << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
        with self._lock:
            # Within one millisecond, or after the clock stepped back, count on from the last id.
            self._last = fresh if millis > self._last >> _RANDOM_BITS else self._last + 1
            return _encode(self._last)


def ulid_time(ulid: str) -> datetime:
    """Return the instant in a ULID's time part, to the millisecond.

    Raises:
        ValueError: It is not a ULID.
    """
    if len(ulid) != 26:
        raise ValueError(f"not a ULID: {ulid!r}")
    try:
        millis = 0
        for letter in ulid[:10]:
            millis = millis << 5 | _VALUES[letter]
        return _EPOCH + millis * _MILLISECOND
    except (KeyError, OverflowError) as unknown:
        raise ValueError(f"not a ULID: {ulid!r}") from unknown


def ulid_floor(instant: datetime) -> str:
    """Return the smallest id that could have been made at an instant; none older is as large."""
    return _encode((instant - _EPOCH) // _MILLISECOND << _RANDOM_BITS)


def _encode(value: int) -> str:
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in _SHIFTS])
