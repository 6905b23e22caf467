"""Pages by number, for partners who have always asked so; lists of our own go by key (``paging``) [REL-122]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import attrs

T = TypeVar("T")

LARGEST_PAGE = 1000


def _at_most(size: int) -> int:
    return min(size, LARGEST_PAGE)


@attrs.frozen(kw_only=True)
class Leaf:
    """Which page of a list is wanted, in which order.

    Attributes:
        page: From 1.
        size: Entries of a page; at most ``LARGEST_PAGE`` are given.
        order: Name of the column that decides.
        ascending: Smallest first.
    """

    page: int = 1
    size: int = attrs.field(default=100, converter=_at_most)
    order: str = "id"
    ascending: bool = True

    @property
    def offset(self) -> int:
        """Entries before this page."""
        return (self.page - 1) * self.size


@attrs.frozen(kw_only=True)
class NumberedPage(Generic[T]):
    """One page of a list, and how long the list is.

    Attributes:
        total: Entries of all pages.
        size: Entries of a full page.
        total_pages: Pages that it takes.
    """

    total: int
    page: int
    size: int
    total_pages: int
    entries: Sequence[T]


def numbered_page(leaf: Leaf, total: int, entries: Sequence[T]) -> NumberedPage[T]:
    """Put a page together: 250 entries at 100 a page are 3 pages."""
    pages = -(-total // leaf.size)
    return NumberedPage(total=total, page=leaf.page, size=leaf.size, total_pages=pages, entries=entries)
