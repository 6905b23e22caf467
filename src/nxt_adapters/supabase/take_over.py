"""Storing a predecessor's books: set-based, in the transaction that also says how far it is [PAY-40]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import attrs
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.engine import dump_json
from nxt_adapters.supabase.ledger import PostgresLedger
from nxt_adapters.supabase.outbox import PostgresOutbox
from nxt_adapters.supabase.tables import orders as order_table
from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_domain.orders.old_books import (
    Carrier,
    Extent,
    Oddity,
    OldWallet,
    Remark,
    Stage,
    Standing,
    TakenOrder,
    TakenRow,
)
from nxt_domain.shared.errors import Conflict

_HOLD: Final = text("select pg_try_advisory_xact_lock(hashtextextended('internal.take_over', 0))")
# The new tables have no statistics yet, and each part is small: without this each one would read all before it.
_BY_INDEX: Final = [text(f"set local enable_{way} = off") for way in ("seqscan", "hashjoin", "mergejoin")]
_STANDING: Final = text("select stage, after_id as after, wallets, orders, rows, entries from internal.take_over")
_IS_USED: Final = text(
    "select exists (select from internal.ledger_entries) or exists (select from public.orders)"
    " or exists (select from public.transactions)"
)
_BEGIN: Final = text("insert into internal.take_over (id, stage) values (1, 'WALLETS')")
_RESERVE: Final = text(
    """
    select setval('public.wallets_id_seq', greatest(:wallets, (select max(id) from public.wallets), 1)),
        setval('public.orders_id_seq', greatest(:orders, 1)),
        setval('public.transactions_id_seq', greatest(:rows, 1))
    """
)
_ADVANCE: Final = text(
    """
    update internal.take_over set stage = :stage, after_id = :after, wallets = :wallets, orders = :orders,
        rows = :rows, entries = :entries, finished_at = case when :stage = 'DONE' then now() end
    """
)
_WALLETS: Final = text(
    """
    insert into public.wallets (id, created_at, organization_id, agent_id, customer_id, meter_id, connection_id,
        identifier, wallet_type)
    select id, created_at, organization_id, agent_id, customer_id, meter_id, connection_id, identifier, wallet_type
    from jsonb_populate_recordset(null::public.wallets, cast(:rows as jsonb))
    order by id
    on conflict (id) do nothing
    """
)
_OTHER_WALLETS: Final = text(
    """
    select w.id from jsonb_populate_recordset(null::public.wallets, cast(:rows as jsonb)) r
    join public.wallets w on w.id = r.id
    where (w.organization_id, w.agent_id, w.customer_id, w.meter_id, w.connection_id, w.identifier)
        is distinct from (r.organization_id, r.agent_id, r.customer_id, r.meter_id, r.connection_id, r.identifier)
    order by w.id limit 1
    """
)
# What is put right here; all other columns are taken as they are.
_SET_HERE: Final = {
    "external_reference": "case when not reference_taken then external_reference end",
    "order_status": (
        "case when order_status in ('COMPLETED', 'FAILED', 'PENDING') then 'PENDING'"
        " else 'INITIALISED' end::public.order_status_enum"
    ),
    "lock_session": "null",
    "rls_organization_id": (
        "coalesce(rls_organization_id, (select organization_id from public.grids where grids.id = historical_grid_id))"
    ),
    "updated_at": "now()",
}
_ORDER_COLUMNS: Final = [column.name for column in order_table.columns]
_ORDERS: Final = text(
    f"""
    with given as (
        select r.*, r.external_reference is not null and (
            row_number() over (partition by r.external_reference order by r.id) > 1
            or exists (select from public.orders o where o.external_reference = r.external_reference)
        ) as reference_taken
        from jsonb_populate_recordset(null::public.orders, cast(:rows as jsonb)) r
    ), stored as (
        insert into public.orders ({", ".join(_ORDER_COLUMNS)})
        select {", ".join(_SET_HERE.get(name, name) for name in _ORDER_COLUMNS)} from given order by id
    )
    select id from given where reference_taken order by id
    """  # noqa: S608 - names of columns
)
# An order begins as INITIALISED or PENDING; one step leads from there to any other status [PAY-44].
_STATES: Final = text(
    """
    update public.orders o
    set order_status = r.order_status, updated_at = coalesce(r.updated_at, r.created_at, o.updated_at)
    from jsonb_populate_recordset(null::public.orders, cast(:rows as jsonb)) r
    where o.id = r.id
    """
)
_CHARGES: Final = text(
    """
    insert into internal.gateway_charges (order_id, merchant, tx_ref, amount, currency, next_verify_at)
    select id, 'platform', external_reference, amount, currency, now() from public.orders
    where id = any(cast(:ids as integer[])) and order_status in ('INITIALISED', 'TIMED_OUT', 'CANCELLED')
        and external_reference is not null
    """
)
_ROWS: Final = text(
    """
    insert into public.transactions (id, created_at, amount, transaction_status, balance_before, balance_after,
        wallet_id, order_id)
    select id, created_at, amount, transaction_status, balance_before, balance_after, wallet_id, order_id
    from jsonb_populate_recordset(null::public.transactions, cast(:rows as jsonb))
    order by id
    """
)
_CARRIERS: Final = text(
    """
    insert into public.orders (created_at, amount, currency, order_status, external_reference, sender_wallet_id,
        receiver_wallet_id, meta_is_hidden_from_reporting, rls_organization_id)
    select coalesce(c.created_at, now()), abs(c.amount), w.currency, 'INITIALISED', c.reference,
        case when c.amount > 0 then c.system_wallet_id else c.wallet_id end,
        case when c.amount > 0 then c.wallet_id else c.system_wallet_id end, true, w.rls_organization_id
    from jsonb_to_recordset(cast(:rows as jsonb)) as c (
        reference text, wallet_id integer, system_wallet_id integer, amount numeric, created_at timestamptz)
    join public.wallets w on w.id = c.wallet_id
    order by c.reference
    """
)
_CARRIED: Final = text(
    """
    insert into public.transactions (created_at, amount, transaction_status, wallet_id, order_id)
    select o.created_at, c.amount, 'SUCCESSFUL', c.wallet_id, o.id
    from jsonb_to_recordset(cast(:rows as jsonb)) as c (reference text, wallet_id integer, amount numeric)
    join public.orders o on o.external_reference = c.reference
    order by o.id
    """
)
_SET_ASIDE: Final = text(
    """
    update public.orders set order_status = 'IGNORED', updated_at = created_at
    where external_reference = any(cast(:references as text[]))
    """
)
_NOTE: Final = text(
    """
    insert into internal.take_over_remarks (kind, wallet_id, order_id, transaction_id, amount, detail)
    select kind, wallet_id, order_id, transaction_id, amount, detail
    from jsonb_to_recordset(cast(:rows as jsonb)) as r (
        kind text, wallet_id integer, order_id integer, transaction_id bigint, amount numeric, detail text)
    """
)
_REMARKS: Final = text(
    """
    select id, kind, wallet_id, order_id, transaction_id, amount, detail from internal.take_over_remarks
    where id > :after order by id limit :limit
    """
)
_REFRESH: Final = text("select internal.refresh_hot_balances()")


class PostgresNewBooks:
    """Implements ``NewBooks``.

    Args:
        connection: Carries the caller's transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def begin(self, extent: Extent) -> Standing:
        """See ``NewBooks.begin``."""
        if not (await self._connection.execute(_HOLD)).scalar_one():
            raise Conflict("Another take-over goes on now", code="TAKE_OVER_RUNS")
        for setting in _BY_INDEX:
            await self._connection.execute(setting)
        known = (await self._connection.execute(_STANDING)).mappings().one_or_none()
        if known is not None:
            return Standing(**{**known, "stage": Stage(known["stage"])})
        if (await self._connection.execute(_IS_USED)).scalar_one():
            text_ = "The ledger has entries or orders already; a take-over begins with empty books"
            raise Conflict(text_, code="LEDGER_IN_USE")
        await self._connection.execute(_BEGIN)
        ids = {"wallets": extent.last_wallet_id, "orders": extent.last_order_id, "rows": extent.last_row_id}
        await self._connection.execute(_RESERVE, ids)
        return Standing()

    async def advance(self, standing: Standing) -> None:
        """See ``NewBooks.advance``."""
        await self._connection.execute(_ADVANCE, attrs.asdict(standing))

    async def add_wallets(self, wallets: Sequence[OldWallet]) -> None:
        """See ``NewBooks.add_wallets``."""
        rows = [{name: value for name, value in one.columns.items() if name != "balance"} for one in wallets]
        await self._store(_WALLETS, rows)
        if not rows:
            return
        other = (await self._connection.execute(_OTHER_WALLETS, {"rows": dump_json(rows)})).scalar_one_or_none()
        if other is not None:
            raise Conflict(f"Wallet {other} is there already, with another owner", code="OTHER_WALLET")

    async def add_orders(self, orders: Sequence[TakenOrder]) -> Sequence[int]:
        """See ``NewBooks.add_orders``."""
        if not orders:
            return ()
        rows = dump_json([_order(order) for order in orders])
        taken = (await self._connection.execute(_ORDERS, {"rows": rows})).scalars().all()
        await self._connection.execute(_STATES, {"rows": rows})
        await self._connection.execute(_CHARGES, {"ids": [order.id for order in orders]})
        return taken

    async def add_rows(self, rows: Sequence[TakenRow]) -> None:
        """See ``NewBooks.add_rows``."""
        await self._store(_ROWS, [_row(row) for row in rows])

    async def add_carriers(self, carriers: Sequence[Carrier]) -> None:
        """See ``NewBooks.add_carriers``."""
        rows = [attrs.asdict(carrier) for carrier in carriers]
        await self._store(_CARRIERS, rows)
        await self._store(_CARRIED, rows)
        if rows:
            await self._connection.execute(_SET_ASIDE, {"references": [one.reference for one in carriers]})

    async def note(self, remarks: Sequence[Remark]) -> None:
        """See ``NewBooks.note``."""
        await self._store(_NOTE, [attrs.asdict(remark) for remark in remarks])

    async def remarks(self, after: int, limit: int) -> Sequence[tuple[int, Remark]]:
        """See ``NewBooks.remarks``."""
        found = (await self._connection.execute(_REMARKS, {"after": after, "limit": limit})).mappings()
        return [
            (row["id"], Remark(**{**{k: v for k, v in row.items() if k != "id"}, "kind": Oddity(row["kind"])}))
            for row in found
        ]

    async def finish(self) -> None:
        """See ``NewBooks.finish``."""
        await self._connection.execute(_REFRESH)

    async def _store(self, statement: TextClause, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            await self._connection.execute(statement, {"rows": dump_json(rows)})


class TakeOverWork(PostgresTransaction):
    """Implements ``TakeOverTransaction``."""

    @cached_property
    def outbox(self) -> PostgresOutbox:
        """Effects outside the database; a take-over has none."""
        return PostgresOutbox(self.session)

    @cached_property
    def ledger(self) -> PostgresLedger:
        """The ledger."""
        return PostgresLedger(self.session)

    @cached_property
    def new_books(self) -> PostgresNewBooks:
        """Where the take-over writes."""
        return PostgresNewBooks(self.connection)


def _order(order: TakenOrder) -> Mapping[str, Any]:
    facts = attrs.asdict(order, filter=lambda field, _: field.name != "columns", recurse=False)
    return {**order.columns, **facts}


def _row(row: TakenRow) -> Mapping[str, Any]:
    status = "SUCCESSFUL" if row.is_successful else "FAILED"
    return {**attrs.asdict(row), "transaction_status": status}
