"""Work that goes on after an answer."""

from __future__ import annotations

import asyncio

import structlog
from structlog.testing import capture_logs

from nxt_domain.shared.errors import Unavailable
from nxt_entrypoints.background import FAILURES, Background


def failures(work: str) -> float:
    return FAILURES.labels(work)._value.get()


async def test_failures_are_logged_counted_and_end_nothing() -> None:
    """[API-38] With the id of the request that began it."""

    async def fail(error: Exception) -> None:
        raise error

    background, before = Background(), failures("sample")
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        with structlog.contextvars.bound_contextvars(request_id="r-9"):
            background.start("sample", fail(Unavailable("The vendor is away")))
            background.start("sample", fail(ValueError("a defect")))
        await background.finish()
    assert failures("sample") == before + 2
    assert sorted((log["log_level"], log["request_id"], log["work"]) for log in logs) == [
        ("error", "r-9", "sample"),
        ("warning", "r-9", "sample"),
    ]


async def test_the_end_waits_for_work_but_not_for_ever() -> None:
    """[API-39]"""
    background, done = Background(), []

    async def work(seconds: float) -> None:
        await asyncio.sleep(seconds)
        done.append(seconds)

    background.start("sample", work(0.01))
    await background.finish()
    assert done == [0.01]
    background.start("sample", work(60))
    await background.finish(0.05)
    assert done == [0.01]
    await background.finish()
