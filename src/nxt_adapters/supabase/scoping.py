"""The tenant rule and keyset pages as SQL, for every repository of tenants' rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import attrs
from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    FromClause,
    Integer,
    RowMapping,
    Select,
    any_,
    false,
    literal,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_domain.identity.scope import Scope
from nxt_domain.shared.paging import Page, Window

T = TypeVar("T")


def owned_by(scope: Scope, organization: Column[int]) -> ColumnElement[bool]:
    """Restrict a statement to the rows of a scope.

    Args:
        scope: Whose rows.
        organization: The column that names a row's owner.
    """
    if scope.is_platform:
        return true()
    return false() if scope.organization_id is None else organization == scope.organization_id


def among(key: Column[int], ids: Collection[int]) -> ColumnElement[bool]:
    """Restrict a statement to some keys: one parameter, however many there are."""
    return key == any_(literal(list(ids), ARRAY(Integer)))


def columns_of(table: FromClause, view: type[Any], *, prefix: str = "") -> list[ColumnElement[Any]]:
    """Select the columns that a view names, each under its name.

    Args:
        table: Holds a column for each field of the view.
        view: An attrs class without nested objects.
        prefix: Put before the labels, where several tables meet in one row.
    """
    return [table.c[field.name].label(prefix + field.name) for field in attrs.fields(view) if field.name in table.c]


async def page_of(
    connection: AsyncConnection,
    query: Select[Any],
    key: Column[int],
    window: Window,
    make: Callable[[RowMapping], T],
) -> Page[T]:
    """Read a keyset page in one statement.

    Args:
        connection: Of the open transaction.
        query: All rows of the list, unordered; selects the key as ``id``.
        key: The list's ascending, unique key.
        window: Which part.
        make: Turns a row into an item.
    """
    if window.after is not None:
        query = query.where(key > window.after)
    # One more than wanted tells whether there is a next page.
    rows: Sequence[RowMapping] = (
        (await connection.execute(query.order_by(key).limit(window.limit + 1))).mappings().all()
    )
    items = rows[: window.limit]
    return Page([make(row) for row in items], items[-1]["id"] if len(rows) > window.limit else None)
