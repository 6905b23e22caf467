"""Starts a program that cannot outlive its parent.

Run by path, with the standard library alone::

    python -I -S leash.py --parent PID --signal N [--user UID:GID | --userns UID] -- PROGRAM ARGUMENTS…

The kernel sends the signal when the parent dies, whatever kills it (``PR_SET_PDEATHSIG``, Linux). Doing this
in a small program of its own, instead of between ``fork`` and ``exec`` of a process with threads, cannot
deadlock. ``--user`` drops root's rights first. ``--userns`` is for data that only root can reach: the program
sees itself as an ordinary user, in a user namespace of its own.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
_EX_OSERR = 71


def main(arguments: list[str]) -> None:
    """Put the leash on and become the program; never returns."""
    split = arguments.index("--")
    options = dict(zip(arguments[:split:2], arguments[1:split:2], strict=True))
    command = arguments[split + 1 :]
    if "--userns" in options:
        _enter_user_namespace(int(options["--userns"]))
    if "--user" in options:
        _drop_rights(*map(int, options["--user"].split(":")))
    # After the change of user, which would clear it again.
    _leash(int(options["--signal"]), int(options["--parent"]))
    os.execv(command[0], command)  # noqa: S606 - the program and its arguments come from our own caller


def _leash(signal_number: int, parent: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux" and libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:  # it died before the leash was on
        sys.exit(_EX_OSERR)


def _drop_rights(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _enter_user_namespace(uid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    owner, group = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWUSER) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"user namespace: {os.strerror(number)}")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {owner} 1")
    Path("/proc/self/gid_map").write_text(f"{uid} {group} 1")


if __name__ == "__main__":
    main(sys.argv[1:])
