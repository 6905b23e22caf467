"""``SolarChargers``: one suite over memory and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import attrs
import pytest
from tests.support.sites_memory import AT, a_grid
from tests.support.sites_world import FOREIGN, GRID, SitesWorld

from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_domain.grids.solar_chargers import MpptType, SolarCharger
from nxt_domain.identity.scope import PLATFORM, Scope

FIRST = SolarCharger(
    external_reference="1279",
    external_id="279",
    kw=Decimal("10.92"),
    mppt_type=MpptType.MPPT,
    azimuth=153.5,
    tilt=10.0,
)
SECOND = attrs.evolve(FIRST, external_id="280", mppt_type=MpptType.PV_INVERTER, azimuth=-20.25)


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[SitesWorld | MemoryPlane]:
    if request.param == "memory":
        plane = MemoryPlane()
        async with plane.begin() as tx:
            tx.within(PLATFORM).grids.know(a_grid(GRID, 7))
            tx.within(PLATFORM).grids.know(a_grid(FOREIGN, 8))
            await tx.commit()
        yield plane
        return
    world = SitesWorld(request.getfixturevalue("relational_url"))
    await world.found()
    yield world
    await world.close()


async def test_chargers_come_and_go(store: SitesWorld | MemoryPlane) -> None:
    """[API-111] [REL-45] Read back equal in all six; what was removed is not live, and may come again."""
    async with store.begin() as tx:
        chargers = tx.within(PLATFORM).solar_chargers
        await chargers.add(GRID, [FIRST, SECOND], AT)
        await chargers.add(FOREIGN, [FIRST], AT)
        await chargers.add(GRID, [], AT)
        await chargers.remove([], AT)
        await tx.commit()
    async with store.begin() as tx:
        mine = tx.within(Scope(organization_id=7)).solar_chargers
        live = await mine.live(GRID)
        assert set(live.values()) == {FIRST, SECOND}
        assert await mine.live(FOREIGN) == {}
        [theirs] = await tx.within(PLATFORM).solar_chargers.live(FOREIGN)
        [old] = [key for key, charger in live.items() if charger == FIRST]
        await mine.remove([old, theirs], AT)
        assert set((await mine.live(GRID)).values()) == {SECOND}
        await mine.add(GRID, [FIRST], AT)
        await tx.commit()
    async with store.begin() as tx:
        everything = tx.within(PLATFORM)
        assert set((await everything.solar_chargers.live(GRID)).values()) == {FIRST, SECOND}
        assert set(await everything.solar_chargers.live(FOREIGN)) == {theirs}
        assert old not in await everything.solar_chargers.live(GRID)
