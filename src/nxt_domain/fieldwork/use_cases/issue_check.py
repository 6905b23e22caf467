"""Steering the issue check from outside."""

from __future__ import annotations

from typing import Protocol


class CheckFocus(Protocol):
    """Which meter the issue check tells all about in the log. What is lost here is only asked for again."""

    async def point_at(self, external_reference: str | None) -> None:
        """Point at a meter by its number, for a day; None: at none.

        Raises:
            Unavailable: The store can't be reached.
        """

    async def target(self) -> str | None:
        """Return the meter's number; None: there is none.

        Raises:
            Unavailable: The store can't be reached.
        """


class DebugIssueCheck:
    """Marks one meter for verbose logging in the issue check [API-97].

    Args:
        focus: Keeps the mark.
    """

    def __init__(self, focus: CheckFocus) -> None:
        self._focus = focus

    async def __call__(self, external_reference: str | None) -> None:
        """Mark a meter in place of the one before; None or a blank clears the mark.

        Raises:
            Unavailable: The mark can't be kept now.
        """
        await self._focus.point_at(external_reference or None)
