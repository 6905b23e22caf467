"""Types of fields that many inputs share."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import attrs

from nxt_domain.shared.paging import DEFAULT_PAGE, LONGEST_PAGE, Window
from nxt_entrypoints.http.rules import ID_MAX, POSITIVE, maximum, minimum, places

Id = Annotated[int, minimum(1), maximum(ID_MAX)]
"""A positive 32-bit integer [API-27]."""

PurchaseAmount = Annotated[Decimal, POSITIVE, minimum(1), maximum(10_000_000), places(2)]
"""Major units of money [PAY-4, R13]."""


@attrs.frozen(kw_only=True)
class IdPath:
    """A path with one id."""

    id: Id


@attrs.frozen(kw_only=True)
class ListQuery:
    """What every list takes [R41].

    Attributes:
        grid_id: Only what belongs to this grid.
        limit: Items at most.
        after: Id of the last item of the page before.
    """

    grid_id: Id | None = None
    limit: Annotated[int, minimum(1), maximum(LONGEST_PAGE)] = DEFAULT_PAGE
    after: Annotated[int, minimum(0)] | None = None

    @property
    def window(self) -> Window:
        """The part of the list that is wanted."""
        return Window(limit=self.limit, after=self.after)


@attrs.frozen(kw_only=True)
class Created:
    """Names what was made or found."""

    id: int
