"""Rate limits counted in Valkey, over several processes, and without it."""

from __future__ import annotations

import asyncio
import gc
import time
from unittest.mock import AsyncMock

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
        key = f"nxt:rate:{PUBLIC_ORDERS}:203.0.113.9"
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
        key = f"nxt:rate:{PUBLIC_ORDERS}:203.0.113.9"
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
        assert time.monotonic() - started < 5


async def test_calls_that_come_together_are_counted_together(valkey_url: str) -> None:
    """[R8] A crowd costs a round trip or two, and each address of it has a count of its own."""
    await away_from_the_turn()
    async with Redis.from_url(valkey_url) as client:
        limiter = ValkeyRateLimiter(client, LIMITS)
        await limiter.take(PUBLIC_ORDERS, "203.0.113.1")  # the script is known from here on
        before = (await client.info("commandstats"))["cmdstat_evalsha"]["calls"]
        crowd = [passes(limiter, f"203.0.113.{number % 2}") for number in range(100)]
        assert sum(await asyncio.gather(*crowd)) == 59
        assert (await client.info("commandstats"))["cmdstat_evalsha"]["calls"] - before == 1


async def test_of_calls_that_are_counted_together_the_first_pass(valkey_url: str) -> None:
    """[R8] Those of one address, in the order in which they came; what does not pass is not counted."""
    await away_from_the_turn()
    async with Redis.from_url(valkey_url) as client:
        limiter = ValkeyRateLimiter(client, LIMITS)
        assert await asyncio.gather(*(passes(limiter) for _ in range(40))) == [True] * 30 + [False] * 10
        (key,) = await client.keys("*")
        assert await client.hget(key, "count") == b"30"


async def test_a_call_that_is_about_to_come_is_waited_for(valkey_url: str) -> None:
    """[R8] One that comes with the next turns of the loop shares the round trip of the first."""
    await away_from_the_turn()
    async with Redis.from_url(valkey_url) as client:
        limiter = ValkeyRateLimiter(client, LIMITS)
        await limiter.take(PUBLIC_ORDERS, "203.0.113.1")
        before = (await client.info("commandstats"))["cmdstat_evalsha"]["calls"]
        first = asyncio.create_task(passes(limiter))
        await asyncio.sleep(0)
        assert await passes(limiter)
        assert await first
        assert (await client.info("commandstats"))["cmdstat_evalsha"]["calls"] - before == 1


async def test_a_caller_that_went_away_keeps_nobody_waiting(valkey_url: str) -> None:
    """[R8] Its call counts all the same."""
    await away_from_the_turn()
    async with Redis.from_url(valkey_url) as client:
        limiter = ValkeyRateLimiter(client, LIMITS)
        gone, stays = (asyncio.create_task(passes(limiter)) for _ in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        assert await stays
        assert sum([await passes(limiter) for _ in range(40)]) == 28


async def test_a_defect_is_told_to_all_who_wait(valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And to nobody else: the task that counts leaves no error that was never asked for."""
    unasked: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unasked.append(context))
    async with Redis.from_url(valkey_url) as client:
        limiter = ValkeyRateLimiter(client, LIMITS)
        monkeypatch.setattr(limiter, "_script", AsyncMock(side_effect=LookupError))
        answers = await asyncio.gather(*(passes(limiter) for _ in range(3)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [LookupError] * 3
        # Let go of what holds the task: the patch, the answers, and the loop's present step.
        monkeypatch.undo()
        del limiter, answers
        await asyncio.sleep(0)
        gc.collect()
    assert unasked == []
