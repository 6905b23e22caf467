"""Comparing a database with what this installation expects of it [REL-174, R44].

Tables, columns, types, defaults, keys and indexes are compared with the metadata of the plane. On the relational one
follow `scratch`, what only PostgreSQL can read (checks, conditions of indexes, triggers, functions, views), and
`guards`, what only a database has (policies, rights, partitions, the change feed).
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterable, Iterator, Mapping

import attrs
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Column, Connection, MetaData, text
from sqlalchemy.exc import SAWarning
from sqlalchemy.types import NullType, TypeEngine

from nxt_adapters.supabase import tables
from nxt_adapters.supabase.tables import stand_alone
from nxt_entrypoints.database import guards, scratch
from nxt_entrypoints.database.definitions import definitions, scripts_of
from nxt_entrypoints.database.migrate import VERSION_TABLES, Plane, UnknownPlane, connected, head, script_location

# They exist only where pg_trgm and PostGIS do [R45].
OPTIONAL_INDEXES = {
    "ix_accounts_full_name_trgm",
    "ix_orders_meta_receiver_name_trgm",
    "idx_poles_location_geom",
    "idx_energy_cabins_location_geom",
    "idx_pd_site_submissions_location_geom",
    "idx_pd_site_submissions_outline_geom",
    "idx_pd_sites_location_geom",
    "idx_pd_sites_outline_geom",
}
_SCHEMAS: Mapping[Plane, set[str | None]] = {
    "relational": {None, "public", "internal", "messaging"},
    "telemetry": {None, "public"},
    "messaging": {"messaging"},
}


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
    with connected(url) as connection:
        return differences(connection, plane)


def differences(connection: Connection, plane: Plane) -> list[Difference]:
    """Compare what an open connection sees; whatever is made for it is rolled back.

    Args:
        connection: Its open transaction goes on.
        plane: Which schema.

    Raises:
        UnknownPlane: As of check.
    """
    context = _context(connection, plane)
    revision, newest = context.get_current_revision(), head(plane)
    if revision != newest:
        stands = f"revision {revision}" if revision else "no migrations"
        return [Difference(kind="revision", name=plane, detail=f"the database has {stands}, expected {newest}")]
    metadata = _metadata(plane)
    found = list(_structure(context, metadata))
    if plane != "relational":
        return [*found, *_missing_checks(connection, metadata)]
    expected = definitions(scripts_of(script_location(plane)))
    beyond = [*scratch.findings(connection, metadata, expected), *guards.findings(connection, metadata)]
    return found + [Difference(kind=kind, name=name, detail=detail) for kind, name, detail in beyond]


def _metadata(plane: Plane) -> MetaData:
    if plane == "relational":
        return tables.metadata
    if plane == "messaging":
        return stand_alone.metadata
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
    with warnings.catch_warnings():
        # PostGIS types are unknown to the inspector; guards look at them.
        warnings.filterwarnings("ignore", "Did not recognize type", SAWarning)
        entries = list(_flat(compare_metadata(context, metadata)))
    for entry in entries:
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


def _missing_checks(connection: Connection, metadata: MetaData) -> Iterator[Difference]:
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
