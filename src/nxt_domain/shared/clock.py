"""Time comes from outside, so that rules can be tested at any moment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""


def iso_millis(instant: datetime) -> str:
    """Write an instant as ``YYYY-MM-DDTHH:mm:ss.sssZ`` [API-28].

    Args:
        instant: An aware instant in any zone.
    """
    return instant.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
