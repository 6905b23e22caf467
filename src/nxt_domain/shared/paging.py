"""Keyset pages: complete lists of any length, in steps of a bounded size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import attrs

T = TypeVar("T")


@attrs.frozen
class Page(Generic[T]):
    """Some items, and where the next ones begin.

    Attributes:
        items: In ascending order of their ids.
        next_after: Id to continue after; None on the last page.
    """

    items: Sequence[T]
    next_after: int | None
