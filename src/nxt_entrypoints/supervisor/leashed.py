"""Command lines of programs that end with this process; see ``leash.py``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from nxt_entrypoints.supervisor import leash

if TYPE_CHECKING:
    import signal
    from collections.abc import Sequence


@frozen(kw_only=True)
class RunAs:
    """Whose rights a program gets; as it stands, our own.

    Attributes:
        user: Numeric user and group to become; root only.
        namespace_uid: Who it sees itself as, in a user namespace of its own.
    """

    user: tuple[int, int] | None = None
    namespace_uid: int | None = None

    def options(self) -> list[str]:
        """The options of the leash."""
        if self.user is not None:
            return ["--user", f"{self.user[0]}:{self.user[1]}"]
        return [] if self.namespace_uid is None else ["--userns", str(self.namespace_uid)]


def leashed(command: Sequence[str], *, stop: signal.Signals, run_as: RunAs | None = None) -> list[str]:
    """The command line that runs a program on a leash.

    The leash is held by the thread that starts the program: start it from one that lives as long as the
    process, such as the one of the event loop.

    Args:
        command: Absolute path of the program, and its arguments.
        stop: Sent to the program when this process dies.
        run_as: Whose rights it gets.
    """
    return [
        sys.executable,
        "-I",
        "-S",
        str(Path(leash.__file__)),
        "--parent",
        str(os.getpid()),
        "--signal",
        str(int(stop)),
        *(run_as or RunAs()).options(),
        "--",
        *command,
    ]
