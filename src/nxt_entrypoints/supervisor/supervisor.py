"""Runs several children as one: starts them in order, keeps them up, stops them in reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

from nxt_entrypoints.supervisor.child import Child, ChildSpec, ChildStatus, State
from nxt_entrypoints.supervisor.errors import NotReady

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from nxt_entrypoints.supervisor.logstream import LogStream

__all__ = ["NotReady", "Supervisor", "stop_signals"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Supervisor:
    """The children of one process; an asynchronous context manager that leaves none behind.

    Even ``kill -9`` of this process leaves no orphan: the kernel then sends each child SIGTERM.

    Args:
        specs: What to run, in the order of starting.
        logs: Where their output goes.
        on_change: Called whenever a child's state or process changes, with all of them.
    """

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        logs: LogStream,
        *,
        on_change: Callable[[tuple[ChildStatus, ...]], None] | None = None,
    ) -> None:
        self._on_change = on_change
        self._children = [Child(spec, logs, self._changed) for spec in specs]

    async def __aenter__(self) -> Supervisor:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def statuses(self) -> tuple[ChildStatus, ...]:
        """A snapshot of all children."""
        return tuple(child.status for child in self._children)

    def start(self) -> None:
        """Start all children; they come up side by side."""
        for child in self._children:
            child.start()

    async def until_ready(self, *, within_s: float) -> None:
        """Wait until every child is ready.

        Raises:
            NotReady: When one has failed for good, or time is up.
        """
        waiting = [asyncio.create_task(child.settled()) for child in self._children]
        try:
            states = await asyncio.wait_for(asyncio.gather(*waiting), within_s)
        except TimeoutError:
            late = [child.spec.name for child in self._children if child.status.state is not State.READY]
            raise NotReady(f"not ready after {within_s:g} s: {', '.join(late)}") from None
        failed = [child.spec.name for child, state in zip(self._children, states, strict=True) if state is State.FAILED]
        if failed:
            raise NotReady(f"cannot start: {', '.join(failed)} (see the log above)")

    async def stop(self) -> None:
        """Stop all children, the last started first."""
        for child in reversed(self._children):
            await child.stop()

    def kill(self) -> None:
        """End all children at once; ``stop`` still has to be awaited."""
        for child in self._children:
            child.kill()

    def _changed(self) -> None:
        if self._on_change is not None:
            self._on_change(self.statuses)


@contextlib.contextmanager
def stop_signals(*, impatient: Callable[[], None] | None = None) -> Iterator[asyncio.Event]:
    """An event that SIGINT, SIGTERM or SIGHUP sets; a second one calls ``impatient``.

    To be entered in the main thread, with the event loop running.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def received() -> None:
        if stop.is_set() and impatient is not None:
            impatient()
        stop.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, received)
    try:
        yield stop
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
