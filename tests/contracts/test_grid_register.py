"""``GridRegister`` and ``AuditTrail``: one suite each over memory and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import attrs
import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import create_async_engine
from tests.support.sites_memory import a_grid

from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_adapters.supabase.engine import create_engine, psycopg_url
from nxt_adapters.supabase.tables import accounts, audit_log, audits, grids, organizations
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_domain.grids.changes import CHANGEABLE
from nxt_domain.grids.model import Weather
from nxt_domain.identity.scope import PLATFORM, Scope
from nxt_domain.shared.audit import Act, Actor, ActorKind, Subjects
from nxt_domain.shared.changes import RowChange, by_id
from nxt_domain.shared.errors import Conflict
from nxt_domain.shared.paging import Window

AT = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)
SUNNY, OTHER = Scope(organization_id=7), Scope(organization_id=8)


class Memory:
    def __init__(self) -> None:
        self._plane = MemoryPlane()
        self.begin = self._plane.begin

    async def add_grid(self, grid_id: int, organization_id: int, *, deleted_at: datetime | None = None) -> None:
        async with self.begin() as tx:
            tx.within(PLATFORM).grids.know(a_grid(grid_id, organization_id, deleted_at=deleted_at))
            await tx.commit()

    async def recorded(self) -> list[tuple[str, str | None]]:
        return [(act.action, act.message) for act in self.begin().audit.acts]


class Postgres:
    def __init__(self, url: str) -> None:
        self._pool = create_engine(url, pool_size=2)
        self._owner = create_async_engine(psycopg_url(url))

    def begin(self) -> SupabaseUnitOfWork:
        return SupabaseUnitOfWork(self._pool, messages_of=lambda session: NotImplemented)

    async def add_grid(self, grid_id: int, organization_id: int, *, deleted_at: datetime | None = None) -> None:
        async with self._owner.begin() as connection:
            known = await connection.execute(select(organizations.c.id).where(organizations.c.id == organization_id))
            if known.one_or_none() is None:
                row = {"id": organization_id, "name": f"Tenant {organization_id}"}
                await connection.execute(insert(organizations).values(**row))
            row = {"id": grid_id, "name": f"Grid {grid_id}", "organization_id": organization_id}
            await connection.execute(insert(grids).values(**row, deleted_at=deleted_at))

    async def add_account(self) -> None:
        async with self._owner.begin() as connection:
            await connection.execute(insert(accounts).values(id=5, full_name="Operator"))

    async def recorded(self) -> list[tuple[str, str | None]]:
        feed = select(audits.c.message).where(audits.c.author_id == audit_log.c.actor_account_id).scalar_subquery()
        async with self._owner.begin() as connection:
            return [tuple(row) for row in await connection.execute(select(audit_log.c.action, feed))]

    async def close(self) -> None:
        await self._pool.dispose()
        await self._owner.dispose()


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Memory | Postgres]:
    if request.param == "memory":
        yield Memory()
        return
    postgres = Postgres(
        request.getfixturevalue("any_relational_url" if request.param == "service" else "relational_url")
    )
    await postgres.add_account()
    yield postgres
    await postgres.close()


async def test_a_grid_is_seen_from_its_own_tenant_alone(store: Memory | Postgres) -> None:
    """[API-64] [R39] A foreign grid and a deleted one are as unknown as one that never was."""
    await store.add_grid(70, 7)
    await store.add_grid(71, 7, deleted_at=AT)
    async with store.begin() as tx:
        seen = {scope: await tx.within(scope).grids.get(70) for scope in (SUNNY, PLATFORM)}
        assert {scope: grid and (grid.name, grid.organization.name) for scope, grid in seen.items()} == {
            SUNNY: ("Grid 70", "Tenant 7"),
            PLATFORM: ("Grid 70", "Tenant 7"),
        }
        assert await tx.within(OTHER).grids.get(70) is None
        assert await tx.within(Scope(organization_id=None)).grids.get(70) is None
        assert await tx.within(PLATFORM).grids.get(71) is None
        assert await tx.within(PLATFORM).grids.get(999) is None


async def test_pages_by_key(store: Memory | Postgres) -> None:
    """[R41] Ascending ids, a bounded page, and where the next one begins."""
    for grid_id in (73, 70, 72, 71):
        await store.add_grid(grid_id, 8 if grid_id == 71 else 7)
    async with store.begin() as tx:
        first = await tx.within(SUNNY).grids.page(Window(limit=2))
        assert ([grid.id for grid in first.items], first.next) == ([70, 72], 72)
        last = await tx.within(SUNNY).grids.page(Window(limit=2, after=first.next))
        assert ([grid.id for grid in last.items], last.next) == ([73], None)
        assert [grid.id for grid in (await tx.within(PLATFORM).grids.page(Window())).items] == [70, 71, 72, 73]
        narrowed = await tx.within(SUNNY).grids.page(Window(), grid_id=71)
        assert (narrowed.items, narrowed.next) == ([], None)


async def test_changes_touch_what_they_name(store: Memory | Postgres) -> None:
    """[API-92] Absent columns stay, None clears; each grid gets its own values; others do not see it before the end."""
    await store.add_grid(70, 7)
    await store.add_grid(71, 8)
    first = RowChange(id=70, values={"kwp": Decimal("10.5"), "walkthrough_external_id": "W"})
    second = RowChange(id=70, values={"walkthrough_external_id": None, "is_fs_on": True})
    other = RowChange(id=71, values={"kwp": Decimal(3), "current_weather": Weather.SUNNY, "deployed_at": AT})
    async with store.begin() as tx:
        await tx.within(PLATFORM).grids.change([first])
    async with store.begin() as tx:
        register = tx.within(PLATFORM).grids
        assert not {grid.kwp for grid in (await register.lock([70, 71])).values()} & {Decimal("10.5")}
        await register.change([first])
        await register.change([second, other])
        await register.change([])
        await tx.commit()
    async with store.begin() as tx:
        grids = await tx.within(PLATFORM).grids.many([70, 71, 99])
    assert sorted(grids) == [70, 71]
    assert (grids[70].kwp, grids[70].walkthrough_external_id, grids[70].is_fs_on) == (Decimal("10.5"), None, True)
    assert (grids[71].kwp, grids[71].current_weather, grids[71].deployed_at) == (Decimal(3), "SUNNY", AT)
    assert (grids[70].name, grids[71].organization.name) == ("Grid 70", "Tenant 8")


async def test_locks_reach_as_far_as_the_scope(store: Memory | Postgres) -> None:
    """[API-64] [R39]"""
    await store.add_grid(70, 7)
    await store.add_grid(71, 7, deleted_at=AT)
    await store.add_grid(80, 8)
    async with store.begin() as tx:
        assert sorted(await tx.within(SUNNY).grids.lock([70, 71, 80, 99])) == [70]
        assert sorted(await tx.within(PLATFORM).grids.lock([70, 71, 80])) == [70, 80]


async def test_an_owner_must_exist(store: Memory | Postgres) -> None:
    """[API-20]"""
    await store.add_grid(70, 7)
    with pytest.raises(Conflict):
        async with store.begin() as tx:
            await tx.within(PLATFORM).grids.change([RowChange(id=70, values={"organization_id": 99})])


def test_fixed_columns_are_no_change() -> None:
    """[API-92]"""
    with pytest.raises(ValueError, match="timezone"):
        by_id([RowChange(id=70, values={"timezone": "Europe/Paris", "kwp": 1})], CHANGEABLE)


async def test_acts_are_part_of_the_transaction(store: Memory | Postgres) -> None:
    """[R43] Evidence for each act, a line in the feed where there are words for it, nothing without the commit."""
    actor = Actor(kind=ActorKind.MEMBER, label="Operator", account_id=5, request_id="r-1", source_ip="127.0.0.1")
    quiet = Act(actor=actor, action="grid.update", entity_type="grid", entity_id=None, after={"kwp": 3})
    told = attrs.evolve(quiet, action="grid.rename", message="Operator renamed a grid", about=Subjects())
    async with store.begin() as tx:
        await tx.audit.record(quiet)
    assert await store.recorded() == []
    async with store.begin() as tx:
        await tx.audit.record()
        await tx.audit.record(told)
        await tx.commit()
    assert await store.recorded() == [("grid.rename", "Operator renamed a grid")]
