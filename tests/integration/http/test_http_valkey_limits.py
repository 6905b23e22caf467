"""Rate limits counted in Valkey, over several processes, and without it."""

from __future__ import annotations

import asyncio
import time

import pytest
from redis.asyncio import Redis

from nxt_domain.shared.errors import TooManyRequests
from nxt_entrypoints.http.rate_limit import PUBLIC_ORDERS, ValkeyRateLimiter

LIMITS = {PUBLIC_ORDERS: 30}


async def passes(limiter: ValkeyRateLimiter, address: str = "203.0.113.9") -> bool:
    try:
        await limiter.take(PUBLIC_ORDERS, address)
    except TooManyRequests as refused:
        if not 1 <= refused.retry_after_s <= 120:
            raise AssertionError(f"wait {refused.retry_after_s} s") from refused
        return False
    return True


async def away_from_the_turn() -> None:
    """Wait if the minute is about to turn, so that a test lies within one."""
    left = 60 - time.time() % 60
    if left < 3:
        await asyncio.sleep(left)


async def test_processes_count_together(any_valkey_url: str) -> None:
    """[PAY-58] [R8] However many call at once, exactly the limit passes."""
    await away_from_the_turn()
    clients = [Redis.from_url(any_valkey_url) for _ in range(3)]
    try:
        limiters = [ValkeyRateLimiter(client, LIMITS) for client in clients]
        # In waves of a bounded size: opening 90 connections at once is no part of the question.
        waves = [await asyncio.gather(*(passes(limiter) for limiter in limiters for _ in range(5))) for _ in range(6)]
        assert sum(map(sum, waves)) == 30
        assert await passes(limiters[0], "203.0.113.10")
        keys = await clients[0].keys("*")
        assert 0 < len(keys) <= 4
        assert all([0 < await clients[0].ttl(key) <= 120 for key in keys])
    finally:
        for client in clients:
            await client.aclose()


async def test_what_was_used_in_the_last_minute_still_counts(valkey_url: str) -> None:
    """[PAY-58] The window slides: the turn of a minute opens no door."""
    await away_from_the_turn()
    async with Redis.from_url(valkey_url) as client:
        limiter = ValkeyRateLimiter(client, LIMITS)
        key = f"nxt:rate:{{{PUBLIC_ORDERS}:203.0.113.9}}"
        seconds, _ = await client.time()
        before = seconds // 60 - 1
        await client.hset(f"{key}:{before % 2}", mapping={"index": before, "count": 30})
        elapsed = seconds % 60 / 60
        passed = sum([await passes(limiter) for _ in range(40)])
        assert abs(passed - 30 * elapsed) <= 2


async def test_a_window_long_gone_does_not_count(valkey_url: str) -> None:
    await away_from_the_turn()
    async with Redis.from_url(valkey_url) as client:
        limiter = ValkeyRateLimiter(client, LIMITS)
        key = f"nxt:rate:{{{PUBLIC_ORDERS}:203.0.113.9}}"
        seconds, _ = await client.time()
        for age in (2, 3):
            index = seconds // 60 - age
            await client.hset(f"{key}:{index % 2}", mapping={"index": index, "count": 30})
        assert sum([await passes(limiter) for _ in range(40)]) == 30


async def test_without_valkey_each_process_counts_for_itself() -> None:
    """[R8] An outage opens no door, and costs no request a long wait."""
    async with Redis.from_url("redis://127.0.0.1:1/0") as client:
        limiter = ValkeyRateLimiter(client, LIMITS)
        started = time.monotonic()
        assert sum([await passes(limiter) for _ in range(40)]) == pytest.approx(30)
        assert time.monotonic() - started < 2
