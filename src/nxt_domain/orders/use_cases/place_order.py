"""Making an order: the core that every way to buy or pay shares (PAY 6, 8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

import attrs

from nxt_domain.grids.tariffs import tariff_of_meter
from nxt_domain.orders.amounts import check_amount, check_top_up
from nxt_domain.orders.gateway import FIRST_VERIFICATION, NewCharge
from nxt_domain.orders.meta import Party, order_meta
from nxt_domain.orders.model import NewOrder, Order, PaymentChannel
from nxt_domain.orders.ports import OrdersTransaction
from nxt_domain.orders.states import OrderStatus
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Conflict, NotAcceptable, Unprocessable
from nxt_domain.shared.money import Currency
from nxt_domain.wallets.accounts import organization_of

SenderRule = Callable[[Party], None]
"""Refuses the owner of a sender wallet by raising."""


@attrs.frozen(kw_only=True)
class OrderDraft:
    """What somebody wants to move.

    Attributes:
        amount: Major units.
        author_id: Account of who asks; None: the public.
    """

    sender_wallet_id: int
    receiver_wallet_id: int
    amount: Decimal
    currency: Currency
    channel: PaymentChannel
    author_id: int | None = None
    ussd_session_id: int | None = None


class OrderPlacement:
    """Checks a draft and stores it with all that an order records, inside the caller's transaction.

    Args:
        clock: Tells the time.
        platform_organization_id: The organization that runs the system.
    """

    def __init__(self, *, clock: Clock, platform_organization_id: int) -> None:
        self._clock = clock
        self._platform_organization_id = platform_organization_id

    async def from_wallet(self, tx: OrdersTransaction, draft: OrderDraft, *, require: SenderRule) -> Order:
        """Store an order that a wallet inside the system pays: ``PENDING`` at once (T1).

        Args:
            tx: The caller's transaction.
            draft: What is wanted.
            require: Refuses a sender that is not the caller's to spend from.

        Raises:
            InvalidInput: The amount is not allowed.
            NotAcceptable: Sender and receiver are the same.
            Conflict: A wallet does not exist.
            Forbidden: By ``require``.
            Unprocessable: Currency, a missing link, a missing tariff, or too much energy.
        """
        parties = await self._parties(tx, draft, require)
        receiver = parties[draft.receiver_wallet_id]
        if receiver.tariffs is not None and tariff_of_meter(receiver.tariffs) is None:
            raise Unprocessable(f"No tariff is defined for meter {receiver.name}", code="TARIFF_MISSING")
        order = await self._new_order(tx, draft, parties, OrderStatus.PENDING)
        (stored,) = await tx.orders.add([order])
        return stored

    async def from_suspense(self, tx: OrdersTransaction, draft: OrderDraft) -> Order:
        """Store an order that gives out money which waits in suspense: ``PENDING`` at once [PAY-80].

        A missing tariff holds only the energy up: the money came in long ago.

        Raises:
            InvalidInput: The amount is not allowed.
            NotAcceptable: The receiver is the system wallet.
            Conflict: A wallet does not exist.
            Unprocessable: Currency, a missing link, or too much energy.
        """
        parties = await self._parties(tx, draft)
        (stored,) = await tx.orders.add([await self._new_order(tx, draft, parties, OrderStatus.PENDING)])
        return stored

    async def for_credit_transfer(self, tx: OrdersTransaction, draft: OrderDraft, transfer_id: int) -> Order:
        """Store the order of a credit transfer between meters: ``INITIALISED`` until the credit has left [PAY-140].

        Raises:
            InvalidInput: The amount is not allowed.
            Unprocessable: Currency, a missing link, or too much energy.
        """
        parties = await self._parties(tx, draft)
        new = await self._new_order(tx, draft, parties, OrderStatus.INITIALISED, is_credit_transfer=True)
        (stored,) = await tx.orders.add([attrs.evolve(new, meter_credit_transfer_id=transfer_id)])
        return stored

    async def through_gateway(
        self, tx: OrdersTransaction, draft: OrderDraft, *, merchant: str, reference: str
    ) -> Order:
        """Store an order that waits for money from the gateway, with its charge: ``INITIALISED`` (T2).

        Args:
            tx: The caller's transaction.
            draft: From the system wallet.
            merchant: Merchant account that will take the money.
            reference: The gateway's ``tx_ref``.

        Raises:
            ReferenceTaken: The reference is known.
            InvalidInput: The amount is not allowed.
            Conflict: A wallet does not exist.
            Unprocessable: Currency, a missing link, or too much energy.
        """
        parties = await self._parties(tx, draft)
        order = attrs.evolve(
            await self._new_order(tx, draft, parties, OrderStatus.INITIALISED),
            external_reference=reference,
            routing_organization_id=organization_of(merchant),
        )
        (stored,) = await tx.orders.add([order])
        charge = NewCharge(
            merchant=merchant,
            reference=reference,
            amount=draft.amount,
            currency=draft.currency,
            next_verify_at=self._clock.now() + FIRST_VERIFICATION,
        )
        await tx.charges.add({stored.id: charge})
        return stored

    async def _parties(
        self, tx: OrdersTransaction, draft: OrderDraft, require: SenderRule | None = None
    ) -> Mapping[int, Party]:
        check_amount(draft.amount)
        if draft.sender_wallet_id == draft.receiver_wallet_id:
            raise NotAcceptable("Sender wallet id and receiver wallet id cannot be the same", code="SAME_WALLET")
        wanted = (draft.sender_wallet_id, draft.receiver_wallet_id)
        parties = await tx.orders.parties(wanted)
        for wallet_id in wanted:
            if wallet_id not in parties:
                raise Conflict(f"Wallet {wallet_id} does not exist", code="WALLET_UNKNOWN")
        if require is not None:
            require(parties[draft.sender_wallet_id])
        if {party.currency for party in parties.values()} != {draft.currency}:
            raise Unprocessable("Currency of the order does not match the wallets", code="CURRENCY_MISMATCH")
        receiver = parties[draft.receiver_wallet_id]
        if receiver.tariffs is not None:
            check_top_up(draft.amount, receiver.tariffs, receiver.name or "")
        return parties

    async def _new_order(
        self,
        tx: OrdersTransaction,
        draft: OrderDraft,
        parties: Mapping[int, Party],
        status: OrderStatus,
        *,
        is_credit_transfer: bool = False,
    ) -> NewOrder:
        author = None if draft.author_id is None else await tx.orders.author(draft.author_id)
        return NewOrder(
            status=status,
            amount=draft.amount,
            currency=draft.currency,
            sender_wallet_id=draft.sender_wallet_id,
            receiver_wallet_id=draft.receiver_wallet_id,
            channel=draft.channel,
            author_id=draft.author_id,
            ussd_session_id=draft.ussd_session_id,
            meta=order_meta(
                sender=parties[draft.sender_wallet_id],
                receiver=parties[draft.receiver_wallet_id],
                author=author,
                platform_organization_id=self._platform_organization_id,
                is_credit_transfer=is_credit_transfer,
            ),
        )
