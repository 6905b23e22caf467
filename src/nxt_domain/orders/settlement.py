"""What settling an order comes to: one pure decision per order, in the order of their ids (PAY 11, R3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import attrs

from nxt_domain.grids.tariffs import MeterType, TariffFacts, tariff_of_meter
from nxt_domain.meters.use_cases.top_ups import TopUpRequest
from nxt_domain.orders import notices
from nxt_domain.orders.amounts import sellable_energy
from nxt_domain.orders.model import ActorType, Order
from nxt_domain.orders.notices import Contact, SmsNotice
from nxt_domain.orders.states import FailureCode
from nxt_domain.shared.money import Currency
from nxt_domain.wallets.accounts import kind_of, wallet_account
from nxt_domain.wallets.model import Entry
from nxt_domain.wallets.rules import MoneySource, settlement_entry, suspense_entry

FAILURES_BEFORE_WAITING = 5
_LONGEST_WAIT_MIN = 60
_REASONS = {
    FailureCode.INSUFFICIENT_BALANCE: "The sender's balance is too low",
    FailureCode.TARIFF_MISSING: "No tariff is defined for the meter",
    FailureCode.WALLET_INVALID: "A wallet can't be used for this order",
}


@attrs.frozen(kw_only=True)
class SettlingWallet:
    """One side of an order that is about to settle.

    Attributes:
        actor: Kind of owner; ``BANKING_SYSTEM`` for the system wallet.
        connection_id: The connection, if it owns the wallet.
        contact: An agent's account, or that of a meter's customer.
    """

    id: int
    currency: Currency
    actor: ActorType
    connection_id: int | None = None
    contact: Contact | None = None

    @property
    def is_system(self) -> bool:
        """Whether this is the wallet that stands for the outside banking world."""
        return self.actor is ActorType.BANKING_SYSTEM


@attrs.frozen(kw_only=True)
class SoldMeter:
    """The receiving meter.

    Attributes:
        tariffs: Price facts; of the sending meter if the order belongs to a credit transfer [PAY-107].
        meter_type: Its own service tier [PAY-109].
    """

    id: int
    external_reference: str
    meter_type: MeterType
    tariffs: TariffFacts


@attrs.frozen(kw_only=True)
class SettlingOrder:
    """A locked ``PENDING`` order with everything that its settlement needs.

    Attributes:
        merchant: Merchant account that took the money; None: no gateway charge.
        gateway_tx_id: The gateway's transaction that paid it, if any.
        resolves_suspense: Whether it gives out money that waits in suspense [PAY-80].
        meter: The receiving meter, if the receiver is one.
    """

    order: Order
    sender: SettlingWallet | None
    receiver: SettlingWallet | None
    merchant: str | None = None
    gateway_tx_id: str | None = None
    resolves_suspense: bool = False
    meter_credit_transfer_id: int | None = None
    meter: SoldMeter | None = None

    @property
    def source(self) -> MoneySource | None:
        """Where the money comes from; None: the sender's wallet is missing."""
        if self.sender is None:
            return None
        return MoneySource(
            wallet_id=self.sender.id,
            is_system=self.sender.is_system,
            merchant=self.merchant,
            resolves_suspense=self.resolves_suspense,
        )

    def accounts(self) -> Sequence[str]:
        """Return the codes of both sides' accounts, the receiver's first; empty if a wallet is missing."""
        source = self.source
        if source is None or self.receiver is None:
            return ()
        return (wallet_account(self.receiver.id, self.receiver.currency), source.account(self.order.currency))


@attrs.frozen(kw_only=True)
class PaidFee:
    """A change of what a connection has paid [PAY-106]."""

    connection_id: int
    amount: Decimal


@attrs.frozen(kw_only=True)
class RefusedSide:
    """One of the two ``FAILED`` rows of a refused order [PAY-36].

    Attributes:
        amount: Signed; what would have moved.
        balance: The wallet's balance at that moment; None: not kept (system wallet).
    """

    wallet_id: int
    amount: Decimal
    balance: Decimal | None


@attrs.frozen(kw_only=True)
class Settlement:
    """What became of one order.

    Attributes:
        order: As it is now, ``COMPLETED`` or ``FAILED``.
        entry: What is posted; None: nothing.
        refused_sides: For a refused order, receiver first.
        fees: Changes of connections' fees.
        notices: Whom to tell.
        top_up: The command that brings the energy, if energy was bought.
    """

    order: Order
    entry: Entry | None = None
    refused_sides: Sequence[RefusedSide] = ()
    fees: Sequence[PaidFee] = ()
    notices: Sequence[SmsNotice] = ()
    top_up: TopUpRequest | None = None


class Balances:
    """Running balances while the orders of a batch are decided one after the other.

    Args:
        present: Balances by account code, as they are before the batch.
    """

    def __init__(self, present: Mapping[str, Decimal]) -> None:
        self._balances = dict(present)

    def of(self, code: str) -> Decimal | None:
        """Return a balance; None: the account is hot, and has no limit either."""
        return None if kind_of(code).is_hot else self._balances.get(code, Decimal(0))

    def covers(self, code: str, amount: Decimal) -> bool:
        """Tell whether an account can pay an amount without falling below its floor."""
        balance, floor = self.of(code), kind_of(code).min_balance
        return balance is None or floor is None or balance - amount >= floor

    def move(self, entry: Entry) -> None:
        """Follow an entry that is about to be posted."""
        for posting in entry.postings:
            balance = self.of(posting.account)
            if balance is not None:
                self._balances[posting.account] = balance + posting.amount


