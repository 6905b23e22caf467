"""One supervised process: started, watched, started again, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import signal
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from nxt_entrypoints.settings.problems import EX_CONFIG
from nxt_entrypoints.supervisor.backoff import Backoff
from nxt_entrypoints.supervisor.leashed import leashed
from nxt_entrypoints.supervisor.probe import probe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nxt_entrypoints.supervisor.logstream import LogStream

_READY_POLL_S = 0.1
STOP_WITHIN_S = 20.0


class State(enum.StrEnum):
    """Where a child stands."""

    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting"
    FAILED = "failed"
    STOPPED = "stopped"


@frozen(kw_only=True)
class ChildSpec:
    """What to run.

    Attributes:
        name: Name in logs and status, such as the role's.
        command: Absolute path of the program, and its arguments.
        env: Its whole environment.
        base_url: Where it answers ``/readyz``; ``None``: ready when started.
        stop_within_s: Patience after SIGTERM, seconds; then it is killed.
        backoff: Makes the pauses between restarts.
    """

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    base_url: str | None = None
    stop_within_s: float = STOP_WITHIN_S
    backoff: Callable[[], Backoff] = field(default=Backoff)


@frozen(kw_only=True)
class ChildStatus:
    """What is known about a child now."""

    name: str
    state: State
    pid: int | None
    restarts: int
    last_exit: int | None

    def as_json(self) -> dict[str, Any]:
        """For the run file."""
        return {
            "state": self.state.value,
            "pid": self.pid,
            "restarts": self.restarts,
            "last_exit": self.last_exit,
        }


class Child:
    """Keeps one program running until it is stopped.

    A program that ends is started again after a pause. One that ends with status 78 is not: its configuration
    is invalid, and would be again.
    """

    def __init__(self, spec: ChildSpec, logs: LogStream, changed: Callable[[], None]) -> None:
        self.spec = spec
        self._logs = logs
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._state = State.STOPPED
        self._restarts = 0
        self._last_exit: int | None = None
        self._settled = asyncio.Event()
        self._stopping = False

    @property
    def status(self) -> ChildStatus:
        """A snapshot."""
        running = self._process is not None and self._process.returncode is None
        return ChildStatus(
            name=self.spec.name,
            state=self._state,
            pid=self._process.pid if running and self._process else None,
            restarts=self._restarts,
            last_exit=self._last_exit,
        )

    def start(self) -> None:
        """Start keeping it running."""
        self._enter(State.STARTING)
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.spec.name}")

    async def settled(self) -> State:
        """Wait until it is ready, or has failed for good."""
        await self._settled.wait()
        return self._state

    async def stop(self) -> None:
        """SIGTERM, patience, SIGKILL; it is not started again. What it says last is still written."""
        self._stopping = True
        await self._end()
        if self._keeper is not None:
            if self._state is State.WAITING:
                self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        self._enter(State.STOPPED)

    def kill(self) -> None:
        """End it at once, for an impatient second Ctrl-C."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def _keep(self) -> None:
        backoff = self.spec.backoff()
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            self._enter(State.STARTING)
            self._last_exit = await self._run_once()
            if self._stopping:
                return
            if self._last_exit == EX_CONFIG:
                self._say("its configuration is invalid; not started again")
                self._enter(State.FAILED)
                return
            pause_s = backoff.after(loop.time() - began)
            self._say(f"ended with status {self._last_exit}; starting again in {pause_s:g} s")
            self._enter(State.WAITING)
            await asyncio.sleep(pause_s)
            self._restarts += 1

    async def _run_once(self) -> int:
        command = leashed(self.spec.command, stop=signal.SIGTERM)
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(self.spec.env),
            start_new_session=True,  # Ctrl-C at a terminal reaches us alone, so that the order of stops is ours
        )
        self._process = process
        self._changed()
        if self._stopping:  # asked to stop while the program was being started
            process.kill()
        follower = asyncio.create_task(self._follow(process))
        watcher = asyncio.create_task(self._watch_readiness())
        try:
            return await process.wait()
        finally:
            watcher.cancel()
            # A grandchild may hold the pipe open for ever; what was said until now is written.
            with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(follower, 1.0)

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is not None:
            await self._logs.follow(self.spec.name, process.stdout)

    async def _watch_readiness(self) -> None:
        if self.spec.base_url is not None:
            while not (await probe(self.spec.base_url, timeout_s=2.0)).ready:  # noqa: ASYNC110 - another process's state
                await asyncio.sleep(_READY_POLL_S)
        self._enter(State.READY)

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self.spec.stop_within_s)
        except TimeoutError:
            self._say(f"did not end within {self.spec.stop_within_s:g} s; killed")
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        self._last_exit = process.returncode

    def _enter(self, state: State) -> None:
        if state in (State.READY, State.FAILED):
            self._settled.set()
        elif state is State.STARTING:
            self._settled.clear()
        if state is not self._state:
            self._state = state
            self._changed()

    def _say(self, text: str) -> None:
        self._logs.write(self.spec.name, f"[supervisor] {text}")
