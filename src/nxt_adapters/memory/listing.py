"""Keyset pages in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from nxt_domain.shared.paging import Page, Window


class HasId(Protocol):
    """An item of a list."""

    @property
    def id(self) -> int:
        """Its key."""


T = TypeVar("T", bound=HasId)


def page_of(items: Iterable[T], window: Window) -> Page[T]:
    """Cut a page out of all items of a list, in any order."""
    later = sorted((item for item in items if item.id > (window.after or 0)), key=lambda item: item.id)
    shown = later[: window.limit]
    return Page(shown, shown[-1].id if len(later) > window.limit else None)
