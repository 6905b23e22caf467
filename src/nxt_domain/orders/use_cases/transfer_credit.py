"""Asking for a transfer of credit between meters (PAY 13.2)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

import attrs

from nxt_domain.grids.tariffs import tariff_of_meter
from nxt_domain.identity.model import Principal
from nxt_domain.identity.rules import actor_of
from nxt_domain.meters.ports import MetersTransaction
from nxt_domain.orders.amounts import check_amount
from nxt_domain.orders.credit_transfers import CreditTransfer, CreditTransfers, NewCreditTransfer
from nxt_domain.orders.model import PaymentChannel
from nxt_domain.orders.ports import MeterForSale, OrdersTransaction
from nxt_domain.orders.use_cases.place_order import OrderDraft, OrderPlacement
from nxt_domain.shared.audit import Act, AuditedTransaction, Subjects
from nxt_domain.shared.errors import Conflict, NotAcceptable, NotFound, Unprocessable
from nxt_domain.shared.money import Currency, plain
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory


class TransferTransaction(OrdersTransaction, MetersTransaction, AuditedTransaction, Protocol):
    """One transaction over a transfer, its order and its commands."""

    @property
    def credit_transfers(self) -> CreditTransfers:
        """Transfers."""


@attrs.frozen(kw_only=True)
class WantedTransfer:
    """Credit to be moved, as it is asked for.

    Attributes:
        amount: Major units, at the sending meter's tariff.
    """

    sender_meter_id: int
    receiver_meter_id: int
    amount: Decimal
    currency: Currency


class TransferCredit:
    """Stores a transfer with its order; the meters' commands follow by themselves.

    Args:
        begin: Opens a transaction.
        placement: Makes orders.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[TransferTransaction], placement: OrderPlacement) -> None:
        self._begin = begin
        self._placement = placement

    async def __call__(self, caller: Principal, wanted: WantedTransfer) -> CreditTransfer:
        """Store the transfer as ``PENDING``, and its order as ``INITIALISED`` [PAY-140].

        Raises:
            InvalidInput: The amount is not allowed.
            NotAcceptable: Both meters are the same.
            NotFound: There is no such meter, or none of the caller's.
            Conflict: One of the meters takes part in a transfer already.
            Unprocessable: A meter is not ready, the two belong to different organizations, the sending one has no
                tariff, the currency does not match, or it is too much energy.
        """
        check_amount(wanted.amount)
        ids = (wanted.sender_meter_id, wanted.receiver_meter_id)
        if ids[0] == ids[1]:
            raise NotAcceptable("Sender meter id and receiver meter id cannot be the same", code="SAME_METER")
        async with self._begin() as tx:
            sender, receiver = _visible(caller, await tx.orders.meters_for_sale(ids), ids)
            _check(sender, receiver)
            await _claim(tx, sender, receiver)
            transfer = await tx.credit_transfers.add(
                NewCreditTransfer(
                    sender_meter_id=sender.id,
                    receiver_meter_id=receiver.id,
                    amount=wanted.amount,
                    currency=wanted.currency,
                    author_id=caller.account_id,
                )
            )
            draft = OrderDraft(
                sender_wallet_id=await _wallet_of(tx, sender),
                receiver_wallet_id=await _wallet_of(tx, receiver),
                amount=wanted.amount,
                currency=wanted.currency,
                channel=PaymentChannel.AYRTON,
                author_id=caller.account_id,
            )
            order = await self._placement.for_credit_transfer(tx, draft, transfer.id)
            await tx.audit.record(_act(caller, transfer, receiver))
            await tx.commit()
        return attrs.evolve(transfer, order_id=order.id)


async def _claim(tx: TransferTransaction, sender: MeterForSale, receiver: MeterForSale) -> None:
    """Lock both meters, so that of two transfers at the same time one is refused."""
    meters = await tx.meters.lock({sender.id, receiver.id})
    busy = await tx.credit_transfers.busy(meters)
    if busy:
        numbers = ", ".join(sorted(meters[meter_id].external_reference for meter_id in busy))
        raise Conflict(f"A transfer of credit goes on with meter {numbers}", code="TRANSFER_GOES_ON")


def _visible(
    caller: Principal, found: Mapping[int, MeterForSale], ids: tuple[int, int]
) -> tuple[MeterForSale, MeterForSale]:
    """Find both meters; a foreign one is as unknown as any other [R39]."""
    for meter_id in ids:
        meter = found.get(meter_id)
        if meter is None or not (caller.is_admin_org or _owns(caller, meter)):
            raise NotFound(f"Could not find meter with id {meter_id}", code="METER_UNKNOWN")
    return found[ids[0]], found[ids[1]]


def _owns(caller: Principal, meter: MeterForSale) -> bool:
    return meter.organization_id is not None and meter.organization_id == caller.organization_id


def _check(sender: MeterForSale, receiver: MeterForSale) -> None:
    for meter in (sender, receiver):
        if not meter.is_ready or meter.organization_id is None:
            text = f"Meter {meter.external_reference} is not successfully installed (yet)"
            raise Unprocessable(text, code="METER_NOT_READY")
    if sender.organization_id != receiver.organization_id:
        raise Unprocessable("The meters belong to different organizations", code="OTHER_ORGANIZATION")
    if tariff_of_meter(sender.tariffs) is None:
        raise Unprocessable(f"No tariff is defined for meter {sender.external_reference}", code="TARIFF_MISSING")


async def _wallet_of(tx: OrdersTransaction, meter: MeterForSale) -> int:
    return meter.wallet_id if meter.wallet_id is not None else await tx.orders.open_meter_wallet(meter.id)


def _act(caller: Principal, transfer: CreditTransfer, receiver: MeterForSale) -> Act:
    return Act(
        actor=actor_of(caller),
        action="credit_transfer.create",
        entity_type="meter_credit_transfer",
        entity_id=transfer.id,
        about=Subjects(organization_id=receiver.organization_id, grid_id=receiver.grid_id),
        after={
            "sender_meter_id": transfer.sender_meter_id,
            "receiver_meter_id": transfer.receiver_meter_id,
            "amount": f"{transfer.currency} {plain(transfer.amount)}",
        },
    )
