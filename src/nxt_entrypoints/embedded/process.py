"""A server process on a leash: it ends with us, however we end."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from attrs import field, frozen

from nxt_entrypoints.embedded.errors import StartFailed
from nxt_entrypoints.supervisor.leashed import leashed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from nxt_entrypoints.supervisor.leashed import RunAs

_POLL_S = 0.02
_KILL_AFTER_S = 15.0


@frozen(kw_only=True)
class ServerProcess:
    """A running server.

    Attributes:
        name: What messages call it.
        process: The child.
        log: File with its output.
        stop_signal: Asks it to end.
    """

    name: str
    process: asyncio.subprocess.Process
    log: Path
    stop_signal: signal.Signals = field(default=signal.SIGTERM)

    @classmethod
    async def start(
        cls,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        stop_signal: signal.Signals,
        run_as: RunAs | None = None,
        given: bytes = b"",
        env: dict[str, str] | None = None,
    ) -> ServerProcess:
        """Start the program; its output goes to ``log``, ``given`` to its standard input."""
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            process = await asyncio.create_subprocess_exec(
                *leashed(command, run_as=run_as, stop=stop_signal),
                stdin=asyncio.subprocess.PIPE,
                stdout=descriptor,
                stderr=descriptor,
                env=env,
                cwd="/",
                start_new_session=True,  # a terminal's Ctrl-C is ours to handle, in order
            )
        finally:
            os.close(descriptor)
        if process.stdin is not None:
            process.stdin.write(given)
            process.stdin.close()
        return cls(name=name, process=process, log=log, stop_signal=stop_signal)

    async def until(self, ready: Callable[[], Awaitable[bool]], *, within_s: float) -> None:
        """Wait until the server answers.

        Raises:
            StartFailed: When it ends, or is not ready in time; the last line of its log says why.
        """
        deadline = asyncio.get_running_loop().time() + within_s
        while not await ready():
            if self.process.returncode is not None:
                raise StartFailed(f"{self.name} did not start: {self.last_words()}")
            if asyncio.get_running_loop().time() > deadline:
                raise StartFailed(f"{self.name} is not ready after {within_s:g} s: {self.last_words()}")
            await asyncio.sleep(_POLL_S)

    async def stop(self) -> None:
        """Ask the server to end, wait, and end it by force if it does not."""
        if self.process.returncode is not None:
            return
        self.process.send_signal(self.stop_signal)
        try:
            await asyncio.wait_for(self.process.wait(), _KILL_AFTER_S)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    def last_words(self) -> str:
        """The last telling line of the log."""
        return last_words(self.log)


def last_words(log: Path) -> str:
    """The last line of a log that names a fault, else its last line."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "no output"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    faults = [line for line in lines[-20:] if any(word in line.lower() for word in ("fatal", "error", "can't"))]
    return (faults or lines or ["no output"])[-1]
