"""Hands statements to whoever makes documents and book entries of them [PAY-161, PAY-163]."""

from __future__ import annotations

from typing import Protocol

from nxt_domain.orders.payouts import Payout, bookkeeping_of
from nxt_domain.orders.use_cases.make_payout import PayoutTransaction
from nxt_domain.shared.json import JsonObject
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_domain.wallets.payouts import PayoutStatus


class AccountingExport(Protocol):
    """Documents and books outside; a document's link comes back by ``PUT /payouts``."""

    async def send(self, details: JsonObject) -> None:
        """Hand over a statement's details; a repeat makes the document anew.

        Raises:
            UpstreamFailed: It was not taken.
        """

    async def book(self, statement: JsonObject) -> None:
        """Tell the bookkeepers of a statement.

        Raises:
            UpstreamFailed: It was not taken.
        """

    async def close(self) -> None:
        """Close the connections."""


class ExportPayout:
    """Sends statements as they stand now, so that of several recomputations the last one counts.

    Args:
        begin: Opens a transaction.
        export: Where they go; None: nowhere, and the payout exists all the same.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[PayoutTransaction], export: AccountingExport | None) -> None:
        self._begin = begin
        self._export = export

    async def draft(self, payout_id: int) -> None:
        """Have a document made of a statement that waits for approval; once it is decided, nobody needs one.

        Raises:
            UpstreamFailed: It was not taken; the task is repeated.
        """
        payout = await self._find(payout_id)
        if self._export is not None and payout is not None and payout.status is PayoutStatus.WAITING_FOR_APPROVAL:
            await self._export.send(payout.details)

    async def book(self, payout_id: int) -> None:
        """Tell the bookkeepers of a statement.

        Raises:
            UpstreamFailed: It was not taken; the task is repeated.
        """
        payout = await self._find(payout_id)
        if self._export is not None and payout is not None:
            await self._export.book(bookkeeping_of(payout))

    async def _find(self, payout_id: int) -> Payout | None:
        async with self._begin() as tx:
            return await tx.payouts.lock(payout_id)
