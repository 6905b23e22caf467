"""``GridHardware``: one suite over memory and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from tests.support.sites_memory import a_dcu, a_grid
from tests.support.sites_world import FOREIGN, GRID, SitesWorld

from nxt_adapters.memory.grid_hardware import ServingMeter
from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_domain.grids.connectivity import HardwareFacts
from nxt_domain.grids.pbg_connections import PbgConnection
from nxt_domain.identity.scope import PLATFORM, Scope

OLD, NEW = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC)
SUNNY = Scope(organization_id=7)


class Memory:
    def __init__(self) -> None:
        self._plane = MemoryPlane()
        self.begin = self._plane.begin
        self._next = 0

    async def found(self) -> None:
        async with self.begin() as tx:
            for grid_id, organization_id in ((GRID, 7), (FOREIGN, 8)):
                tx.within(PLATFORM).grids.know(a_grid(grid_id, organization_id))
            await tx.commit()

    async def add_dcu(self, reference: str, grid_id: int, *, is_online: bool) -> str:
        async with self.begin() as tx:
            self._next += 1
            tx.within(PLATFORM).gateways.know(a_dcu(self._next, reference, grid_id, None, is_online=is_online))
            await tx.commit()
        return reference

    async def add_meter(self, reference: str, grid_id: int, *, at: datetime | None, is_reachable: bool = False) -> int:
        self._next += 1
        connection = PbgConnection(
            meter_id=self._next,
            meter_reference=reference,
            meter_type="HPS",
            customer_name=f"House {reference}",
            gender=None,
            is_commercial=False,
            is_residential=True,
            is_public=False,
            generator_owned=None,
            phone=None,
            latitude=None,
            longitude=None,
            import_status=None if at is None else "SUCCESSFUL",
            commissioned_at=at,
            commissioning_status=None if at is None else "SUCCESSFUL",
            open_issue=None,
        )
        async with self.begin() as tx:
            meter = ServingMeter(connection=connection, grid_id=grid_id, is_reachable=is_reachable)
            tx.within(PLATFORM).grid_hardware.know_meter(meter)
            await tx.commit()
        return self._next


class Postgres:
    def __init__(self, url: str) -> None:
        self._world = SitesWorld(url)
        self.begin = self._world.begin
        self.close = self._world.close
        self.found = self._world.found
        self._online: int | None = None

    async def add_dcu(self, reference: str, grid_id: int, *, is_online: bool) -> str:
        key = await self._world.add_dcu(reference, grid_id, is_online=is_online)
        self._online = key if is_online else self._online
        return reference

    async def add_meter(self, reference: str, grid_id: int, *, at: datetime | None, is_reachable: bool = False) -> int:
        meter = await self._world.add_meter(reference, grid_id, dcu_id=self._online if is_reachable else None)
        if at is not None:
            await self._world.install(meter, imported="SUCCESSFUL", commissioned="SUCCESSFUL", at=at)
        return meter


Store = Memory | Postgres


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        memory = Memory()
        await memory.found()
        yield memory
        return
    postgres = Postgres(request.getfixturevalue("relational_url"))
    await postgres.found()
    yield postgres
    await postgres.close()


async def test_facts_of_a_grid(store: Store) -> None:
    """[API-93] [API-64] A foreign grid has no hardware."""
    for reference, grid, is_online in (("b", GRID, True), ("a", GRID, False), ("c", FOREIGN, True)):
        await store.add_dcu(reference, grid, is_online=is_online)
    await store.add_meter("1", GRID, at=None, is_reachable=True)
    await store.add_meter("2", GRID, at=None)
    await store.add_meter("3", FOREIGN, at=None)
    nothing = HardwareFacts(meters=0, reachable_meters=0, online=[], offline=[])
    async with store.begin() as tx:
        hardware = tx.within(SUNNY).grid_hardware
        assert await hardware.facts(GRID) == HardwareFacts(meters=2, reachable_meters=1, online=["b"], offline=["a"])
        assert await hardware.facts(FOREIGN) == nothing
        assert await hardware.facts(999) == nothing
        assert (await tx.within(PLATFORM).grid_hardware.facts(FOREIGN)).online == ["c"]


async def test_the_order_and_the_lines_of_the_list(store: Store) -> None:
    """[API-94] Not commissioned first, then the newest; within the scope alone."""
    old = await store.add_meter("1", GRID, at=OLD)
    none = await store.add_meter("2", GRID, at=None)
    new = await store.add_meter("3", GRID, at=NEW)
    foreign = await store.add_meter("4", FOREIGN, at=None)
    async with store.begin() as tx:
        hardware = tx.within(SUNNY).grid_hardware
        assert list(await hardware.pbg_order(GRID)) == [none, new, old]
        assert list(await hardware.pbg_order(FOREIGN)) == []
        found = await hardware.pbg_connections(GRID, [new, old, foreign, 999])
        assert {key: (row.meter_reference, row.commissioned_at) for key, row in found.items()} == {
            new: ("3", NEW),
            old: ("1", OLD),
        }
        assert (found[old].customer_name, found[old].import_status) == ("House 1", "SUCCESSFUL")
        assert await tx.within(Scope(organization_id=8)).grid_hardware.pbg_connections(GRID, [new]) == {}
