"""``GatewayRegister`` and ``InstallSessions``: one suite over memory and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.sites_memory import AT, a_dcu, a_grid
from tests.support.sites_world import FOREIGN, GRID, SECOND, SitesWorld

from nxt_adapters.memory.gateways import ImportRow
from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_adapters.supabase.tables import dcus, metering_hardware_imports
from nxt_domain.grids.gateways import ImportOperation, LastImport
from nxt_domain.grids.model import CommunicationProtocol
from nxt_domain.identity.scope import PLATFORM, Scope
from nxt_domain.shared.changes import RowChange
from nxt_domain.shared.errors import Conflict
from nxt_domain.shared.external_systems import ExternalSystem
from nxt_domain.shared.paging import Window

CALIN, LORAWAN = ExternalSystem.CALIN, CommunicationProtocol.CALIN_LORAWAN
SUNNY, OTHER = Scope(organization_id=7), Scope(organization_id=8)
MEMBER_ID = 2


class Memory:
    def __init__(self) -> None:
        self._plane = MemoryPlane()
        self.begin = self._plane.begin

    async def found(self) -> None:
        async with self.begin() as tx:
            for grid_id, owner in ((GRID, 7), (SECOND, 7), (FOREIGN, 8)):
                tx.within(PLATFORM).grids.know(a_grid(grid_id, owner))
            await tx.commit()

    async def add_dcu(self, reference: str, grid_id: int | None, **columns: Any) -> int:
        owners = {GRID: 7, SECOND: 7, FOREIGN: 8, None: None}
        async with self.begin() as tx:
            key = tx.database.next_id("dcus")
            tx.within(PLATFORM).gateways.know(a_dcu(key, reference, grid_id, owners[grid_id], **columns))
            await tx.commit()
        return key

    async def add_meter(self, reference: str, dcu_id: int) -> None:
        async with self.begin() as tx:
            tx.within(PLATFORM).gateways.know_meter(int(reference), dcu_id)
            await tx.commit()

    async def add_import(self, session_id: int, operation: str, status: str) -> int:
        async with self.begin() as tx:
            key = tx.database.next_id("hardware_imports")
            is_finished = status in {"SUCCESSFUL", "FAILED"}
            row = ImportRow(
                id=key, session_id=session_id, operation=ImportOperation(operation), is_finished=is_finished
            )
            tx.database.table("hardware_imports")[key] = row
            await tx.commit()
        return key


class Postgres:
    def __init__(self, url: str) -> None:
        self.world = SitesWorld(url)
        self.begin = self.world.begin
        self.found = self.world.found
        self.add_dcu = self.world.add_dcu

    async def add_meter(self, reference: str, dcu_id: int) -> None:
        await self.world.add_meter(reference, GRID, dcu_id=dcu_id)

    async def add_import(self, session_id: int, operation: str, status: str) -> int:
        row = {"metering_hardware_import_operation": operation, "metering_hardware_import_status": status}
        [key] = await self.world.add(
            metering_hardware_imports, {"metering_hardware_install_session_id": session_id, **row}
        )
        return key


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
    await postgres.world.close()


async def test_gateways_are_seen_from_their_own_tenant_alone(store: Store) -> None:
    """[API-64] [R39] [R41] One in stock belongs to nobody; a deleted one does not exist."""
    own, second = await store.add_dcu("a", GRID), await store.add_dcu("b", SECOND)
    foreign, stock = await store.add_dcu("c", FOREIGN), await store.add_dcu("d", None)
    gone = await store.add_dcu("e", GRID, deleted_at=AT)
    everything = [own, second, foreign, stock, gone]
    async with store.begin() as tx:
        mine, all_of_them = tx.within(SUNNY).gateways, tx.within(PLATFORM).gateways
        assert [dcu.id for dcu in (await mine.page(Window())).items] == [own, second]
        assert [dcu.id for dcu in (await mine.page(Window(), grid_id=SECOND)).items] == [second]
        first = await all_of_them.page(Window(limit=3))
        assert ([dcu.id for dcu in first.items], first.next) == ([own, second, foreign], foreign)
        assert sorted(await mine.lock(everything)) == [own, second]
        found = await all_of_them.many(everything)
        assert sorted(found) == [own, second, foreign, stock]
        grids = {key: dcu.grid and (dcu.grid.id, dcu.grid.organization.id) for key, dcu in found.items()}
        assert grids == {own: (GRID, 7), second: (SECOND, 7), foreign: (FOREIGN, 8), stock: None}


async def test_stock_may_be_taken_by_anybody(store: Store) -> None:
    """[API-64] [API-89] By number and system; another tenant's gateway is unknown."""
    await store.add_dcu("own", GRID)
    await store.add_dcu("theirs", FOREIGN)
    await store.add_dcu("free", None)
    await store.add_dcu("gone", None, deleted_at=AT)
    async with store.begin() as tx:
        mine = tx.within(SUNNY).gateways
        names = ("own", "theirs", "free", "gone", "unheard")
        found = [name for name in names if await mine.lock_named(name, CALIN) is not None]
        assert found == ["own", "free"]
        assert await mine.lock_named("own", ExternalSystem.STEAMACO) is None
        assert await tx.within(PLATFORM).gateways.lock_named("theirs", CALIN) is not None


