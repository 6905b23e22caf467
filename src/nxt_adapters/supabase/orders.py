"""Orders in PostgreSQL, and what they refer to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter

from psycopg.errors import UniqueViolation
from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY, INTEGER, TEXT

from nxt_adapters.supabase.engine import dump_json
from nxt_adapters.supabase.order_rows import (
    PARTIES,
    order_of,
    party_of,
    tariffs_of,
)
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.tables import orders as orders_table
from nxt_adapters.supabase.written import Read, Record, Written, insertion
from nxt_domain.orders.meta import Author, Party
from nxt_domain.orders.model import AccountType, NewOrder, Order
from nxt_domain.orders.notices import Contact
from nxt_domain.orders.ports import MeterForSale, PublicView, ReferenceTaken
from nxt_domain.orders.states import OrderStatus
from nxt_domain.shared.errors import Conflict

_REFERENCES = "ux_orders_external_reference"
_WANTED = bindparam("ids", type_=ARRAY(INTEGER))
_BY_ID = Read(select(orders_table).where(orders_table.c.id == func.any(_WANTED)))
_BY_REFERENCE = Read(
    select(orders_table).where(
        orders_table.c.external_reference == func.any(bindparam("references", type_=ARRAY(TEXT)))
    )
)
_LOCK = Written(
    select(orders_table).where(orders_table.c.id == func.any(_WANTED)).order_by(orders_table.c.id).with_for_update()
)
_COLUMNS = tuple(column.name for column in orders_table.c)
_SAVE = Written(
    """
    update public.orders o set
        order_status = cast(s.status as order_status_enum), failure_code = s.failure_code,
        failure_message = s.failure_message, payment_method = cast(s.payment_method as payment_method_enum),
        tariff = s.tariff, tariff_type = cast(s.tariff_type as meter_type_enum), settled_at = s.settled_at
    from jsonb_to_recordset(cast(:rows as jsonb)) as s (
        id int, status text, failure_code text, failure_message text, payment_method text, tariff numeric,
        tariff_type text, settled_at timestamptz)
    where o.id = s.id
    """
)
_AUTHOR = Read(
    """
    select a.full_name, agent.id as agent_id, customer.id as customer_id, member.id as member_id
    from public.accounts a
    left join public.agents agent on agent.account_id = a.id
    left join public.customers customer on customer.account_id = a.id
    left join public.members member on member.account_id = a.id
    where a.id = :account_id
    """
)
_METERS_FOR_SALE = """
    select m.id, m.external_reference, m.meter_type, m.kwh_tariff, w.id as wallet_id, customer.id as customer_id,
        account.full_name as customer_name, grid.id as grid_id, grid.name as grid_name, org.id as organization_id,
        org.name as organization_name, grid.kwh_tariff_essential_service, grid.kwh_tariff_full_service,
        grid.uses_dual_meter_setup, commissioning.meter_commissioning_status
    from public.meters m
    left join public.wallets w on w.meter_id = m.id
    left join public.connections connection on connection.id = m.connection_id
    left join public.customers customer on customer.id = connection.customer_id
    left join public.accounts account on account.id = customer.account_id
    left join public.grids grid on grid.id = customer.grid_id
    left join public.organizations org on org.id = grid.organization_id
    left join public.metering_hardware_install_sessions session
        on session.id = m.last_metering_hardware_install_session_id
    left join public.meter_commissionings commissioning on commissioning.id = session.last_meter_commissioning_id
    where {condition} and m.deleted_at is null
    order by m.id {limit}
    """
_METER_FOR_SALE = Read(_METERS_FOR_SALE.format(condition="m.external_reference = :external_reference", limit="limit 1"))
_METERS_BY_ID = Read(_METERS_FOR_SALE.format(condition="m.id = any(cast(:ids as integer[]))", limit=""))
_OPEN_WALLET = Written(
    "insert into public.wallets (meter_id, wallet_type) values (:meter_id, 'REAL') on conflict (meter_id) do nothing"
)
_METER_WALLET = Read("select id from public.wallets where meter_id = :meter_id")
_PUBLIC_VIEW = Read(
    """
    select o.order_status, o.amount, o.external_reference, i.meter_interaction_status, i.token, i.transactive_kwh
    from public.orders o
    left join public.meter_interactions i on i.order_id = o.id
    where o.id = :order_id
    """
)
_SESSION_CONTACTS = Read(
    "select id, account_id, phone from public.ussd_sessions where id = any(cast(:ids as integer[]))"
)


class PostgresOrders:
    """Implements ``Orders``.

    Args:
        session: Of the unit of work.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def add(self, orders: Sequence[NewOrder]) -> Sequence[Order]:
        """Store orders, in one statement; see ``Orders.add``."""
        if not orders:
            return ()
        try:
            rows = await self._session.objects(*insertion("public.orders", list(map(_row, orders)), returning=_COLUMNS))
        except UniqueViolation as error:
            if error.diag.constraint_name == _REFERENCES:
                raise ReferenceTaken("An order has this reference already") from error
            raise
        return [order_of(row) for row in sorted(rows, key=attrgetter("id"))]

    async def find(self, *, order_id: int | None = None, reference: str | None = None) -> Order | None:
        """Find one order, by reference if one is given."""
        if reference is not None:
            return (await self.find_all([reference])).get(reference)
        return None if order_id is None else (await self.read([order_id])).get(order_id)

    async def find_all(self, references: Collection[str]) -> Mapping[str, Order]:
        """Find orders by their references, in one statement."""
        rows = await self._session.objects(_BY_REFERENCE, {"references": list(references)})
        return {row.external_reference: order_of(row) for row in rows}

    async def read(self, order_ids: Collection[int]) -> Mapping[int, Order]:
        """Find orders by their ids, in one statement."""
        rows = await self._session.objects(_BY_ID, {"ids": list(order_ids)})
        return {row.id: order_of(row) for row in rows}

    async def lock(self, order_ids: Collection[int]) -> Mapping[int, Order]:
        """Load orders and lock their rows in ascending id."""
        rows = await self._session.objects(_LOCK, {"ids": list(order_ids)})
        return {row.id: order_of(row) for row in rows}

    async def save(self, orders: Sequence[Order]) -> None:
        """Write changed orders, in one statement."""
        if not orders:
            return
        saved = await self._session.run(_SAVE, {"rows": dump_json([_changes(order) for order in orders])})
        if saved != len(orders):
            raise Conflict("an order is gone", code="ORDER_STATE")

    async def parties(self, wallet_ids: Collection[int]) -> Mapping[int, Party]:
        """Load the owners of wallets."""
        rows = await self._session.objects(PARTIES, {"wallet_ids": list(wallet_ids)})
        return {row.wallet_id: party_of(row) for row in rows}

    async def author(self, account_id: int) -> Author | None:
        """Load who an account is: agent, customer or member, in this order."""
        found = await self._session.objects(_AUTHOR, {"account_id": account_id})
        if not found:
            return None
        (row,) = found
        for kind, role_id in (
            (AccountType.AGENT, row.agent_id),
            (AccountType.CUSTOMER, row.customer_id),
            (AccountType.MEMBER, row.member_id),
        ):
            if role_id is not None:
                return Author(account_id=account_id, account_type=kind, role_id=role_id, name=row.full_name)
        return None

    async def meter_for_sale(self, external_reference: str) -> MeterForSale | None:
        """Find a live meter by the number on its case."""
        parameters = {"external_reference": external_reference}
        found = await self._session.objects(_METER_FOR_SALE, parameters)
        return _meter_for_sale(found[0]) if found else None

    async def meters_for_sale(self, meter_ids: Collection[int]) -> Mapping[int, MeterForSale]:
        """Find live meters by id."""
        rows = await self._session.objects(_METERS_BY_ID, {"ids": sorted(meter_ids)})
        return {row.id: _meter_for_sale(row) for row in rows}

    async def open_meter_wallet(self, meter_id: int) -> int:
        """Make a meter's wallet, or find the one that somebody else just made."""
        await self._session.run(_OPEN_WALLET, {"meter_id": meter_id})
        (wallet,) = await self._session.objects(_METER_WALLET, {"meter_id": meter_id})
        return int(wallet.id)

    async def public_view(self, order_id: int) -> PublicView | None:
        """Read what the public page polls."""
        found = await self._session.objects(_PUBLIC_VIEW, {"order_id": order_id})
        if not found:
            return None
        (row,) = found
        return PublicView(
            status=OrderStatus(row.order_status),
            amount=row.amount,
            external_reference=row.external_reference,
            directive_status=row.meter_interaction_status,
            token=row.token,
            energy_kwh=row.transactive_kwh,
        )

    async def session_contacts(self, ussd_session_ids: Collection[int]) -> Mapping[int, Contact]:
        """Tell who is on the other end of phone sessions, in one statement."""
        rows = await self._session.objects(_SESSION_CONTACTS, {"ids": list(ussd_session_ids)})
        return {row.id: Contact(account_id=row.account_id, phone=row.phone) for row in rows}


