"""What the chat bot hears of paid top-ups; a trigger leaves the tasks, whoever writes the command [PAY-119]."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Protocol

import attrs

from nxt_domain.shared.errors import NotFound
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory

BOT_NOTICE = "BOT_NOTICE"
"""Kind of the task; those of one order keep their order, and are dropped after a day."""


class BotStatus(StrEnum):
    """How far a top-up is, in the bot's words."""

    PENDING = "PENDING"
    SUCCESSFUL = "SUCCESSFUL"
    FAILED = "FAILED"


@attrs.frozen(kw_only=True)
class TopUpNotice:
    """A top-up that has its token.

    Attributes:
        interaction_id: By which later notices name it.
        customer_phone: As it is stored, without plus; None: not known.
        response_token: Names the chat flow of the grid.
    """

    interaction_id: int
    grid_name: str
    customer_name: str | None
    customer_phone: str | None = attrs.field(repr=False)
    meter_external_reference: str
    token: str = attrs.field(repr=False)
    energy_kwh: Decimal
    amount: Decimal
    response_token: str = attrs.field(repr=False)


class TopUpBot(Protocol):
    """A chat bot that passes tokens on to who sold them. It may hear the same twice, and knows it by its id."""

    async def announce(self, notice: TopUpNotice) -> None:
        """Tell of a token.

        Raises:
            UpstreamFailed: It was not taken, or nobody knows.
        """

    async def follow_up(self, interaction_id: int, status: BotStatus) -> None:
        """Tell how a top-up ended.

        Raises:
            UpstreamFailed: It was not taken, or nobody knows.
        """

    async def close(self) -> None:
        """Close the connections."""


class TopUpNotices(Protocol):
    """Reads what a notice says, when it is sent: no token is ever in a task [R49]."""

    async def of(self, interaction_id: int) -> TopUpNotice | None:
        """Find a top-up with its token; None: it is gone, has none, or its grid has no chat flow any more."""


class NoticeTransaction(UnitOfWork, Protocol):
    """One transaction over what notices say."""

    @property
    def top_up_notices(self) -> TopUpNotices:
        """Top-ups."""


class TellBot:
    """Sends one notice.

    Args:
        begin: Opens a transaction.
        bot: Who is told; None: nobody, and nothing of an order depends on it.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[NoticeTransaction], bot: TopUpBot | None) -> None:
        self._begin = begin
        self._bot = bot

    async def __call__(self, interaction_id: int, status: BotStatus) -> None:
        """Tell the bot; outside any transaction.

        Raises:
            NotFound: There is nothing to announce; it is tried again for a day.
            UpstreamFailed: It was not told.
        """
        if self._bot is None:
            return
        if status is not BotStatus.PENDING:
            await self._bot.follow_up(interaction_id, status)
            return
        async with self._begin() as tx:
            notice = await tx.top_up_notices.of(interaction_id)
        if notice is None:
            raise NotFound(f"There is no token of interaction {interaction_id} to tell of", code="NO_TOKEN_TO_TELL")
        await self._bot.announce(notice)
