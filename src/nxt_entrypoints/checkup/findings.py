"""What a check says: one line, and what to do."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CLOCK_LIMIT_S = 2.0


@frozen(kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: Its name.
        ok: Whether it is fine.
        detail: What was found.
        advice: What to do about it, if it is not.
    """

    what: str
    ok: bool
    detail: str
    advice: str = ""


async def look(what: str, check: Callable[[], Awaitable[str]], *, advice: str, within_s: float) -> Finding:
    """Run one check; whatever it raises is what was found.

    Args:
        what: Name of the finding.
        check: Returns one line on what it found.
        advice: What to do if it fails.
        within_s: Its patience, in seconds.
    """
    try:
        async with asyncio.timeout(within_s):
            return Finding(what=what, ok=True, detail=await check(), advice=advice)
    except TimeoutError:
        return Finding(what=what, ok=False, detail=f"no answer within {within_s:g} s", advice=advice)
    except Exception as error:  # noqa: BLE001 - a check that breaks is a finding, and the others go on
        return Finding(what=what, ok=False, detail=first_line(error), advice=advice)


def clock(what: str, off_s: float, *, limit_s: float = CLOCK_LIMIT_S) -> Finding:
    """Judge a difference of clocks: tokens and leases go by time, and tokens have no leeway (R42)."""
    return Finding(
        what=f"{what} clock",
        ok=abs(off_s) <= limit_s,
        detail=f"{off_s:+.3f} s from this machine",
        advice="let both machines follow NTP",
    )


def now() -> datetime:
    """Return this machine's time."""
    return datetime.now(UTC)


def first_line(error: BaseException) -> str:
    """Say in one line what an error says; its kind, if it says nothing."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
