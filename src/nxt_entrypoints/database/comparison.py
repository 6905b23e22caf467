"""Comparing a database with what this installation expects of it [REL-174, R44].

Tables, columns, types, defaults, keys and indexes are compared with the metadata of the plane; checks, functions and
triggers with the metadata and the SQL of the migrations; the rest are properties that only the database can have.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import attrs
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Column, Connection, MetaData, text
from sqlalchemy.types import NullType, TypeEngine

from nxt_adapters.supabase import tables
from nxt_entrypoints.database import guards
from nxt_entrypoints.database.migrate import VERSION_TABLES, Plane, UnknownPlane, connected, head, script_location

# They exist only where pg_trgm and PostGIS do [R45].
OPTIONAL_INDEXES = {"ix_accounts_full_name_trgm", "ix_orders_meta_receiver_name_trgm", "idx_poles_location_geom"}
_SCHEMAS: Mapping[Plane, set[str | None]] = {
    "relational": {None, "public", "internal", "messaging"},
    "telemetry": {None, "public"},
}
_FUNCTION = re.compile(
    r"create (?:or replace )?function\s+([\w.]+)\s*\(.*?\bas \$\$(.*?)\$\$", re.DOTALL | re.IGNORECASE
)
_TRIGGER = re.compile(r"create (?:constraint )?trigger\s+(\w+)\s.*?\son\s+([\w.]+)", re.DOTALL | re.IGNORECASE)
_NAME_LIMIT = 63


@attrs.frozen(kw_only=True)
class Difference:
    """One thing in which a database differs.

    Attributes:
        kind: ``table``, ``column``, ``index``, ``constraint``, ``function``, ``trigger``, ``partition``, ``right``, …
        name: What it is about.
        detail: A sentence for the operator.
    """

    kind: str
    name: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.detail}"


def check(url: str, plane: Plane) -> list[Difference]:
    """Compare a database with this installation; an empty list means that nothing differs.

    Args:
        url: ``postgresql://…``; a login that may read the catalogues.
        plane: Which schema.

    Raises:
        Unavailable: The database can't be reached.
        UnknownPlane: No migrations of that plane are installed.
    """
    expected = head(plane)
    with connected(url) as connection:
        context = _context(connection, plane)
        revision = context.get_current_revision()
        if revision != expected:
            found = f"revision {revision}" if revision else "no migrations"
            return [Difference(kind="revision", name=plane, detail=f"the database has {found}, expected {expected}")]
        metadata = _metadata(plane)
        differences = [*_structure(context, metadata), *_checks(connection, metadata)]
        differences += _routines(connection, script_location(plane))
        if plane == "relational":
            differences += [
                Difference(kind=kind, name=name, detail=detail) for kind, name, detail in guards.findings(connection)
            ]
        return differences


def _metadata(plane: Plane) -> MetaData:
    if plane == "relational":
        return tables.metadata
    try:
        module = importlib.import_module("nxt_adapters.timescale.tables")
    except ModuleNotFoundError as error:
        raise UnknownPlane("This installation has no tables of the telemetry plane") from error
    metadata = module.metadata
    if not isinstance(metadata, MetaData):
        raise TypeError("nxt_adapters.timescale.tables.metadata is no MetaData")
    return metadata


def _context(connection: Connection, plane: Plane) -> MigrationContext:
    partitions = {
        (row.schema, row.name)
        for row in connection.execute(
            text(
                "select n.nspname as schema, c.relname as name"
                " from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relispartition"
            )
        )
    }

    def wanted(name: str | None, kind: str, parents: Mapping[str, str | None]) -> bool:
        if kind == "schema":
            return name in _SCHEMAS[plane]
        if kind == "table":
            return (parents.get("schema_name") or "public", name) not in partitions
        return not (kind == "index" and name in OPTIONAL_INDEXES)

    def ours(item: object, _name: str | None, kind: str, _reflected: object, _compared: object) -> bool:
        return kind != "table" or getattr(item, "schema", None) in _SCHEMAS[plane]

    return MigrationContext.configure(
        connection,
        opts={
            "version_table": VERSION_TABLES[plane],
            "include_schemas": True,
            "include_name": wanted,
            "include_object": ours,
            "compare_type": _type_differs,
            "compare_server_default": True,
        },
    )


def _type_differs(
    _context: MigrationContext,
    inspected: Column[object],
    _expected: Column[object],
    inspected_type: TypeEngine[object],
    expected_type: TypeEngine[object],
) -> bool | None:
    if isinstance(expected_type, tables.GeoJson):
        # jsonb, or a geometry, which the inspector doesn't know.
        return not isinstance(inspected_type, NullType) and str(inspected_type) != "JSONB"
    return None


def _structure(context: MigrationContext, metadata: MetaData) -> Iterator[Difference]:
    for entry in _flat(compare_metadata(context, metadata)):
        action, kind = str(entry[0]).split("_", 1)
        yield Difference(kind=kind, name=_subject(entry), detail=_sentence(action, entry))


def _flat(entries: Iterable[object]) -> Iterator[tuple[object, ...]]:
    for entry in entries:
        if isinstance(entry, list):
            yield from _flat(entry)
        elif isinstance(entry, tuple):
            yield entry


def _subject(entry: tuple[object, ...]) -> str:
    if str(entry[0]).startswith("modify_"):
        return ".".join(str(part) for part in entry[1:4] if part)
    if str(entry[0]).endswith("_column"):
        return ".".join(str(part) for part in (*entry[1:3], getattr(entry[3], "name", "")) if part)
    item = entry[1]
    table = getattr(item, "table", item)
    name = str(getattr(item, "name", item))
    return name if table is item else f"{getattr(table, 'fullname', table)}.{name}"


def _sentence(action: str, entry: tuple[object, ...]) -> str:
    if action == "modify":
        return f"is {entry[-2]!s}, expected {entry[-1]!s}"
    return {"add": "is missing", "remove": "is not expected"}.get(action, action)


def _checks(connection: Connection, metadata: MetaData) -> Iterator[Difference]:
    expected = {
        f"{table.fullname}.{constraint.name}"
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint) and constraint.name
    }
    found = set(
        connection.scalars(
            text(
                "select case n.nspname when 'public' then '' else n.nspname || '.' end || c.relname || '.' || k.conname"
                " from pg_constraint k join pg_class c on c.oid = k.conrelid"
                " join pg_namespace n on n.oid = c.relnamespace where k.contype = 'c' and k.convalidated"
            )
        )
    )
    for name in sorted(expected - found):
        yield Difference(kind="check", name=name, detail="is missing")


def _routines(connection: Connection, location: Path) -> Iterator[Difference]:
    bodies: dict[str, str] = {}
    triggers: set[str] = set()
    for step in sorted(location.glob("versions/**/*.sql")):
        statements = step.read_text(encoding="utf-8")
        bodies |= dict(_FUNCTION.findall(statements))
        triggers |= {f"{table}.{name[:_NAME_LIMIT]}" for name, table in _TRIGGER.findall(statements)}
    yield from _functions(connection, bodies)
    found = set(
        connection.scalars(
            text(
                "select n.nspname || '.' || c.relname || '.' || t.tgname from pg_trigger t join pg_class c"
                " on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace"
                " where not t.tgisinternal and t.tgenabled in ('O', 'A')"
            )
        )
    )
    for name in sorted(triggers - found):
        yield Difference(kind="trigger", name=name, detail="is missing or disabled")


def _functions(connection: Connection, bodies: Mapping[str, str]) -> Iterator[Difference]:
    found = {
        row.name: row.body
        for row in connection.execute(
            text(
                "select n.nspname || '.' || p.proname as name, p.prosrc as body"
                " from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = any(:schemas)"
            ),
            {"schemas": sorted({name.split(".")[0] for name in bodies})},
        )
    }
    for name, body in sorted(bodies.items()):
        if name not in found:
            yield Difference(kind="function", name=name, detail="is missing")
        elif found[name] != body:
            yield Difference(kind="function", name=name, detail="has another body than the migrations gave it")
