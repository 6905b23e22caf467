"""Which connections use so little that they count as lifelines in reports (PAY 18). Nothing is sold by it [PAY-189]."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import attrs

HIGHEST_HOURLY_KWH = Decimal(5)
"""An hour's value above it is a bad reading, as is one below zero [PAY-187]."""


@attrs.frozen(kw_only=True)
class LifelineGrid:
    """A reported grid with its thresholds.

    Attributes:
        kwh_threshold: Who uses less within the days is a lifeline.
        days: Whole UTC days that are looked at, up to today's start.
    """

    id: int
    kwh_threshold: int
    days: int

    def window(self, now: datetime) -> tuple[datetime, datetime]:
        """Return begin and end of what is looked at, half-open."""
        end = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return end - timedelta(days=self.days), end

    def is_lifeline(self, used_kwh: Decimal | None) -> bool:
        """Judge a connection by its use; None: nothing is known, and nobody is a lifeline by that [PAY-188]."""
        return used_kwh is not None and used_kwh < self.kwh_threshold
