"""Rows of orders and of those they concern, as the domain's objects."""

from __future__ import annotations

from nxt_adapters.supabase.written import Read, Record
from nxt_domain.grids.tariffs import MeterType, TariffFacts
from nxt_domain.orders.meta import Party
from nxt_domain.orders.model import ActorType, Order, PaymentChannel, PaymentMethod
from nxt_domain.orders.states import OrderStatus
from nxt_domain.shared.money import Currency

PARTIES = Read(
    """
    select w.id as wallet_id, w.currency, w.organization_id, w.agent_id, w.customer_id, w.meter_id, w.connection_id,
        org.name as organization_name, agent_account.full_name as agent_name,
        meter.external_reference as meter_reference, meter.meter_type, meter.kwh_tariff, connection.upload_uuid,
        customer.id as owning_customer_id, customer_account.full_name as customer_name,
        customer.is_hidden_from_reporting as is_customer_hidden, grid.id as grid_id,
        grid.is_hidden_from_reporting as is_grid_hidden, grid.organization_id as grid_organization_id,
        grid.kwh_tariff_essential_service, grid.kwh_tariff_full_service, grid.uses_dual_meter_setup
    from public.wallets w
    left join public.organizations org on org.id = w.organization_id
    left join public.agents agent on agent.id = w.agent_id
    left join public.accounts agent_account on agent_account.id = agent.account_id
    left join public.meters meter on meter.id = w.meter_id
    left join public.connections connection on connection.id = coalesce(w.connection_id, meter.connection_id)
    left join public.customers customer on customer.id = coalesce(w.customer_id, connection.customer_id)
    left join public.accounts customer_account on customer_account.id = customer.account_id
    left join public.grids grid on grid.id = coalesce(agent.grid_id, customer.grid_id)
    where w.id = any(cast(:wallet_ids as int[]))
    """
)


def order_of(row: Record) -> Order:
    """Read an order from a row with its columns."""
    return Order(
        id=row.id,
        status=OrderStatus(row.order_status),
        amount=row.amount,
        currency=Currency(row.currency),
        sender_wallet_id=row.sender_wallet_id,
        receiver_wallet_id=row.receiver_wallet_id,
        created_at=row.created_at,
        status_since=row.updated_at,
        external_reference=row.external_reference,
        payment_method=PaymentMethod(row.payment_method) if row.payment_method else None,
        payment_channel=PaymentChannel(row.payment_channel) if row.payment_channel else None,
        failure_code=row.failure_code,
        failure_message=row.failure_message,
        routing_organization_id=row.routing_organization_id,
        ussd_session_id=row.ussd_session_id,
        historical_grid_id=row.historical_grid_id,
        organization_id=row.rls_organization_id,
        tariff=row.tariff,
        tariff_type=MeterType(row.tariff_type) if row.tariff_type else None,
        settled_at=row.settled_at,
        reversed_at=row.reversed_at,
    )


def party_of(row: Record) -> Party:
    """Read the owner of a wallet from a row of ``PARTIES``."""
    actor, owner_id, name = _owner(row)
    is_organization = actor is ActorType.ORGANIZATION
    return Party(
        wallet_id=row.wallet_id,
        currency=Currency(row.currency),
        actor=actor,
        owner_id=owner_id,
        name=name,
        customer_id=row.owning_customer_id,
        customer_name=row.customer_name,
        is_customer_hidden=row.is_customer_hidden,
        grid_id=row.grid_id,
        is_grid_hidden=row.is_grid_hidden,
        organization_id=row.organization_id if is_organization else row.grid_organization_id,
        tariffs=tariffs_of(row) if row.meter_id is not None else None,
    )


def tariffs_of(row: Record) -> TariffFacts:
    """Read a meter's price facts."""
    return TariffFacts(
        meter_type=MeterType(row.meter_type),
        own_tariff=row.kwh_tariff,
        essential_tariff=row.kwh_tariff_essential_service,
        full_tariff=row.kwh_tariff_full_service,
        is_dual_meter_grid=bool(row.uses_dual_meter_setup),
    )


def _owner(row: Record) -> tuple[ActorType, int | None, str | None]:
    owners = (
        (ActorType.ORGANIZATION, row.organization_id, "organization_name"),
        (ActorType.AGENT, row.agent_id, "agent_name"),
        (ActorType.METER, row.meter_id, "meter_reference"),
        (ActorType.CONNECTION, row.connection_id, "upload_uuid"),
        (ActorType.CUSTOMER, row.customer_id, "customer_name"),
    )
    for actor, owner_id, name in owners:
        if owner_id is not None:
            return actor, owner_id, getattr(row, name)
    return ActorType.BANKING_SYSTEM, None, None