async def test_who_takes_a_gateway_is_waited_for(store: Store) -> None:
    """[API-89] [REL-44] The next one sees where it stands by then."""
    dcu = await store.add_dcu("free", None)

    async def look() -> int | None:
        async with store.begin() as tx:
            found = await tx.within(SUNNY).gateways.lock_named("free", CALIN)
            return None if found is None else found.grid_id

    async with store.begin() as tx:
        mine = tx.within(SUNNY).gateways
        assert await mine.lock_named("free", CALIN) is not None
        next_one = asyncio.create_task(look())
        await asyncio.sleep(0.1)
        assert not next_one.done()
        await mine.change([RowChange(id=dcu, values={"grid_id": GRID})])
        await tx.commit()
    assert await next_one == GRID


async def test_taking_into_stock_happens_once(store: Store) -> None:
    """[API-88] [REL-44] The existing one stays as it is; a deleted one comes back."""
    standing = await store.add_dcu("a", GRID)
    gone = await store.add_dcu("b", SECOND, deleted_at=AT)
    async with store.begin() as tx:
        gateways = tx.within(PLATFORM).gateways
        new = await gateways.stock("c", CALIN, LORAWAN)
        assert new[1]
        assert await gateways.stock("c", CALIN, CommunicationProtocol.CALIN_V1) == (new[0], False)
        assert await gateways.stock("a", CALIN, LORAWAN) == (standing, False)
        assert await gateways.stock("b", CALIN, CommunicationProtocol.CALIN_V2) == (gone, True)
        rows = await gateways.many([standing, gone, new[0]])
        facts = {key: (row.grid_id, row.communication_protocol, row.deleted_at) for key, row in rows.items()}
        assert facts == {
            standing: (GRID, "CALIN_LORAWAN", None),
            gone: (None, "CALIN_V2", None),
            new[0]: (None, "CALIN_LORAWAN", None),
        }


async def test_the_owner_follows_the_grid(store: Store) -> None:
    """[API-87] [REL-84] Each gateway gets its own values; absent columns stay."""
    first, second = await store.add_dcu("a", None), await store.add_dcu("b", FOREIGN)
    changes = [
        RowChange(id=first, values={"grid_id": GRID, "is_online": True}),
        RowChange(id=second, values={"grid_id": None, "last_online_at": AT}),
    ]
    async with store.begin() as tx:
        await tx.within(PLATFORM).gateways.change(changes)
        await tx.commit()
    async with store.begin() as tx:
        found = await tx.within(PLATFORM).gateways.many([first, second])
    facts = [(row.grid_id, row.rls_organization_id, row.is_online, row.last_online_at) for row in found.values()]
    assert sorted(facts, key=str) == sorted([(GRID, 7, True, None), (None, None, False, AT)], key=str)
    for values in ({"grid_id": 999}, {"external_reference": "b"}):
        with pytest.raises(Conflict):
            async with store.begin() as tx:
                await tx.within(PLATFORM).gateways.change([RowChange(id=first, values=values)])


