"""Workers that look again and again: woken when there is work, polling as the guarantee [R4]."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from nxt_adapters.supabase.transaction import DatabaseError, domain_error
from nxt_domain.shared.errors import Unavailable

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


def _absence(error: Exception) -> Unavailable | None:
    """Tell whether something is only away for now, which is said once and needs no traceback [DM-189]."""
    found = domain_error(error) if isinstance(error, DatabaseError) else error
    return found if isinstance(found, Unavailable) else None


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
    is_away = False
    while not stopping.is_set():
        try:
            done = await work()
        except Exception as error:  # noqa: BLE001 - a worker outlives whatever befalls one batch; rows keep the work
            absence = _absence(error)
            if absence is None:
                _log.exception("worker failed; it goes on", worker=name)
            elif not is_away:
                _log.warning("worker waits", worker=name, reason=absence.message)
            is_away, done = absence is not None, 0
        else:
            if is_away:
                _log.info("worker goes on", worker=name)
            is_away = False
        if done == 0:
            await sleep_until_woken(woken, stopping, poll_s)
