"""Which meter the issue check tells all about, in memory."""

from __future__ import annotations


class MemoryCheckFocus:
    """Implements ``CheckFocus``; what lapses after a day in Valkey stays here."""

    def __init__(self) -> None:
        self._target: str | None = None

    async def point_at(self, external_reference: str | None) -> None:
        """See ``CheckFocus.point_at``."""
        self._target = external_reference

    async def target(self) -> str | None:
        """See ``CheckFocus.target``."""
        return self._target
