"""Reading once more what a restarting database could not serve [REL-175]."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from nxt_domain.shared.errors import Unavailable

_WAITS_S = (0.2, 0.6)
_PATIENCE_S = 1.0


async def patiently(read: Callable[[], Awaitable[object]]) -> object:
    """Run work that changes nothing, up to three times within about two seconds while a store is away.

    Raises:
        Unavailable: It stayed away, or took long to say so.
    """
    started = time.monotonic()
    for wait_s in _WAITS_S:
        try:
            return await read()
        except Unavailable as away:
            # Outside systems say by codes of their own that they are away; their adapters have repeated already.
            if away.code != Unavailable.default_code or time.monotonic() - started > _PATIENCE_S:
                raise
        await asyncio.sleep(wait_s)
    return await read()
