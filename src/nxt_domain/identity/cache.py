"""A small memory of recent look-ups, with a bound on its age and its size."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from nxt_domain.shared.clock import Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
_NO_TIME = timedelta(0)


class TtlCache(Generic[K, V]):
    """Keeps values for a while; the oldest leave when it is full.

    Args:
        clock: Tells the time.
        ttl: How long a value counts; 0: the cache keeps nothing.
        max_entries: Bound of its size.
    """

    def __init__(self, clock: Clock, *, ttl: timedelta, max_entries: int = 10_000) -> None:
        self._clock = clock
        self._ttl = ttl
        self._max_entries = max_entries
        self._entries: OrderedDict[K, tuple[datetime, V]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return a value that still counts."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        stored_at, value = entry
        age = self._clock.now() - stored_at
        # A clock that stepped back must not make a value live longer.
        if _NO_TIME <= age < self._ttl:
            return value
        del self._entries[key]
        return None

    def put(self, key: K, value: V) -> None:
        """Store a value, as of now."""
        self._entries[key] = (self._clock.now(), value)
        self._entries.move_to_end(key)
        while len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def forget(self, key: K) -> None:
        """Drop a value."""
        self._entries.pop(key, None)

    def __len__(self) -> int:
        return len(self._entries)
