"""Settlement in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.orders import KnownWallet, StoredOrder
from nxt_domain.orders.gateway import Charge
from nxt_domain.orders.model import ActorType, Order
from nxt_domain.orders.notices import SmsNotice
from nxt_domain.orders.settlement import PaidFee, Settlement, SettlingOrder, SettlingWallet, SoldMeter
from nxt_domain.orders.states import OrderStatus
from nxt_domain.orders.suspense import Resolution, suspended_money
from nxt_domain.shared.errors import Conflict
from nxt_domain.wallets.accounts import AccountClass, kind_of, wallet_of
from nxt_domain.wallets.audit import BookedEntry
from nxt_domain.wallets.model import StoredEntry
from nxt_domain.wallets.rules import settlement_key


@attrs.frozen(kw_only=True)
class TransactionRow:
    """A row that clients read [PAY-35]; a balance of −1 is not recorded."""

    order_id: int
    wallet_id: int
    amount: Decimal
    is_successful: bool
    balance_before: Decimal
    balance_after: Decimal


@attrs.frozen(kw_only=True)
class _Failures:
    count: int
    waits_until: datetime


class MemorySettlements:
    """Implements ``Settlements``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._orders: dict[int, StoredOrder] = database.table("orders")
        self._wallets: dict[int, KnownWallet] = database.table("known_wallets")
        self._charges: dict[int, Charge] = database.table("gateway_charges")
        self._failures: dict[int, _Failures] = database.table("settlement_failures")
        self._entries: dict[str, BookedEntry] = database.table("ledger_entries")
        self._rows: dict[int, TransactionRow] = database.table("transactions")
        self._suspense: dict[int, tuple[int, Resolution]] = database.table("suspense_resolutions")
        self._fees: dict[int, Decimal] = database.table("connections_paid")

    async def claim(self, limit: int, *, only: Collection[int] | None = None) -> Sequence[SettlingOrder]:
        """Take ``PENDING`` orders, lowest id first, one of each sender."""
        claimed: list[SettlingOrder] = []
        blocked: set[int] = set()
        for order_id, stored in sorted(self._orders.items()):
            if stored.order.status is not OrderStatus.PENDING or self._is_waiting(order_id):
                continue
            sender_id = stored.order.sender_wallet_id
            is_free = sender_id not in blocked
            if not self._is_system(sender_id):
                blocked.add(sender_id)
            if is_free and (only is None or order_id in only) and len(claimed) < limit:
                claimed.append(self._settling(stored))
        return claimed

    async def record(self, settlements: Sequence[Settlement]) -> None:
        """Write orders, transaction rows and fee counters of a batch."""
        for settlement in settlements:
            stored = self._orders[settlement.order.id]
            if stored.order.status is not OrderStatus.PENDING:
                raise Conflict("an order is not PENDING any more", code="ORDER_STATE")
            changed = attrs.evolve(settlement.order, status_since=self._database.clock.now())
            self._orders[stored.order.id] = attrs.evolve(stored, order=changed)
            if settlement.order.status is OrderStatus.COMPLETED:
                self._record_movement(settlement.order, self._entries[settlement_key(settlement.order.id)])
            else:
                self._record_refusal(settlement)
            for fee in settlement.fees:
                self._fees[fee.connection_id] = self._fees.get(fee.connection_id, Decimal(0)) + fee.amount

    async def record_reversal(self, order: Order, fees: Sequence[PaidFee]) -> None:
        """Write what clients read of a reversal."""
        self._orders[order.id] = attrs.evolve(self._orders[order.id], order=order)
        self._record_movement(order, self._entries[f"order:{order.id}:reverse"])
        for fee in fees:
            self._fees[fee.connection_id] = self._fees.get(fee.connection_id, Decimal(0)) + fee.amount

    def rows(self, order_id: int | None = None) -> Sequence[TransactionRow]:
        """Return transaction rows, oldest first."""
        return [row for _, row in sorted(self._rows.items()) if order_id in {None, row.order_id}]

    def paid(self, connection_id: int) -> Decimal:
        """Return what a connection has paid."""
        return self._fees.get(connection_id, Decimal(0))

    def _record_movement(self, order: Order, booked: BookedEntry) -> None:
        for posting in sorted(booked.postings, key=lambda posting: -posting.amount):
            wallet_id = wallet_of(posting.account)
            keeps_balance = kind_of(posting.account).account_class is AccountClass.WALLET
            before, after = (posting.balance_before, posting.balance_after) if keeps_balance else (None, None)
            self._add_row(
                TransactionRow(
                    order_id=order.id,
                    wallet_id=order.sender_wallet_id if wallet_id is None else wallet_id,
                    amount=posting.amount,
                    is_successful=True,
                    balance_before=Decimal(-1) if before is None else before,
                    balance_after=Decimal(-1) if after is None else after,
                )
            )

    def _record_refusal(self, settlement: Settlement) -> None:
        for side in settlement.refused_sides:
            balance = Decimal(-1) if side.balance is None else side.balance
            self._add_row(
                TransactionRow(
                    order_id=settlement.order.id,
                    wallet_id=side.wallet_id,
                    amount=side.amount,
                    is_successful=False,
                    balance_before=balance,
                    balance_after=balance,
                )
            )

    def _add_row(self, row: TransactionRow) -> None:
        self._rows[self._database.next_id("transactions")] = row

    def _settling(self, stored: StoredOrder) -> SettlingOrder:
        order = stored.order
        charge = self._charges.get(order.id)
        suspended = self._suspended(order.id)
        receiver = self._wallets.get(order.receiver_wallet_id)
        return SettlingOrder(
            order=order,
            sender=self._side(order.sender_wallet_id),
            receiver=self._side(order.receiver_wallet_id),
            merchant=charge.merchant if charge else suspended,
            gateway_tx_id=charge.gateway_tx_id if charge else None,
            resolves_suspense=suspended is not None,
            meter_credit_transfer_id=stored.new.meter_credit_transfer_id,
            meter=self._meter(receiver) if receiver else None,
        )

    def _suspended(self, order_id: int) -> str | None:
        """Tell from which merchant account's suspense an order is paid, if from any."""
        for entry_id, (_, decided) in self._suspense.items():
            if decided.order_id == order_id:
                booked = next(booked for booked in self._entries.values() if booked.id == entry_id)
                stored = StoredEntry(
                    id=entry_id,
                    key=booked.entry.key,
                    entry_type=booked.entry.entry_type,
                    postings=booked.entry.postings,
                )
                return suspended_money(stored, entry_id).merchant
        return None

    def _side(self, wallet_id: int) -> SettlingWallet | None:
        known = self._wallets.get(wallet_id)
        if known is None:
            return None
        is_connection = known.party.actor is ActorType.CONNECTION
        return SettlingWallet(
            id=wallet_id,
            currency=known.party.currency,
            actor=known.party.actor,
            connection_id=known.party.owner_id if is_connection else None,
            contact=known.contact,
        )

    def _meter(self, known: KnownWallet) -> SoldMeter | None:
        party = known.party
        if party.actor is not ActorType.METER or party.owner_id is None or party.tariffs is None:
            return None
        return SoldMeter(
            id=party.owner_id,
            external_reference=party.name or "",
            meter_type=party.tariffs.meter_type,
            tariffs=party.tariffs,
        )

    def _is_system(self, wallet_id: int) -> bool:
        known = self._wallets.get(wallet_id)
        return known is not None and known.party.is_system

    def _is_waiting(self, order_id: int) -> bool:
        failures = self._failures.get(order_id)
        return failures is not None and failures.waits_until > self._database.clock.now()


class MemorySettlementFailures:
    """Implements ``SettlementFailures``."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._clock = database.clock
        self._failures: dict[int, _Failures] = database.table("settlement_failures")

    async def count(self, order_id: int, error: str) -> int:
        """Count one more failure of an order."""
        del error
        known = self._failures.get(order_id)
        failures = _Failures(count=(known.count if known else 0) + 1, waits_until=self._clock.now())
        self._failures[order_id] = failures
        return failures.count

    async def wait(self, order_id: int, duration: timedelta) -> None:
        """Leave an order alone for a while."""
        known = self._failures[order_id]
        self._failures[order_id] = attrs.evolve(known, waits_until=self._clock.now() + duration)


class MemoryNotices:
    """Implements ``Notices``."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._notices: dict[str, SmsNotice] = database.table("notices")

    async def add(self, notices: Sequence[SmsNotice]) -> None:
        """Store notices whose key is new."""
        for notice in notices:
            self._notices.setdefault(notice.dedupe_key, notice)

    def all(self) -> Sequence[SmsNotice]:
        """Return all notices, oldest first."""
        return list(self._notices.values())
