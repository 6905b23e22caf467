"""A folder of its own for one running product, and the processes that were started from it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path


class Home:
    """A private surrounding: everything that a product writes outside its data directory lands here."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="nxt-e2e-", dir="/tmp"))
        self.path.chmod(0o711)  # the database runs as another user when we are root, and passes through
        for name in ("tmp", "run", "cwd"):
            (self.path / name).mkdir(mode=0o711 if name == "tmp" else 0o700)

    @property
    def environment(self) -> dict[str, str]:
        """What the product sees of ours: enough to find Python, nothing that could configure it."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
        return {**kept, "TMPDIR": str(self.path / "tmp"), "XDG_RUNTIME_DIR": str(self.path / "run")}

    def run(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run another ``nxt`` command in this home, to its end."""
        return subprocess.run(
            command(*arguments),
            env={**self.environment, **(env or {})},
            cwd=self.path / "cwd",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def remove(self) -> None:
        """Throw it away."""
        shutil.rmtree(self.path, ignore_errors=True)

    def leftovers(self) -> list[str]:
        """Files that something running here made outside its data directory."""
        runtime = self.path / "run" / "nxt-backend"
        return sorted(str(path) for path in [*(self.path / "tmp").iterdir(), *runtime.glob("*")])

    def processes(self) -> list[int]:
        """Ids of living processes whose environment or command line names this home."""
        found = []
        mark = os.fsencode(str(self.path))
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if int(entry.name) == os.getpid() or b") Z " in (entry / "stat").read_bytes():
                    continue
                if mark in (entry / "environ").read_bytes() or mark in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
        return found


def command(*arguments: str) -> list[str]:
    """The command line of ``nxt`` from this checkout."""
    return [sys.executable, "-m", "nxt_entrypoints.cli.main", *arguments]


def descendants(pid: int) -> list[int]:
    """All processes below one, itself left out."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found, edge = [], [pid]
    while edge:
        edge = [child for child, parent in parents.items() if parent in edge]
        found += edge
    return found


def command_line(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""
