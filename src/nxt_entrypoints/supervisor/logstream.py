"""One stream for the output of several processes, each line marked with its writer."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import asyncio

_COLOURS = (36, 33, 35, 32, 34, 31)
_CHUNK = 64 * 1024
_LONGEST_LINE = 1024 * 1024


class LogStream:
    """Writes whole lines, prefixed with an aligned name; coloured where a person reads along.

    Args:
        names: All writers, known beforehand so that the prefixes align.
        out: Where the lines go; default standard error.
        colour: ``None`` decides by whether ``out`` is a terminal.
    """

    def __init__(self, names: tuple[str, ...], *, out: TextIO | None = None, colour: bool | None = None) -> None:
        self._out = out or sys.stderr
        self._width = max(map(len, names), default=0)
        coloured = self._out.isatty() if colour is None else colour
        self._colours = dict(zip(names, itertools.cycle(_COLOURS), strict=False)) if coloured else {}

    def write(self, name: str, line: str) -> None:
        """Write one line."""
        prefix = f"{name:<{self._width}} |"
        if name in self._colours:
            prefix = f"\x1b[{self._colours[name]}m{prefix}\x1b[0m"
        self._out.write(f"{prefix} {line}\n")
        self._out.flush()

    async def follow(self, name: str, reader: asyncio.StreamReader) -> None:
        """Write everything a process says until it closes its output; a line of any length is taken."""
        rest = b""
        while chunk := await reader.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self.write(name, line.decode("utf-8", errors="replace").rstrip("\r"))
            if len(rest) > _LONGEST_LINE:
                self.write(name, rest.decode("utf-8", errors="replace"))
                rest = b""
        if rest:
            self.write(name, rest.decode("utf-8", errors="replace"))
