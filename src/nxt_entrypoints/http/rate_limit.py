"""How often one address may call the public routes [PAY-58, R8].

A sliding window of one minute, counted in Valkey over all processes. While Valkey is away each process counts for
itself, so that an outage opens no door and closes none.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Protocol

import attrs
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from nxt_domain.shared.errors import TooManyRequests

WINDOW_S = 60
PUBLIC_ORDERS = "public-orders"
"""The bucket that the three public order routes share."""

METER_SEARCH = "meter-search"
"""The bucket of the public search for a meter [API-102]."""

SIGN_IN = "sign-in"
"""The bucket of signing in by password, where this system keeps the logins."""

_MAX_ADDRESSES = 10_000
_VALKEY_TIMEOUT_S = 1.0
_RETRY_VALKEY_S = 5.0

_log = structlog.get_logger("nxt.http")


class RateLimiter(Protocol):
    """Counts calls."""

    async def take(self, bucket: str, address: str) -> None:
        """Count one call of an address.

        Raises:
            TooManyRequests: It is one too many; it is not counted.
        """


@attrs.frozen
class Window:
    """Calls in the window before and in the present one.

    Attributes:
        index: Number of the present window since the epoch.
    """

    index: int
    previous: int = 0
    current: int = 0

    def at(self, index: int) -> Window:
        """Return the same counts, seen from a later window."""
        if index == self.index:
            return self
        return Window(index, previous=self.current if index == self.index + 1 else 0)

    def wait_s(self, limit: int, elapsed: float) -> float:
        """Return how long to wait for one more call; 0: it fits now.

        Args:
            limit: Calls per window.
            elapsed: Share of the present window that has passed, 0 … 1.
        """
        if self.previous * (1 - elapsed) + self.current + 1 <= limit:
            return 0.0
        if self.current + 1 <= limit:
            share = 1 - (limit - 1 - self.current) / self.previous
            return (share - elapsed) * WINDOW_S
        share = max(0.0, 1 - (limit - 1) / self.current)
        return (1 - elapsed + share) * WINDOW_S


class LocalRateLimiter:
    """Counts in this process, for a bounded number of addresses; the one seen longest ago is forgotten first.

    Args:
        limits: Calls per minute, by bucket.
        now: Seconds since the epoch.
    """

    def __init__(self, limits: Mapping[str, int], *, now: Callable[[], float] = time.time) -> None:
        self._limits = limits
        self._now = now
        self._windows: OrderedDict[tuple[str, str], Window] = OrderedDict()

    async def take(self, bucket: str, address: str) -> None:
        """Count one call; see ``RateLimiter``."""
        index, elapsed = divmod(self._now() / WINDOW_S, 1)
        window = self._windows.get((bucket, address), Window(int(index))).at(int(index))
        _refuse_if(window.wait_s(self._limits[bucket], elapsed))
        self._windows[bucket, address] = attrs.evolve(window, current=window.current + 1)
        self._windows.move_to_end((bucket, address))
        if len(self._windows) > _MAX_ADDRESSES:
            self._windows.popitem(last=False)


class ValkeyRateLimiter:
    """Counts in Valkey, in one round trip, by the server's clock.

    Args:
        client: The process's client.
        limits: Calls per minute, by bucket.
        prefix: Of the keys.
    """

    def __init__(self, client: Redis, limits: Mapping[str, int], *, prefix: str = "nxt:rate") -> None:
        self._limits = limits
        self._prefix = prefix
        self._script = client.register_script(_TAKE)
        self._local = LocalRateLimiter(limits)
        self._away_until = 0.0

    async def take(self, bucket: str, address: str) -> None:
        """Count one call; see ``RateLimiter``."""
        wait_s = await self._wait_s(bucket, address)
        if wait_s is None:
            await self._local.take(bucket, address)
        else:
            _refuse_if(wait_s)

    async def _wait_s(self, bucket: str, address: str) -> float | None:
        if time.monotonic() < self._away_until:
            return None
        # Braces keep both counters in one slot of a cluster.
        key = f"{self._prefix}:{{{bucket}:{address}}}"
        try:
            async with asyncio.timeout(_VALKEY_TIMEOUT_S):
                answer = await self._script(keys=[key], args=[self._limits[bucket], WINDOW_S * 1000])
        except (RedisError, OSError, TimeoutError) as error:
            self._away_until = time.monotonic() + _RETRY_VALKEY_S
            _log.warning("rate limits are counted locally", error=type(error).__name__)
            return None
        previous, current, index, now_ms = (int(number) for number in answer)
        # The script counted the call when it fitted; ``current`` is what stood before it.
        elapsed = now_ms % (WINDOW_S * 1000) / (WINDOW_S * 1000)
        return Window(index, previous, current).wait_s(self._limits[bucket], elapsed)


def _refuse_if(wait_s: float) -> None:
    if wait_s > 0:
        raise TooManyRequests(retry_after_s=max(1, math.ceil(wait_s)))


_TAKE = """
local limit, window_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local index = math.floor(now_ms / window_ms)
local elapsed = (now_ms % window_ms) / window_ms
local present, before = KEYS[1] .. ':' .. index % 2, KEYS[1] .. ':' .. (index + 1) % 2
local function count(key, expected)
  local stored = redis.call('HMGET', key, 'index', 'count')
  if tonumber(stored[1]) == expected then return tonumber(stored[2]) end
  return 0
end
local current, previous = count(present, index), count(before, index - 1)
if previous * (1 - elapsed) + current + 1 <= limit then
  redis.call('HSET', present, 'index', index, 'count', current + 1)
  redis.call('PEXPIRE', present, window_ms * 2)
end
return {previous, current, index, now_ms}
"""