def _row(order: NewOrder) -> Mapping[str, object]:
    meta = order.meta
    return {
        "order_status": order.status,
        "amount": order.amount,
        "currency": order.currency,
        "sender_wallet_id": order.sender_wallet_id,
        "receiver_wallet_id": order.receiver_wallet_id,
        "payment_channel": order.channel,
        "author_id": order.author_id,
        "external_reference": order.external_reference,
        "routing_organization_id": order.routing_organization_id,
        "ussd_session_id": order.ussd_session_id,
        "meter_credit_transfer_id": order.meter_credit_transfer_id,
        "historical_grid_id": meta.grid_id,
        "rls_organization_id": meta.organization_id,
        "meta_order_type": meta.order_type,
        "meta_author_type": meta.author_type,
        "meta_author_id": meta.author_id,
        "meta_author_name": meta.author_name,
        "meta_sender_type": meta.sender_type,
        "meta_sender_id": meta.sender_id,
        "meta_sender_name": meta.sender_name,
        "meta_sender_name_part_2": meta.sender_name_part_2,
        "meta_receiver_type": meta.receiver_type,
        "meta_receiver_id": meta.receiver_id,
        "meta_receiver_name": meta.receiver_name,
        "meta_receiver_name_part_2": meta.receiver_name_part_2,
        "meta_receiver_id_part_2": meta.receiver_id_part_2,
        "meta_is_hidden_from_reporting": meta.is_hidden_from_reporting,
    }


def _changes(order: Order) -> Mapping[str, object]:
    return {
        "id": order.id,
        "status": order.status,
        "failure_code": order.failure_code,
        "failure_message": order.failure_message,
        "payment_method": order.payment_method,
        "tariff": order.tariff,
        "tariff_type": order.tariff_type,
        "settled_at": order.settled_at,
    }


def _meter_for_sale(row: Record) -> MeterForSale:
    return MeterForSale(
        id=row.id,
        external_reference=row.external_reference,
        wallet_id=row.wallet_id,
        is_ready=row.customer_id is not None and row.meter_commissioning_status == "SUCCESSFUL",
        customer_id=row.customer_id,
        customer_name=row.customer_name,
        grid_id=row.grid_id,
        grid_name=row.grid_name,
        organization_id=row.organization_id,
        organization_name=row.organization_name,
        tariffs=tariffs_of(row),
    )
