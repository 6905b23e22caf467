"""What the SQL of the migrations defines in the end: functions, views, triggers.

The files are read in the order in which they are applied; a later definition replaces an earlier one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import attrs

_TOKEN = re.compile(r"""--[^\n]*|\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'|"[^"]*"|;""", re.DOTALL)
_LEADING_REMARKS = re.compile(r"\A(?:\s+|--[^\n]*(?:\n|\Z))+")
_NAME = r'("[^"]+"|[\w.]+)'
_CREATE = re.compile(
    rf"create\s+(?:or\s+replace\s+)?(?:constraint\s+)?(function|view|trigger)\s+{_NAME}", re.IGNORECASE
)
_DROP = re.compile(rf"drop\s+(function|view|trigger)\s+(?:if\s+exists\s+)?{_NAME}", re.IGNORECASE)
_TABLE = re.compile(rf"\son\s+{_NAME}", re.IGNORECASE)
_NAME_LIMIT = 63


@attrs.frozen(kw_only=True)
class Definition:
    """One object that a migration made.

    Attributes:
        kind: ``function``, ``view`` or ``trigger``.
        name: Of functions and views with schema; as PostgreSQL cuts it.
        table: With schema; empty for functions and views.
        statement: The CREATE statement.
        name_span: Where in the statement the name stands.
        table_span: Where in the statement the table stands; (0, 0) without one.
    """

    kind: str
    name: str
    table: str
    statement: str
    name_span: tuple[int, int]
    table_span: tuple[int, int]

    @property
    def full_name(self) -> str:
        """The name with its table: ``public.orders.check_order_transition``."""
        return f"{self.table}.{self.name}" if self.table else self.name

    def renamed(self, name: str) -> str:
        """Return the statement for another name."""
        start, end = self.name_span
        return f"{self.statement[:start]}{name}{self.statement[end:]}"

    def on(self, table: str) -> str:
        """Return the statement for another table."""
        start, end = self.table_span
        return f"{self.statement[:start]}{table}{self.statement[end:]}"


def definitions(scripts: Iterable[str]) -> Mapping[tuple[str, str], Definition]:
    """Collect what stands after all scripts, by kind and full name."""
    standing: dict[tuple[str, str], Definition] = {}
    for script in scripts:
        for statement in _statements(script):
            if made := _CREATE.match(statement):
                found = _definition(statement, made)
                standing[found.kind, found.full_name] = found
            elif dropped := _DROP.match(statement):
                found = _definition(statement, dropped)
                standing.pop((found.kind, found.full_name), None)
    return standing


def scripts_of(location: Path) -> Iterator[str]:
    """Read the SQL files beside the migrations of a plane, in their order."""
    for step in sorted(location.glob("versions/*/*.sql")):
        yield step.read_text(encoding="utf-8")


def _definition(statement: str, match: re.Match[str]) -> Definition:
    kind = match[1].lower()
    table = _TABLE.search(statement, match.end()) if kind == "trigger" else None
    return Definition(
        kind=kind,
        name=match[2].strip('"')[:_NAME_LIMIT] if table else match[2],
        table=table[1] if table else "",
        statement=statement,
        name_span=match.span(2),
        table_span=table.span(1) if table else (0, 0),
    )


def _statements(script: str) -> Iterator[str]:
    start = 0
    for token in _TOKEN.finditer(script):
        if token[0] == ";":
            yield _LEADING_REMARKS.sub("", script[start : token.start()])
            start = token.end()
