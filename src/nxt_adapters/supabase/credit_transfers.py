"""Transfers of credit between meters in PostgreSQL: the row that clients know, and how far it is beside it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import attrs
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.engine import dump_json
from nxt_domain.orders.credit_transfers import CreditTransfer, NewCreditTransfer, TransferStatus, TransferStep
from nxt_domain.shared.money import Currency

_BUSY: Final = text(
    """
    select distinct m.id from unnest(cast(:ids as integer[])) as m (id)
    join public.meter_credit_transfers t on m.id in (t.sender_meter_id, t.receiver_meter_id)
    join internal.credit_transfer_runs r on r.transfer_id = t.id and r.finished_at is null
    order by m.id
    """
)
_ADD: Final = text(
    """
    with stored as (
        insert into public.meter_credit_transfers (amount, currency, sender_meter_id, receiver_meter_id, author_id)
        values (:amount, cast(:currency as currency_enum), :sender_meter_id, :receiver_meter_id, :author_id)
        returning *
    ), begun as (
        insert into internal.credit_transfer_runs (transfer_id) select id from stored
    )
    select id, created_at, meter_credit_transfer_status as status, amount, currency, sender_meter_id,
        receiver_meter_id, author_id, rls_organization_id as organization_id
    from stored
    """
)
_DUE: Final = text(
    """
    select transfer_id from internal.credit_transfer_runs
    where finished_at is null and look_at <= :now order by look_at, transfer_id limit :limit
    """
)
_LOCK: Final = text(
    """
    select t.id, t.created_at, t.meter_credit_transfer_status as status, t.amount, t.currency, t.sender_meter_id,
        t.receiver_meter_id, t.author_id, t.rls_organization_id as organization_id, t.sender_meter_set_to_amount,
        o.id as order_id, r.energy_kwh, r.give_back_kwh, r.commands, r.is_refused, r.is_paid_out, r.alerted_at,
        r.finished_at
    from internal.credit_transfer_runs r
    join public.meter_credit_transfers t on t.id = r.transfer_id
    left join public.orders o on o.meter_credit_transfer_id = t.id
    where r.transfer_id = :transfer_id and r.finished_at is null
    for update of r skip locked
    """
)
_SAVE: Final = text(
    """
    with run as (
        update internal.credit_transfer_runs set energy_kwh = :energy_kwh, give_back_kwh = :give_back_kwh,
            commands = cast(:commands as jsonb), is_refused = :is_refused, is_paid_out = :is_paid_out,
            alerted_at = :alerted_at, finished_at = :finished_at, look_at = :look_at
        where transfer_id = :id
    )
    update public.meter_credit_transfers
    set meter_credit_transfer_status = cast(:status as meter_credit_transfer_status_enum),
        sender_meter_set_to_amount = :sender_meter_set_to_amount
    where id = :id
    """
)
_HOLD: Final = text(
    """
    with held as (
        update public.meters set is_manual_mode_on = true, is_manual_mode_on_updated_at = :now
        where id = any(cast(:meter_ids as integer[])) and not is_manual_mode_on returning id
    )
    update internal.credit_transfer_runs set held_meter_ids = array(select id from held order by id)
    where transfer_id = :transfer_id
    """
)
_RELEASE: Final = text(
    """
    update public.meters m set is_manual_mode_on = false, is_manual_mode_on_updated_at = :now
    from internal.credit_transfer_runs r
    where r.transfer_id = :transfer_id and m.id = any(r.held_meter_ids) and m.is_manual_mode_on
    """
)


class PostgresCreditTransfers:
    """Implements ``CreditTransfers``.

    Args:
        connection: Carries the caller's transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def busy(self, meter_ids: Collection[int]) -> Collection[int]:
        """See ``CreditTransfers.busy``."""
        return (await self._connection.execute(_BUSY, {"ids": sorted(meter_ids)})).scalars().all()

    async def add(self, new: NewCreditTransfer) -> CreditTransfer:
        """See ``CreditTransfers.add``."""
        row = (await self._connection.execute(_ADD, attrs.asdict(new))).one()
        return _transfer(row)

    async def due(self, now: datetime, limit: int) -> Sequence[int]:
        """See ``CreditTransfers.due``."""
        return (await self._connection.execute(_DUE, {"now": now, "limit": limit})).scalars().all()

    async def lock(self, transfer_id: int) -> CreditTransfer | None:
        """See ``CreditTransfers.lock``."""
        row = (await self._connection.execute(_LOCK, {"transfer_id": transfer_id})).one_or_none()
        return None if row is None else _transfer(row)

    async def save(self, transfer: CreditTransfer, *, look_at: datetime) -> None:
        """See ``CreditTransfers.save``."""
        facts = attrs.asdict(transfer, recurse=False)
        facts["commands"] = dump_json({step.value: number for step, number in transfer.commands.items()})
        await self._connection.execute(_SAVE, {**facts, "look_at": look_at})

    async def hold(self, transfer: CreditTransfer, now: datetime) -> None:
        """See ``CreditTransfers.hold``."""
        meters = [transfer.sender_meter_id, transfer.receiver_meter_id]
        await self._connection.execute(_HOLD, {"transfer_id": transfer.id, "meter_ids": meters, "now": now})

    async def release(self, transfer: CreditTransfer, now: datetime) -> None:
        """See ``CreditTransfers.release``."""
        await self._connection.execute(_RELEASE, {"transfer_id": transfer.id, "now": now})


def _transfer(row: Row[Any]) -> CreditTransfer:
    facts = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name of columns
    facts["status"] = TransferStatus(facts["status"])
    facts["currency"] = Currency(facts["currency"])
    facts["commands"] = {TransferStep(step): int(Decimal(number)) for step, number in facts.get("commands", {}).items()}
    return CreditTransfer(**facts)
