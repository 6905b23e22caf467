"""Types of fields that many inputs share."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import attrs

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
class Created:
    """Names what was made or found."""

    id: int
