"""Routes that an operator opened again, on a role that runs as ``nxt api`` starts it."""

from __future__ import annotations

import aiohttp
from tests.support.running_roles import RunningRoles
from tests.support.two_tenants import TwoTenants

from nxt_entrypoints.settings.roles import Role

OPEN = ["GET /lost-revenue/{id}", "PUT /issues"]


async def test_the_artifact_opens_routes(relational_url: str, valkey_url: str) -> None:
    """[API-193] [API-215] Those it names, and no other."""
    rows = TwoTenants(relational_url)
    with RunningRoles(relational_url, valkey_url, security={"legacyOpenRoutes": OPEN}) as roles:
        async with aiohttp.ClientSession(roles.urls[Role.API]) as session:
            issue = {"id": rows.foreign["issue"], "snoozed_until": "2026-04-01T00:00:00Z"}
            changed = await session.put("/issues", json=[issue])
            shown = await session.get(f"/lost-revenue/{rows.own['grid']}")
            marked = await session.post("/issues/debug", json={})
            listed = await session.get("/issues")
            statuses = [answer.status for answer in (changed, shown, marked, listed)]
    rows.close()
    assert statuses == [200, 200, 401, 401]
