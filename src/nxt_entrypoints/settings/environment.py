"""Reads the variables of the registry from an environment, and collects what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nxt_entrypoints.settings.problems import Problem
from nxt_entrypoints.settings.registry import VARIABLES
from nxt_entrypoints.settings.variables.model import Need

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nxt_entrypoints.settings.settings import Value
    from nxt_entrypoints.settings.variables.model import Variable


class Environment:
    """The variables that are set, under their own names, read once.

    Attributes:
        texts: Trimmed texts of the variables that are set and not empty.
        values: What they hold; malformed ones are left out.
        malformed: Names of those, with the name under which they were given.
        clashes: Problems of aliases that are set and differ.
        blank: Names that are set, but to nothing.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.texts: dict[str, str] = {}
        self.values: dict[str, Value] = {}
        self.malformed: dict[str, str] = {}
        self.clashes: list[Problem] = []
        self.blank: set[str] = set()
        for item in VARIABLES.values():
            self._read(item, environ)

    def _read(self, item: Variable, environ: Mapping[str, str]) -> None:
        given: dict[str, str] = {}
        for name in (item.name, *item.aliases):
            if name in environ:
                text = _trimmed(item, environ[name])
                if text:
                    given[name] = text
                else:
                    self.blank.add(item.name)
        if len(set(given.values())) > 1:
            first, other = list(given)[:2]
            self.clashes.append(Problem("env", other, f"differs from {first}, which means the same"))
        if given:
            name, text = next(iter(given.items()))
            self.texts[item.name] = text
            self._parse(item, name, text)

    def _parse(self, item: Variable, given_as: str, text: str) -> None:
        try:
            self.values[item.name] = item.kind.parse(text)
        except ValueError:
            self.malformed[item.name] = given_as

    def is_set(self, name: str) -> bool:
        """Whether the variable holds something, well-formed or not."""
        return name in self.texts

    def missing(self, name: str, why: str) -> Problem:
        """The problem of a variable that should be set."""
        state = "empty" if name in self.blank else "missing"
        return Problem("env", name, f"{state} ({why})")

    def malformed_problem(self, name: str) -> Problem:
        """The problem of a variable that cannot be read; its value is not repeated."""
        return Problem("env", self.malformed[name], f"malformed: has to be {VARIABLES[name].kind.expected}")

    def value(self, name: str) -> Value | None:
        """What the variable holds, or its default."""
        if name in self.values:
            return self.values[name]
        item = VARIABLES[name]
        return None if item.default is None else item.kind.parse(item.default)


def _trimmed(item: Variable, text: str) -> str:
    keeps = getattr(item.kind, "keep_blanks", False)
    return text if keeps and item.need is not Need.IGNORED else text.strip()
