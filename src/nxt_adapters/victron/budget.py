"""How often the VRM API may be called, and who goes first [TEL-47].

All roles together have one budget; ``nxt_adapters.redis`` holds it for many processes, this module for one.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from enum import IntEnum
from typing import Protocol


class VrmUse(IntEnum):
    """What a call is for; the smaller, the sooner it is served."""

    GRID_ENERGY = 1
    MPPT_ENERGY = 2
    DIAGNOSTICS = 3
    MPPT_SYNC = 4
    GRID_FORECAST = 5
    WEATHER = 6
    CONNECTIVITY = 7


class Budget(Protocol):
    """A rate that callers share."""

    async def take(self, priority: int) -> None:
        """Wait for one's turn: the smallest priority first, then first come, first served."""

    async def back_off(self, seconds: float) -> None:
        """Give nobody a turn for a while, since the vendor said so."""


class LocalBudget:
    """``Budget`` of one process.

    Args:
        per_second: Turns per second.
        now: Seconds of a clock that never goes back.
    """

    def __init__(self, per_second: float, *, now: Callable[[], float] = time.monotonic) -> None:
        self._interval_s = 1 / per_second
        self._now = now
        self._next_at = now()
        self._arrivals = itertools.count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._timer: asyncio.TimerHandle | None = None

    async def take(self, priority: int) -> None:
        """See ``Budget.take``."""
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (int(priority), next(self._arrivals), turn))
        self._serve()
        await turn

    async def back_off(self, seconds: float) -> None:
        """See ``Budget.back_off``."""
        self._next_at = max(self._next_at, self._now() + seconds)

    def _serve(self) -> None:
        """Give turns while it is time for one, and come back when it is time again."""
        while self._waiting and self._now() >= self._next_at:
            *_, turn = heapq.heappop(self._waiting)
            if not turn.done():  # whoever gave up takes no turn
                self._next_at = self._now() + self._interval_s
                turn.set_result(None)
        if self._waiting and self._timer is None:
            wait_s = max(0.0, self._next_at - self._now())
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._serve_again)

    def _serve_again(self) -> None:
        self._timer = None
        self._serve()
