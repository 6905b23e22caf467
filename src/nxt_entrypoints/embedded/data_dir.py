"""The directory that ``nxt up`` keeps its state in: locked, private, valid over restarts (R37).

Layout::

    lock               held by the running process, holds its pid
    credentials.json   passwords and keys, made once
    ports.json         ports used last, taken again if they are free
    postgres/          the database cluster
    sockets/           Unix sockets, unless the path would be too long for one
    log/               output of the services

All files are 0600. Directories are 0700, but as root the outer one is 0711: PostgreSQL refuses to run as root,
and the user it runs as has to pass through to the cluster, which is its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from nxt_entrypoints.embedded.errors import DirectoryInUse, EmbeddedError
from nxt_entrypoints.embedded.ports import free_port, is_free
from nxt_entrypoints.supervisor.processes import lives

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

_SOCKET_PATH_LIMIT = 107
"""Bytes of a Unix socket's path that Linux accepts."""
_LONGEST_SOCKET_NAME = "/.s.PGSQL.65535.lock"
_TEMPORARY_MARK = "temporary"
_CREDENTIALS = "credentials.json"
_PORTS = "ports.json"


class DataDir:
    """An opened data directory; a context manager that gives the lock back.

    Attributes:
        path: Absolute path.
        temporary: Whether it goes away at a clean stop.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Name the directory; ``None`` makes a temporary one when it is opened."""
        self.temporary = path is None
        self._wanted = path
        self._lock: int | None = None
        self._sockets: Path | None = None
        self.path = Path()

    def __enter__(self) -> DataDir:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> DataDir:
        """Make the directory if needed and take its lock.

        Raises:
            DirectoryInUse: When another process holds it.
            EmbeddedError: When it cannot be made or written.
        """
        self.path = self._made()
        self._lock = self._locked()
        if self.temporary:
            (self.path / _TEMPORARY_MARK).touch()
        return self

    def close(self) -> None:
        """Give the lock back; a temporary directory is removed."""
        if self._lock is None:
            return
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None
        if self.temporary:
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            os.ftruncate(self._lock, 0)
        os.close(self._lock)
        self._lock = None

    def secret(self, name: str, make: Callable[[], str] | None = None) -> str:
        """A credential that is made once and kept, 0600.

        Args:
            name: Its name in the file of credentials.
            make: Makes it the first time; default 32 random bytes, URL-safe.
        """
        known = self._read(_CREDENTIALS)
        if name not in known:
            known[name] = (make or _random_text)()
            self.write_private(_CREDENTIALS, known)
        return str(known[name])

    def port(self, name: str, *, avoid: Iterable[int] = ()) -> int:
        """A free TCP port on 127.0.0.1: the one this name had before, if it is still free."""
        known = self._read(_PORTS)
        before = known.get(name)
        others = {port for key, port in known.items() if key != name} | set(avoid)
        if isinstance(before, int) and before not in others and is_free(before):
            return before
        chosen = free_port(avoid=frozenset(port for port in others if isinstance(port, int)))
        self.write_private(_PORTS, {**known, name: chosen})
        return chosen

    def forget_port(self, name: str) -> None:
        """Drop a preference that turned out to be taken."""
        known = self._read(_PORTS)
        known.pop(name, None)
        self.write_private(_PORTS, known)

    def folder(self, name: str) -> Path:
        """A private folder inside."""
        path = self.path / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def log_file(self, service: str) -> Path:
        """Where the output of a service goes."""
        return self.folder("log") / f"{service}.log"

    def socket_folder(self) -> Path:
        """A private folder for Unix sockets: inside if the path is short enough, else a temporary one."""
        if _short_enough(self.path / "sockets"):
            return self.folder("sockets")
        if self._sockets is None:
            for parent in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp is private
                if parent and os.access(parent, os.W_OK | os.X_OK) and _short_enough(Path(parent) / "nxt-s-12345678"):
                    self._sockets = Path(tempfile.mkdtemp(prefix="nxt-s-", dir=parent))
                    break
            else:
                raise EmbeddedError("no folder with a path short enough for a Unix socket; set TMPDIR=/tmp")
        return self._sockets

    def write_private(self, name: str, content: object) -> Path:
        """Write a JSON file, 0600, in one step: readers see the old or the new one."""
        path = self.path / name
        descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=self.path)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
        return path

    def _read(self, name: str) -> dict[str, object]:
        return _members(self.path / name)

    def _made(self) -> Path:
        if self._wanted is None:
            temporary = Path(tempfile.mkdtemp(prefix="nxt-up-"))
            temporary.chmod(_folder_mode())
            return temporary
        path = self._wanted.expanduser().resolve()
        try:
            path.mkdir(mode=_folder_mode(), parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddedError(f"{path} cannot be made: {error.strerror}") from None
        if not os.access(path, os.W_OK | os.X_OK):
            raise EmbeddedError(f"{path} cannot be written by this user")
        return path

    def _locked(self) -> int:
        path = self.path / "lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = _pid_in(path)
            os.close(descriptor)
            raise DirectoryInUse(str(self.path), holder) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        return descriptor


def sweep_abandoned(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Remove temporary directories whose process was killed before it could; others are left alone.

    A directory goes only if it carries the mark of a temporary one, belongs to this user, nobody holds its
    lock, and its database has ended.

    Returns:
        What was removed.
    """
    removed = []
    for path in paths:
        if not (path / _TEMPORARY_MARK).is_file() or path.stat().st_uid != os.geteuid():
            continue
        abandoned = DataDir(path)
        with contextlib.suppress(EmbeddedError):
            abandoned.open()
            database = _pid_in(path / "postgres" / "postmaster.pid")
            if database is None or not lives(database):
                abandoned.temporary = True
                removed.append(path)
            abandoned.close()
    return tuple(removed)


def kept_secret(folder: Path, name: str) -> str:
    """Read a credential of a directory that another process may have opened; empty if it was never made.

    Raises:
        EmbeddedError: The file is damaged.
    """
    return str(_members(folder / _CREDENTIALS).get(name, ""))


def kept_port(folder: Path, name: str) -> int:
    """Read the port of something that runs from a directory; 0 if it never had one.

    Raises:
        EmbeddedError: The file is damaged.
    """
    port = _members(folder / _PORTS).get(name, 0)
    return port if isinstance(port, int) else 0


def _members(path: Path) -> dict[str, object]:
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise EmbeddedError(f"{path} is damaged; restore it, or start with another --data") from None
    return content if isinstance(content, dict) else {}


def _pid_in(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="utf-8").split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _short_enough(folder: Path) -> bool:
    return len(os.fsencode(f"{folder}{_LONGEST_SOCKET_NAME}")) <= _SOCKET_PATH_LIMIT


def _folder_mode() -> int:
    return 0o711 if os.geteuid() == 0 else 0o700


def _random_text() -> str:
    return secrets.token_urlsafe(32)