def accounts_to_read(items: Iterable[SettlingOrder]) -> Sequence[str]:
    """Name the accounts whose balances decide a batch; none, if all its money comes from outside.

    They are read without locks. That is safe because of two rules: of one sender only the oldest ``PENDING`` order can
    be claimed [PAY-105], so nobody else takes from its wallet; and should somebody do so all the same, the ledger
    refuses the entry, and the order is decided anew.
    """
    batch = list(items)
    if all(_is_sound(item) and _is_paid_from_outside(item) for item in batch):
        return ()
    return sorted({code for item in batch for code in item.accounts()})


def settle(item: SettlingOrder, balances: Balances, at: datetime) -> Settlement:
    """Decide one order (T9 or T10); ``balances`` follow [PAY-103, PAY-104].

    Args:
        item: The locked order.
        balances: Of the accounts to read, after all orders before this one.
        at: Time of settlement.
    """
    tariff = tariff_of_meter(item.meter.tariffs) if item.meter else None
    accounts, source = item.accounts(), item.source
    refusal = _refusal(item, accounts, balances, tariff)
    if refusal is not None:
        return _refused(item, balances, refusal)
    if source is None:
        raise AssertionError("an order without sender is refused")
    receiver_account, _ = accounts
    entry = settlement_entry(
        order_id=item.order.id,
        source=source,
        receiver_account=receiver_account,
        amount=item.order.amount,
        currency=item.order.currency,
        meter_credit_transfer_id=item.meter_credit_transfer_id,
    )
    balances.move(entry)
    return _settled(item, entry, tariff, at)


def waiting_time(failures: int) -> timedelta:
    """Tell how long an order is left alone after that many technical failures in a row [PAY-104]."""
    if failures < FAILURES_BEFORE_WAITING:
        return timedelta(0)
    doublings = min(failures - FAILURES_BEFORE_WAITING, 6)
    return timedelta(minutes=min(2**doublings, _LONGEST_WAIT_MIN))


def _is_paid_from_outside(item: SettlingOrder) -> bool:
    return item.sender is not None and item.sender.is_system and not item.resolves_suspense


def _is_sound(item: SettlingOrder) -> bool:
    """Tell whether both wallets exist, differ and hold the order's currency [PAY-20, PAY-103]."""
    sender, receiver = item.sender, item.receiver
    if sender is None or receiver is None or sender.id == receiver.id or receiver.is_system:
        return False
    return sender.currency is item.order.currency and receiver.currency is item.order.currency


def _refusal(
    item: SettlingOrder, accounts: Sequence[str], balances: Balances, tariff: Decimal | None
) -> FailureCode | None:
    if not _is_sound(item) or item.sender is None:
        return FailureCode.WALLET_INVALID
    if item.meter is not None and tariff is None and not item.sender.is_system:
        return FailureCode.TARIFF_MISSING
    _, sender_account = accounts
    if not balances.covers(sender_account, item.order.amount):
        return FailureCode.INSUFFICIENT_BALANCE
    return None


def _settled(item: SettlingOrder, entry: Entry, tariff: Decimal | None, at: datetime) -> Settlement:
    meter = item.meter
    order = item.order.complete(at, tariff, meter.meter_type if meter else None)
    energy_kwh = sellable_energy(order.amount, tariff) if tariff else None
    return Settlement(
        order=order,
        entry=entry,
        fees=_fees(item),
        notices=_settled_notices(item, order),
        top_up=TopUpRequest(order_id=order.id, meter_id=meter.id, energy_kwh=energy_kwh) if meter else None,
    )


def _fees(item: SettlingOrder) -> Sequence[PaidFee]:
    sides = ((item.receiver, item.order.amount), (item.sender, -item.order.amount))
    return [
        PaidFee(connection_id=wallet.connection_id, amount=amount)
        for wallet, amount in sides
        if wallet is not None and wallet.connection_id is not None
    ]


def _settled_notices(item: SettlingOrder, order: Order) -> Sequence[SmsNotice]:
    told = []
    if item.receiver and item.receiver.contact and item.receiver.actor in {ActorType.AGENT, ActorType.METER}:
        told.append(notices.credit_received(order, item.receiver.contact))
    if item.meter and item.sender and item.sender.contact and item.sender.actor is ActorType.AGENT:
        told.append(notices.meter_topped_up(order, item.sender.contact, item.meter.external_reference))
    return [notice for notice in told if notice is not None]


def _refused(item: SettlingOrder, balances: Balances, code: FailureCode) -> Settlement:
    order = item.order.refuse_settlement(code, _REASONS[code])
    stranded = _stranded_money(item)
    if stranded is not None:
        balances.move(stranded)
    notice = None
    if item.sender and item.sender.contact and item.sender.actor is ActorType.AGENT:
        notice = notices.not_sent(order, item.sender.contact)
    return Settlement(
        order=order,
        entry=stranded,
        refused_sides=_refused_sides(item, balances),
        notices=() if notice is None else (notice,),
    )


def _refused_sides(item: SettlingOrder, balances: Balances) -> Sequence[RefusedSide]:
    sides = ((item.receiver, item.order.amount), (item.sender, -item.order.amount))
    return [
        RefusedSide(
            wallet_id=wallet.id,
            amount=amount,
            balance=None if wallet.is_system else balances.of(wallet_account(wallet.id, wallet.currency)),
        )
        for wallet, amount in sides
        if wallet is not None
    ]


def _stranded_money(item: SettlingOrder) -> Entry | None:
    """Money that the gateway received for an order that can't settle waits in suspense [PAY-79, PAY-197]."""
    if item.merchant is None or item.gateway_tx_id is None:
        return None
    return suspense_entry(
        merchant=item.merchant,
        gateway_tx_id=item.gateway_tx_id,
        order_id=item.order.id,
        amount=item.order.amount,
        currency=item.order.currency,
    )
