"""``GET /mppts``, ``GET /poles`` and ``GET /routers`` end to end."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from tests.support.http_roles import refusal
from tests.support.identity_world import ADMIN, AGENT, LENDER, MEMBER
from tests.support.sites_world import FOREIGN, GRID, SECOND, STRANGER, SitesWorld

from nxt_adapters.supabase.tables import mppts, poles, routers
from nxt_domain.grids.hardware_views import MpptView, PoleView, RouterView

KINDS: dict[str, Any] = {
    "mppts": (mppts, MpptView, {"external_id": "279", "kw": 10.92}),
    "poles": (poles, PoleView, {"location_geom": {"type": "Point", "coordinates": [4.5, 7.25]}}),
    "routers": (routers, RouterView, {}),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_list(api: Any, world: SitesWorld, kind: str) -> None:
    """[R41] [R39] [API-27] The table's columns, own tenant, by key; a foreign grid is like an unknown one."""
    table, view, facts = KINDS[kind]
    rows = [
        {"external_reference": f"00{number}", "grid_id": grid, **facts}
        for number, grid in enumerate((GRID, SECOND, GRID, FOREIGN))
    ]
    first, second, third, theirs = await world.add(table, *rows)
    headers = world.callers.bearer(MEMBER)
    page = await (await api.get(f"/{kind}?limit=2", headers=headers)).json()
    assert ([row["id"] for row in page["items"]], page["next"]) == ([first, second], second)
    assert list(page["items"][0]) == [field.name for field in attrs.fields(view)]
    assert page["items"][0]["external_reference"] == "000"
    assert {name: page["items"][0][name] for name in facts} == facts
    rest = await (await api.get(f"/{kind}?limit=2&after={second}", headers=headers)).json()
    assert ([row["id"] for row in rest["items"]], rest["next"]) == ([third], None)
    for grid in (FOREIGN, 999):
        assert await (await api.get(f"/{kind}?grid_id={grid}", headers=headers)).json() == {"items": [], "next": None}
    seen = {
        caller.id: [
            row["id"]
            for row in (await (await api.get(f"/{kind}", headers=world.callers.bearer(caller))).json())["items"]
        ]
        for caller in (STRANGER, LENDER, ADMIN)
    }
    assert seen == {STRANGER.id: [theirs], LENDER.id: [], ADMIN.id: [first, second, third, theirs]}


@pytest.mark.parametrize("kind", KINDS)
async def test_bad_questions(api: Any, world: SitesWorld, kind: str) -> None:
    """[R41] [API-22] [API-68]"""
    headers = world.callers.bearer(MEMBER)
    told = await refusal(await api.get(f"/{kind}?limit=501", headers=headers))
    assert told == (400, ["limit must not be greater than 500"])
    assert (await api.get(f"/{kind}?limit=0&after=-1&grid_id=x", headers=headers)).status == 400
    assert (await api.get(f"/{kind}", headers=world.callers.bearer(AGENT))).status == 403
