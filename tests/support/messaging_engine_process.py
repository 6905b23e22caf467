"""A message engine in a process of its own, with a network server that is a file: for tests that kill it.

Usage: python -m tests.support.messaging_engine_process URL FILE SEND_S
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nxt_adapters.memory.plugins import StubPush
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.messages import PostgresMessageStore
from nxt_domain.messaging.model import DeviceMessage
from nxt_domain.messaging.plugins import PluginSet
from nxt_domain.messaging.tuning import DeliveryPolicy, Tuning
from nxt_domain.messaging.use_cases.changes import Workshop
from nxt_domain.shared.ids import UlidFactory
from nxt_domain.shared.wakeups import Channel
from nxt_entrypoints.jobs.message_engine import EngineSettings, MessageEngine


class FileNetwork(StubPush):
    """Accepts a message by a line in a file, so that it outlives the process that sent it."""

    def __init__(self, file: Path, send_s: float) -> None:
        super().__init__(lambda: "", send_s=send_s)
        self._file = file

    async def send(self, message: DeviceMessage) -> str:
        """Write the line at once, reply after ``send_s``."""
        remote_id = f"net-{message.id}-{message.retry_count}"
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, f"{remote_id}\n".encode())
        os.close(descriptor)
        await asyncio.sleep(self.send_s)
        return remote_id

    async def adopt(self, message: DeviceMessage) -> str | None:
        """Look for the line."""
        remote_id = f"net-{message.id}-{message.retry_count}"
        return remote_id if remote_id in self._file.read_text().split() else None


class DeafWakeUps:
    """Nobody wakes this process: it polls."""

    def hint(self, *channels: Channel) -> None:
        """Tell nobody."""

    def subscribe(self, channel: Channel) -> asyncio.Event:
        """Never set."""
        return asyncio.Event()


class SystemClock:
    """This machine's clock."""

    def now(self) -> datetime:
        """Now."""
        return datetime.now(UTC)


async def main(url: str, file: Path, send_s: float) -> None:
    """Run an engine until SIGTERM."""
    database = create_engine(url, pool_size=5)
    plugins = PluginSet.of(
        push=[FileNetwork(file, send_s)],
        tunings={"stub-push": Tuning(min_interval_ms=0, ns_in_flight_timeout_ms=1_000)},
    )
    workshop = Workshop(
        begin=lambda: PostgresMessageStore(database),
        lanes=plugins.lanes,
        policy=DeliveryPolicy(),
        new_id=UlidFactory(SystemClock()),
        wakeups=DeafWakeUps(),
    )
    settings = EngineSettings(lease=timedelta(seconds=1.5), tick=timedelta(milliseconds=200), max_sends=20)
    engine = MessageEngine(workshop, plugins, settings)
    engine.start()
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()
    await engine.stop()
    await database.dispose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
