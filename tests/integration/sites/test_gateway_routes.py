"""The register of gateways end to end: lists, changes by the provisioning role, stock."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.http_roles import refusal
from tests.support.identity_world import ADMIN, AGENT, LENDER, MEMBER
from tests.support.sites_world import DELETED, FOREIGN, GRID, SECOND, SitesWorld

from nxt_adapters.supabase.tables import dcus

STOCK = {"external_reference": "a84041ffff21", "external_system": "CALIN", "communication_protocol": "CALIN_LORAWAN"}


async def put(api: Any, world: SitesWorld, body: object, caller: Any = ADMIN) -> Any:
    return await api.put("/dcus", json=body, headers=world.callers.bearer(caller))


async def stock(api: Any, world: SitesWorld, body: object, caller: Any = ADMIN) -> Any:
    return await api.post("/dcus/insert-from-inventory", json=body, headers=world.callers.bearer(caller))


async def test_what_the_provisioning_role_reports(api: Any, world: SitesWorld) -> None:
    """[API-87] [API-184] ``grid: null`` takes a gateway off its grid; its owner goes with it."""
    dcu = await world.add_dcu("a8", GRID)
    key = {"X-API-KEY": await world.callers.api_key(ADMIN)}
    answer = await api.put("/dcus", json=[{"id": dcu, "grid": None, "rls_organization_id": None}], headers=key)
    [shown] = await answer.json()
    assert (answer.status, shown["id"], shown["grid"], shown["grid_id"]) == (200, dcu, None, None)
    assert (await world.row(dcus, dcu))["rls_organization_id"] is None
    assert await world.evidence() == [("dcu.update", dcu, {"grid_id": GRID}, {"grid_id": None})]


async def test_changes_in_their_order(api: Any, world: SitesWorld) -> None:
    """[API-87] [API-91] All columns and the grid with its organization, whose secrets are left out."""
    first, second = await world.add_dcu("a8", GRID), await world.add_dcu("b8", None)
    answer = await put(
        api,
        world,
        [
            {"id": second, "grid_id": FOREIGN, "queue_buffer_length": 7, "is_online": None, "rls_organization_id": 7},
            {"id": first, "is_online": True, "last_online_at": "2026-03-10T09:15:00Z", "grid": {"id": SECOND}},
            {"id": second, "grid_id": SECOND},
        ],
    )
    moved, seen = await answer.json()
    assert (moved["id"], moved["grid"]["name"], moved["rls_organization_id"]) == (second, "Kalonda", 7)
    assert (moved["queue_buffer_length"], moved["is_online"]) == (7, False)
    assert (seen["id"], seen["is_online"], seen["grid_id"]) == (first, True, GRID)
    assert seen["last_online_at"] == "2026-03-10T09:15:00.000Z"
    assert seen["grid"]["organization"]["name"] == "Sunny Grids"
    assert {name for name in seen["grid"]["organization"] if "secret" in name or "client" in name} == set()


async def test_an_answer_is_complete(api: Any, world: SitesWorld) -> None:
    """[API-32] More gateways than table gateways give at once: each of them is answered, and changed."""
    stocked = [{**STOCK, "external_reference": f"a8{number:014x}"} for number in range(1001)]
    ids = await world.add(dcus, *stocked)
    answer = await put(api, world, [{"id": dcu, "queue_buffer_length": 7} for dcu in ids])
    assert [(dcu["id"], dcu["queue_buffer_length"]) for dcu in await answer.json()] == [(dcu, 7) for dcu in ids]


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"id": 999}, 404, "Could not find dcu with id 999"),
        ({"grid_id": 999}, 404, "Could not find grid with id 999"),
        ({"grid_id": DELETED}, 404, f"Could not find grid with id {DELETED}"),
        ({"grid_id": 0}, 400, ["1.grid_id must not be less than 1"]),
        ({"queue_buffer_length": 0}, 400, ["1.queue_buffer_length must not be less than 1"]),
        ({"communication_protocol": "X"}, 400, None),
        ({"external_reference": ""}, 400, ["1.external_reference should not be empty"]),
        ({"last_metering_hardware_install_session_id": 999}, 409, None),
        ({"external_reference": "a8"}, 409, None),
    ],
)
async def test_refused_changes(
    api: Any, world: SitesWorld, change: dict[str, Any], status: int, message: object
) -> None:
    """[API-87] [API-20] [API-23] All or nothing."""
    first, second = await world.add_dcu("a8", GRID), await world.add_dcu("b8", GRID)
    before = await world.state()
    answer = await put(api, world, [{"id": first, "is_online": True}, {"id": second, **change}])
    told = await refusal(answer)
    assert told == (status, message if message is not None else told[1])
    assert await world.state() == before


async def test_nothing_to_change(api: Any, world: SitesWorld) -> None:
    """[API-87] [API-68] Ordinary tenants may not."""
    assert await (await put(api, world, [])).json() == []
    for caller in (MEMBER, AGENT, LENDER):
        assert (await put(api, world, [], caller)).status == 403
        assert (await stock(api, world, STOCK, caller)).status == 403


async def test_into_stock_once(api: Any, world: SitesWorld) -> None:
    """[API-88] [REL-44] Idempotent; evidence for the first time alone."""
    answers = [await stock(api, world, STOCK) for _ in range(3)]
    assert [answer.status for answer in answers] == [201] * 3
    [made] = {(await answer.json())["id"] for answer in answers}
    row = await world.row(dcus, made)
    assert (row["external_system"], row["communication_protocol"], row["grid_id"]) == ("CALIN", "CALIN_LORAWAN", None)
    assert await world.evidence() == [("dcu.create", made, None, {"external_reference": STOCK["external_reference"]})]


async def test_what_is_no_gateway(api: Any, world: SitesWorld) -> None:
    """[API-88] [API-22]"""
    protocols = "communication_protocol must be one of the following values: CALIN_V1, CALIN_V2, CALIN_LORAWAN"
    texts = [
        "external_reference must be a string",
        "external_reference should not be empty",
        "external_reference must be shorter than or equal to 255 characters",
        "external_system must be one of the following values: CALIN",
        protocols,
    ]
    assert await refusal(await stock(api, world, {})) == (400, texts)
    wrong = {**STOCK, "external_system": "VICTRON"}
    assert await refusal(await stock(api, world, wrong)) == (400, [texts[3]])


async def test_the_list(api: Any, world: SitesWorld) -> None:
    """[R41] [R39] Own tenant, by key."""
    own = [await world.add_dcu(name, grid) for name, grid in (("a", GRID), ("b", SECOND), ("c", GRID))]
    await world.add_dcu("d", FOREIGN)
    await world.add_dcu("e", None)
    headers = world.callers.bearer(MEMBER)
    first = await (await api.get("/dcus?limit=2", headers=headers)).json()
    assert ([dcu["id"] for dcu in first["items"]], first["next"]) == (own[:2], own[1])
    last = await (await api.get(f"/dcus?limit=2&after={own[1]}", headers=headers)).json()
    assert ([dcu["external_reference"] for dcu in last["items"]], last["next"]) == (["c"], None)
    narrowed = await (await api.get(f"/dcus?grid_id={SECOND}", headers=headers)).json()
    assert [dcu["id"] for dcu in narrowed["items"]] == [own[1]]
    foreign = await (await api.get(f"/dcus?grid_id={FOREIGN}", headers=headers)).json()
    assert foreign == {"items": [], "next": None}
    everything = await (await api.get("/dcus", headers=world.callers.bearer(ADMIN))).json()
    assert len(everything["items"]) == 5
