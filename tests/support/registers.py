"""Two invented tenants with customers, in memory and in PostgreSQL, for the registers' suites."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_adapters.supabase.engine import create_engine, psycopg_url
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_domain.fieldwork.views import IssueView, NoteView
from nxt_domain.grids.contract_views import ListedCustomer
from nxt_domain.identity.scope import PLATFORM, Scope
from nxt_domain.meters.views import MeterView
from nxt_domain.shared.paging import Window
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
        row = ListedCustomer(
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

    async def add_meter(self, meter_id: int, customer_id: int | None, **values: Any) -> None:
        """Make a meter of a customer, or one in stock; customers are made before."""
        async with self.begin() as tx:
            everything = tx.within(PLATFORM)
            customer = None if customer_id is None else (await everything.customers.lock([customer_id]))[customer_id]
            row: dict[str, Any] = {
                **dict.fromkeys(field.name for field in attrs.fields(MeterView)),
                "id": meter_id,
                "external_reference": str(47_000_000_000 + meter_id),
                "rls_grid_id": customer and customer.grid_id,
                "rls_organization_id": customer and customer.organization_id,
            }
            everything.meters.know(MeterView(**{**row, **values}))
            await tx.commit()

    async def add_issue(self, issue_id: int, *, meter_id: int | None = None, grid_id: int | None = None) -> None:
        """Make an issue of a meter or a grid."""
        async with self.begin() as tx:
            everything = tx.within(PLATFORM)
            on_grid = grid_id or await self._grid_of(everything, meter_id)
            row: dict[str, Any] = {
                **dict.fromkeys(field.name for field in attrs.fields(IssueView)),
                "id": issue_id,
                "issue_type": "NO_CREDIT",
                "issue_status": "OPEN",
                "estimated_lost_revenue": Decimal(0),
                "meter_id": meter_id,
                "grid_id": grid_id,
                "rls_organization_id": GRIDS.get(on_grid or 0),
            }
            everything.issues.know(IssueView(**row), on_grid=on_grid)
            await tx.commit()

    async def add_note(self, note_id: int, *, meter_id: int | None = None, customer_id: int | None = None) -> None:
        """Make a note about a meter or a customer."""
        async with self.begin() as tx:
            everything = tx.within(PLATFORM)
            on_grid = await self._grid_of(everything, meter_id)
            if customer_id is not None:
                on_grid = (await everything.customers.lock([customer_id]))[customer_id].grid_id
            row: dict[str, Any] = {
                **dict.fromkeys(field.name for field in attrs.fields(NoteView)),
                "id": note_id,
                "meter_id": meter_id,
                "customer_id": customer_id,
                "message": "Seal was open",
                "rls_organization_id": GRIDS.get(on_grid or 0),
            }
            everything.notes.know(NoteView(**row), on_grid=on_grid)
            await tx.commit()

    async def _grid_of(self, everything: Any, meter_id: int | None) -> int | None:
        rows = (await everything.meters.page(Window())).items
        return next((row.rls_grid_id for row in rows if row.id == meter_id), None)

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
        return SupabaseUnitOfWork(self.pool, messages_of=lambda session: NotImplemented)

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

    async def add_meter(self, meter_id: int, customer_id: int | None, **values: Any) -> None:
        """Make a meter of a customer with a connection of its own, or one in stock."""
        connection_id = None
        if customer_id is not None:
            connection_id = await self.value(
                "insert into connections"
                " (customer_id, currency, women_impacted, is_public, is_commercial, is_residential)"
                " values (:customer, 'NGN', 0, false, false, true) returning id",
                customer=customer_id,
            )
        row = {
            "id": meter_id,
            "external_reference": str(47_000_000_000 + meter_id),
            "external_system": "CALIN",
            "connection_id": connection_id,
            **values,
        }
        names = ", ".join(row)
        await self.sql(f"insert into meters ({names}) values ({', '.join(f':{name}' for name in row)})", **row)

    async def add_issue(self, issue_id: int, *, meter_id: int | None = None, grid_id: int | None = None) -> None:
        """Make an issue of a meter or a grid."""
        await self.sql(
            "insert into issues (id, issue_type, meter_id, grid_id) values (:id, 'NO_CREDIT', :meter, :grid)",
            id=issue_id,
            meter=meter_id,
            grid=grid_id,
        )

    async def add_note(self, note_id: int, *, meter_id: int | None = None, customer_id: int | None = None) -> None:
        """Make a note about a meter or a customer."""
        await self.sql(
            "insert into notes (id, message, author_id, meter_id, customer_id)"
            " values (:id, 'Seal was open', :author, :meter, :customer)",
            id=note_id,
            author=MEMBER.id,
            meter=meter_id,
            customer=customer_id,
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
