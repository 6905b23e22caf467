"""Two tenants with grids in a real database, and the API role's application in front of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from dependency_injector import providers
from sqlalchemy import Table, func, insert, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from nxt_adapters.supabase.engine import create_engine, dump_json, load_json, psycopg_url
from nxt_adapters.supabase.tables import accounts, audit_log, audits, grids, metadata, organizations
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_entrypoints.wiring.sites import Sites
from tests.support.http_roles import Services
from tests.support.identity_world import ADMIN, LENDER, MEMBER, IdentityWorld

GRID, DELETED, SECOND, FOREIGN = 70, 71, 72, 80
STRANGER = attrs.evolve(MEMBER, id=9, supabase_id="00000000-0000-4000-8000-000000000009", organization_id=8)


class SitesWorld:
    """The platform (2), Sunny Grids (7) with Umuoke (70) and Kalonda (72), and another tenant (8) with grid 80.

    Args:
        url: A migrated database of the test's own.
    """

    def __init__(self, url: str) -> None:
        self.pool = create_engine(url, pool_size=4)
        self.owner = create_async_engine(psycopg_url(url), json_serializer=dump_json, json_deserializer=load_json)
        self.callers = IdentityWorld()
        self.callers.accounts.put(STRANGER)
        self.services: Any = Services()
        self.wire()

    def begin(self) -> SupabaseUnitOfWork:
        return SupabaseUnitOfWork(self.pool, messages_of=lambda connection: NotImplemented)

    def wire(self, **adapters: object) -> None:
        """Put the use cases of sites in front of the database; ``adapters`` stand for the outside."""
        outside = {name: providers.Object(adapter) for name, adapter in adapters.items()}
        self.services.sites = Sites(begin=providers.Object(self.begin), **outside).services()

    async def found(self) -> None:
        """Write tenants, people and grids."""
        tenants = {2: "Platform", 7: "Sunny Grids", 8: "Other Grids", 9: "Lender"}
        await self.add(organizations, *({"id": key, "name": name} for key, name in tenants.items()))
        people = (ADMIN, MEMBER, LENDER, STRANGER)
        await self.add(
            accounts, *({"id": a.id, "full_name": a.full_name, "organization_id": a.organization_id} for a in people)
        )
        await self.add(
            grids,
            {"id": GRID, "name": "Umuoke", "organization_id": 7, "deleted_at": None},
            {"id": DELETED, "name": "Sunken", "organization_id": 7, "deleted_at": func.now()},
            {"id": SECOND, "name": "Kalonda", "organization_id": 7, "deleted_at": None},
            {"id": FOREIGN, "name": "Elsewhere", "organization_id": 8, "deleted_at": None},
        )

    async def add(self, table: Table, *rows: Mapping[str, Any]) -> list[int]:
        """Insert rows; return their ids."""
        async with self.owner.begin() as connection:
            made = [await connection.execute(insert(table).values(**row).returning(table.c.id)) for row in rows]
        return [row.scalar_one() for row in made]

    async def row(self, table: Table, key: int) -> Mapping[str, Any]:
        """Read a row."""
        async with self.owner.connect() as connection:
            return (await connection.execute(select(table).where(table.c.id == key))).mappings().one()

    async def rows(self, table: Table) -> list[Mapping[str, Any]]:
        """Read a table, by id."""
        async with self.owner.connect() as connection:
            return list((await connection.execute(select(table).order_by(table.c.id))).mappings())

    async def run(self, statement: str) -> None:
        """Do something by hand."""
        async with self.owner.begin() as connection:
            await connection.execute(text(statement))

    async def feed(self) -> list[str]:
        """The lines that people read."""
        return [row["message"] for row in await self.rows(audits)]

    async def evidence(self) -> list[tuple[str, int, Any, Any]]:
        """What was recorded: action, entity, before, after."""
        rows = await self.rows(audit_log)
        return [(row["action"], row["entity_id"], row["before"], row["after"]) for row in rows]

    async def state(self) -> dict[str, list[Mapping[str, Any]]]:
        """Everything, so that a refused call is seen to have changed nothing."""
        return {table.name: await self.rows(table) for table in metadata.sorted_tables if "id" in table.c}

    async def close(self) -> None:
        await self.pool.dispose()
        await self.owner.dispose()
