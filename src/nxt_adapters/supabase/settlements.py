"""Settling in PostgreSQL: a fixed number of statements, however many orders a batch holds [R3]."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Final

from nxt_adapters.supabase.engine import dump_json
from nxt_adapters.supabase.order_rows import order_of, tariffs_of
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.written import Record, Written
from nxt_domain.grids.tariffs import MeterType
from nxt_domain.orders.model import ActorType, Order
from nxt_domain.orders.notices import Contact
from nxt_domain.orders.settlement import PaidFee, Settlement, SettlingOrder, SettlingWallet, SoldMeter
from nxt_domain.orders.states import OrderStatus
from nxt_domain.shared.errors import Conflict
from nxt_domain.shared.money import Currency
from nxt_domain.wallets.model import EntryType

# The orders are locked first; the joins see only those. The oldest order of each wallet inside the system is found for
# all wallets at once: to ask of each order whether it is the oldest takes ten times as long where thousands wait.
_CLAIM = Written(
    """
    with banking as materialized (
        select id from public.wallets where identifier = 'BANKING_SYSTEM'
    ), oldest as materialized (
        select min(o.id) as id
        from public.orders o
        where o.order_status = 'PENDING' and o.sender_wallet_id not in (select id from banking)
            and not exists (
                select from internal.settlement_failures f
                where f.order_id = o.id and f.next_attempt_at > now())
        group by o.sender_wallet_id
    ), claimed as materialized (
        select o.id, o.order_status, o.amount, o.currency, o.sender_wallet_id, o.receiver_wallet_id, o.created_at,
            o.updated_at, o.external_reference, o.payment_method, o.payment_channel, o.failure_code,
            o.failure_message, o.routing_organization_id, o.ussd_session_id, o.historical_grid_id,
            o.rls_organization_id, o.tariff, o.tariff_type, o.settled_at, o.reversed_at, o.meter_credit_transfer_id
        from public.orders o
        where o.order_status = 'PENDING'
            and (cast(:only as int[]) is null or o.id = any(cast(:only as int[])))
            and not exists (
                select from internal.settlement_failures f
                where f.order_id = o.id and f.next_attempt_at > now())
            and (o.sender_wallet_id in (select id from banking) or o.id in (select id from oldest))
        order by o.id limit :limit
        for update of o skip locked
    )
    select o.*, coalesce(charge.merchant, suspended.merchant) as merchant, charge.gateway_tx_id,
        suspended.entry_id is not null as resolves_suspense,
        sender.currency as sender_currency,
        sender.organization_id as sender_organization_id, sender.agent_id as sender_agent_id,
        sender.customer_id as sender_customer_id, sender.meter_id as sender_meter_id,
        sender.connection_id as sender_connection_id,
        sender_account.id as sender_account_id, sender_account.phone as sender_phone,
        receiver.currency as receiver_currency,
        receiver.organization_id as receiver_organization_id, receiver.agent_id as receiver_agent_id,
        receiver.customer_id as receiver_customer_id, receiver.meter_id as receiver_meter_id,
        receiver.connection_id as receiver_connection_id,
        receiver_account.id as receiver_account_id, receiver_account.phone as receiver_phone,
        meter.external_reference as meter_reference, meter.meter_type as receiving_meter_type,
        priced.meter_type, priced.kwh_tariff, grid.kwh_tariff_essential_service, grid.kwh_tariff_full_service,
        grid.uses_dual_meter_setup
    from claimed o
    left join public.wallets sender on sender.id = o.sender_wallet_id
    left join public.agents sender_agent on sender_agent.id = sender.agent_id
    left join public.accounts sender_account on sender_account.id = sender_agent.account_id
    left join public.wallets receiver on receiver.id = o.receiver_wallet_id
    left join public.agents receiver_agent on receiver_agent.id = receiver.agent_id
    left join public.meters meter on meter.id = receiver.meter_id
    left join public.connections connection on connection.id = meter.connection_id
    left join public.customers customer on customer.id = connection.customer_id
    left join public.accounts receiver_account
        on receiver_account.id = coalesce(receiver_agent.account_id, customer.account_id)
    left join public.meter_credit_transfers transfer on transfer.id = o.meter_credit_transfer_id
    left join public.meters priced on priced.id = coalesce(transfer.sender_meter_id, meter.id)
    left join public.connections priced_connection on priced_connection.id = priced.connection_id
    left join public.customers priced_customer on priced_customer.id = priced_connection.customer_id
    left join public.grids grid on grid.id = priced_customer.grid_id
    left join internal.gateway_charges charge on charge.order_id = o.id
    left join lateral (
        select resolution.entry_id,
            substring(entry.idempotency_key from '^gateway\\:(.*)\\:[^\\:]*\\:suspense$') as merchant
        from internal.suspense_resolutions resolution
        join internal.ledger_entries entry on entry.id = resolution.entry_id
        where resolution.order_id = o.id
    ) suspended on true
    order by o.id
    """
)
_RECORD_ORDERS = Written(
    """
    update public.orders o set
        order_status = cast(s.status as order_status_enum), settled_at = s.settled_at, tariff = s.tariff,
        tariff_type = cast(s.tariff_type as meter_type_enum), failure_code = s.failure_code,
        failure_message = s.failure_message
    from jsonb_to_recordset(cast(:rows as jsonb)) as s (
        id int, status text, settled_at timestamptz, tariff numeric, tariff_type text, failure_code text,
        failure_message text)
    where o.id = s.id and o.order_status = 'PENDING'
    """
)
# The tenant is that of the order, as the table's trigger would find it, row by row. Both kinds of entries are named for
# the sake of the index, which holds no others: of a parameter the server's plan can't know.
_RECORD_MOVEMENTS = Written(
    """
    insert into public.transactions (
        amount, transaction_status, balance_before, balance_after, wallet_id, order_id, rls_organization_id)
    select p.amount, 'SUCCESSFUL',
        case account.account_class when 'WALLET' then p.balance_before else -1 end,
        case account.account_class when 'WALLET' then p.balance_after else -1 end,
        account.wallet_id, entry.order_id, o.rls_organization_id
    from unnest(cast(:order_ids as int[])) as moved (order_id)
    join public.orders o on o.id = moved.order_id
    join internal.ledger_entries entry on entry.order_id = moved.order_id
        and entry.entry_type = cast(:entry_type as ledger_entry_type_enum)
        and entry.entry_type in ('ORDER_SETTLEMENT', 'ORDER_REVERSAL')
    join internal.ledger_postings p on p.entry_id = entry.id
    join internal.ledger_accounts account on account.id = p.account_id
    order by entry.order_id, p.amount desc
    """
)
_RECORD_REVERSAL = Written("update public.orders set reversed_at = :reversed_at where id = :id")
_RECORD_REFUSALS = Written(
    """
    insert into public.transactions (
        amount, transaction_status, balance_before, balance_after, wallet_id, order_id)
    select s.amount, 'FAILED', s.balance, s.balance, s.wallet_id, s.order_id
    from jsonb_to_recordset(cast(:rows as jsonb)) as s (order_id int, wallet_id int, amount numeric, balance numeric)
    order by s.order_id, s.amount desc
    """
)
_RECORD_FEES = Written(
    """
    with change as (
        select s.connection_id as id, sum(s.amount) as amount
        from jsonb_to_recordset(cast(:rows as jsonb)) as s (connection_id int, amount numeric)
        group by s.connection_id
    ), locked_connection as materialized (
        select c.id, c.customer_id from public.connections c where c.id in (select id from change)
        order by c.id for no key update
    ), paid as (
        update public.connections c set paid = c.paid + change.amount
        from change join locked_connection l on l.id = change.id where c.id = change.id
    ), locked_customer as materialized (
        select c.id from public.customers c where c.id in (select customer_id from locked_connection)
        order by c.id for no key update
    ), change_of_customer as (
        select l.customer_id as id, sum(change.amount) as amount
        from change join locked_connection l on l.id = change.id group by l.customer_id
    )
    update public.customers c set total_connection_paid = c.total_connection_paid + change.amount
    from change_of_customer change join locked_customer l on l.id = change.id where c.id = change.id
    """
)
_COUNT_FAILURE = Written(
    """
    insert into internal.settlement_failures as f (order_id, failures, last_error) values (:order_id, 1, :error)
    on conflict (order_id) do update set
        failures = f.failures + 1, last_failed_at = now(), last_error = excluded.last_error
    returning failures
    """
)
_WAIT = Written(
    "update internal.settlement_failures set next_attempt_at = now() + :duration where order_id = :order_id"
)

_SIDE: Final = ("wallet_id", "currency", "connection_id", "account_id", "phone")
_OWNERS: Final = {
    ActorType.ORGANIZATION: "organization_id",
    ActorType.AGENT: "agent_id",
    ActorType.CUSTOMER: "customer_id",
    ActorType.METER: "meter_id",
    ActorType.CONNECTION: "connection_id",
}
_SENDER = attrgetter(*(f"sender_{name}" for name in (*_SIDE, *_OWNERS.values())))
_RECEIVER = attrgetter(*(f"receiver_{name}" for name in (*_SIDE, *_OWNERS.values())))


class PostgresSettlements:
    """Implements ``Settlements``.

    Args:
        session: Of the unit of work.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def claim(self, limit: int, *, only: Collection[int] | None = None) -> Sequence[SettlingOrder]:
        """Lock ``PENDING`` orders and load what their settlement needs, in one statement."""
        parameters = {"limit": limit, "only": None if only is None else list(only)}
        rows = await self._session.objects(_CLAIM, parameters)
        return [_settling_order(row) for row in rows]

    async def record(self, settlements: Sequence[Settlement]) -> None:
        """Write orders, transaction rows and fee counters: at most four statements."""
        if not settlements:
            return
        rows = dump_json([_order_row(settlement) for settlement in settlements])
        if await self._session.run(_RECORD_ORDERS, {"rows": rows}) != len(settlements):
            raise Conflict("an order is not PENDING any more", code="ORDER_STATE")
        completed = [s.order.id for s in settlements if s.order.status is OrderStatus.COMPLETED]
        if completed:
            await self._record_movements(completed, EntryType.ORDER_SETTLEMENT)
        await self._record_all(_RECORD_REFUSALS, [row for s in settlements for row in _refusal_rows(s)])
        await self._record_all(_RECORD_FEES, [row for s in settlements for row in _fee_rows(s)])

    async def record_reversal(self, order: Order, fees: Sequence[PaidFee]) -> None:
        """Write what clients read of a reversal: three statements at most."""
        await self._session.run(_RECORD_REVERSAL, {"id": order.id, "reversed_at": order.reversed_at})
        await self._record_movements([order.id], EntryType.ORDER_REVERSAL)
        await self._record_all(_RECORD_FEES, [_fee_row(fee) for fee in fees])

    async def _record_movements(self, order_ids: Sequence[int], kind: EntryType) -> None:
        parameters = {"order_ids": list(order_ids), "entry_type": kind.value}
        await self._session.run(_RECORD_MOVEMENTS, parameters)

    async def _record_all(self, statement: Written, rows: Sequence[Mapping[str, object]]) -> None:
        if rows:
            await self._session.run(statement, {"rows": dump_json(rows)})


