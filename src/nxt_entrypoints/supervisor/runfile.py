"""Tells others what runs: a private file in the data directory, and an index in the user's runtime folder.

``nxt up`` writes, ``nxt status`` and other commands read. The content is the JSON of ``nxt up --json`` (R7); it
holds credentials, hence 0600 in folders of 0700.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from nxt_entrypoints.supervisor.errors import NotRunning
from nxt_entrypoints.supervisor.processes import lives, started_at

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RUN_FILE", "Instance", "NotRunning", "RunFile", "abandoned", "find", "index_folder", "instances"]

RUN_FILE = "run.json"


@frozen(kw_only=True)
class Instance:
    """A running ``nxt up``.

    Attributes:
        pid: Its process id.
        data: Its data directory.
        content: What it wrote (R7).
    """

    pid: int
    data: Path
    content: Mapping[str, Any]


class RunFile:
    """The file of this process; remove it at the end."""

    def __init__(self, data: Path) -> None:
        self._path = data / RUN_FILE
        self._data = data
        self._index = index_folder() / f"{os.getpid()}.json"

    def write(self, content: Mapping[str, Any]) -> None:
        """Write or replace the content; ``pid`` and ``data`` are filled in."""
        pid = os.getpid()
        mark = {"pid": pid, "started": started_at(pid), "data": str(self._data)}
        _write(self._path, {**content, **mark})
        _write(self._index, mark)

    def remove(self) -> None:
        """Take both files away; a second time does nothing."""
        self._path.unlink(missing_ok=True)
        self._index.unlink(missing_ok=True)


def find(data: Path | None = None) -> Instance:
    """The running instance of a data directory, or the only one of this user.

    Raises:
        NotRunning: When there is none, or several and ``data`` does not say which.
    """
    if data is not None:
        instance = _read(data.expanduser().resolve())
        if instance is None:
            raise NotRunning(f"nothing runs on {data}; start it with: nxt up --data {data}")
        return instance
    running = instances()
    if not running:
        raise NotRunning("nothing runs; start it with: nxt up")
    if len(running) > 1:
        choices = ", ".join(str(one.data) for one in running)
        raise NotRunning(f"several run; choose one with --data: {choices}")
    return running[0]


def instances() -> tuple[Instance, ...]:
    """All running instances of this user, oldest first."""
    found = [_read(data) for data in _indexed()]
    return tuple(sorted((one for one in found if one is not None), key=lambda one: started_at(one.pid) or 0))


def abandoned() -> tuple[Path, ...]:
    """Data directories of instances that were killed; their index entries are removed."""
    left = []
    for entry in index_folder().glob("*.json"):
        mark = _json(entry)
        if mark is None or not _same_process(mark):
            entry.unlink(missing_ok=True)
            if mark is not None:
                left.append(Path(str(mark.get("data", ""))))
    return tuple(path for path in left if path.is_dir())


def index_folder() -> Path:
    """The private folder of the index.

    Raises:
        NotRunning: When somebody else owns a folder of that name.
    """
    parent = os.environ.get("XDG_RUNTIME_DIR")
    if parent and os.access(parent, os.W_OK | os.X_OK):
        folder = Path(parent) / "nxt-backend"
    else:
        folder = Path(tempfile.gettempdir()) / f"nxt-backend-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
        raise NotRunning(f"{folder} is not a private folder of this user; remove it")
    return folder


def _indexed() -> list[Path]:
    marks = [_json(entry) for entry in index_folder().glob("*.json")]
    return [Path(str(mark["data"])) for mark in marks if mark is not None and "data" in mark]


def _read(data: Path) -> Instance | None:
    content = _json(data / RUN_FILE)
    if content is None or not _same_process(content):
        return None
    return Instance(pid=int(content["pid"]), data=data, content=content)


def _same_process(mark: Mapping[str, Any]) -> bool:
    pid = mark.get("pid")
    return isinstance(pid, int) and lives(pid) and started_at(pid) == mark.get("started")


def _json(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _write(path: Path, content: Mapping[str, Any]) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
    Path(temporary).replace(path)
