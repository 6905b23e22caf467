"""``Infrastructure``: one suite over memory and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import attrs
import pytest
from tests.support.sites_memory import AT
from tests.support.sites_world import FOREIGN, GRID, SECOND, SitesWorld

from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_adapters.supabase.tables import mppts, poles, routers
from nxt_domain.grids.hardware_views import MpptView, PoleView, RouterView
from nxt_domain.identity.scope import PLATFORM, Scope
from nxt_domain.shared.paging import Window

POINT = {"type": "Point", "coordinates": [4.5, 7.25]}
KINDS: dict[str, Any] = {
    "mppts": (MpptView, mppts, {"external_id": "279", "kw": Decimal("10.92"), "azimuth": 153.0, "tilt": 10.0}),
    "poles": (PoleView, poles, {"location_geom": POINT, "location_accuracy": 3.5}),
    "routers": (RouterView, routers, {"is_online": True, "is_online_updated_at": AT}),
}


class Memory:
    def __init__(self) -> None:
        self.begin = MemoryPlane().begin

    async def add(self, kind: str, key: int, grid_id: int, **columns: Any) -> None:
        view, _, facts = KINDS[kind]
        nothing = dict.fromkeys(field.name for field in attrs.fields(view))
        place = {"grid_id": grid_id, "rls_organization_id": 8 if grid_id == FOREIGN else 7}
        async with self.begin() as tx:
            row = view(**{**nothing, "id": key, "external_reference": f"00{key}", **facts, **place, **columns})
            tx.within(PLATFORM).infrastructure.know(row)
            await tx.commit()


class Postgres:
    def __init__(self, url: str) -> None:
        self.world = SitesWorld(url)
        self.begin = self.world.begin

    async def add(self, kind: str, key: int, grid_id: int, **columns: Any) -> None:
        _, table, facts = KINDS[kind]
        row = {"id": key, "external_reference": f"00{key}", "grid_id": grid_id, "deleted_at": None}
        await self.world.add(table, {**row, **facts, **columns})


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Memory | Postgres]:
    if request.param == "memory":
        yield Memory()
        return
    postgres = Postgres(request.getfixturevalue("relational_url"))
    await postgres.world.found()
    yield postgres
    await postgres.world.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_lists_of_a_tenant(store: Memory | Postgres, kind: str) -> None:
    """[R41] [API-64] [R39] By key, live things of the own tenant alone, all or those of one grid."""
    await store.add(kind, 3, SECOND)
    await store.add(kind, 1, GRID)
    await store.add(kind, 2, FOREIGN)
    await store.add(kind, 4, GRID, deleted_at=AT)
    await store.add(kind, 5, GRID)
    async with store.begin() as tx:
        mine = getattr(tx.within(Scope(organization_id=7)).infrastructure, kind)
        first = await mine(Window(limit=2))
        assert ([row.id for row in first.items], first.next) == ([1, 3], 3)
        last = await mine(Window(limit=2, after=first.next))
        assert ([row.id for row in last.items], last.next) == ([5], None)
        assert [row.id for row in (await mine(Window(), grid_id=GRID)).items] == [1, 5]
        assert (await mine(Window(), grid_id=FOREIGN)).items == []
        everything = await getattr(tx.within(PLATFORM).infrastructure, kind)(Window())
        assert [row.id for row in everything.items] == [1, 2, 3, 5]
        _, _, facts = KINDS[kind]
        assert {name: getattr(first.items[0], name) for name in facts} == facts
        assert (first.items[0].external_reference, first.items[0].rls_organization_id) == ("001", 7)
