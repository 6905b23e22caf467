"""CPU time of processes, as the kernel counts it (Linux, in steps of 10 ms)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import attrs

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@attrs.frozen(kw_only=True)
class Process:
    """One running process.

    Attributes:
        cpu_s: Of itself.
        reaped_s: Of its children that ended and were waited for.
        command: Its command line, blanks between the arguments.
    """

    parent: int
    cpu_s: float
    reaped_s: float
    command: str


def cpu_seconds(root: int) -> float:
    """Return the CPU seconds of a process, its descendants, and those of them that ended."""
    return sum(process.cpu_s + process.reaped_s for process in tree(root).values())


def tree(root: int) -> Mapping[int, Process]:
    """Return a process and all its descendants by id."""
    running = _running()
    found = {root} & running.keys()
    grows = True
    while grows:
        children = {pid for pid, process in running.items() if process.parent in found} - found
        found |= children
        grows = bool(children)
    return {pid: running[pid] for pid in found}


def _running() -> Mapping[int, Process]:
    found: dict[int, Process] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (process := _read(folder)) is not None:
            found[int(folder.name)] = process
    return found


def _read(folder: Path) -> Process | None:
    try:
        # After the name in brackets, which may hold blanks: state, parent, …, user, system, children's both.
        fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return None
    user, system, reaped_user, reaped_system = (int(field) / _TICKS_PER_S for field in fields[11:15])
    return Process(parent=int(fields[1]), cpu_s=user + system, reaped_s=reaped_user + reaped_system, command=command)
