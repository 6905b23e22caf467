"""The books of a predecessor, read from its own tables: another database, or another schema of this one [PAY-40]."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from nxt_adapters.supabase.engine import dump_json, for_reading, load_json, psycopg_url
from nxt_adapters.supabase.transaction import domain_error
from nxt_domain.orders.old_books import SYSTEM_WALLET, Extent, OldOrder, OldRow, OldWallet
from nxt_domain.orders.states import OrderStatus
from nxt_domain.shared.errors import InvalidInput, Unavailable

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_UNDEFINED_TABLE: Final = "42P01"
_OWNERS: Final = "num_nonnulls(organization_id, agent_id, customer_id, meter_id, connection_id)"
_EXTENT: Final = """
    select (select count(*) from {schema}.wallets) as wallets,
        (select count(*) from {schema}.orders) as orders,
        (select count(*) from {schema}.transactions) as rows,
        (select coalesce(max(id), 0) from {schema}.wallets) as last_wallet_id,
        (select coalesce(max(id), 0) from {schema}.orders) as last_order_id,
        (select coalesce(max(id), 0) from {schema}.transactions) as last_row_id,
        (select min(id) from {schema}.wallets where identifier = :identifier) as system_wallet_id
    """
# A float is read by its text, which has all its digits; an exact half goes toward +∞ [PAY-5].
_WALLETS: Final = """
    select w.id, w.identifier, w.owners, w.balance::text as balance, w.columns, coalesce(t.posted, 0) as posted
    from (
        select id, identifier, balance, {owners} as owners, to_jsonb(wallets) as columns
        from {schema}.wallets where id > :after order by id limit :limit
    ) w
    left join lateral (
        select sum(floor(amount::text::numeric * 10000 + 0.5) / 10000) as posted from {schema}.transactions
        where wallet_id = w.id and transaction_status = 'SUCCESSFUL' and amount > -1e16 and amount < 1e16
    ) t on true
    order by w.id
    """
_WALLETS_BY_ID: Final = """
    select id, identifier, {owners} as owners, balance::text as balance, to_jsonb(wallets) as columns, 0 as posted
    from {schema}.wallets where id = any(cast(:ids as bigint[]))
    """
_ORDERS: Final = """
    select id, order_status::text as order_status, amount::text as amount, tariff::text as tariff,
        currency::text as currency, sender_wallet_id, receiver_wallet_id,
        coalesce(external_reference <> '', false) as has_reference, to_jsonb(orders) as columns
    from {schema}.orders where id > :after order by id limit :limit
    """
_ROW_COLUMNS: Final = """
    t.id, t.amount::text as amount, t.transaction_status = 'SUCCESSFUL' as is_successful, t.wallet_id, t.order_id,
    t.balance_before::text as balance_before, t.balance_after::text as balance_after, t.created_at
    """
_ROWS: Final = "select {row} from {schema}.transactions t where t.order_id = any(cast(:ids as bigint[])) order by t.id"
_LOOSE_ROWS: Final = """
    select {row} from {schema}.transactions t
    where t.id > :after and not exists (select from {schema}.orders o where o.id = t.order_id)
    order by t.id limit :limit
    """


def open_old_books(url: str) -> AsyncEngine:
    """Open a pool that only reads; it acts as the login that the address names."""
    return create_async_engine(
        psycopg_url(url),
        pool_size=1,
        max_overflow=0,
        json_serializer=dump_json,
        json_deserializer=load_json,
        connect_args={
            "connect_timeout": 5,
            "application_name": "nxt ledger take-over",
            "options": "-c timezone=UTC -c default_transaction_read_only=on -c extra_float_digits=1",
        },
    )


class PostgresOldBooks:
    """Implements ``OldBooks``.

    Args:
        engine: See ``open_old_books``.
        schema: In which the predecessor's tables stand.

    Raises:
        InvalidInput: No schema is called so.
    """

    def __init__(self, engine: AsyncEngine, schema: str = "public") -> None:
        if _NAME.fullmatch(schema) is None:
            raise InvalidInput(f"{schema!r} is no name of a schema", code="SCHEMA_NAME")
        self._engine = for_reading(engine)
        self._names = {"schema": f'"{schema}"', "owners": _OWNERS, "row": _ROW_COLUMNS}

    async def extent(self) -> Extent:
        """See ``OldBooks.extent``."""
        (row,) = await self._read(_EXTENT, identifier=SYSTEM_WALLET)
        return Extent(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name of columns

    async def wallets(self, after: int, limit: int) -> Sequence[OldWallet]:
        """See ``OldBooks.wallets``."""
        return [_wallet(row) for row in await self._read(_WALLETS, after=after, limit=limit)]

    async def wallets_by_id(self, ids: Collection[int]) -> Mapping[int, OldWallet]:
        """See ``OldBooks.wallets_by_id``."""
        return {row.id: _wallet(row) for row in await self._read(_WALLETS_BY_ID, ids=sorted(ids))}

    async def orders(self, after: int, limit: int) -> Sequence[OldOrder]:
        """See ``OldBooks.orders``."""
        found = await self._read(_ORDERS, after=after, limit=limit)
        rows: dict[int, list[OldRow]] = defaultdict(list)
        for row in await self._read(_ROWS, ids=[order.id for order in found]):
            rows[row.order_id].append(_row(row))
        return [_order(order, rows[order.id]) for order in found]

    async def loose_rows(self, after: int, limit: int) -> Sequence[OldRow]:
        """See ``OldBooks.loose_rows``."""
        return [_row(row) for row in await self._read(_LOOSE_ROWS, after=after, limit=limit)]

    async def _read(self, statement: str, **values: object) -> Sequence[Row[Any]]:
        query = text(statement.format(**self._names))
        try:
            async with self._engine.connect() as connection:
                return await _rows(connection, query, values)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == _UNDEFINED_TABLE:
                told = str(error.orig).partition("\n")[0]
                raise InvalidInput(f"The predecessor's tables are not there: {told}", code="NO_OLD_BOOKS") from error
            raise domain_error(error) or error from error
        except (OSError, TimeoutError) as error:
            raise Unavailable("The predecessor's database can't be reached") from error


async def _rows(connection: AsyncConnection, query: Any, values: Mapping[str, object]) -> Sequence[Row[Any]]:  # noqa: ANN401 - text()
    return (await connection.execute(query, values)).all()


def _wallet(row: Row[Any]) -> OldWallet:
    return OldWallet(
        id=row.id,
        identifier=row.identifier,
        owners=row.owners,
        balance=Decimal(row.balance),
        posted=Decimal(row.posted),
        columns=row.columns,
    )


def _order(row: Row[Any], rows: Sequence[OldRow]) -> OldOrder:
    return OldOrder(
        id=row.id,
        order_status=OrderStatus(row.order_status),
        amount=Decimal(row.amount),
        tariff=Decimal(row.tariff),
        currency=row.currency,
        sender_wallet_id=row.sender_wallet_id,
        receiver_wallet_id=row.receiver_wallet_id,
        has_reference=row.has_reference,
        rows=rows,
        columns=row.columns,
    )


def _row(row: Row[Any]) -> OldRow:
    return OldRow(
        id=row.id,
        amount=Decimal(row.amount),
        is_successful=row.is_successful,
        wallet_id=row.wallet_id,
        order_id=row.order_id,
        balance_before=Decimal(row.balance_before),
        balance_after=Decimal(row.balance_after),
        created_at=row.created_at,
    )
