"""Statements that are written out as SQL once, and run without SQLAlchemy's work for each run."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, cached_property
from sys import intern
from typing import Any, TypeAlias

from psycopg import AsyncCursor
from psycopg.rows import TupleRow
from sqlalchemy import Select, TextClause, text
from sqlalchemy.dialects.postgresql import psycopg as dialects
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.dml import UpdateBase

from nxt_adapters.supabase.engine import dump_json

_DIALECT: Dialect = dialects.dialect()  # type: ignore[no-untyped-call]  # its constructor has no types

Statement: TypeAlias = Select[Any] | UpdateBase | TextClause
Record: TypeAlias = Any
"""A row whose columns are attributes."""


class Written:
    """A statement with named parameters, for transactions.

    Args:
        statement: A select, a change with or without ``returning``, or text. What is not known yet stands as
            ``bindparam`` with a name, in text as ``:name``.

    Raises:
        ValueError: Two of its columns have the same name.
    """

    def __init__(self, statement: Statement | str) -> None:
        compiled = (text(statement) if isinstance(statement, str) else statement).compile(dialect=_DIALECT)
        self.sql = str(compiled)
        self.query = self.sql.encode()
        self._known = {name: value for name, value in compiled.params.items() if value is not None}
        self._names = _distinct(one.name for one in _columns(statement))

    def parameters(self, given: Mapping[str, object]) -> dict[str, object]:
        """Return all parameters of one run."""
        return {**self._known, **given}

    async def fetch(self, cursor: AsyncCursor[TupleRow]) -> list[TupleRow]:
        """Take all rows of a run; what text returns is known from its first run on."""
        if not self._names:
            self._names = _distinct(one.name for one in cursor.description or ())
        return await cursor.fetchall()

    def by_name(self, rows: Iterable[TupleRow]) -> list[dict[str, Any]]:
        """Name the values of rows."""
        names = self._names
        return [dict(zip(names, row, strict=True)) for row in rows]

    def as_objects(self, rows: list[TupleRow]) -> list[Record]:
        """Make the columns of rows attributes."""
        return list(map(self._object, rows)) if rows else []

    @cached_property
    def _object(self) -> Callable[[TupleRow], Record]:
        made: Any = namedtuple("Row", self._names)  # type: ignore[misc]
        make: Callable[[TupleRow], Record] = made._make
        return make


class Read(Written):
    """A select with named parameters, which may also run outside transactions; see ``Written``."""

    def __init__(self, statement: Select[Any] | str) -> None:
        super().__init__(statement)


def insertion(
    table: str, rows: Sequence[Mapping[str, object]], *, returning: tuple[str, ...] = ()
) -> tuple[Written, Mapping[str, object]]:
    """Write an insert of rows, in their order, and its parameters: one JSON array, whatever their number.

    Args:
        table: With its schema; its own row type reads the values.
        rows: At least one, all with the same columns.
        returning: Columns to return, named one by one: a column that a migration adds disturbs nobody at work.
    """
    return _insert(table, tuple(rows[0]), returning), {"rows": dump_json(rows)}


@cache
def _insert(table: str, columns: tuple[str, ...], returning: tuple[str, ...]) -> Written:
    # Names come from the program, values from the parameter.
    names = ", ".join(columns)
    returned = f"returning {', '.join(returning)}" if returning else ""
    return Written(
        f"""
        insert into {table} ({names})
        select {names} from jsonb_populate_recordset(null::{table}, cast(:rows as jsonb)) with ordinality
        order by ordinality
        {returned}
        """  # noqa: S608 - see above
    )


def _columns(statement: Statement | str) -> Iterable[Any]:
    return statement.exported_columns if isinstance(statement, Select | UpdateBase) else ()


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    # A call with many keywords is ten times faster when their names are the very objects that the function knows.
    found = tuple(intern(str(name)) for name in names)
    if len(set(found)) < len(found):
        raise ValueError("a column's name stands for two")
    return found
