"""A chat bot that hears of top-ups, and what it is told, in memory."""

from __future__ import annotations

from nxt_adapters.memory.database import MemoryDatabase
from nxt_domain.orders.bot_notices import BotStatus, TopUpNotice
from nxt_domain.shared.errors import UpstreamFailed


class MemoryTopUpBot:
    """Implements ``TopUpBot``; keeps what it is told, and fails when told to.

    Attributes:
        announced: Tokens, oldest first.
        followed_up: How top-ups ended, oldest first.
        is_down: Calls fail without effect.
    """

    def __init__(self) -> None:
        self.announced: list[TopUpNotice] = []
        self.followed_up: list[tuple[int, BotStatus]] = []
        self.is_down = False

    async def announce(self, notice: TopUpNotice) -> None:
        """See ``TopUpBot.announce``."""
        self._require_up()
        self.announced.append(notice)

    async def follow_up(self, interaction_id: int, status: BotStatus) -> None:
        """See ``TopUpBot.follow_up``."""
        self._require_up()
        self.followed_up.append((interaction_id, status))

    async def close(self) -> None:
        """Nothing is open."""

    def _require_up(self) -> None:
        if self.is_down:
            raise UpstreamFailed("the chat bot is away")


class MemoryTopUpNotices:
    """Implements ``TopUpNotices``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._rows: dict[int, TopUpNotice] = database.table("top_up_notices")

    def know(self, notice: TopUpNotice) -> None:
        """Set up a top-up that has its token."""
        self._rows[notice.interaction_id] = notice

    async def of(self, interaction_id: int) -> TopUpNotice | None:
        """See ``TopUpNotices.of``."""
        return self._rows.get(interaction_id)
