"""The gateway's side of orders in memory: charges, the inbox of webhooks, and a gateway that can be told to fail."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.orders import StoredOrder
from nxt_domain.orders.gateway import (
    Charge,
    GatewayTransaction,
    IncomingEvent,
    NewCharge,
    PaymentState,
    StoredEvent,
)
from nxt_domain.orders.gateway_ports import ChargeRefused, GatewayFailed, MerchantAccount, RefundRefused, UnknownPayment
from nxt_domain.orders.ports import GatewayKey
from nxt_domain.orders.states import OrderStatus
from nxt_domain.orders.suspense import Refund, RefundState
from nxt_domain.orders.ussd import UssdCharge
from nxt_domain.shared.errors import Conflict
from nxt_domain.wallets.accounts import organization_of

_STILL_PAYABLE = {OrderStatus.INITIALISED, OrderStatus.TIMED_OUT, OrderStatus.CANCELLED}


class MemoryCharges:
    """Implements ``Charges``."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._charges: dict[int, Charge] = database.table("gateway_charges")
        self._orders: dict[int, StoredOrder] = database.table("orders")
        self._clock = database.clock

    async def add(self, charges: Mapping[int, NewCharge]) -> None:
        """Store the charges of new orders."""
        for order_id, new in charges.items():
            self._charges[order_id] = Charge(
                order_id=order_id,
                merchant=new.merchant,
                reference=new.reference,
                amount=new.amount,
                currency=new.currency,
                next_verify_at=new.next_verify_at,
            )

    async def find(self, order_id: int) -> Charge | None:
        """Read an order's charge."""
        return self._charges.get(order_id)

    async def find_all(self, order_ids: Collection[int]) -> Mapping[int, Charge]:
        """Read the charges of orders."""
        return {order_id: self._charges[order_id] for order_id in order_ids if order_id in self._charges}

    async def save(self, charges: Sequence[Charge]) -> None:
        """Write charges; a gateway transaction belongs to one of them."""
        for charge in charges:
            if charge.gateway_tx_id is not None:
                key = (charge.merchant, charge.gateway_tx_id)
                owner_id = (await self.owners_of([key])).get(key)
                if owner_id not in {None, charge.order_id}:
                    raise Conflict("ux_gateway_charges_merchant_gateway_tx_id is violated", code="ALREADY_EXISTS")
            self._charges[charge.order_id] = charge

    async def owners_of(self, transactions: Collection[GatewayKey]) -> Mapping[GatewayKey, int]:
        """Tell which orders gateway transactions are booked to."""
        known = (charge for charge in self._charges.values() if charge.gateway_tx_id is not None)
        owners = {(charge.merchant, charge.gateway_tx_id or ""): charge.order_id for charge in known}
        return {key: owners[key] for key in transactions if key in owners}

    async def due(self, now: datetime, limit: int) -> Sequence[int]:
        """Name the orders whose ``next_verify_at`` has come."""
        due = [
            charge
            for charge in self._charges.values()
            if charge.next_verify_at is not None and charge.next_verify_at <= now and self._is_payable(charge)
        ]
        due.sort(key=lambda charge: (charge.next_verify_at or now, charge.order_id))
        return [charge.order_id for charge in due[:limit]]

    async def time_out(self, created_before: datetime, next_verify_at: datetime, limit: int) -> Sequence[int]:
        """Move orders that waited too long to ``TIMED_OUT``."""
        late = [
            charge
            for charge in self._charges.values()
            if charge.last_verified_at is not None
            and charge.last_error is None
            and self._orders[charge.order_id].order.status is OrderStatus.INITIALISED
            and self._orders[charge.order_id].order.created_at <= created_before
        ][:limit]
        for charge in late:
            stored = self._orders[charge.order_id]
            moved = attrs.evolve(stored.order.time_out(), status_since=self._clock.now())
            self._orders[charge.order_id] = attrs.evolve(stored, order=moved)
            self._charges[charge.order_id] = attrs.evolve(charge, next_verify_at=next_verify_at)
        return [charge.order_id for charge in late]

    def _is_payable(self, charge: Charge) -> bool:
        order = self._orders[charge.order_id].order
        return order.status in _STILL_PAYABLE or order.has_failed_at_gateway


@attrs.frozen(kw_only=True)
class _Event:
    stored: StoredEvent
    key: tuple[str, str | None, str | None, str | None]
    result: str | None


