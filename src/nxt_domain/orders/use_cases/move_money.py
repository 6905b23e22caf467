"""Orders that signed-in people and programs place: from a wallet, or through the gateway (PAY 8.1, 8.2)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Protocol

import attrs

from nxt_domain.identity.model import Principal
from nxt_domain.identity.rules import actor_of
from nxt_domain.orders.amounts import check_amount
from nxt_domain.orders.authority import author_of, require_sender
from nxt_domain.orders.gateway_ports import MerchantAccounts
from nxt_domain.orders.model import Order, PaymentChannel
from nxt_domain.orders.ports import OrdersTransaction, ReferenceTaken
from nxt_domain.orders.references import is_storable, reference_taken
from nxt_domain.orders.use_cases.place_order import OrderDraft, OrderPlacement
from nxt_domain.shared.audit import Act, AuditedTransaction, Subjects
from nxt_domain.shared.errors import Conflict, InvalidInput
from nxt_domain.shared.money import Currency, plain
from nxt_domain.shared.wakeups import Channel, WakeUps


class MoneyTransaction(OrdersTransaction, AuditedTransaction, Protocol):
    """One transaction over orders, with its audit trail."""


@attrs.frozen(kw_only=True)
class Transfer:
    """A movement from one wallet to another, as it is asked for.

    Attributes:
        amount: Major units.
        author_id: Account it is made for; counts for keys of the platform alone [PAY-49].
    """

    sender_wallet_id: int
    receiver_wallet_id: int
    amount: Decimal
    currency: Currency
    payment_channel: PaymentChannel
    author_id: int | None = None


class PlaceOrder:
    """Stores an order that a wallet pays; settlement follows by itself [PAY-51].

    Lack of balance is no error here: it is decided when the order's turn comes.

    Args:
        begin: Opens a transaction.
        placement: Makes orders.
        wake_ups: Wakes the settlement.
    """

    def __init__(self, *, begin: Callable[[], MoneyTransaction], placement: OrderPlacement, wake_ups: WakeUps) -> None:
        self._begin = begin
        self._placement = placement
        self._wake_ups = wake_ups

    async def __call__(self, caller: Principal, transfer: Transfer) -> int:
        """Store the order as ``PENDING`` and return its id.

        Raises:
            InvalidInput: The amount is not allowed.
            NotAcceptable: Sender and receiver are the same.
            Conflict: A wallet, or the author, does not exist.
            Forbidden: The sender is not the caller's to spend from.
            Unprocessable: Currency, a missing link, a missing tariff, or too much energy.
        """
        draft = OrderDraft(
            sender_wallet_id=transfer.sender_wallet_id,
            receiver_wallet_id=transfer.receiver_wallet_id,
            amount=transfer.amount,
            currency=transfer.currency,
            channel=transfer.payment_channel,
            author_id=author_of(caller, transfer.author_id),
        )
        async with self._begin() as tx:
            order = await self._placement.from_wallet(tx, draft, require=partial(require_sender, caller))
            await tx.audit.record(_placed(caller, order))
            await tx.commit()
        self._wake_ups.hint(Channel.SETTLEMENT)
        return order.id


@attrs.frozen(kw_only=True)
class GatewayPayment:
    """A payment into a wallet through the gateway, as the staff's dashboard begins it.

    Attributes:
        external_reference: Made by the client; becomes the gateway's ``tx_ref``.
        amount: Major units.
    """

    external_reference: str
    receiver_wallet_id: int
    amount: Decimal
    currency: Currency
    payment_channel: PaymentChannel


@attrs.frozen(kw_only=True)
class BegunPayment:
    """An order that waits for its money, and the key for the browser's checkout."""

    order_id: int
    public_key: str


class InitialiseOrder:
    """Begins a payment into any wallet: the money comes from outside, so no sender is asked about [PAY-52].

    Args:
        begin: Opens a transaction.
        placement: Makes orders.
        accounts: Chooses the merchant account.
        system_wallet_id: The wallet that stands for the outside banking world.
    """

    def __init__(
        self,
        *,
        begin: Callable[[], MoneyTransaction],
        placement: OrderPlacement,
        accounts: MerchantAccounts,
        system_wallet_id: int,
    ) -> None:
        self._begin = begin
        self._placement = placement
        self._accounts = accounts
        self._system_wallet_id = system_wallet_id

    async def __call__(self, caller: Principal, payment: GatewayPayment) -> BegunPayment:
        """Store an ``INITIALISED`` order for the receiver.

        Raises:
            InvalidInput: Amount or reference are not allowed.
            ReferenceTaken: The reference is known, also when two requests race.
            Conflict: The wallet does not exist.
            NotAcceptable: The receiver is the system wallet.
            Unprocessable: Currency, a missing link, or too much energy.
            Unavailable: The gateway is not configured.
        """
        check_amount(payment.amount)
        if not payment.external_reference or not is_storable(payment.external_reference):
            raise InvalidInput(["external_reference should not be empty"], code="REFERENCE_INVALID")
        account = await self._accounts.for_organization(await self._organization_of(payment.receiver_wallet_id))
        draft = OrderDraft(
            sender_wallet_id=self._system_wallet_id,
            receiver_wallet_id=payment.receiver_wallet_id,
            amount=payment.amount,
            currency=payment.currency,
            channel=payment.payment_channel,
            author_id=caller.account_id,
        )
        reference = payment.external_reference
        async with self._begin() as tx:
            try:
                order = await self._placement.through_gateway(tx, draft, merchant=account.merchant, reference=reference)
            except ReferenceTaken as taken:
                raise ReferenceTaken(reference_taken(reference)) from taken
            await tx.commit()
        return BegunPayment(order_id=order.id, public_key=account.public_key)

    async def _organization_of(self, wallet_id: int) -> int | None:
        """Find whose merchant account takes the money [PAY-86]."""
        async with self._begin() as tx:
            party = (await tx.orders.parties([wallet_id])).get(wallet_id)
        if party is None:
            raise Conflict(f"Wallet {wallet_id} does not exist", code="WALLET_UNKNOWN")
        return party.organization_id


def _placed(caller: Principal, order: Order) -> Act:
    return Act(
        actor=actor_of(caller),
        action="order.create",
        entity_type="order",
        entity_id=order.id,
        about=Subjects(organization_id=order.organization_id, grid_id=order.historical_grid_id),
        after={
            "sender_wallet_id": order.sender_wallet_id,
            "receiver_wallet_id": order.receiver_wallet_id,
            "amount": f"{order.currency} {plain(order.amount)}",
        },
    )
