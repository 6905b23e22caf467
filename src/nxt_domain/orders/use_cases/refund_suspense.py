"""Giving suspended money back at the gateway: recorded before it is asked, looked up before it is repeated [PAY-92]."""

from __future__ import annotations

import attrs

from nxt_domain.orders.gateway_ports import MerchantAccounts, PaymentGateway, RefundRefused
from nxt_domain.orders.suspense import (
    Refund,
    RefundState,
    Resolution,
    ResolutionState,
    SuspendedMoney,
    refund_entry,
    suspended_money,
)
from nxt_domain.orders.use_cases.resolve_suspense import SuspenseTransaction
from nxt_domain.shared.alerts import alert
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import NotFound, Unavailable
from nxt_domain.shared.money import plain
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory

_OPEN = frozenset({ResolutionState.REFUNDING, ResolutionState.REFUND_ASKED})


class RefundSuspense:
    """Carries out one decided refund; each call goes as far as it gets, and a repeat goes on from there.

    Args:
        begin: Opens a transaction.
        accounts: Finds the merchant account that received the money.
        clock: Tells the time.
    """

    def __init__(
        self, *, begin: UnitOfWorkFactory[SuspenseTransaction], accounts: MerchantAccounts, clock: Clock
    ) -> None:
        self._begin = begin
        self._accounts = accounts
        self._clock = clock

    async def __call__(self, entry_id: int) -> None:
        """Bring a refund to its end.

        Raises:
            NotFound: Nothing was decided about such an entry.
            GatewayFailed: The gateway told nothing; try again.
            Unavailable: The refund is under way, or the account's keys are missing; try again later.
        """
        decided, money = await self._read(entry_id)
        if decided.state not in _OPEN:
            return
        account = await self._accounts.for_merchant(money.merchant)
        try:
            refund = await self._refund(account.gateway, decided, money)
        except RefundRefused as refused:
            await self._fail(decided, money, refused.message)
            return
        match refund.state:
            case RefundState.DONE:
                await self._book(decided, money, refund)
            case RefundState.REFUSED:
                await self._fail(decided, money, f"the refund came back as {refund.status}")
            case RefundState.UNDER_WAY:
                raise Unavailable(f"The refund of suspense entry {entry_id} is {refund.status}", code="REFUND_PENDING")

    async def _read(self, entry_id: int) -> tuple[Resolution, SuspendedMoney]:
        async with self._begin() as tx:
            decided = await tx.suspense.find(entry_id)
            money = suspended_money(await tx.ledger.get(entry_id), entry_id)
        if decided is None:
            raise NotFound(f"Nothing was decided about suspense entry {entry_id}", code="SUSPENSE_UNDECIDED")
        return decided, money

    async def _refund(self, gateway: PaymentGateway, decided: Resolution, money: SuspendedMoney) -> Refund:
        if decided.state is ResolutionState.REFUND_ASKED:
            known = [
                refund for refund in await gateway.refunds_of(money.gateway_tx_id) if refund.amount == money.amount
            ]
            if known:
                return known[-1]
        await self._save(attrs.evolve(decided, state=ResolutionState.REFUND_ASKED))
        return await gateway.refund(money.gateway_tx_id, money.amount, comment=decided.reason)

    async def _save(self, decided: Resolution) -> None:
        async with self._begin() as tx:
            await tx.suspense.save(decided)
            await tx.commit()

    async def _book(self, decided: Resolution, money: SuspendedMoney, refund: Refund) -> None:
        async with self._begin() as tx:
            entry = refund_entry(money, author_account_id=decided.author_account_id, memo=decided.reason)
            await tx.ledger.post([entry])
            done = attrs.evolve(decided, state=ResolutionState.REFUNDED, gateway_refund_id=refund.id, last_error=None)
            await tx.suspense.save(done)
            await tx.commit()

    async def _fail(self, decided: Resolution, money: SuspendedMoney, why: str) -> None:
        """The money stays in suspense, and a person may decide anew."""
        subject = f"ledger_entry:{money.entry_id}"
        text = f"The gateway does not refund the money of suspense entry {money.entry_id}: {why}"
        facts = {
            "entry_id": money.entry_id,
            "gateway_tx_id": money.gateway_tx_id,
            "amount": f"{money.currency} {plain(money.amount)}",
        }
        async with self._begin() as tx:
            await tx.suspense.save(attrs.evolve(decided, state=ResolutionState.FAILED, last_error=why))
            await tx.outbox.add([alert("REFUND_REFUSED", subject, text, at=self._clock.now(), facts=facts)])
            await tx.commit()
