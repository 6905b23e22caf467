"""How often one address may call the public routes [PAY-58, R8].

A sliding window of one minute, counted in Valkey over all processes. While Valkey is away each process counts for
itself, so that an outage opens no door and closes none.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import Protocol, TypeAlias

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

    def and_one(self) -> Window:
        """Return the counts with one call more in the present window."""
        return Window(self.index, self.previous, self.current + 1)

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
        self._windows[bucket, address] = window.and_one()
        self._windows.move_to_end((bucket, address))
        if len(self._windows) > _MAX_ADDRESSES:
            self._windows.popitem(last=False)


_Asked: TypeAlias = tuple[str, str]
"""A bucket and an address."""

_Answer: TypeAlias = "asyncio.Future[float | None]"
"""How long a call has to wait; None while Valkey is away."""


class ValkeyRateLimiter:
    """Counts in Valkey, by the server's clock.

    Calls that come while an answer is under way are counted together in the next round trip, those of one address in
    one step: what a call costs falls as their number rises.

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
        self._waiting: dict[_Asked, list[_Answer]] = {}
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
        answer: _Answer = asyncio.get_running_loop().create_future()
        self._waiting.setdefault((bucket, address), []).append(answer)
        if self._counting is None or self._counting.done():
            self._counting = asyncio.create_task(self._count_all())
        return await answer

    async def _count_all(self) -> None:
        while self._waiting:
            calls: dict[_Asked, list[_Answer]] = {}
            try:
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
                calls = {asked: self._waiting.pop(asked) for asked in list(islice(self._waiting, _MOST_AT_ONCE))}
                await self._count(calls)
            except BaseException as error:  # nobody may wait for an answer that never comes
                for answer in chain(*calls.values(), *self._waiting.values()):
                    _fail(answer, error)
                self._waiting = {}
                if isinstance(error, Exception):  # theirs now; nobody asks this task for it
                    return
                raise

    async def _count(self, calls: Mapping[_Asked, Sequence[_Answer]]) -> None:
        keys = [f"{self._prefix}:{bucket}:{address}" for bucket, address in calls]
        wanted = [number for (bucket, _), waiting in calls.items() for number in (self._limits[bucket], len(waiting))]
        try:
            async with asyncio.timeout(_VALKEY_TIMEOUT_S):
                now_ms, *counts = await self._script(keys=keys, args=[_WINDOW_MS, *wanted])
        except (RedisError, OSError, TimeoutError) as error:
            self._away_until = time.monotonic() + _RETRY_VALKEY_S
            _log.warning("rate limits are counted locally", error=type(error).__name__)
            for answer in chain(*calls.values()):
                _tell(answer, None)
            return
        index, elapsed_ms = divmod(int(now_ms), _WINDOW_MS)
        for ((bucket, _), waiting), previous, current in zip(calls.items(), counts[::2], counts[1::2], strict=True):
            window = Window(index, int(previous), int(current))
            _tell_all(waiting, window, self._limits[bucket], elapsed_ms / _WINDOW_MS)


def _tell_all(waiting: Iterable[_Answer], window: Window, limit: int, elapsed: float) -> None:
    """Tell the calls of one address, in their order, what the script found: it counted each that fitted.

    Args:
        waiting: Who is told.
        window: What stood before.
        limit: Calls per window.
        elapsed: Share of the present window that had passed, 0 … 1.
    """
    for answer in waiting:
        wait_s = window.wait_s(limit, elapsed)
        if wait_s == 0:
            window = window.and_one()
        _tell(answer, wait_s)


def _tell(answer: _Answer, wait_s: float | None) -> None:
    """Tell a caller, unless it has gone."""
    if not answer.done():
        answer.set_result(wait_s)


def _fail(answer: _Answer, error: BaseException) -> None:
    """Tell a caller of a defect, or of the end of the process."""
    if isinstance(error, asyncio.CancelledError):
        answer.cancel()
    elif not answer.done():
        answer.set_exception(error)


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
for place, key in ipairs(KEYS) do
  local limit, calls = tonumber(ARGV[2 * place]), tonumber(ARGV[2 * place + 1])
  local present, before = key .. ':' .. index % 2, key .. ':' .. (index + 1) % 2
  local current, previous = count(present, index), count(before, index - 1)
  local with = current
  while with < current + calls and previous * (1 - elapsed) + with + 1 <= limit do with = with + 1 end
  if with > current then
    redis.call('HSET', present, 'index', index, 'count', with)
    redis.call('PEXPIRE', present, window_ms * 2)
  end
  answer[#answer + 1] = previous
  answer[#answer + 1] = current
end
return answer
"""
