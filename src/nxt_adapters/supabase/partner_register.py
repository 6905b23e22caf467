"""What partners read of all tenants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.tables import accounts, customers, grids, orders
from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_domain.orders.partners import CustomerEntry, OrderEntry
from nxt_domain.shared.numbered_pages import Leaf, NumberedPage, numbered_page

T = TypeVar("T")

_CUSTOMERS = (
    select(customers.c.id, grids.c.name.label("grid"))
    .join(grids, grids.c.id == customers.c.grid_id)
    .join(accounts, accounts.c.id == customers.c.account_id)
    .where(
        customers.c.is_hidden_from_reporting.is_(False),
        accounts.c.deleted_at.is_(None),
        grids.c.deleted_at.is_(None),
        grids.c.is_hidden_from_reporting.isnot(True),
    )
)
_ORDERS = (
    select(
        orders.c.id,
        orders.c.created_at,
        orders.c.amount,
        orders.c.order_status,
        orders.c.currency,
        orders.c.tariff,
        grids.c.name.label("grid"),
    )
    .outerjoin(grids, grids.c.id == orders.c.historical_grid_id)
    .where(
        orders.c.meta_is_hidden_from_reporting.is_(False),
        orders.c.meta_order_type == "ENERGY_TOPUP",
        orders.c.order_status == "COMPLETED",
    )
)


class PostgresPartnerRegister:
    """``PartnerRegister`` on the relational plane.

    Args:
        session: Of the unit of work.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def customers(self, leaf: Leaf) -> NumberedPage[CustomerEntry]:
        """See ``PartnerRegister.customers``."""
        return await self._page(_CUSTOMERS, leaf, lambda row: CustomerEntry(**row))

    async def orders(self, leaf: Leaf) -> NumberedPage[OrderEntry]:
        """See ``PartnerRegister.orders``."""
        return await self._page(_ORDERS, leaf, lambda row: OrderEntry(**row))

    async def _page(self, query: Select[Any], leaf: Leaf, make: Callable[[Mapping[str, Any]], T]) -> NumberedPage[T]:
        total = (await self._session.execute(select(func.count()).select_from(query.subquery()))).scalar_one()
        rows = (await self._session.execute(_ordered(query, leaf))).mappings().all()
        return numbered_page(leaf, total, [make(dict(row)) for row in rows])


def _ordered(query: Select[Any], leaf: Leaf) -> Select[Any]:
    columns = query.selected_columns
    # A masked name puts nothing in order.
    keys = [columns[name] for name in dict.fromkeys((leaf.order, "id")) if name in columns]
    ordered = [key.asc() if leaf.ascending else key.desc() for key in keys]
    return query.order_by(*ordered).limit(leaf.size).offset(leaf.offset)


class PostgresSiteDirectory:
    """``SiteDirectory`` on the relational plane.

    Args:
        engine: The process's pool.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def grids_named(self, name: str) -> Sequence[int]:
        """See ``SiteDirectory.grids_named``."""
        query = select(grids.c.id).where(func.lower(func.trim(grids.c.name)) == name.strip().lower())
        async with PostgresTransaction(self._engine) as tx:
            return list((await tx.connection.execute(query.order_by(grids.c.id))).scalars())
