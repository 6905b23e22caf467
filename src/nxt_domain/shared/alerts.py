"""Calls for a person [PAY-134]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Alerts(Protocol):
    """Tells the operators; the same code and subject at most once an hour."""

    async def raise_alert(self, code: str, subject: str, text: str, facts: Mapping[str, object]) -> None:
        """Raise one alert.

        Args:
            code: Stable upper-case name, e.g. ``LATE_PAYMENT``.
            subject: What it concerns, e.g. ``order:50``.
            text: One sentence for people, without secrets.
            facts: Ids and amounts for the log record.
        """
