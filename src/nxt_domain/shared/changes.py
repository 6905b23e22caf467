"""Partial updates of rows: which columns get which values, and what that made different."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import attrs


@attrs.frozen(kw_only=True)
class RowChange:
    """New values of some of a row's columns; the others stay.

    Attributes:
        id: Which row.
        values: By column; None clears one that may be empty.
    """

    id: int
    values: Mapping[str, object]


def by_id(changes: Sequence[RowChange], columns: Collection[str]) -> Mapping[int, RowChange]:
    """Put several changes of one row together, the last word counting, in the order of the first mention.

    Args:
        changes: In their order.
        columns: Those that may be changed.

    Raises:
        ValueError: A change names another column.
    """
    merged: dict[int, RowChange] = {}
    for change in changes:
        if fixed := sorted(set(change.values) - set(columns)):
            raise ValueError(f"{', '.join(fixed)} can't be changed")
        earlier = merged.get(change.id)
        values = change.values if earlier is None else {**earlier.values, **change.values}
        merged[change.id] = RowChange(id=change.id, values=values)
    return merged


def differences(
    before: attrs.AttrsInstance, after: attrs.AttrsInstance, columns: Collection[str]
) -> tuple[dict[str, object], dict[str, object]]:
    """Return the old and the new values of the columns that differ."""
    different = [name for name in sorted(columns) if getattr(before, name) != getattr(after, name)]
    return {name: getattr(before, name) for name in different}, {name: getattr(after, name) for name in different}
