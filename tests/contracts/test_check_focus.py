"""Port ``CheckFocus``: one suite over the fake and over Valkey."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from nxt_adapters.memory.check_focus import MemoryCheckFocus
from nxt_adapters.redis.check_focus import ValkeyCheckFocus
from nxt_domain.fieldwork.use_cases.issue_check import CheckFocus, DebugIssueCheck
from nxt_domain.shared.errors import Unavailable


@pytest.fixture(params=["memory", "valkey"])
async def focus(request: pytest.FixtureRequest) -> AsyncIterator[CheckFocus]:
    if request.param == "memory":
        yield MemoryCheckFocus()
        return
    async with Redis.from_url(request.getfixturevalue("valkey_url")) as client:
        yield ValkeyCheckFocus(client)


async def test_one_meter_at_a_time(focus: CheckFocus) -> None:
    """[API-97] The last one counts; null and a blank clear."""
    debug = DebugIssueCheck(focus)
    assert await focus.target() is None
    for number in ("47001771477", "47001771478"):
        await debug(number)
    assert await focus.target() == "47001771478"
    for nothing in (None, ""):
        await debug("47001771477")
        await debug(nothing)
        assert await focus.target() is None


async def test_a_mark_lapses(valkey_url: str) -> None:
    """[API-97] A mark that nobody clears doesn't fill the log for ever."""
    async with Redis.from_url(valkey_url) as client:
        await ValkeyCheckFocus(client).point_at("47001771477")
        (key,) = await client.keys("*")
        assert 86_000 < await client.ttl(key) <= 86_400


async def test_valkey_away() -> None:
    """[API-17]"""
    async with Redis.from_url("redis://127.0.0.1:9/0", socket_connect_timeout=1) as client:
        focus = ValkeyCheckFocus(client)
        with pytest.raises(Unavailable):
            await focus.point_at("47001771477")
        with pytest.raises(Unavailable):
            await focus.target()
