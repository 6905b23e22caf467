"""Gateways go to grids and leave them, with a provisioning role over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.http_roles import refusal
from tests.support.identity_world import ADMIN, AGENT, CUSTOMER, LENDER, MEMBER
from tests.support.provisioning_stub import ProvisioningStub
from tests.support.sites_world import DELETED, FOREIGN, GRID, STRANGER, SitesWorld

from nxt_adapters.internal.hardware_imports import ProvisioningRole
from nxt_adapters.resilience import CallPolicy, RetryPolicy
from nxt_adapters.supabase.tables import audits, dcus, metering_hardware_imports, metering_hardware_install_sessions

HASTY = CallPolicy(timeout_s=2, retry=RetryPolicy(attempts=3, wait_initial_s=0.01, wait_max_s=0.01, jitter_s=0))
EUI = "a84041ffff210001"
WISH = {
    "external_reference": EUI,
    "external_system": "CALIN",
    "grid_id": GRID,
    "communication_protocol": "CALIN_LORAWAN",
}
LINK = "last_metering_hardware_install_session_id"
NO_SERVICE = (503, "Provisioning service unavailable")


@pytest.fixture
async def vendor(world: SitesWorld) -> AsyncIterator[ProvisioningStub]:
    """A provisioning role that keeps imports in the database, as the real one does."""

    async def store(order: dict[str, Any]) -> int:
        names = ("metering_hardware_install_session_id", "metering_hardware_import_operation")
        for row in await world.rows(metering_hardware_imports):
            if row[names[0]] == order[names[0]]:
                return int(row["id"])
        [made] = await world.add(metering_hardware_imports, {name: order[name] for name in names})
        return made

    async with ProvisioningStub(store) as stub:
        role = ProvisioningRole(base_url=stub.url, internal_key="inner", policy=HASTY)
        world.wire(provisioning_role=role)
        yield stub
        await role.close()


async def assign(api: Any, world: SitesWorld, caller: Any = MEMBER, **wish: object) -> Any:
    headers = {**world.callers.bearer(caller), "X-Request-Id": "r-77"}
    return await api.post("/dcus/assign", json={**WISH, **wish}, headers=headers)


async def unassign(api: Any, world: SitesWorld, dcu: int, caller: Any = MEMBER) -> Any:
    return await api.put(f"/dcus/unassign/{dcu}", headers=world.callers.bearer(caller))


async def test_a_gateway_goes_to_its_grid(api: Any, world: SitesWorld, vendor: ProvisioningStub) -> None:
    """[API-89] [API-184] [API-185] [API-217] [MET-186]"""
    dcu = await world.add_dcu(EUI, None, communication_protocol="CALIN_V1")
    answer = await assign(api, world)
    session = await answer.json()
    [made] = await world.rows(metering_hardware_imports)
    assert answer.status == 201
    assert list(session) == [
        "id",
        "created_at",
        "dcu_id",
        "meter_id",
        "author_id",
        "last_meter_commissioning_id",
        "last_metering_hardware_import_id",
        "meter",
        "dcu",
    ]
    assert (session["dcu_id"], session["author_id"], session["meter"]) == (dcu, MEMBER.id, None)
    assert session["last_metering_hardware_import_id"] == made["id"]
    assert (session["dcu"]["grid_id"], session["dcu"]["communication_protocol"]) == (GRID, "CALIN_LORAWAN")
    assert session["dcu"][LINK] == session["id"]
    row = await world.row(dcus, dcu)
    assert (row["grid_id"], row["rls_organization_id"], row[LINK]) == (GRID, 7, session["id"])
    [(headers, orders)] = vendor.received
    assert orders == [
        {"metering_hardware_install_session_id": session["id"], "metering_hardware_import_operation": "ADD"}
    ]
    assert (headers["X-API-KEY"], headers["X-Request-Id"]) == ("inner", "r-77")
    [line] = await world.rows(audits)
    assert line["message"] == f"Member of Sunny Grids assigned dcu {EUI} to Umuoke via Ayrton"
    assert (line["author_id"], line["organization_id"], line["grid_id"], line["dcu_id"]) == (MEMBER.id, 7, GRID, dcu)
    assert await world.evidence() == [("dcu.assign", dcu, {"grid_id": None}, {"grid_id": GRID})]


async def test_what_can_not_be_assigned(api: Any, world: SitesWorld, vendor: ProvisioningStub) -> None:
    """[API-89] [R39] Unknown and another tenant's gateways, taken ones, unknown and foreign grids: nothing changes."""
    await world.add_dcu(EUI, None)
    await world.add_dcu("taken", GRID)
    await world.add_dcu("theirs", FOREIGN)
    before = await world.state()
    for number in ("unheard", "theirs"):
        told = await refusal(await assign(api, world, external_reference=number))
        assert told == (400, f"Dcu {number} does not exist in the system")
    told = await refusal(await assign(api, world, external_reference="taken"))
    text = "CALIN DCU with external reference taken already exists, and is assigned to Umuoke"
    assert told == (409, text)
    for grid in (FOREIGN, DELETED, 999):
        assert await refusal(await assign(api, world, grid_id=grid)) == (404, f"Could not find grid with id {grid}")
    for caller in (AGENT, CUSTOMER, LENDER):
        assert (await assign(api, world, caller)).status == 403
    status, texts = await refusal(await assign(api, world, grid_id="7", communication_protocol=None))
    assert (status, len(texts)) == (400, 5)
    assert await world.state() == before
    assert vendor.received == []


