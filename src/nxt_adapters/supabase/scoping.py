"""The tenant rule and keyset pages as SQL, for every repository of tenants' rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from sys import intern
from typing import Any, TypeVar

import attrs
from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    CursorResult,
    FromClause,
    Integer,
    Select,
    Table,
    any_,
    false,
    literal,
    select,
    true,
    tuple_,
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
    columns = [table.c[field.name] for field in attrs.fields(view) if field.name in table.c]
    # A label costs time in each use of the statement.
    return [column.label(prefix + column.name) for column in columns] if prefix else list(columns)


async def page_of(
    connection: AsyncConnection,
    query: Select[Any],
    key: ColumnElement[int],
    window: Window,
    make: Callable[[Mapping[str, Any]], T],
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
    return await _page(connection, query.order_by(key), window, make)


async def _page(
    connection: AsyncConnection, query: Select[Any], window: Window, make: Callable[[Mapping[str, Any]], T]
) -> Page[T]:
    # One more than wanted tells whether there is a next page.
    rows = rows_of(await connection.execute(query.limit(window.limit + 1)))
    items = rows[: window.limit]
    return Page([make(row) for row in items], items[-1]["id"] if len(rows) > window.limit else None)


async def page_within(
    connection: AsyncConnection,
    query: Select[Any],
    group: tuple[Column[int], int | None],
    key: Column[int],
    window: Window,
    make: Callable[[Mapping[str, Any]], T],
) -> Page[T]:
    """Read a keyset page of the rows of one group, such as a tenant or a grid.

    The key is compared together with the group's column: what the server has to sort by is then the index of both. By
    the key alone it would happily walk through all rows of all others, where those of the group come late.

    Args:
        connection: Of the open transaction.
        query: All rows of the list, unordered; selects the key as ``id``.
        group: The indexed column that tells groups apart, and which one is wanted; None: nothing is.
        key: Ascending and unique; the second column of the group's index.
        window: Which part.
        make: Turns a row into an item.
    """
    column, wanted = group
    if wanted is None:
        return Page([], None)
    later = tuple_(column, key) > tuple_(literal(wanted), literal(window.after or 0))
    return await _page(connection, query.where(later, column <= wanted).order_by(column, key), window, make)


async def page_of_all(
    connection: AsyncConnection,
    query: Select[Any],
    scope: Scope,
    table: Table,
    window: Window,
    make: Callable[[Mapping[str, Any]], T],
) -> Page[T]:
    """Read a keyset page of all rows of a scope.

    Args:
        connection: Of the open transaction.
        query: All rows of the list, unordered and of any owner; selects the key as ``id``.
        scope: Whose rows.
        table: Holds ``id`` and ``rls_organization_id``, or ``organization_id``, with an index over both.
        window: Which part.
        make: Turns a row into an item.
    """
    if scope.is_platform:
        return await page_of(connection, query, table.c.id, window, make)
    owner = table.c.rls_organization_id if "rls_organization_id" in table.c else table.c.organization_id
    return await page_within(connection, query, (owner, scope.organization_id), table.c.id, window, make)


def below(parents: Table, which: ColumnElement[bool], children: Select[Any], window: Window) -> Select[Any]:
    """Select the rows that hang below some others, such as those of a grid's customers.

    What hangs below each parent is looked for by itself, by index: left to its own devices, the server reads all
    children there are as soon as it takes the parents for many.

    Args:
        parents: The table above.
        which: Whose children.
        children: Those of one row of ``parents``; selects the key as ``id``.
        window: More is not read below any parent.
    """
    if window.after is not None:
        children = children.where(children.selected_columns.id > window.after)
    own = children.order_by(children.selected_columns.id).limit(window.limit + 1).lateral()
    return select(own).select_from(parents.join(own, true())).where(which)


def rows_of(result: CursorResult[Any]) -> list[dict[str, Any]]:
    """Return all rows by the names of their columns, ready to make views of: ``View(**row)``.

    A call with many keywords is ten times faster when their names are the very objects that the function knows.
    """
    names = [intern(str(name)) for name in result.keys()]  # noqa: SIM118 - it is no mapping
    return [dict(zip(names, row, strict=True)) for row in result.all()]


def fields_of(row: Mapping[str, Any], view: type[Any], *, prefix: str = "") -> dict[str, Any]:
    """Take out of a row what a view is made of: the columns that ``columns_of`` selected."""
    return {field.name: row[prefix + field.name] for field in attrs.fields(view)}
