"""Live news for dashboards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Realtime(Protocol):
    """Sends events to the sockets in a room, whichever process holds them. At most once; order is kept per sender."""

    async def emit(self, *, room: str, event: str, payload: Mapping[str, object]) -> None:
        """Send one event.

        Raises:
            Unavailable: The broker between the processes can't be reached.
        """
