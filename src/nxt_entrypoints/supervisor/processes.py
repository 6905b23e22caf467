"""What the kernel knows about processes, read from ``/proc``."""

from __future__ import annotations

from pathlib import Path


def lives(pid: int) -> bool:
    """Whether a process of this id runs; one that only waits to be collected does not."""
    fields = _stat(pid)
    return bool(fields) and fields[0] not in ("Z", "X")


def started_at(pid: int) -> int | None:
    """Start of a process in clock ticks since boot: with the id, it names a process beyond doubt."""
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def _stat(pid: int) -> list[str]:
    """Fields of ``/proc/PID/stat`` from the third on; the second may hold blanks and brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