async def test_meters_behind_a_gateway(store: Store) -> None:
    """[API-90]"""
    used, idle = await store.add_dcu("a", GRID), await store.add_dcu("b", GRID)
    for reference in ("1", "2"):
        await store.add_meter(reference, used)
    async with store.begin() as tx:
        gateways = tx.within(SUNNY).gateways
        assert [await gateways.meters_behind(key) for key in (used, idle)] == [2, 0]


async def test_the_life_of_a_session(store: Store) -> None:
    """[API-89] [MET-187]"""
    dcu = await store.add_dcu("a", GRID)
    async with store.begin() as tx:
        session = await tx.within(SUNNY).install_sessions.open(dcu, MEMBER_ID)
        await tx.commit()
    async with store.begin() as tx:
        sessions = tx.within(SUNNY).install_sessions
        found = await sessions.get(session)
        assert found is not None
        assert (found.dcu_id, found.author_id, found.meter, found.dcu and found.dcu.external_reference) == (
            dcu,
            MEMBER_ID,
            None,
            "a",
        )
        assert await sessions.last_import(session) is None
        assert await tx.within(OTHER).install_sessions.get(session) is None
        assert await sessions.get(999) is None
    done = await store.add_import(session, "ADD", "SUCCESSFUL")
    last = await store.add_import(session, "REMOVE", "PENDING")
    async with store.begin() as tx:
        sessions = tx.within(SUNNY).install_sessions
        expected = LastImport(id=last, operation=ImportOperation.REMOVE, is_finished=False)
        assert await sessions.last_import(session) == expected
        assert await tx.within(OTHER).install_sessions.last_import(session) is None
        await sessions.link_import(session, done)
        await tx.commit()
    async with store.begin() as tx:
        linked = await tx.within(SUNNY).install_sessions.get(session)
        assert linked is not None
        assert linked.last_metering_hardware_import_id == done
    with pytest.raises(Conflict):
        async with store.begin() as tx:
            await tx.within(SUNNY).install_sessions.link_import(session, 999)
    with pytest.raises(Conflict):
        async with store.begin() as tx:
            await tx.within(SUNNY).install_sessions.discard(session)


async def test_a_session_is_taken_back(store: Store) -> None:
    """[API-89] Not while its gateway names it."""
    dcu = await store.add_dcu("a", GRID)
    link = "last_metering_hardware_install_session_id"
    async with store.begin() as tx:
        mine = tx.within(SUNNY)
        session = await mine.install_sessions.open(dcu, MEMBER_ID)
        await mine.gateways.change([RowChange(id=dcu, values={link: session})])
        await tx.commit()
    with pytest.raises(Conflict):
        async with store.begin() as tx:
            await tx.within(SUNNY).install_sessions.discard(session)
    async with store.begin() as tx:
        mine = tx.within(SUNNY)
        await mine.gateways.change([RowChange(id=dcu, values={link: None, "grid_id": None})])
        await mine.install_sessions.discard(session)
        await tx.commit()
    async with store.begin() as tx:
        assert await tx.within(PLATFORM).install_sessions.get(session) is None


async def test_an_import_waits_for_who_looks_for_it(relational_url: str) -> None:
    """[API-89] Between the look for an import and the end of the transaction nobody can add one."""
    store = Postgres(relational_url)
    await store.found()
    dcu = await store.add_dcu("a", GRID)
    async with store.begin() as tx:
        session = await tx.within(SUNNY).install_sessions.open(dcu, MEMBER_ID)
        await tx.commit()
    async with store.begin() as tx:
        sessions = tx.within(SUNNY).install_sessions
        assert await sessions.last_import(session) is None
        late = asyncio.create_task(store.add_import(session, "ADD", "PENDING"))
        await asyncio.sleep(0.1)
        assert not late.done()
        await sessions.discard(session)
        await tx.commit()
    with pytest.raises(Exception, match="FK_5c2bb31b2e45c3f1da0b72071a2"):
        await late
    assert (await store.world.row(dcus, dcu))["grid_id"] == GRID
    await store.world.close()
