"""Workers that look again and again: woken when there is work, polling as the guarantee [R4]."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

_log = structlog.get_logger(__name__)


async def sleep_until_woken(woken: asyncio.Event, stopping: asyncio.Event, timeout_s: float) -> None:
    """Wait until woken or stopping, at most ``timeout_s``; the wake-up is used up."""
    waits = [asyncio.ensure_future(woken.wait()), asyncio.ensure_future(stopping.wait())]
    try:
        await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    woken.clear()


async def work_until_stopped(
    name: str,
    work: Callable[[], Awaitable[int]],
    *,
    woken: asyncio.Event,
    stopping: asyncio.Event,
    poll_s: float,
) -> None:
    """Call ``work`` until it finds nothing, sleep, and begin again; what is under way when stopping is finished.

    Args:
        name: For the log.
        work: Does one batch and returns how much there was; nothing it raises ends the loop.
        woken: Set when there may be work.
        stopping: Set to end the loop.
        poll_s: Longest sleep.
    """
    while not stopping.is_set():
        try:
            done = await work()
        except Exception:  # noqa: BLE001 - a worker outlives whatever befalls one batch; rows keep the work
            _log.exception("worker failed; it goes on", worker=name)
            done = 0
        if done == 0:
            await sleep_until_woken(woken, stopping, poll_s)