class MemoryGatewayEvents:
    """Implements ``GatewayEvents``."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._events: dict[int, _Event] = database.table("gateway_events")

    async def add(self, merchant: str, event: IncomingEvent, *, result: str | None = None) -> int | None:
        """Store an event unless it was delivered before."""
        key = (merchant, event.gateway_tx_id, event.event, event.status)
        if any(known.key == key for known in self._events.values()):
            return None
        event_id = self._database.next_id("gateway_events")
        stored = StoredEvent(
            id=event_id,
            merchant=merchant,
            gateway_tx_id=event.gateway_tx_id,
            reference=event.reference,
            is_processed=result is not None,
        )
        self._events[event_id] = _Event(stored=stored, key=key, result=result)
        return event_id

    async def find(self, event_ids: Collection[int]) -> Sequence[StoredEvent]:
        """Read events, by ascending id."""
        return [self._events[event_id].stored for event_id in sorted(event_ids) if event_id in self._events]

    async def finish(self, results: Mapping[int, str]) -> None:
        """Mark events processed; the first result of each stays."""
        for event_id, result in results.items():
            event = self._events[event_id]
            if not event.stored.is_processed:
                stored = attrs.evolve(event.stored, is_processed=True)
                self._events[event_id] = attrs.evolve(event, stored=stored, result=result)

    def results(self) -> Mapping[int, str | None]:
        """Tell what became of each event."""
        return {event_id: event.result for event_id, event in self._events.items()}


class MemoryGateway:
    """Implements ``PaymentGateway``: one merchant account whose payers are told what to do.

    Attributes:
        failure: Raised instead of each answer, if set.
        refunds: All there were.
        refund_state: What new refunds come to.
        charges: All USSD charges there were.
        refuses_charges: Whether new ones are refused.
        forgets_answer: Whether a refund or charge is done, and its answer lost.
    """

    def __init__(self) -> None:
        self.failure: GatewayFailed | None = None
        self.refunds: list[Refund] = []
        self.refund_state = RefundState.DONE
        self.charges: list[UssdCharge] = []
        self.refuses_charges = False
        self.forgets_answer = False
        self._by_id: dict[str, GatewayTransaction] = {}

    def put(self, transaction: GatewayTransaction) -> None:
        """Add a transaction, or change it."""
        self._by_id[transaction.id] = transaction

    async def verify_by_reference(self, reference: str) -> GatewayTransaction:
        """Return the newest transaction under a reference."""
        self._fail()
        found = [known for known in self._by_id.values() if known.reference == reference]
        if not found:
            raise UnknownPayment("The payment gateway knows no such transaction")
        return found[-1]

    async def verify_by_id(self, gateway_tx_id: str) -> GatewayTransaction:
        """Return a transaction by its id."""
        self._fail()
        if gateway_tx_id not in self._by_id:
            raise UnknownPayment("The payment gateway knows no such transaction")
        return self._by_id[gateway_tx_id]

    async def charge_by_ussd(self, charge: UssdCharge) -> str:
        """Charge a bank; ``forgets_answer`` loses the answer after it was done."""
        self._fail()
        if self.refuses_charges:
            raise ChargeRefused("The bank is not supported")
        self.charges.append(charge)
        self.put(
            GatewayTransaction(
                id=str(9_000_000 + len(self.charges)),
                reference=charge.reference,
                state=PaymentState.UNDECIDED,
                status="pending",
                amount=charge.amount,
                currency=charge.currency,
                payment_type="ussd",
            )
        )
        if self.forgets_answer:
            raise GatewayFailed("The payment gateway broke the connection")
        return f"*{charge.bank_code}*000*{len(self.charges):04d}#"

    async def refund(self, gateway_tx_id: str, amount: Decimal, *, comment: str) -> Refund:
        """Give a payment back; ``forgets_answer`` loses the answer after it was done."""
        self._fail()
        paid = self._by_id.get(gateway_tx_id)
        given = sum((refund.amount for refund in self.refunds if refund.gateway_tx_id == gateway_tx_id), Decimal(0))
        if paid is None or paid.state is not PaymentState.PAID or given + amount > paid.amount:
            raise RefundRefused("Transaction is not refundable by this amount")
        refund = Refund(
            id=str(len(self.refunds) + 1),
            gateway_tx_id=gateway_tx_id,
            amount=amount,
            state=self.refund_state,
            status=self.refund_state.lower(),
        )
        self.refunds.append(refund)
        if self.forgets_answer:
            raise GatewayFailed("The payment gateway broke the connection")
        return refund

    async def refunds_of(self, gateway_tx_id: str) -> Sequence[Refund]:
        """List the refunds of a transaction."""
        self._fail()
        return [refund for refund in self.refunds if refund.gateway_tx_id == gateway_tx_id]

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


class MemoryMerchantAccounts:
    """Implements ``MerchantAccounts``.

    Attributes:
        enabled: Organizations whose own account new payments use.
    """

    def __init__(self) -> None:
        self.platform = MemoryGateway()
        self.organizations: dict[int, MemoryGateway] = {}
        self.enabled: set[int] = set()

    async def for_organization(self, organization_id: int | None) -> MerchantAccount:
        """Choose the account for new payments."""
        return self._account(organization_id if organization_id in self.enabled else None)

    async def for_merchant(self, merchant: str) -> MerchantAccount:
        """Find the account that a stored charge was made with."""
        return self._account(organization_of(merchant))

    def _account(self, organization_id: int | None) -> MerchantAccount:
        gateway = self.platform if organization_id is None else self.organizations[organization_id]
        name = "platform" if organization_id is None else f"org:{organization_id}"
        return MerchantAccount(
            merchant=name, organization_id=organization_id, public_key=f"PUBLIC-{name}", gateway=gateway
        )