class PostgresSettlementFailures:
    """Implements ``SettlementFailures``.

    Args:
        session: Of a unit of work of its own.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def count(self, order_id: int, error: str) -> int:
        """Count one more failure of an order."""
        parameters = {"order_id": order_id, "error": error.replace("\0", "")}
        (counted,) = await self._session.objects(_COUNT_FAILURE, parameters)
        return int(counted.failures)

    async def wait(self, order_id: int, duration: timedelta) -> None:
        """Leave an order alone for a while."""
        await self._session.run(_WAIT, {"order_id": order_id, "duration": duration})


def _settling_order(row: Record) -> SettlingOrder:
    return SettlingOrder(
        order=order_of(row),
        sender=_wallet(*_SENDER(row)),
        receiver=_wallet(*_RECEIVER(row)),
        merchant=row.merchant,
        gateway_tx_id=row.gateway_tx_id,
        resolves_suspense=row.resolves_suspense,
        meter_credit_transfer_id=row.meter_credit_transfer_id,
        meter=_meter(row) if row.receiver_meter_id is not None else None,
    )


def _wallet(
    wallet_id: int,
    currency: str | None,
    connection_id: int | None,
    account_id: int | None,
    phone: str | None,
    *owner_ids: int | None,
) -> SettlingWallet | None:
    if currency is None:
        return None
    owners = zip(_OWNERS, owner_ids, strict=True)
    return SettlingWallet(
        id=wallet_id,
        currency=Currency(currency),
        actor=next((actor for actor, owner_id in owners if owner_id is not None), ActorType.BANKING_SYSTEM),
        connection_id=connection_id,
        contact=None if account_id is None else Contact(account_id=account_id, phone=phone),
    )


def _meter(row: Record) -> SoldMeter:
    return SoldMeter(
        id=row.receiver_meter_id,
        external_reference=row.meter_reference,
        meter_type=MeterType(row.receiving_meter_type),
        tariffs=tariffs_of(row),
    )


def _order_row(settlement: Settlement) -> Mapping[str, object]:
    order = settlement.order
    return {
        "id": order.id,
        "status": order.status,
        "settled_at": order.settled_at,
        "tariff": order.tariff,
        "tariff_type": order.tariff_type,
        "failure_code": order.failure_code,
        "failure_message": order.failure_message,
    }


def _refusal_rows(settlement: Settlement) -> Sequence[Mapping[str, object]]:
    unknown = Decimal(-1)
    return [
        {
            "order_id": settlement.order.id,
            "wallet_id": side.wallet_id,
            "amount": side.amount,
            "balance": unknown if side.balance is None else side.balance,
        }
        for side in settlement.refused_sides
    ]


def _fee_rows(settlement: Settlement) -> Sequence[Mapping[str, object]]:
    return [_fee_row(fee) for fee in settlement.fees]


def _fee_row(fee: PaidFee) -> Mapping[str, object]:
    return {"connection_id": fee.connection_id, "amount": fee.amount}
