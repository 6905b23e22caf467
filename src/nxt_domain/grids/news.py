"""What the automation platform hears of grids; a trigger leaves the tasks, whoever writes the row [REL-103]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

GRID_STATE = "GRID_STATE"
"""Kind of the task that carries a change; those of one grid keep their order, and are dropped after a day."""


class GridNews(Protocol):
    """Tells changes of grids to whoever automates things by them."""

    async def tell(self, change: Mapping[str, object]) -> None:
        """Tell one change: ``grid_id``, ``grid_name``, the changed column, ``updated_at`` [AUTO-43].

        Raises:
            UpstreamFailed: It was not taken, or nobody knows; telling it again is harmless.
        """
