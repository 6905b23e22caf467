"""Work that goes on after an answer: supervised, and never the end of anything else [API-38, API-39]."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import structlog
from prometheus_client import Counter

from nxt_domain.shared.errors import DomainError

FAILURES = Counter("nxt_background_failures_total", "Work after an answer that failed, by kind", ["work"])

_GRACE_S = 30.0
_log = structlog.get_logger("nxt.background")


class Background:
    """Runs work; its log lines carry the id of the request that began it."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, name: str, work: Coroutine[object, object, object]) -> None:
        """Begin some work.

        Args:
            name: Its kind, for logs and figures; from a small fixed set.
            work: What it raises is logged and counted.
        """
        task = asyncio.create_task(self._supervised(name, work), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def finish(self, within_s: float = _GRACE_S) -> None:
        """Let running work end; what takes longer is cancelled."""
        if not self._running:
            return
        _, late = await asyncio.wait(set(self._running), timeout=within_s)
        for task in late:
            _log.warning("work did not end in time", work=task.get_name())
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _supervised(self, name: str, work: Coroutine[object, object, object]) -> None:
        try:
            await work
        except DomainError as failed:
            FAILURES.labels(name).inc()
            _log.warning("work after an answer failed", work=name, code=failed.code, reason=failed.message)
        except Exception:  # noqa: BLE001 - a defect of one piece of work must not end the process
            FAILURES.labels(name).inc()
            _log.exception("work after an answer failed unexpectedly", work=name)
