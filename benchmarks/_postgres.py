"""The server under test, and the peer that runs on it: ``pgbench`` [R38, R46]."""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self

import attrs
import psycopg
from _harness import Figure, count, progress
from _processes import cpu_seconds
from psycopg import sql
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_entrypoints.database.migrate import upgrade
from nxt_entrypoints.embedded.data_dir import DataDir
from nxt_entrypoints.embedded.postgres import SHARED_BUFFERS_MB, binaries
from nxt_entrypoints.embedded.stack import EmbeddedStack

_DATABASE = "nxt_pgbench"
_TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


@asynccontextmanager
async def migrated_stack(*, shared_buffers_mb: int = SHARED_BUFFERS_MB) -> AsyncIterator[EmbeddedStack]:
    """Start PostgreSQL (``fsync`` and ``synchronous_commit`` on), Valkey and MQTT with both planes migrated.

    The data lies in a temporary directory under ``TMPDIR``, which should be a real disk.

    Args:
        shared_buffers_mb: Memory of PostgreSQL for pages of its files.
    """
    with DataDir(None) as data:
        async with EmbeddedStack(data, shared_buffers_mb=shared_buffers_mb) as stack:
            progress("migrating")
            await asyncio.to_thread(upgrade, stack.relational_url, "relational")
            await asyncio.to_thread(upgrade, stack.series_url, "telemetry")
            yield stack


async def another_database(stack: EmbeddedStack, name: str) -> str:
    """Make one more migrated relational database on a stack's server; return its address."""
    async with await psycopg.AsyncConnection.connect(stack.relational_url, autocommit=True) as connection:
        await connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    url = make_url(stack.relational_url).set(database=name).render_as_string(hide_password=False)
    await asyncio.to_thread(upgrade, url, "relational")
    return url


@attrs.frozen(kw_only=True)
class Pgbench:
    """How the peer runs; the defaults are those of R46.

    Attributes:
        seconds: Of one run; 0: no peer.
    """

    scale: int = 50
    clients: int = 16
    threads: int = 2
    seconds: int = 60
    runs: int = 2

    @staticmethod
    def add_to(parser: argparse.ArgumentParser) -> None:
        """Add the options of the peer."""
        default = Pgbench()
        parser.add_argument("--pgbench-scale", type=count, default=default.scale, help="(default: %(default)s, R46)")
        parser.add_argument(
            "--pgbench-seconds", type=int, default=default.seconds, help="of each run; 0: none (default: %(default)s)"
        )
        parser.add_argument("--pgbench-runs", type=count, default=default.runs, help="(default: %(default)s)")

    @classmethod
    def of(cls, wanted: argparse.Namespace) -> Pgbench:
        """Read the options."""
        return cls(scale=wanted.pgbench_scale, seconds=wanted.pgbench_seconds, runs=wanted.pgbench_runs)

    @property
    def name(self) -> str:
        """What its figure is called."""
        return f"pgbench TPC-B, scale {self.scale}, -c {self.clients}, {self.seconds} s"

    async def measure(self, url: str) -> float | None:
        """Return transactions per second of the best run on the server of ``url``; None: it is switched off.

        Raises:
            RuntimeError: pgbench failed.
        """
        if self.seconds <= 0:
            return None
        progress(f"{self.name}, {self.runs} runs")
        await self._in_server(url, f"drop database if exists {_DATABASE}")
        await self._in_server(url, f"create database {_DATABASE}")
        try:
            await self._run(url, "-i", "-q", "-s", str(self.scale))
            measured = [await self._measure_once(url) for _ in range(self.runs)]
        finally:
            await self._in_server(url, f"drop database {_DATABASE} with (force)")
        return max(measured)

    async def _measure_once(self, url: str) -> float:
        load = ("-M", "prepared", "-c", str(self.clients), "-j", str(self.threads), "-T", str(self.seconds))
        told = _TPS.search(await self._run(url, *load))
        if told is None:
            raise RuntimeError("pgbench told no transactions per second")
        return float(told[1])

    async def _run(self, url: str, *options: str) -> str:
        address = make_url(url)
        process = await asyncio.create_subprocess_exec(
            str(binaries() / "pgbench"), *options,
            "-h", str(address.host), "-p", str(address.port), "-U", str(address.username), _DATABASE,
            env={"PGPASSWORD": str(address.password), "LC_ALL": "C"},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"pgbench failed: {errors.decode(errors='replace').strip()[-500:]}")
        return output.decode()

    @staticmethod
    async def _in_server(url: str, command: str) -> None:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute(command.encode())


def beside(peer: Pgbench, tps: float | None, case: str, per_s: float) -> Figure:
    """Put a rate beside that of the peer."""
    return Figure(case=case, ours=per_s, unit="/s", beside=peer.name if tps else "", value=tps)


@attrs.define
class Traffic:
    """What an engine sent to the server.

    Attributes:
        statements: Executed, without ``BEGIN`` and ``COMMIT``.
        transactions: Committed.
    """

    statements: int = 0
    transactions: int = 0

    def __sub__(self, earlier: Traffic) -> Traffic:
        return Traffic(self.statements - earlier.statements, self.transactions - earlier.transactions)

    def now(self) -> Traffic:
        """Return the counts so far."""
        return attrs.evolve(self)


@contextmanager
def counted(engine: AsyncEngine) -> Iterator[Traffic]:
    """Count what goes through an engine."""
    traffic = Traffic()

    def statement(*_: Any) -> None:  # noqa: ANN401 - SQLAlchemy's event arguments
        traffic.statements += 1

    def commit(*_: Any) -> None:  # noqa: ANN401 - SQLAlchemy's event arguments
        traffic.transactions += 1

    listeners = (("before_cursor_execute", statement), ("commit", commit))
    for name, listener in listeners:
        event.listen(engine.sync_engine, name, listener)
    try:
        yield traffic
    finally:
        for name, listener in listeners:
            event.remove(engine.sync_engine, name, listener)


@attrs.frozen
class ServerCpu:
    """CPU time of the database server and all its sessions."""

    pid: int

    @classmethod
    def of(cls, stack: EmbeddedStack) -> Self:
        """Watch a stack's server.

        Raises:
            RuntimeError: It does not run.
        """
        pid = stack.postgres.pid
        if pid is None:
            raise RuntimeError("the database server does not run")
        return cls(pid)

    def seconds(self) -> float:
        """Return the CPU seconds spent so far."""
        return cpu_seconds(self.pid)
