"""What orders need from outside: repositories inside one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol, TypeAlias

import attrs

from nxt_domain.grids.tariffs import TariffFacts
from nxt_domain.orders.gateway import Charge, IncomingEvent, NewCharge, StoredEvent
from nxt_domain.orders.meta import Author, Party
from nxt_domain.orders.model import NewOrder, Order
from nxt_domain.orders.notices import Contact, SmsNotice
from nxt_domain.orders.states import OrderStatus
from nxt_domain.orders.suspense import Resolution
from nxt_domain.shared.errors import Conflict
from nxt_domain.shared.unit_of_work import UnitOfWork
from nxt_domain.wallets.ports import Ledger


class ReferenceTaken(Conflict):
    """Another order has this payment reference."""

    default_code = "REFERENCE_TAKEN"


@attrs.frozen(kw_only=True)
class MeterForSale:
    """What a purchase by meter number needs to know (PAY 8.3).

    Attributes:
        wallet_id: None: the meter has no wallet yet.
        is_ready: Whether it may be topped up [PAY-54, MET-17].
        customer_id: The customer of its connection, if any.
        grid_name: None: the meter stands in no grid.
        organization_name: Of the grid's owner.
    """

    id: int
    external_reference: str
    wallet_id: int | None
    is_ready: bool
    customer_id: int | None
    customer_name: str | None
    grid_id: int | None
    grid_name: str | None
    organization_id: int | None
    organization_name: str | None
    tariffs: TariffFacts


@attrs.frozen(kw_only=True)
class PublicView:
    """What the public pay page sees of an order [PAY-56].

    Attributes:
        directive_status: Status of the top-up command; None: there is none yet.
        energy_kwh: Energy of that command.
    """

    status: OrderStatus
    amount: Decimal
    external_reference: str | None
    directive_status: str | None = None
    token: str | None = None
    energy_kwh: Decimal | None = None


class Orders(Protocol):
    """Orders and what they refer to."""

    async def add(self, orders: Sequence[NewOrder]) -> Sequence[Order]:
        """Store orders; return them in the same order.

        Raises:
            ReferenceTaken: A reference is known; nothing is stored.
        """

    async def find(self, *, order_id: int | None = None, reference: str | None = None) -> Order | None:
        """Find one order by reference if one is given, else by id, without locking."""

    async def find_all(self, references: Collection[str]) -> Mapping[str, Order]:
        """Find orders by their references, without locking; unknown ones are left out."""

    async def read(self, order_ids: Collection[int]) -> Mapping[int, Order]:
        """Find orders by their ids, without locking; unknown ones are left out."""

    async def lock(self, order_ids: Collection[int]) -> Mapping[int, Order]:
        """Load orders and lock their rows in ascending id [R25]."""

    async def save(self, orders: Sequence[Order]) -> None:
        """Write status, failure, payment method, tariff and settlement time of locked orders."""

    async def parties(self, wallet_ids: Collection[int]) -> Mapping[int, Party]:
        """Load the owners of wallets; unknown wallets are left out."""

    async def author(self, account_id: int) -> Author | None:
        """Load who an account is; None: no agent, customer or member."""

    async def meter_for_sale(self, external_reference: str) -> MeterForSale | None:
        """Find a live meter by the number on its case."""

    async def meters_for_sale(self, meter_ids: Collection[int]) -> Mapping[int, MeterForSale]:
        """Find live meters by id; unknown ones are left out."""

    async def open_meter_wallet(self, meter_id: int) -> int:
        """Make the wallet of a meter that has none, or find it, and return its id [PAY-19]."""

    async def public_view(self, order_id: int) -> PublicView | None:
        """Read what the public page polls, in one statement."""

    async def session_contacts(self, ussd_session_ids: Collection[int]) -> Mapping[int, Contact]:
        """Tell who is on the other end of phone sessions; unknown ones are left out."""


GatewayKey: TypeAlias = tuple[str, str]
"""Merchant account and its gateway's id of a transaction."""


class Charges(Protocol):
    """The gateway's side of orders [PAY-73]."""

    async def add(self, charges: Mapping[int, NewCharge]) -> None:
        """Store charges by order id, with their orders."""

    async def find(self, order_id: int) -> Charge | None:
        """Read an order's charge."""

    async def find_all(self, order_ids: Collection[int]) -> Mapping[int, Charge]:
        """Read the charges of orders, by order id."""

    async def save(self, charges: Sequence[Charge]) -> None:
        """Write charges, also those of orders that had none; the caller holds the locks of their orders."""

    async def owners_of(self, transactions: Collection[GatewayKey]) -> Mapping[GatewayKey, int]:
        """Tell which orders gateway transactions are booked to; others are left out."""

    async def due(self, now: datetime, limit: int) -> Sequence[int]:
        """Name the orders whose ``next_verify_at`` has come, longest due first, without locking [PAY-89]."""

    async def time_out(self, created_before: datetime, next_verify_at: datetime, limit: int) -> Sequence[int]:
        """Move orders that waited too long to ``TIMED_OUT`` (T8), if their last verification got through [PAY-90].

        Returns:
            The ids of the orders moved, at most ``limit``.
        """


class GatewayEvents(Protocol):
    """The inbox of webhooks [PAY-72]."""

    async def add(self, merchant: str, event: IncomingEvent, *, result: str | None = None) -> int | None:
        """Store an event; None: it was delivered before, and nothing changes.

        Args:
            merchant: Merchant account whose address it came to.
            event: What it says.
            result: Outcome of an event that needs no processing; None: it waits.
        """

    async def find(self, event_ids: Collection[int]) -> Sequence[StoredEvent]:
        """Read events, by ascending id."""

    async def finish(self, results: Mapping[int, str]) -> None:
        """Mark events processed, by id; the first result of each stays."""


class SuspenseResolutions(Protocol):
    """Decisions about suspended money: one at a time for each entry [PAY-80]."""

    async def decide(self, decided: Resolution) -> int | None:
        """Store a decision; None: there is one already, which has not come to nothing.

        A decision comes to nothing when the gateway refuses the refund, or the order that gives the money out fails.

        Returns:
            Which decision about this entry it is, from 1.
        """

    async def find(self, entry_id: int) -> Resolution | None:
        """Read the present decision about an entry."""

    async def save(self, decided: Resolution) -> None:
        """Write how far a decision is."""


class Notices(Protocol):
    """Text messages, stored with the transaction [R19]."""

    async def add(self, notices: Sequence[SmsNotice]) -> None:
        """Store notices; those whose key is known are left out."""


class OrdersTransaction(UnitOfWork, Protocol):
    """One transaction over orders and the gateway's side of them."""

    @property
    def orders(self) -> Orders:
        """Orders."""

    @property
    def charges(self) -> Charges:
        """Charges at the gateway."""

    @property
    def gateway_events(self) -> GatewayEvents:
        """The inbox of webhooks."""

    @property
    def ledger(self) -> Ledger:
        """The ledger."""

    @property
    def notices(self) -> Notices:
        """Text messages."""
