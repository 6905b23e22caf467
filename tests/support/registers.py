"""Two invented tenants with customers, in memory and in PostgreSQL, for the registers' suites."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_adapters.supabase.engine import create_engine, psycopg_url
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_domain.grids.contract_views import CustomerView
from nxt_domain.identity.scope import PLATFORM, Scope
from tests.support.identity_world import ADMIN, AGENT, CUSTOMER, LENDER, MEMBER

AT = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)
SUNNY, OTHER = Scope(organization_id=7), Scope(organization_id=8)
GRIDS = {70: 7, 71: 7, 80: 8}
"""Owner organization by grid."""


class MemoryRegisters:
    """Both tenants in memory."""

    def __init__(self) -> None:
        self.plane = MemoryPlane()
        self.begin = self.plane.begin

    async def add_customer(self, customer_id: int, grid_id: int) -> None:
        """Make a customer of a grid."""
        row = CustomerView(
            id=customer_id,
            created_at=AT,
            gender=None,
            total_connection_fee=Decimal(0),
            total_connection_paid=Decimal(0),
            is_hidden_from_reporting=False,
            lives_primarily_in_the_community=True,
            latitude=None,
            longitude=None,
            generator_owned=None,
            grid_id=grid_id,
            account_id=100 + customer_id,
            rls_organization_id=GRIDS[grid_id],
            full_name=f"Customer {customer_id}",
            phone=None,
        )
        async with self.begin() as tx:
            tx.within(PLATFORM).customers.know(row)
            await tx.commit()

    async def close(self) -> None:
        """Nothing to give back."""


class PostgresRegisters:
    """Both tenants on the relational plane.

    Args:
        url: Of a migrated database; the login owns it.
    """

    def __init__(self, url: str) -> None:
        self.pool = create_engine(url, pool_size=6)
        self._owner = create_async_engine(psycopg_url(url))

    def begin(self) -> SupabaseUnitOfWork:
        """Open a transaction."""
        return SupabaseUnitOfWork(self.pool, messages_of=lambda connection: NotImplemented)

    async def seed(self) -> None:
        """Make the tenants, their grids and everybody who calls."""
        callers = (ADMIN, MEMBER, AGENT, CUSTOMER, LENDER)
        await self.sql(
            "insert into organizations (id, name) values (2, 'Platform'), (7, 'Sunny'), (8, 'Other'), (9, 'Bank')"
        )
        for grid_id, owner in GRIDS.items():
            await self.sql(
                f"insert into grids (id, name, organization_id) values ({grid_id}, 'Grid {grid_id}', {owner})"
            )
        for account in callers:
            await self.sql(
                "insert into accounts (id, full_name, organization_id) values (:id, :name, :organization)",
                id=account.id,
                name=account.full_name,
                organization=account.organization_id,
            )

    async def add_customer(self, customer_id: int, grid_id: int) -> None:
        """Make a customer of a grid."""
        await self.sql(
            "insert into accounts (id, full_name) values (:id, :name)",
            id=100 + customer_id,
            name=f"Customer {customer_id}",
        )
        await self.sql(
            "insert into customers (id, grid_id, account_id) values (:id, :grid, :account)",
            id=customer_id,
            grid=grid_id,
            account=100 + customer_id,
        )

    async def sql(self, statement: str, **values: object) -> list[Any]:
        """Run a statement as the owner of the database; return its rows, if it has any."""
        async with self._owner.begin() as connection:
            result = await connection.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    async def value(self, statement: str, **values: object) -> Any:
        """Ask for one value."""
        ((value,),) = await self.sql(statement, **values)
        return value

    async def close(self) -> None:
        """Give connections back."""
        await self.pool.dispose()
        await self._owner.dispose()
