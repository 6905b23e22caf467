"""Live news in memory."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from nxt_domain.shared.errors import Unavailable


@attrs.frozen(kw_only=True)
class SentNews:
    """An event that was sent to a room."""

    room: str
    event: str
    payload: Mapping[str, object]


class MemoryRealtime:
    """``Realtime`` that remembers what was sent, in order.

    Attributes:
        sent: Everything that was sent.
        is_away: True: the broker can't be reached.
    """

    def __init__(self) -> None:
        self.sent: list[SentNews] = []
        self.is_away = False

    async def emit(self, *, room: str, event: str, payload: Mapping[str, object]) -> None:
        """See ``Realtime.emit``."""
        if self.is_away:
            raise Unavailable("The broker can't be reached")
        self.sent.append(SentNews(room=room, event=event, payload=dict(payload)))
