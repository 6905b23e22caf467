"""Finance staff decide about money in suspense: give it to a wallet, or back to the payer [PAY-80]."""

from __future__ import annotations

from typing import Protocol

import attrs

from nxt_domain.identity.model import Principal
from nxt_domain.identity.rules import actor_of
from nxt_domain.orders.authority import require_platform_finance
from nxt_domain.orders.model import Order, PaymentChannel
from nxt_domain.orders.ports import OrdersTransaction, SuspenseResolutions
from nxt_domain.orders.suspense import (
    Resolution,
    ResolutionState,
    SuspendedMoney,
    SuspenseAction,
    refund_task,
    suspended_money,
)
from nxt_domain.orders.use_cases.place_order import OrderDraft, OrderPlacement
from nxt_domain.shared.audit import Act, AuditedTransaction
from nxt_domain.shared.errors import Conflict, InvalidInput
from nxt_domain.shared.money import plain
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_domain.shared.wakeups import Channel, WakeUps


class SuspenseTransaction(OrdersTransaction, AuditedTransaction, Protocol):
    """One transaction over suspended money and the orders that give it out."""

    @property
    def suspense(self) -> SuspenseResolutions:
        """Decisions about suspended money."""


class ResolveSuspense:
    """Decides about a suspense entry, once.

    Args:
        begin: Opens a transaction.
        placement: Makes the order that gives the money out.
        wake_ups: Wakes settlement and relay.
        system_wallet_id: The wallet that stands for the outside banking world.
    """

    def __init__(
        self,
        *,
        begin: UnitOfWorkFactory[SuspenseTransaction],
        placement: OrderPlacement,
        wake_ups: WakeUps,
        system_wallet_id: int,
    ) -> None:
        self._begin = begin
        self._placement = placement
        self._wake_ups = wake_ups
        self._system_wallet_id = system_wallet_id

    async def __call__(
        self, caller: Principal, entry_id: int, action: SuspenseAction, receiver_wallet_id: int | None, reason: str
    ) -> Resolution:
        """Record the decision together with what carries it out.

        Raises:
            Forbidden: The caller is no finance staff of the platform.
            InvalidInput: ``credit`` without a receiver, or an amount that no order may have.
            NotFound: There is no such suspense entry.
            Conflict: It is resolved already, or the wallet does not exist.
            NotAcceptable: The receiver is the system wallet.
            Unprocessable: Another currency, a missing link, or too much energy.
        """
        require_platform_finance(caller)
        if action is SuspenseAction.CREDIT and receiver_wallet_id is None:
            raise InvalidInput(["receiver_wallet_id must be an integer number"], code="VALIDATION_FAILED")
        async with self._begin() as tx:
            money = suspended_money(await tx.ledger.get(entry_id), entry_id)
            order = None
            if receiver_wallet_id is not None and action is SuspenseAction.CREDIT:
                order = await self._give_out(tx, caller, money, receiver_wallet_id)
            decided = _decided(caller, money, action, reason, order)
            attempt = await tx.suspense.decide(decided)
            if attempt is None:
                raise Conflict(f"Suspense entry {entry_id} has been resolved already", code="ALREADY_RESOLVED")
            await tx.outbox.add([refund_task(money, attempt)] if order is None else [])
            await tx.audit.record(_act(caller, money, decided))
            await tx.commit()
        self._wake_ups.hint(Channel.SETTLEMENT, Channel.OUTBOX)
        return decided

    async def _give_out(
        self, tx: SuspenseTransaction, caller: Principal, money: SuspendedMoney, receiver_wallet_id: int
    ) -> Order:
        draft = OrderDraft(
            sender_wallet_id=self._system_wallet_id,
            receiver_wallet_id=receiver_wallet_id,
            amount=money.amount,
            currency=money.currency,
            channel=PaymentChannel.AYRTON,
            author_id=caller.account_id,
        )
        return await self._placement.from_suspense(tx, draft)


def _decided(
    caller: Principal, money: SuspendedMoney, action: SuspenseAction, reason: str, order: Order | None
) -> Resolution:
    return Resolution(
        entry_id=money.entry_id,
        action=action,
        state=ResolutionState.REFUNDING if order is None else ResolutionState.CREDITED,
        reason=reason,
        author_account_id=caller.account_id,
        order_id=None if order is None else order.id,
    )


def _act(caller: Principal, money: SuspendedMoney, decided: Resolution) -> Act:
    return Act(
        actor=actor_of(caller),
        action=f"suspense.{decided.action}",
        entity_type="ledger_entry",
        entity_id=money.entry_id,
        after={
            **attrs.asdict(decided, filter=lambda field, _: field.name in {"order_id", "action"}),
            "amount": f"{money.currency} {plain(money.amount)}",
            "merchant": money.merchant,
            "gateway_tx_id": money.gateway_tx_id,
        },
        reason=decided.reason,
    )
