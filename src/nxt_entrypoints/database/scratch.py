"""Comparing what PostgreSQL alone can read: it rewrites every expression, so the expected one is built beside.

Tables, indexes, functions, views and triggers are made once more in the session's temporary schema, from the
metadata and the SQL of the migrations; their normal forms are compared; everything is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

import psycopg
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.dialects.postgresql import ENUM
from sqlalchemy.schema import CreateIndex, CreateTable

from nxt_adapters.supabase.tables import GeoJson
from nxt_entrypoints.database.definitions import Definition
from nxt_entrypoints.database.row_security import Finding

Definitions = Mapping[tuple[str, str], Definition]

_SCHEMAS = ("public", "internal", "messaging", "compat")
# The identity provider's tables may have more than we made [R45].
_PROVIDER = "auth."
# Written by a function of the database; guards look at their columns.
_REPEATED = frozenset(f"compat.{name}" for name in ("orders", "meters", "grids", "wallets", "transactions"))
_PARENTHESES = str.maketrans("", "", "()")
# Schema, table or own name, part of a table, normal form.
_CHECKS = """
    select n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid)
    from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
    where k.contype = 'c' and not c.relispartition
"""
_INDEXES = """
    select n.nspname, c.relname, i.relname,
        concat_ws(' ', x.indisunique, regexp_replace(pg_get_indexdef(i.oid), '^.* USING ', ''))
    from pg_index x join pg_class i on i.oid = x.indexrelid
    join pg_class c on c.oid = x.indrelid join pg_namespace n on n.oid = c.relnamespace
"""
_PRIMARY_KEYS = f"{_INDEXES} where x.indisprimary and not c.relispartition"
_TRIGGERS = """
    select n.nspname, c.relname, t.tgname, regexp_replace(pg_get_triggerdef(t.oid), ' ON \\S+ ', ' ON it ')
    from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
    where not t.tgisinternal and t.tgenabled in ('O', 'A') and not c.relispartition
"""
_FUNCTIONS = """
    select n.nspname, p.proname, null, concat_ws(' ', l.lanname, p.provolatile, p.prosecdef, p.proisstrict,
        p.proconfig, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.prosrc)
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
    where not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
"""
_VIEWS = """
    select n.nspname, c.relname, null, concat_ws(' ', c.reloptions, pg_get_viewdef(c.oid))
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'v' and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
"""
_ENUMS = """
    select t.typname as name, array_agg(e.enumlabel::text order by e.enumsortorder) as labels
    from pg_type t join pg_enum e on e.enumtypid = t.oid
    where t.typnamespace = 'public'::regnamespace group by t.typname
"""


def findings(connection: Connection, metadata: MetaData, expected: Definitions) -> Iterator[Finding]:
    """Yield differences of enumerations, checks, indexes, triggers, functions and views.

    Args:
        connection: With the right to make temporary tables; nothing of it remains.
        metadata: The tables.
        expected: What the migrations define.
    """
    yield from _enums(connection, metadata)
    originals = {table.name: f"{table.schema or 'public'}.{table.name}" for table in metadata.tables.values()}
    attempt = connection.begin_nested()
    try:
        connection.execute(text("set local check_function_bodies = off; set local client_min_messages = error"))
        _copy_tables(connection, metadata)
        made = _copy_definitions(connection, expected)
        yield from _compared(connection, "check", _CHECKS, originals, _checks_of_places(metadata))
        yield from _compared(connection, "primary key", _PRIMARY_KEYS, originals)
        yield from _compared(connection, "index", _INDEXES, originals, None)
        yield from _compared(connection, "trigger", _TRIGGERS, originals)
        yield from _compared(connection, "function", _FUNCTIONS, made)
        yield from _compared(connection, "view", _VIEWS, made, _REPEATED)
    finally:
        attempt.rollback()


def _enums(connection: Connection, metadata: MetaData) -> Iterator[Finding]:
    found = {row.name: row.labels for row in connection.execute(text(_ENUMS))}
    kinds = {
        str(column.type.name): list(column.type.enums)
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, ENUM)
    }
    for name, labels in sorted(kinds.items()):
        if found.get(name) != labels:
            yield "enumeration", name, f"is {found.get(name)}, expected {labels}"


def _checks_of_places(metadata: MetaData) -> frozenset[str]:
    # Only where PostGIS is missing have columns of places a check [R45].
    return frozenset(
        f"public.{table.name}.ck_{table.name}_{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, GeoJson)
    )


def _copy_tables(connection: Connection, metadata: MetaData) -> None:
    copies = MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.tables.values():
        copy = table.to_metadata(copies, schema=None)  # type: ignore[arg-type]  # None means none
        copy._prefixes = ["TEMPORARY"]  # noqa: SLF001 - the only way to add one to a table that exists
        connection.execute(CreateTable(copy, include_foreign_key_constraints=[]))
        for index in copy.indexes:
            connection.execute(CreateIndex(index))


def _copy_definitions(connection: Connection, expected: Definitions) -> Mapping[str, str]:
    """Make what can be made; what it needs and the database lacks is a difference of its own.

    Returns:
        The name of each copied function and view, and the name of the original.
    """
    cursor = connection.connection.cursor()
    names: dict[str, str] = {}
    for number, definition in enumerate(expected.values()):
        if definition.table:
            statement = definition.on(f"pg_temp.{definition.table.rpartition('.')[2]}")
        else:
            copy = f"{definition.kind}_{number}"
            names[copy] = definition.name
            statement = definition.renamed(f"pg_temp.{copy}")
        with suppress(psycopg.Error), connection.begin_nested():
            cursor.execute(statement)
    return names


def _ungrouped(form: str) -> str:
    """Leave out parentheses: reading a dumped expression anew groups a chain of ANDs in another way."""
    return form.translate(_PARENTHESES)


def _compared(
    connection: Connection,
    kind: str,
    query: str,
    originals: Mapping[str, str],
    tolerated: frozenset[str] | None = frozenset(),
) -> Iterator[Finding]:
    """Compare the normal forms of one kind: those of the copies with those of what their originals' schemas hold.

    Args:
        connection: With the copies.
        kind: Of the findings.
        query: Asks for both.
        originals: Name of a copied table, function or view, to the full name of the original.
        tolerated: Full names that may exist unexpected; None: only what exists on both sides is compared.
    """
    scratch = connection.scalar(text("select pg_my_temp_schema()::regnamespace::text"))
    known = set(originals.values())
    wanted: dict[str, str] = {}
    found: dict[str, str] = {}
    for schema, name, part, form in connection.execute(text(query)):
        owner = originals[name] if schema == scratch else f"{schema}.{name}"
        if schema == scratch:
            wanted[f"{owner}.{part}" if part else owner] = form
        elif owner in known if part else schema in _SCHEMAS:
            found[f"{owner}.{part}" if part else owner] = form
    for name in sorted(wanted.keys() & found.keys()):
        if _ungrouped(wanted[name]) != _ungrouped(found[name]):
            yield kind, name, f"is {found[name]}, expected {wanted[name]}"
    if tolerated is None:
        return
    for name in sorted(wanted.keys() - found.keys()):
        yield kind, name, "is missing or disabled" if kind == "trigger" else "is missing"
    for name in sorted(found.keys() - wanted.keys() - tolerated):
        if not name.startswith(_PROVIDER):
            yield kind, name, "is not expected"
