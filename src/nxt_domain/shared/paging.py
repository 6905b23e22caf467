"""Keyset pages: complete lists of any length, in steps of a bounded size [R41]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import attrs

T = TypeVar("T")

DEFAULT_PAGE = 100
LONGEST_PAGE = 500


@attrs.frozen(kw_only=True)
class Window:
    """Which part of a list is wanted.

    Attributes:
        limit: At most so many items, 1 to ``LONGEST_PAGE``.
        after: Only items whose id is greater; None: from the beginning.
    """

    limit: int = attrs.field(
        default=DEFAULT_PAGE, validator=attrs.validators.and_(attrs.validators.ge(1), attrs.validators.le(LONGEST_PAGE))
    )
    after: int | None = None


@attrs.frozen
class Page(Generic[T]):
    """Some items, and where the next ones begin.

    Attributes:
        items: In ascending order of their ids.
        next: Id to continue after; None on the last page.
    """

    items: Sequence[T]
    next: int | None
