"""Reversing a settled order: the money goes back, the history stays [PAY-145]."""

from __future__ import annotations

from typing import Protocol

import attrs

from nxt_domain.identity.model import Principal
from nxt_domain.identity.rules import actor_of
from nxt_domain.meters.model import Interaction
from nxt_domain.meters.ports import MetersTransaction
from nxt_domain.meters.use_cases.withdraw_top_up import withdraw_top_up
from nxt_domain.orders.authority import require_platform_finance
from nxt_domain.orders.model import ActorType, Order
from nxt_domain.orders.ports import OrdersTransaction
from nxt_domain.orders.settlement import PaidFee
from nxt_domain.orders.settlement_ports import Settlements
from nxt_domain.orders.states import OrderStatus
from nxt_domain.shared.audit import Act, AuditedTransaction, Subjects
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Conflict, NotFound
from nxt_domain.shared.money import plain
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_domain.wallets.model import FloorViolated, StoredEntry
from nxt_domain.wallets.rules import reversal_entry, settlement_key


class ReversalTransaction(OrdersTransaction, MetersTransaction, AuditedTransaction, Protocol):
    """One transaction over an order, its entry and its command."""

    @property
    def settlements(self) -> Settlements:
        """What clients read of settlements."""


@attrs.frozen(kw_only=True)
class Reversed:
    """The order that was reversed, and the entry that did it."""

    order_id: int
    entry_id: int


class ReverseOrder:
    """Posts the opposite of a settlement, once, for finance staff of the platform.

    Args:
        begin: Opens a transaction.
        clock: Tells the time.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[ReversalTransaction], clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self, caller: Principal, order_id: int, reason: str) -> Reversed:
        """Reverse an order; its status stays ``COMPLETED``.

        Raises:
            Forbidden: The caller is no finance staff of the platform.
            NotFound: There is no such order.
            Conflict: It is not settled, is reversed already, its receiver holds too little, or its energy has reached
                the meter or may be on its way there.
        """
        require_platform_finance(caller)
        now = self._clock.now()
        async with self._begin() as tx:
            order = _reversible((await tx.orders.lock([order_id])).get(order_id), order_id)
            settled = await _settlement_of(tx, order)
            entry_id = await _post(tx, order, settled, caller, reason)
            after = attrs.evolve(order, reversed_at=now)
            await tx.settlements.record_reversal(after, await _fees(tx, order))
            command = await withdraw_top_up(tx, order_id, now)
            await tx.audit.record(_act(caller, after, command, reason, entry_id))
            await tx.commit()
        return Reversed(order_id=order_id, entry_id=entry_id)


def _reversible(order: Order | None, order_id: int) -> Order:
    if order is None:
        raise NotFound(f"Could not find order with id {order_id}", code="ORDER_UNKNOWN")
    if order.status is not OrderStatus.COMPLETED:
        raise Conflict(f"Order {order_id} is {order.status}, so there is nothing to reverse", code="ORDER_STATE")
    if order.reversed_at is not None:
        raise Conflict(f"Order {order_id} has been reversed already", code="ALREADY_REVERSED")
    return order


async def _settlement_of(tx: ReversalTransaction, order: Order) -> StoredEntry:
    key = settlement_key(order.id)
    settled = (await tx.ledger.find([key])).get(key)
    if settled is None:
        text = f"Order {order.id} was settled before the ledger began, so it can't be reversed by itself"
        raise Conflict(text, code="NO_SETTLEMENT_ENTRY")
    return settled


async def _post(tx: ReversalTransaction, order: Order, settled: StoredEntry, caller: Principal, reason: str) -> int:
    entry = reversal_entry(settled, order_id=order.id, author_account_id=caller.account_id, memo=reason)
    try:
        (receipt,) = await tx.ledger.post([entry])
    except FloorViolated as empty:
        text = f"The receiver of order {order.id} holds too little"
        raise Conflict(text, code="RECEIVER_BALANCE") from empty
    return receipt.id


async def _fees(tx: ReversalTransaction, order: Order) -> list[PaidFee]:
    """What connections had paid, or got back, by this order [PAY-106]."""
    parties = await tx.orders.parties([order.sender_wallet_id, order.receiver_wallet_id])
    changes = ((order.receiver_wallet_id, -order.amount), (order.sender_wallet_id, order.amount))
    return [
        PaidFee(connection_id=party.owner_id, amount=amount)
        for wallet_id, amount in changes
        if (party := parties.get(wallet_id)) is not None
        and party.actor is ActorType.CONNECTION
        and party.owner_id is not None
    ]


def _act(caller: Principal, order: Order, command: Interaction | None, reason: str, entry_id: int) -> Act:
    return Act(
        actor=actor_of(caller),
        action="order.reverse",
        entity_type="order",
        entity_id=order.id,
        about=Subjects(organization_id=order.organization_id, grid_id=order.historical_grid_id),
        after={
            "amount": f"{order.currency} {plain(order.amount)}",
            "entry_id": entry_id,
            # A token that somebody has read from the pay page can still be keyed in: who reviews this must know.
            "token_was_made": command is not None and command.token is not None,
        },
        reason=reason,
    )
