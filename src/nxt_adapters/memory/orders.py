"""Orders in memory, with the facts about wallets, meters and people that they refer to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_domain.orders.meta import Author, Party
from nxt_domain.orders.model import ActorType, NewOrder, Order
from nxt_domain.orders.notices import Contact
from nxt_domain.orders.ports import MeterForSale, PublicView, ReferenceTaken
from nxt_domain.orders.states import is_allowed
from nxt_domain.shared.errors import Conflict
from nxt_domain.shared.money import Currency


@attrs.frozen(kw_only=True)
class KnownWallet:
    """A wallet as a test sets it up.

    Attributes:
        contact: An agent's account, or that of a meter's customer.
    """

    party: Party
    contact: Contact | None = None


@attrs.frozen(kw_only=True)
class StoredOrder:
    """An order with what only its insert carries."""

    order: Order
    new: NewOrder


def _owner_of(meter: MeterForSale, wallet_id: int) -> Party:
    return Party(
        wallet_id=wallet_id,
        currency=Currency.NGN,
        actor=ActorType.METER,
        owner_id=meter.id,
        name=meter.external_reference,
        customer_id=meter.customer_id,
        customer_name=meter.customer_name,
        is_customer_hidden=False,
        grid_id=meter.grid_id,
        is_grid_hidden=False,
        organization_id=meter.organization_id,
        tariffs=meter.tariffs,
    )


class MemoryOrders:
    """Implements ``Orders``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._orders: dict[int, StoredOrder] = database.table("orders")
        self._wallets: dict[int, KnownWallet] = database.table("known_wallets")
        self._meters: dict[str, MeterForSale] = database.table("meters_for_sale")
        self._authors: dict[int, Author] = database.table("authors")
        self._views: dict[int, PublicView] = database.table("top_up_views")
        self._sessions: dict[int, Contact] = database.table("ussd_sessions")

    async def add(self, orders: Sequence[NewOrder]) -> Sequence[Order]:
        """Store orders, all or none."""
        taken = {stored.new.external_reference for stored in self._orders.values()} - {None}
        for new in orders:
            if new.external_reference in taken:
                raise ReferenceTaken("An order has this reference already")
            if new.external_reference is not None:
                taken.add(new.external_reference)
        return [self._insert(new) for new in orders]

    async def find(self, *, order_id: int | None = None, reference: str | None = None) -> Order | None:
        """Find one order, by reference if one is given."""
        if reference is None:
            stored = self._orders.get(order_id) if order_id is not None else None
            return stored.order if stored else None
        found = (stored.order for stored in self._orders.values() if stored.order.external_reference == reference)
        return next(found, None)

    async def find_all(self, references: Collection[str]) -> Mapping[str, Order]:
        """Find orders by their references."""
        known = (stored.order for stored in self._orders.values())
        return {ref: order for order in known if (ref := order.external_reference) is not None and ref in references}

    async def read(self, order_ids: Collection[int]) -> Mapping[int, Order]:
        """Find orders by their ids."""
        return {order_id: self._orders[order_id].order for order_id in order_ids if order_id in self._orders}

    async def lock(self, order_ids: Collection[int]) -> Mapping[int, Order]:
        """Load orders; a memory transaction is alone anyway."""
        return {order_id: self._orders[order_id].order for order_id in sorted(order_ids) if order_id in self._orders}

    async def save(self, orders: Sequence[Order]) -> None:
        """Write changed orders, refusing what the state machine refuses."""
        for order in orders:
            before = self._orders[order.id].order
            if order.status is not before.status and not is_allowed(before.status, before.failure_code, order.status):
                raise Conflict(f"order {order.id} can not go from {before.status} to {order.status}")
            changed = attrs.evolve(order, status_since=self._database.clock.now())
            self._orders[order.id] = attrs.evolve(self._orders[order.id], order=changed)

    async def parties(self, wallet_ids: Collection[int]) -> Mapping[int, Party]:
        """Load the owners of wallets."""
        return {wallet_id: self._wallets[wallet_id].party for wallet_id in wallet_ids if wallet_id in self._wallets}

    async def author(self, account_id: int) -> Author | None:
        """Load who an account is."""
        return self._authors.get(account_id)

    async def meter_for_sale(self, external_reference: str) -> MeterForSale | None:
        """Find a live meter by the number on its case."""
        return self._meters.get(external_reference)

    async def meters_for_sale(self, meter_ids: Collection[int]) -> Mapping[int, MeterForSale]:
        """Find live meters by id."""
        return {meter.id: meter for meter in self._meters.values() if meter.id in meter_ids}

    async def open_meter_wallet(self, meter_id: int) -> int:
        """Make a meter's wallet, or find it."""
        for number, meter in self._meters.items():
            if meter.id == meter_id:
                if meter.wallet_id is not None:
                    return meter.wallet_id
                wallet_id = 1_000_000 + self._database.next_id("wallets")
                self._meters[number] = attrs.evolve(meter, wallet_id=wallet_id)
                self.know_wallet(_owner_of(meter, wallet_id))
                return wallet_id
        raise Conflict(f"meter {meter_id} does not exist", code="REFERENCE_MISSING")

    async def public_view(self, order_id: int) -> PublicView | None:
        """Read what the public page polls."""
        stored = self._orders.get(order_id)
        if stored is None:
            return None
        order, command = stored.order, self._views.get(order_id)
        return PublicView(
            status=order.status,
            amount=order.amount,
            external_reference=order.external_reference,
            directive_status=command.directive_status if command else None,
            token=command.token if command else None,
            energy_kwh=command.energy_kwh if command else None,
        )

    async def session_contacts(self, ussd_session_ids: Collection[int]) -> Mapping[int, Contact]:
        """Tell who is on the other end of phone sessions."""
        return {one: contact for one, contact in self._sessions.items() if one in ussd_session_ids}

    def know_wallet(self, party: Party, contact: Contact | None = None) -> None:
        """Set up a wallet and its owner."""
        self._wallets[party.wallet_id] = KnownWallet(party=party, contact=contact)

    def know_meter(self, meter: MeterForSale) -> None:
        """Set up a meter that can be bought for."""
        self._meters[meter.external_reference] = meter

    def know_author(self, author: Author) -> None:
        """Set up a person who places orders."""
        self._authors[author.account_id] = author

    def know_session(self, ussd_session_id: int, contact: Contact) -> None:
        """Set up a phone session."""
        self._sessions[ussd_session_id] = contact

    def know_top_up(self, order_id: int, view: PublicView) -> None:
        """Set up what became of an order's top-up command."""
        self._views[order_id] = view

    def _insert(self, new: NewOrder) -> Order:
        now = self._database.clock.now()
        order = Order(
            id=self._database.next_id("orders"),
            status=new.status,
            amount=new.amount,
            currency=new.currency,
            sender_wallet_id=new.sender_wallet_id,
            receiver_wallet_id=new.receiver_wallet_id,
            created_at=now,
            status_since=now,
            external_reference=new.external_reference,
            payment_channel=new.channel,
            routing_organization_id=new.routing_organization_id,
            ussd_session_id=new.ussd_session_id,
            historical_grid_id=new.meta.grid_id,
            organization_id=new.meta.organization_id,
        )
        self._orders[order.id] = StoredOrder(order=order, new=new)
        return order
