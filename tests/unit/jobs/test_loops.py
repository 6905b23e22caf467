"""Workers that look again and again [R4]."""

from __future__ import annotations

import asyncio
import time

import psycopg
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from nxt_domain.shared.errors import Unavailable
from nxt_entrypoints.jobs.loops import sleep_until_woken, work_until_stopped


async def test_a_wake_up_is_used_up() -> None:
    woken, stopping = asyncio.Event(), asyncio.Event()
    woken.set()
    await asyncio.wait_for(sleep_until_woken(woken, stopping, 30), 1)
    assert not woken.is_set()
    begun = time.monotonic()
    await sleep_until_woken(woken, stopping, 0.05)
    assert time.monotonic() - begun >= 0.045


async def test_stopping_ends_the_sleep() -> None:
    woken, stopping = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().call_later(0.02, stopping.set)
    await asyncio.wait_for(sleep_until_woken(woken, stopping, 30), 1)


async def test_work_is_done_until_there_is_none_and_sleep_only_then() -> None:
    left, stopping, woken = [3, 2, 0, 5, 0], asyncio.Event(), asyncio.Event()
    seen: list[int] = []

    async def work() -> int:
        seen.append(left.pop(0))
        if not left:
            stopping.set()
        elif seen[-1] == 0:
            woken.set()  # as a hint would
        return seen[-1]

    await asyncio.wait_for(work_until_stopped("test", work, woken=woken, stopping=stopping, poll_s=30), 1)
    assert seen == [3, 2, 0, 5, 0]


async def test_a_hint_during_the_work_is_not_lost() -> None:
    stopping, woken = asyncio.Event(), asyncio.Event()
    rounds = 0

    async def work() -> int:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            woken.set()  # someone commits after this round looked
        else:
            stopping.set()
        return 0

    await asyncio.wait_for(work_until_stopped("test", work, woken=woken, stopping=stopping, poll_s=30), 1)
    assert rounds == 2


async def test_nothing_that_work_raises_ends_the_loop() -> None:
    stopping, woken = asyncio.Event(), asyncio.Event()
    rounds = 0

    async def work() -> int:
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            stopping.set()
            return 0
        raise RuntimeError("broken")

    await asyncio.wait_for(work_until_stopped("test", work, woken=woken, stopping=stopping, poll_s=0.01), 1)
    assert rounds == 3


async def test_what_is_away_is_told_once_and_without_a_traceback() -> None:
    """[DM-189] The database, as the driver or as an adapter says it; a defect in between is told as one."""
    stopping, woken = asyncio.Event(), asyncio.Event()
    driver = OperationalError("select 1", {}, psycopg.OperationalError("connection refused"))
    fates: list[Exception | None] = [driver, Unavailable("away"), None, driver, ValueError("a defect"), None]

    async def work() -> int:
        woken.set()
        fate = fates.pop(0)
        if not fates:
            stopping.set()
        if fate is not None:
            raise fate
        return 0

    with capture_logs() as lines:
        await asyncio.wait_for(work_until_stopped("test", work, woken=woken, stopping=stopping, poll_s=30), 2)
    told = [(line["log_level"], line["event"]) for line in lines]
    assert told == [
        ("warning", "worker waits"),
        ("info", "worker goes on"),
        ("warning", "worker waits"),
        ("error", "worker failed; it goes on"),
    ]
    assert not any("exc_info" in line for line in lines if line["log_level"] != "error")
