"""Problems of a configuration, and the one message that lists them all [API-198]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

EX_CONFIG = 78
"""Exit status of a process whose configuration is invalid (``sysexits.h``)."""


@frozen
class Problem:
    """One thing that is wrong.

    Attributes:
        kind: ``config`` for the artifact, ``env`` for a variable.
        where: JSON path or variable name.
        what: What is wrong; never holds the value of a variable.
    """

    kind: Literal["config", "env"]
    where: str
    what: str

    def __str__(self) -> str:
        return f"  {self.kind:<7} {self.where}: {self.what}"


class ConfigInvalid(Exception):
    """The configuration does not hold. ``str()`` gives the whole message, every problem on a line.

    Attributes:
        problems: All problems: the artifact's first, then the variables'.
        source: Where the artifact came from, such as ``NXT_CONFIG_PATH=/etc/nxt.json``.
    """

    def __init__(self, problems: Sequence[Problem], source: str) -> None:
        self.problems = tuple(problems)
        self.source = source
        super().__init__(str(self))

    def __str__(self) -> str:
        count = len(self.problems)
        head = f"CONFIG INVALID: {count} problem{'' if count == 1 else 's'} (source: {self.source})"
        return "\n".join([head, *map(str, self.problems)])