async def test_two_want_the_same_gateway(api: Any, world: SitesWorld, vendor: ProvisioningStub) -> None:
    """[API-89] [REL-44] One wins, all others are told so."""
    vendor.delay_s = 0.2
    await world.add_dcu(EUI, None)
    answers = await asyncio.gather(*(assign(api, world) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]
    assert len(vendor.received) == len(await world.feed()) == 1


@pytest.mark.parametrize("trouble", ["refuses", "slow", "garbage", "gone"])
async def test_without_the_provisioning_role_all_is_as_it_was(
    api: Any, world: SitesWorld, vendor: ProvisioningStub, trouble: str
) -> None:
    """[API-89] [API-184] The feed says that it was tried, and undone."""

    async def nowhere(_order: dict[str, Any]) -> int:
        return 900

    vendor.statuses = {"refuses": [500], "slow": [503] * 3}.get(trouble, [])
    vendor.store, vendor.body = nowhere, b"<html>" if trouble == "garbage" else None
    if trouble == "gone":
        await vendor.__aexit__()
    dcu = await world.add_dcu(EUI, None, communication_protocol="CALIN_V2")
    before = await world.row(dcus, dcu)
    assert await refusal(await assign(api, world)) == NO_SERVICE
    assert await world.row(dcus, dcu) == before
    assert await world.rows(metering_hardware_install_sessions) == []
    assert await world.feed() == [
        f"Member of Sunny Grids assigned dcu {EUI} to Umuoke via Ayrton",
        f"The assignment of dcu {EUI} to Umuoke by Member of Sunny Grids was undone: provisioning service unavailable",
    ]


async def test_a_lost_answer_is_no_failure(api: Any, world: SitesWorld, vendor: ProvisioningStub) -> None:
    """[API-89] The import is there, so the assignment stands."""
    vendor.loses_answers = True
    dcu = await world.add_dcu(EUI, None)
    answer = await assign(api, world)
    [made] = await world.rows(metering_hardware_imports)
    assert (answer.status, (await answer.json())["last_metering_hardware_import_id"]) == (201, made["id"])
    assert (await world.row(dcus, dcu))["grid_id"] == GRID
    assert len(vendor.received) == 3


async def test_no_import_gives_an_empty_answer(api: Any, world: SitesWorld, vendor: ProvisioningStub) -> None:
    """[API-89] [API-13]"""
    vendor.is_idle = True
    dcu = await world.add_dcu(EUI, None)
    answer = await assign(api, world)
    assert (answer.status, answer.headers["Content-Length"], await answer.text()) == (201, "0", "")
    assert (await world.row(dcus, dcu))["grid_id"] == GRID


async def test_a_gateway_leaves_its_grid(api: Any, world: SitesWorld, vendor: ProvisioningStub) -> None:
    """[API-90] [API-217] [MET-187] When the provisioning role reports back, and not before; repeats change nothing."""
    dcu = await world.add_dcu(EUI, GRID)
    first = await (await unassign(api, world, dcu)).json()
    session = first["id"]
    assert (first["dcu"]["grid_id"], first["dcu"][LINK], first["meter"]) == (GRID, session, None)
    [(_, orders)] = vendor.received
    assert orders == [
        {
            "dcu_id": dcu,
            "metering_hardware_import_operation": "REMOVE",
            "metering_hardware_install_session_id": session,
        }
    ]
    assert await world.feed() == [f"Member of Sunny Grids removed DCU {EUI} from Umuoke via Ayrton"]
    before = await world.state()
    again = await unassign(api, world, dcu)
    assert (again.status, await again.json()) == (200, first)
    assert await world.state() == before
    assert len(vendor.received) == 1
    await api.put("/dcus", json=[{"id": dcu, "grid": None}], headers=world.callers.bearer(ADMIN))
    assert await refusal(await unassign(api, world, dcu, ADMIN)) == (
        409,
        f"Dcu with id {dcu} is not assigned to a grid",
    )


async def test_what_can_not_be_removed(api: Any, world: SitesWorld, vendor: ProvisioningStub) -> None:
    """[API-90] [R39]"""
    used, free, theirs = (
        await world.add_dcu("a", GRID),
        await world.add_dcu("b", None),
        await world.add_dcu("c", FOREIGN),
    )
    for number in ("1", "2"):
        await world.add_meter(number, GRID, dcu_id=used)
    await world.add_meter("3", GRID, dcu_id=used, deleted_at=world.callers.clock.now())
    before = await world.state()
    text = "Could not remove dcu as it's currently used by 2 meters"
    assert await refusal(await unassign(api, world, used)) == (409, text)
    for dcu, caller in ((theirs, MEMBER), (free, MEMBER), (used, STRANGER), (999, ADMIN)):
        told = await refusal(await unassign(api, world, dcu, caller))
        assert told == (404, f"Could not find dcu with id {dcu}")
    assert (await unassign(api, world, free, ADMIN)).status == 409
    assert (await unassign(api, world, used, AGENT)).status == 403
    assert await world.state() == before
    assert vendor.received == []


async def test_a_failed_removal_is_taken_back(api: Any, world: SitesWorld, vendor: ProvisioningStub) -> None:
    """[API-90] [API-184]"""
    dcu = await world.add_dcu(EUI, GRID)
    before = await world.row(dcus, dcu)
    vendor.statuses = [503] * 3
    assert await refusal(await unassign(api, world, dcu)) == NO_SERVICE
    assert await world.row(dcus, dcu) == before
    assert await world.rows(metering_hardware_install_sessions) == []
    assert (await world.feed())[1:] == [
        f"The removal of DCU {EUI} from Umuoke by Member of Sunny Grids was undone: provisioning service unavailable"
    ]
    assert (await unassign(api, world, dcu)).status == 200


async def test_two_removals_at_once(api: Any, world: SitesWorld, vendor: ProvisioningStub) -> None:
    """[API-90] The second one finds the first under way."""
    vendor.delay_s = 0.2
    dcu = await world.add_dcu(EUI, GRID)
    world.callers.clock.advance(await world.clock_skew())
    answers = await asyncio.gather(*(unassign(api, world, dcu) for _ in range(3)))
    assert sorted(answer.status for answer in answers) == [200, 409, 409]
    assert len(vendor.received) == 1
