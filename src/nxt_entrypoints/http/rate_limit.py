"""How often one address may call the public routes [PAY-58, R8].

A sliding window of one minute, counted in Valkey over all processes. While Valkey is away each process counts for
itself, so that an outage opens no door and closes none.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
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
_MOST_AT_ONCE = 200
_TURNS = 3
"""Of the event loop, for which the first call of a round trip waits: requests that are there already get so far."""

_WINDOW_MS = WINDOW_S * 1000
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


@attrs.frozen(eq=False)
class _Call:
    """A call that waits to be counted; its answer is how long it has to wait, or None while Valkey is away."""

    key: str
    limit: int
    wait_s: asyncio.Future[float | None]

    def answer(self, wait_s: float | None) -> None:
        """Tell the caller, unless it has gone."""
        if not self.wait_s.done():
            self.wait_s.set_result(wait_s)

    def fail(self, error: BaseException) -> None:
        """Tell the caller of a defect, or of the end of the process."""
        if isinstance(error, asyncio.CancelledError):
            self.wait_s.cancel()
        elif not self.wait_s.done():
            self.wait_s.set_exception(error)


class ValkeyRateLimiter:
    """Counts in Valkey, by the server's clock.

    Calls that come while an answer is under way are counted together in the next round trip: what a call costs falls
    as their number rises.

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
        self._waiting: list[_Call] = []
        self._counting: asyncio.Task[None] | None = None

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
        answer: asyncio.Future[float | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Call(f"{self._prefix}:{bucket}:{address}", self._limits[bucket], answer))
        if self._counting is None or self._counting.done():
            self._counting = asyncio.create_task(self._count_all())
        return await answer

    async def _count_all(self) -> None:
        while self._waiting:
            calls: list[_Call] = []
            try:
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
                calls, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
                waits_s = await self._count(calls)
            except BaseException as error:  # nobody may wait for an answer that never comes
                for call in [*calls, *self._waiting]:
                    call.fail(error)
                self._waiting = []
                if isinstance(error, Exception):  # theirs now; nobody asks this task for it
                    return
                raise
            for call, wait_s in zip(calls, waits_s, strict=True):
                call.answer(wait_s)

    async def _count(self, calls: Sequence[_Call]) -> Sequence[float | None]:
        keys, limits = [call.key for call in calls], [call.limit for call in calls]
        try:
            async with asyncio.timeout(_VALKEY_TIMEOUT_S):
                now_ms, *counts = await self._script(keys=keys, args=[_WINDOW_MS, *limits])
        except (RedisError, OSError, TimeoutError) as error:
            self._away_until = time.monotonic() + _RETRY_VALKEY_S
            _log.warning("rate limits are counted locally", error=type(error).__name__)
            return [None] * len(calls)
        index, elapsed_ms = divmod(int(now_ms), _WINDOW_MS)
        # The script counted each call that fitted; its counts are what stood before.
        return [
            Window(index, int(previous), int(current)).wait_s(call.limit, elapsed_ms / _WINDOW_MS)
            for call, previous, current in zip(calls, counts[::2], counts[1::2], strict=True)
        ]


def _refuse_if(wait_s: float) -> None:
    if wait_s > 0:
        raise TooManyRequests(retry_after_s=max(1, math.ceil(wait_s)))


_TAKE = """
local window_ms = tonumber(ARGV[1])
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local index = math.floor(now_ms / window_ms)
local elapsed = (now_ms % window_ms) / window_ms
local function count(key, expected)
  local stored = redis.call('HMGET', key, 'index', 'count')
  if tonumber(stored[1]) == expected then return tonumber(stored[2]) end
  return 0
end
local answer = {now_ms}
for call, key in ipairs(KEYS) do
  local present, before = key .. ':' .. index % 2, key .. ':' .. (index + 1) % 2
  local current, previous = count(present, index), count(before, index - 1)
  if previous * (1 - elapsed) + current + 1 <= tonumber(ARGV[call + 1]) then
    redis.call('HSET', present, 'index', index, 'count', current + 1)
    redis.call('PEXPIRE', present, window_ms * 2)
  end
  answer[#answer + 1] = previous
  answer[#answer + 1] = current
end
return answer
"""
