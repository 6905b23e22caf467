"""Two tenants with grids in a real database, and the API role's application in front of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs
from dependency_injector import providers
from sqlalchemy import Table, func, insert, select, text, update
from sqlalchemy.ext.asyncio import create_async_engine

from nxt_adapters.supabase.engine import create_engine, dump_json, load_json, psycopg_url
from nxt_adapters.supabase.job_leases import PostgresJobLeases
from nxt_adapters.supabase.tables import (
    accounts,
    audit_log,
    audits,
    connections,
    customers,
    dcus,
    grids,
    metadata,
    meter_commissionings,
    metering_hardware_imports,
    metering_hardware_install_sessions,
    meters,
    organizations,
)
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_entrypoints.background import Background
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
        return SupabaseUnitOfWork(self.pool, messages_of=lambda session: NotImplemented)

    def wire(self, **adapters: object) -> None:
        """Put the use cases of sites in front of the database; ``adapters`` stand for the outside."""
        self.background = Background()
        usual = {
            "background": self.background,
            "clock": self.callers.clock,
            "job_leases": PostgresJobLeases(self.pool, "test"),
            "operations_app": "Ayrton",
            "provisioning_role": None,
            "sensor_readings": None,
            "site_devices": None,
        }
        adapters = {**usual, **adapters}
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
        async with self.owner.begin() as connection:  # the ids of what comes later
            await connection.execute(text("alter table accounts alter id restart with 1000"))

    async def add(self, table: Table, *rows: Mapping[str, Any]) -> list[int]:
        """Insert rows; return their ids."""
        async with self.owner.begin() as connection:
            made = [await connection.execute(insert(table).values(**row).returning(table.c.id)) for row in rows]
        return [row.scalar_one() for row in made]

    async def add_dcu(self, reference: str, grid_id: int | None, **facts: object) -> int:
        """Put a gateway on a grid, or in stock."""
        gateway = {"external_system": "CALIN", "communication_protocol": "CALIN_LORAWAN", "grid_id": grid_id}
        [dcu] = await self.add(dcus, {"external_reference": reference, **gateway, **facts})
        return dcu

    async def add_meter(
        self, reference: str, grid_id: int, *, customer: Mapping[str, Any] | None = None, **facts: object
    ) -> int:
        """Install a meter at a new customer of a grid; ``full_name`` and ``phone`` are those of the customer."""
        person = {"full_name": facts.pop("full_name", f"House {reference}"), "phone": facts.pop("phone", None)}
        [account] = await self.add(accounts, person)
        [customer_id] = await self.add(customers, {"grid_id": grid_id, "account_id": account, **(customer or {})})
        use = {"is_public": False, "is_commercial": False, "is_residential": True}
        contract = {"customer_id": customer_id, "currency": "NGN", "women_impacted": 0, **use}
        [connection] = await self.add(connections, contract)
        place = {"connection_id": connection, "rls_grid_id": grid_id}
        row = {"external_reference": reference, "external_system": "CALIN", **place, **facts}
        [meter] = await self.add(meters, row)
        return meter

    async def install(
        self, meter_id: int, *, imported: str, commissioned: str | None, at: datetime | None = None
    ) -> None:
        """Write how a meter's installation went."""
        [session] = await self.add(metering_hardware_install_sessions, {"meter_id": meter_id})
        link = {"metering_hardware_install_session_id": session}
        [done] = await self.add(metering_hardware_imports, {**link, "metering_hardware_import_status": imported})
        last = {"last_metering_hardware_import_id": done}
        if commissioned is not None:
            row = {**link, "meter_commissioning_status": commissioned, "created_at": at or func.now()}
            [last["last_meter_commissioning_id"]] = await self.add(meter_commissionings, row)
        await self.change(metering_hardware_install_sessions, session, **last)
        await self.change(meters, meter_id, last_metering_hardware_install_session_id=session)

    async def change(self, table: Table, key: int, **values: object) -> None:
        """Change a row by hand."""
        async with self.owner.begin() as connection:
            await connection.execute(update(table).where(table.c.id == key).values(**values))

    async def clock_skew(self) -> timedelta:
        """How far the database's clock is ahead of the callers'."""
        async with self.owner.connect() as connection:
            now: datetime = (await connection.execute(select(func.now()))).scalar_one()
        return now - self.callers.clock.now()

    async def row(self, table: Table, key: int) -> Mapping[str, Any]:
        """Read a row."""
        async with self.owner.connect() as connection:
            return (await connection.execute(select(table).where(table.c.id == key))).mappings().one()

    async def rows(self, table: Table) -> list[Mapping[str, Any]]:
        """Read a table, by id."""
        async with self.owner.connect() as connection:
            return list((await connection.execute(select(table).order_by(table.c.id))).mappings())

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
        await self.background.finish()
        await self.pool.dispose()
        await self.owner.dispose()
