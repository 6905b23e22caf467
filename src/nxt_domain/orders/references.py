"""Payment references that support staff can read [PAY-55]."""

from __future__ import annotations

import re
from datetime import datetime

from nxt_domain.shared.clock import iso_millis

_WHITE_SPACE = re.compile(r"\s+")
_LONGEST_TEXT = 255


def is_storable(text: str) -> bool:
    """Tell whether a text from outside can be stored, and so whether it can be found at all."""
    is_unicode = not any("\ud800" <= letter <= "\udfff" for letter in text)
    return is_unicode and "\0" not in text and len(text) <= _LONGEST_TEXT


def payment_reference(*, organization_name: str, meter_reference: str, at: datetime, is_production: bool) -> str:
    """Make a reference such as ``Sun_Power_Ltd+47001771477__2026-03-10T09:15:02.123Z``.

    Args:
        organization_name: Name of the organization that owns the meter's grid.
        meter_reference: Number on the meter's case.
        at: Instant of the order, aware.
        is_production: Otherwise the reference begins with ``DEV__``.
    """
    owner_and_meter = _WHITE_SPACE.sub("_", f"{organization_name}+{meter_reference}")
    return f"{'' if is_production else 'DEV__'}{owner_and_meter}__{iso_millis(at)}"


def reference_taken(reference: str) -> str:
    """Tell that another order has a reference, in the words that clients know [PAY-52, PAY-53]."""
    return f"Order with external reference {reference} already exists. Please try another external reference"
