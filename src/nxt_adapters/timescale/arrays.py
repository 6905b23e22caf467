"""Numpy columns as PostgreSQL arrays in binary form, without a Python object for each value.

Binary array format: ``int32`` dimensions, has-null flag, element type, length, lower bound; then for each element its
size (-1 for NULL) and bytes, all big-endian. Timestamps are microseconds since 2000-01-01.
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection
from psycopg.abc import AdaptContext
from psycopg.adapt import Dumper
from psycopg.pq import Format

from nxt_domain.telemetry.columns import AnyColumn, known

_POSTGRES_EPOCH = np.datetime64("2000-01-01", "us")


@attrs.frozen(eq=False)
class ArrayParameter:
    """A column on its way to a statement; subclasses say as which type."""

    payload: bytes


class Int4Array(ArrayParameter):
    """``int4[]``."""


class Float8Array(ArrayParameter):
    """``float8[]``; NaN travels as NULL."""


class BoolArray(ArrayParameter):
    """``bool[]``."""


class TimestampArray(ArrayParameter):
    """``timestamp[]``; NaT travels as NULL."""


def int4_array(column: AnyColumn) -> Int4Array:
    """Send whole numbers."""
    return Int4Array(_encode(column, 23, ">i4", np.ones(len(column), dtype=np.bool_)))


def float8_array(column: AnyColumn) -> Float8Array:
    """Send numbers; NaN becomes NULL."""
    return Float8Array(_encode(column, 701, ">f8", known(column)))


def bool_array(column: AnyColumn) -> BoolArray:
    """Send truth values."""
    return BoolArray(_encode(column, 16, "u1", np.ones(len(column), dtype=np.bool_)))


def timestamp_array(column: AnyColumn) -> TimestampArray:
    """Send times in UTC; NaT becomes NULL."""
    is_known = known(column)
    micros = np.where(is_known, column - _POSTGRES_EPOCH, np.timedelta64(0, "us")).astype(np.int64)
    return TimestampArray(_encode(micros, 1114, ">i8", is_known))


def _encode(values: AnyColumn, element_oid: int, element: str, is_known: NDArray[np.bool_]) -> bytes:
    rows = np.empty(len(values), dtype=[("size", ">i4"), ("value", element)])
    width = rows.dtype["value"].itemsize
    rows["size"] = np.where(is_known, width, -1)
    rows["value"] = values
    has_null = not is_known.all()
    header = np.array([1, has_null, element_oid, len(values), 1], dtype=">i4").tobytes()
    if not has_null:
        return header + rows.tobytes()
    cells = np.frombuffer(rows.tobytes(), dtype=np.uint8).reshape(len(values), 4 + width)
    is_sent = np.ones(cells.shape, dtype=np.bool_)
    is_sent[~is_known, 4:] = False  # a NULL is its size alone
    return header + cells[is_sent].tobytes()


class _ArrayDumper(Dumper):
    format = Format.BINARY
    array_oid: ClassVar[int]

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        self.oid = self.array_oid

    def dump(self, obj: ArrayParameter) -> bytes:
        """Return the encoded column."""
        return obj.payload


class _Int4Dumper(_ArrayDumper):
    array_oid = 1007


class _Float8Dumper(_ArrayDumper):
    array_oid = 1022


class _BoolDumper(_ArrayDumper):
    array_oid = 1000


class _TimestampDumper(_ArrayDumper):
    array_oid = 1115


def register_arrays(connection: AsyncConnection[Any]) -> None:
    """Teach a connection to send the array parameters of this module."""
    connection.adapters.register_dumper(Int4Array, _Int4Dumper)
    connection.adapters.register_dumper(Float8Array, _Float8Dumper)
    connection.adapters.register_dumper(BoolArray, _BoolDumper)
    connection.adapters.register_dumper(TimestampArray, _TimestampDumper)
