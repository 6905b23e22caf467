"""The vocabulary of the table modules: types with their scales [REL-131], keys, time stamps, defaults."""

import json
from collections.abc import Callable

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Dialect,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
    Numeric,
    Text,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB, TIMESTAMP
from sqlalchemy.types import UserDefinedType

metadata = MetaData(
    naming_convention={
        # PostgreSQL's own names, so that constraints made by hand and by migrations are called the same.
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
    }
)


class GeoJson(UserDefinedType[dict[str, object]]):
    """A GeoJSON object: ``geometry`` where PostGIS is at hand, ``jsonb`` elsewhere [R45].

    Both take the JSON text on input, and ``to_jsonb`` gives both back as the same object, save that PostGIS names the
    reference system, which is always the same.

    Args:
        kind: ``Point`` or ``Polygon``; coordinates are longitude, latitude in degrees (EPSG:4326).
    """

    cache_ok = True

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def get_col_spec(self, **_options: object) -> str:
        """Name the type of a database without PostGIS."""
        return "jsonb"

    def bind_processor(self, dialect: Dialect) -> Callable[[dict[str, object] | None], str | None]:
        """Write the object as JSON text, which both types parse."""
        dump = getattr(dialect, "_json_serializer", None) or json.dumps

        def write(value: dict[str, object] | None) -> str | None:
            return None if value is None else str(dump(value))

        return write

    def column_expression(self, colexpr: ColumnElement[dict[str, object]]) -> ColumnElement[dict[str, object]]:
        """Read the object as ``jsonb`` whatever the column is."""
        return func.to_jsonb(colexpr).op("-", return_type=self)(literal_column("'crs'"))


MONEY = Numeric(20, 4)
PRICE = Numeric(12, 4)
ENERGY = Numeric(14, 3)
ENERGY_SOLD = Numeric(12, 1)
CAPACITY = Numeric(12, 2)
MODULE_KWH = Numeric(12, 3)
FINE = Numeric(10, 3)
LATITUDE = Numeric(8, 6)
LONGITUDE = Numeric(9, 6)
INSTANT = TIMESTAMP(timezone=True)
INSTANT_MS = TIMESTAMP(timezone=True, precision=3)
JSON_DOCUMENT = JSONB(none_as_null=True)
JSON_TEXT = JSON(none_as_null=True)
SORTED_TEXT = Text(collation="C")

NOW = text("now()")
ZERO = text("0")
YES = text("true")
NO = text("false")
EMPTY_OBJECT = text("'{}'")
EMPTY_ARRAY = text("'[]'")
EMPTY_LIST = text("'{}'")


def int_key() -> Column[int]:
    """Return the 32-bit key of a table that clients have always known [REL-8]."""
    return Column("id", Integer, Identity(always=False), primary_key=True)


def big_key() -> Column[int]:
    """Return the 64-bit key of a newer table [REL-8]."""
    return Column("id", BigInteger, Identity(always=False), primary_key=True)


def created_at_ms() -> Column[object]:
    """Return the birth time of an older table, in milliseconds [REL-11]."""
    return Column("created_at", INSTANT_MS, nullable=False, server_default=NOW)


def created_at() -> Column[object]:
    """Return the birth time of a newer table, in microseconds [REL-11]."""
    return Column("created_at", INSTANT, nullable=False, server_default=NOW)


def tenant(constraint: str) -> Column[int]:
    """Return the owner organization of a row, which triggers keep [REL-101].

    Args:
        constraint: Name of the foreign key; hints of the table REST gateway use it [REL-117].
    """
    return Column("rls_organization_id", Integer, ForeignKey("organizations.id", name=constraint))
