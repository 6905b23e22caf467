"""The tenant rule and keyset pages as SQL, for every repository of tenants' rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import attrs
from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Table,
    any_,
    bindparam,
    false,
    literal,
    select,
    true,
    tuple_,
)

from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.written import Read
from nxt_domain.identity.scope import PLATFORM, Scope
from nxt_domain.shared.paging import Page, Window

T = TypeVar("T")

OWNER = bindparam("owner_id", type_=Integer)
"""Stands for a scope's tenant in statements that are written out once for all of them; see ``owner_of``."""

GRID = bindparam("grid_id", type_=Integer)
"""Stands for the grid whose part of a list is wanted."""

_SOME_TENANT = Scope(organization_id=0)
_AFTER, _LIMIT = bindparam("after", type_=Integer), bindparam("limit", type_=Integer)


def owned_by(scope: Scope, organization: Column[int]) -> ColumnElement[bool]:
    """Restrict a statement to the rows of a scope.

    Args:
        scope: Whose rows.
        organization: The column that names a row's owner.
    """
    if scope.is_platform:
        return true()
    return false() if scope.organization_id is None else organization == scope.organization_id


def owned(scope: Scope, organization: Column[int]) -> ColumnElement[bool]:
    """As ``owned_by``, for a statement that is written out once: its owner comes with each run, from ``owner_of``."""
    return true() if scope.is_platform else organization == OWNER


def owner_of(scope: Scope) -> Mapping[str, object]:
    """Return the parameter that binds a statement to a scope; without a tenant nothing is found."""
    return {"owner_id": scope.organization_id}


def kind_of(scope: Scope) -> Scope:
    """Reduce a scope to what decides about the words of a statement: one for all tenants, one for the platform."""
    return PLATFORM if scope.is_platform else _SOME_TENANT


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


def pages(query: Select[Any], key: ColumnElement[int]) -> Read:
    """Write out the keyset pages of a list.

    Args:
        query: All rows of the list, unordered; selects the key as ``id``.
        key: The list's ascending, unique key.
    """
    return Read(query.where(key > _AFTER).order_by(key).limit(_LIMIT))


def pages_within(query: Select[Any], group: Column[int], wanted: ColumnElement[int], key: Column[int]) -> Read:
    """Write out the keyset pages of the rows of one group, such as a tenant or a grid.

    The key is compared together with the group's column: what the server has to sort by is then the index of both. By
    the key alone it would happily walk through all rows of all others, where those of the group come late.

    Args:
        query: All rows of the list, unordered; selects the key as ``id``.
        group: The indexed column that tells groups apart.
        wanted: Which one; null: none is.
        key: Ascending and unique; the second column of the group's index.
    """
    later = tuple_(group, key) > tuple_(wanted, _AFTER)
    return Read(query.where(later, group <= wanted).order_by(group, key).limit(_LIMIT))


def pages_of_all(query: Select[Any], scope: Scope, table: Table) -> Read:
    """Write out the keyset pages of all rows of a scope.

    Args:
        query: All rows of the list, unordered and of any owner; selects the key as ``id``.
        scope: Whose rows.
        table: Holds ``id`` and ``rls_organization_id``, or ``organization_id``, with an index over both.
    """
    if scope.is_platform:
        return pages(query, table.c.id)
    owner = table.c.rls_organization_id if "rls_organization_id" in table.c else table.c.organization_id
    return pages_within(query, owner, OWNER, table.c.id)


async def page_of(
    session: Session,
    read: Read,
    scope: Scope,
    window: Window,
    make: Callable[[Mapping[str, Any]], T],
    **wanted: int | None,
) -> Page[T]:
    """Read a keyset page in one statement.

    Args:
        session: Of the unit of work.
        read: The list's pages.
        scope: Whose rows.
        window: Which part.
        make: Turns a row into an item.
        wanted: What else the statement asks for, such as ``grid_id``.
    """
    # One more than wanted tells whether there is a next page.
    place = {"limit": window.limit + 1, "after": window.after or 0}
    rows = await session.rows(read, {**wanted, **place, **owner_of(scope)})
    items = rows[: window.limit]
    return Page([make(row) for row in items], items[-1]["id"] if len(rows) > window.limit else None)


def below(parents: Table, which: ColumnElement[bool], children: Select[Any]) -> Select[Any]:
    """Select the rows that hang below some others, such as those of a grid's customers.

    What hangs below each parent is looked for by itself, by index: left to its own devices, the server reads all
    children there are as soon as it takes the parents for many.

    Args:
        parents: The table above.
        which: Whose children.
        children: Those of one row of ``parents``; selects the key as ``id``. No more than a page holds are read.
    """
    key = children.selected_columns.id
    own = children.where(key > _AFTER).order_by(key).limit(_LIMIT).lateral()
    return select(own).select_from(parents.join(own, true())).where(which)
