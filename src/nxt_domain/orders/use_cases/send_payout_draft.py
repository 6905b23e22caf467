"""Hands a statement's figures to whoever makes a document of them [PAY-161]."""

from __future__ import annotations

from typing import Protocol

from nxt_domain.orders.use_cases.make_payout import PayoutTransaction
from nxt_domain.shared.json import JsonObject
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_domain.wallets.payouts import PayoutStatus


class PayoutDrafts(Protocol):
    """Makes documents of statements, outside; it answers by storing a link (``PUT /payouts``)."""

    async def send(self, details: JsonObject) -> None:
        """Hand over a statement's details; a repeat makes the document anew.

        Raises:
            UpstreamFailed: It was not taken.
        """

    async def close(self) -> None:
        """Close the connections."""


class SendPayoutDraft:
    """Sends a statement as it stands now, so that of several recomputations the last one counts.

    Args:
        begin: Opens a transaction.
        drafts: Where documents are made; None: nowhere, and the payout exists all the same.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[PayoutTransaction], drafts: PayoutDrafts | None) -> None:
        self._begin = begin
        self._drafts = drafts

    async def __call__(self, payout_id: int) -> None:
        """Send one statement's draft.

        Raises:
            UpstreamFailed: It was not taken; the task is repeated.
        """
        if self._drafts is None:
            return
        async with self._begin() as tx:
            payout = await tx.payouts.lock(payout_id)
        if payout is None or payout.status is not PayoutStatus.WAITING_FOR_APPROVAL:
            return  # decided meanwhile: nobody waits for its document any more
        await self._drafts.send(payout.details)
