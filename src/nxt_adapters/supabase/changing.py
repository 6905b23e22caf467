"""Partial updates of many rows in one statement."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Table, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from nxt_adapters.supabase.session import Session
from nxt_domain.shared.changes import RowChange


async def change_rows(session: Session, table: Table, changes: Sequence[RowChange]) -> None:
    """Set in each row the columns that its own change names, and no others.

    Args:
        session: Of the unit of work.
        table: With a key ``id``.
        changes: At most one for each row.
    """
    names = sorted({name for change in changes for name in change.values})
    if names:
        rows = [{"id": change.id, **change.values} for change in changes]
        await session.execute(_statement(table, names), {"changes": rows})


def _statement(table: Table, names: Sequence[str]) -> TextClause:
    """Write the statement; a column that no change names is not touched, so that its triggers stay silent."""
    columns = ", ".join(f"{name} = case when c.change ? '{name}' then n.{name} else t.{name} end" for name in names)
    # Names come from the program; values travel as one parameter, which the table's own row type reads.
    statement = f"""
        update public.{table.name} t set {columns}
        from jsonb_array_elements(:changes) as c (change)
        cross join lateral jsonb_populate_record(null::public.{table.name}, c.change) as n
        where t.id = n.id
        """  # noqa: S608 - see above
    return text(statement).bindparams(bindparam("changes", type_=JSONB))
