"""A real TimescaleDB without a server: PostgreSQL and the extension, compiled to WebAssembly, run by node.

It serves one connection at a time and has one database, so each test starts from an emptied schema.
"""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import sql

from nxt_entrypoints.database.migrate import upgrade
from tests.support.databases import Unobtainable
from tests.support.npm import installed, node

_SOURCES = Path(__file__).parent / "pglite"
_START_WITHIN_S = 60


class PgliteServer:
    """A running server.

    Attributes:
        url: ``postgresql://…`` of its only database.
    """

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self._process = process
        self.url = f"postgresql://postgres:unused@127.0.0.1:{port}/postgres?sslmode=disable"

    @classmethod
    def start(cls) -> PgliteServer:
        """Install the packages if they are not there yet, and start node.

        Raises:
            Unobtainable: node, npm or a package can't be had on this machine.
        """
        command, folder = [node(), "server.mjs"], installed(_SOURCES)
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            return cls(process, _port(process))
        except BaseException:
            _end(process)
            raise

    def migrate(self) -> None:
        """Throw all tables away and apply the migrations of the series store; the extension stays loaded."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            if connection.execute("SELECT FROM pg_extension WHERE extname = 'timescaledb'").fetchone():
                views = connection.execute("SELECT view_name FROM timescaledb_information.continuous_aggregates")
                for (name,) in views.fetchall():
                    connection.execute(sql.SQL("DROP MATERIALIZED VIEW {} CASCADE").format(sql.Identifier(name)))
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            for (name,) in tables.fetchall():
                connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(name)))
        upgrade(self.url, "telemetry")

    def truncate(self) -> None:
        """Empty the tables of meters."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("TRUNCATE meter_snapshot_1_h, meter_reading, meter_recording_lock")

    def stop(self) -> None:
        """End the process."""
        _end(self._process)


def _port(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], _START_WITHIN_S)
    line = process.stdout.readline() if ready else ""
    if not line:
        raise Unobtainable("the server of TimescaleDB did not start")
    return int(json.loads(line)["port"])


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=5)
    if process.poll() is None:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


@contextlib.contextmanager
def running() -> Iterator[PgliteServer]:
    """Lend a migrated server and stop it afterwards.

    Raises:
        Unobtainable: See ``PgliteServer.start``.
    """
    server = PgliteServer.start()
    try:
        server.migrate()
        yield server
    finally:
        server.stop()
