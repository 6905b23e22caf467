"""Deriving columns anew: what differs is reported, and written where that was asked for [REL-83, REL-194]."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs
from sqlalchemy import ColumnElement, Connection, Subquery, or_, select, update

from nxt_entrypoints.database.derived_columns import ALL, Derived
from nxt_entrypoints.database.migrate import connected

_MOST_PER_QUESTION = 1000


@attrs.frozen(kw_only=True)
class Deviation:
    """A row whose derived columns are not what they follow from.

    Attributes:
        table: Its table.
        id: Its key; of shadows the meter's.
        stored: What is written.
        derived: What follows from the other tables.
        is_repaired: Whether it was put right now.
    """

    table: str
    id: int
    stored: Mapping[str, object]
    derived: Mapping[str, object]
    is_repaired: bool

    def __str__(self) -> str:
        facts = ", ".join(f"{name} is {self.stored[name]}, derived {value}" for name, value in self.derived.items())
        return f"{self.table} {self.id}: {facts}{' (repaired)' if self.is_repaired else ''}"


def rebuild(url: str, *, repairs: bool = False, rules: Iterable[Derived] = ALL) -> Sequence[Deviation]:
    """Compare derived columns with what they follow from, each rule in a transaction of its own.

    Args:
        url: ``postgresql://…`` of the login that owns the database.
        repairs: Write what was derived. A wallet's balance is never written: it follows the ledger alone.
        rules: What to look at.

    Returns:
        What differed, at most a thousand rows for each rule; every differing row is repaired.

    Raises:
        Unavailable: The database can't be reached.
    """
    found: list[Deviation] = []
    with connected(url) as connection:
        for rule in rules:
            with connection.begin():
                found += _deviations(connection, rule, repairs=repairs and rule.is_repaired)
    return found


def _deviations(connection: Connection, rule: Derived, *, repairs: bool) -> list[Deviation]:
    answer = rule.question.subquery()
    differs = _differs(rule, answer)
    stored = [rule.table.c[name].label(f"stored_{name}") for name in rule.columns]
    query = select(answer, *stored).join(rule.table, rule.table.c[rule.key] == answer.c.id).where(differs)
    rows = connection.execute(query.distinct().order_by(answer.c.id).limit(_MOST_PER_QUESTION)).mappings().all()
    if repairs and rows:
        values = {name: answer.c[name] for name in rule.columns}
        connection.execute(update(rule.table).values(values).where(rule.table.c[rule.key] == answer.c.id, differs))
    return [_deviation(rule, dict(row), is_repaired=repairs) for row in rows]


def _differs(rule: Derived, answer: Subquery) -> ColumnElement[bool]:
    return or_(*(rule.table.c[name].is_distinct_from(answer.c[name]) for name in rule.columns))


def _deviation(rule: Derived, row: Mapping[str, object], *, is_repaired: bool) -> Deviation:
    names = [name for name in rule.columns if row[f"stored_{name}"] != row[name]]
    return Deviation(
        table=rule.table.name,
        id=int(str(row["id"])),
        stored={name: row[f"stored_{name}"] for name in names},
        derived={name: row[name] for name in names},
        is_repaired=is_repaired,
    )
