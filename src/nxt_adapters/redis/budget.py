"""A rate that several processes share: one turn at a time, the most urgent caller first [TEL-47]."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

_log = structlog.get_logger(__name__)

_FORGOTTEN_AFTER_MS = 5_000
_LONGEST_WAIT_S = 0.5
_VALKEY_TIMEOUT_S = 2.0
_TRY_AGAIN_S = 10.0


class Budget(Protocol):
    """What stands in while Valkey is away: a rate of this process alone."""

    async def take(self, priority: int) -> None:
        """Wait for one's turn."""

    async def back_off(self, seconds: float) -> None:
        """Give nobody a turn for a while."""


class SharedBudget:
    """Turns at a vendor, by the server's clock. Whoever stops asking loses their place after five seconds.

    Args:
        client: The process's client.
        name: Of the budget, e.g. ``vrm``.
        per_second: Turns per second, over all processes.
        alone: Takes over while Valkey is away; then each process has the whole rate to itself.
    """

    def __init__(self, client: Redis, name: str, per_second: float, *, alone: Budget) -> None:
        # Braces keep all keys in one slot of a cluster.
        self._keys = [f"nxt:budget:{{{name}}}:{part}" for part in ("next", "queue", "seen", "arrivals")]
        self._interval_ms = round(1000 / per_second)
        self._take = client.register_script(_TAKE)
        self._leave = client.register_script(_LEAVE)
        self._pause = client.register_script(_PAUSE)
        self._alone = alone
        self._away_until = 0.0

    async def take(self, priority: int) -> None:
        """Wait for one's turn: the smallest priority first, then first come, first served."""
        ticket = secrets.token_hex(8)
        try:
            while (wait_ms := await self._ask(ticket, priority)) is not None:
                if wait_ms <= 0:
                    return
                await asyncio.sleep(min(wait_ms / 1000, _LONGEST_WAIT_S))
        except asyncio.CancelledError:
            await self._run(self._leave, ticket)
            raise
        await self._alone.take(priority)

    async def back_off(self, seconds: float) -> None:
        """Give nobody a turn for a while."""
        await self._alone.back_off(seconds)
        await self._run(self._pause, round(seconds * 1000))

    async def _ask(self, ticket: str, priority: int) -> int | None:
        answer = await self._run(self._take, ticket, int(priority), self._interval_ms, _FORGOTTEN_AFTER_MS)
        return None if answer is None else int(str(answer))

    async def _run(self, script: object, *arguments: object) -> object:
        """Run a script; None: Valkey is away."""
        if time.monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(_VALKEY_TIMEOUT_S):
                return await script(keys=self._keys, args=arguments)  # type: ignore[operator]  # redis-py types scripts as sync
        except (RedisError, OSError, TimeoutError) as error:
            self._away_until = time.monotonic() + _TRY_AGAIN_S
            _log.warning("a shared budget is kept by this process alone", error=type(error).__name__)
            return None


# Milliseconds until it may be our turn; 0: it is. Only the head of the queue is served, and only when it is time.
_TAKE = """
local ticket, priority = ARGV[1], tonumber(ARGV[2])
local interval_ms, forgotten_ms = tonumber(ARGV[3]), tonumber(ARGV[4])
local next_key, queue, seen, arrivals = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', seen, '-inf', now - forgotten_ms)) do
  redis.call('ZREM', queue, gone)
  redis.call('ZREM', seen, gone)
end
redis.call('ZADD', seen, now, ticket)
if not redis.call('ZSCORE', queue, ticket) then
  redis.call('ZADD', queue, priority * 1e12 + redis.call('INCR', arrivals), ticket)
end
for _, key in ipairs({queue, seen, arrivals}) do redis.call('PEXPIRE', key, 600000) end
local next_at = tonumber(redis.call('GET', next_key) or '0')
if redis.call('ZRANGE', queue, 0, 0)[1] == ticket and next_at <= now then
  redis.call('SET', next_key, now + interval_ms, 'PX', interval_ms + 60000)
  redis.call('ZREM', queue, ticket)
  redis.call('ZREM', seen, ticket)
  return 0
end
return math.max(next_at - now, 10)
"""

_LEAVE = """
redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('ZREM', KEYS[3], ARGV[1])
"""

_PAUSE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local until_ms = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now + tonumber(ARGV[1]))
redis.call('SET', KEYS[1], until_ms, 'PX', until_ms - now + 60000)
return until_ms
"""
