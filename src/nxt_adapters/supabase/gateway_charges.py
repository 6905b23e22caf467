"""The gateway's side of orders in PostgreSQL [PAY-73]."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY, INTEGER

from nxt_adapters.supabase.engine import dump_json
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.tables import gateway_charges
from nxt_adapters.supabase.written import Read, Record, Written, insertion
from nxt_domain.orders.gateway import Charge, NewCharge
from nxt_domain.orders.ports import GatewayKey
from nxt_domain.orders.states import GATEWAY_FAILURES
from nxt_domain.shared.money import Currency

_SAVE = Written(
    """
    insert into internal.gateway_charges as c (
        order_id, merchant, tx_ref, amount, currency, gateway_tx_id, flw_ref, status, payment_type, charged_amount,
        app_fee, verify_attempts, last_verified_at, next_verify_at, last_error)
    select s.order_id, s.merchant, s.tx_ref, s.amount, cast(s.currency as currency_enum), s.gateway_tx_id, s.flw_ref,
        s.status, s.payment_type, s.charged_amount, s.app_fee, s.verify_attempts, s.last_verified_at,
        s.next_verify_at, s.last_error
    from jsonb_to_recordset(cast(:rows as jsonb)) as s (
        order_id int, merchant text, tx_ref text, amount numeric, currency text, gateway_tx_id text, flw_ref text,
        status text, payment_type text, charged_amount numeric, app_fee numeric, verify_attempts int,
        last_verified_at timestamptz, next_verify_at timestamptz, last_error text)
    order by s.order_id
    on conflict (order_id) do update set
        gateway_tx_id = excluded.gateway_tx_id, flw_ref = excluded.flw_ref, status = excluded.status,
        payment_type = excluded.payment_type, charged_amount = excluded.charged_amount, app_fee = excluded.app_fee,
        verify_attempts = excluded.verify_attempts, last_verified_at = excluded.last_verified_at,
        next_verify_at = excluded.next_verify_at, last_error = excluded.last_error
    """
)
_OF_ORDERS = Read(
    select(gateway_charges).where(gateway_charges.c.order_id == func.any(bindparam("order_ids", type_=ARRAY(INTEGER))))
)
_OWNERS = Read(
    """
    select c.merchant, c.gateway_tx_id, c.order_id
    from unnest(cast(:merchants as text[]), cast(:tx_ids as text[])) as wanted (merchant, gateway_tx_id)
    join internal.gateway_charges c using (merchant, gateway_tx_id)
    """
)
_DUE = Read(
    """
    select c.order_id from internal.gateway_charges c
    join public.orders o on o.id = c.order_id
    where c.next_verify_at <= :now and (
        o.order_status in ('INITIALISED', 'TIMED_OUT', 'CANCELLED')
        or (o.order_status = 'FAILED' and o.failure_code = any(cast(:gateway_failures as text[]))))
    order by c.next_verify_at, c.order_id limit :limit
    """
)
_TIME_OUT = Written(
    """
    with late as (
        select o.id from public.orders o
        join internal.gateway_charges c on c.order_id = o.id
        where o.order_status = 'INITIALISED' and o.created_at <= :created_before
            and c.last_verified_at is not null and c.last_error is null
        order by o.id limit :limit
        for update of o skip locked
    ), moved as (
        update public.orders o set order_status = 'TIMED_OUT' from late where o.id = late.id returning o.id
    )
    update internal.gateway_charges c set next_verify_at = :next_verify_at from moved
    where c.order_id = moved.id returning c.order_id
    """
)


class PostgresCharges:
    """Implements ``Charges``.

    Args:
        session: Of the unit of work.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def add(self, charges: Mapping[int, NewCharge]) -> None:
        """Store the charges of new orders, in one statement."""
        if not charges:
            return
        rows = [
            {
                "order_id": order_id,
                "merchant": charge.merchant,
                "tx_ref": charge.reference,
                "amount": charge.amount,
                "currency": charge.currency,
                "next_verify_at": charge.next_verify_at,
            }
            for order_id, charge in charges.items()
        ]
        await self._session.run(*insertion("internal.gateway_charges", rows))

    async def find(self, order_id: int) -> Charge | None:
        """Read an order's charge."""
        return (await self.find_all([order_id])).get(order_id)

    async def find_all(self, order_ids: Collection[int]) -> Mapping[int, Charge]:
        """Read the charges of orders, in one statement."""
        rows = await self._session.objects(_OF_ORDERS, {"order_ids": list(order_ids)})
        return {row.order_id: _charge(row) for row in rows}

    async def save(self, charges: Sequence[Charge]) -> None:
        """Write charges, in one statement."""
        if charges:
            await self._session.run(_SAVE, {"rows": dump_json([_row(charge) for charge in charges])})

    async def owners_of(self, transactions: Collection[GatewayKey]) -> Mapping[GatewayKey, int]:
        """Tell which orders gateway transactions are booked to, in one statement."""
        parameters = {"merchants": [key[0] for key in transactions], "tx_ids": [key[1] for key in transactions]}
        rows = await self._session.objects(_OWNERS, parameters)
        return {(row.merchant, row.gateway_tx_id): row.order_id for row in rows}

    async def due(self, now: datetime, limit: int) -> Sequence[int]:
        """Name the orders whose ``next_verify_at`` has come."""
        parameters = {"now": now, "limit": limit, "gateway_failures": sorted(GATEWAY_FAILURES)}
        return [row.order_id for row in await self._session.objects(_DUE, parameters)]

    async def time_out(self, created_before: datetime, next_verify_at: datetime, limit: int) -> Sequence[int]:
        """Move orders that waited too long to ``TIMED_OUT``, in one statement."""
        parameters = {"created_before": created_before, "next_verify_at": next_verify_at, "limit": limit}
        return [row.order_id for row in await self._session.objects(_TIME_OUT, parameters)]


def _charge(row: Record) -> Charge:
    return Charge(
        order_id=row.order_id,
        merchant=row.merchant,
        reference=row.tx_ref,
        amount=row.amount,
        currency=Currency(row.currency),
        gateway_tx_id=row.gateway_tx_id,
        flw_ref=row.flw_ref,
        status=row.status,
        payment_type=row.payment_type,
        charged_amount=row.charged_amount,
        fee=row.app_fee,
        verify_attempts=row.verify_attempts,
        last_verified_at=row.last_verified_at,
        next_verify_at=row.next_verify_at,
        last_error=row.last_error,
    )


def _row(charge: Charge) -> Mapping[str, object]:
    return {
        "order_id": charge.order_id,
        "merchant": charge.merchant,
        "tx_ref": charge.reference,
        "amount": charge.amount,
        "currency": charge.currency,
        "gateway_tx_id": charge.gateway_tx_id,
        "flw_ref": charge.flw_ref,
        "status": charge.status,
        "payment_type": charge.payment_type,
        "charged_amount": charge.charged_amount,
        "app_fee": charge.fee,
        "verify_attempts": charge.verify_attempts,
        "last_verified_at": charge.last_verified_at,
        "next_verify_at": charge.next_verify_at,
        "last_error": charge.last_error,
    }
