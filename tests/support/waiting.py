"""Waiting for what another process does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

_POLL_S = 0.1
T = TypeVar("T")


async def until(look: Callable[[], Awaitable[T | None]], within_s: float, what: str) -> T:
    """Look again and again until there is something; say what was missing when time is up."""
    deadline = time.monotonic() + within_s
    while True:
        found = await look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:g} s: {what}")
        await asyncio.sleep(_POLL_S)
