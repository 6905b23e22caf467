"""``GET /mppts/sync/{grid_id}`` end to end: the application, a real database, and VRM behind a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.support.http_roles import refusal
from tests.support.identity_world import ADMIN, AGENT, LENDER, MEMBER
from tests.support.sites_world import DELETED, FOREIGN, GRID, SECOND, SitesWorld

from nxt_adapters.resilience import BreakerPolicy, CallPolicy, RetryPolicy
from nxt_adapters.supabase.job_leases import PostgresJobLeases
from nxt_adapters.supabase.tables import grids, mppts
from nxt_adapters.system.clock import SystemClock
from nxt_adapters.victron.budget import LocalBudget
from nxt_adapters.victron.vrm import VrmApi, VrmSettings, VrmSiteDevices
from nxt_entrypoints.simulators.fleet import Fleet, Plant, PlantDevice, Village
from nxt_entrypoints.simulators.victron.simulator import Victron, VictronConfig

EAST = PlantDevice(name="Solar Charger", custom_name="FRON 1279 ARTN10.92/+153/10", instance=279)
WEST = PlantDevice(name="PV Inverter", custom_name="FRON 1280 ARTN/5,08 / -27 / 12,5", instance=280)
BATTERY = PlantDevice(name="Battery Monitor", custom_name="Bank 1", instance=512)
PORTAL = "c0619ab1a2b1"
HASTY = CallPolicy(
    timeout_s=0.5,
    retry=RetryPolicy(attempts=2, wait_initial_s=0.01, wait_max_s=0.01, jitter_s=0),
    breaker=BreakerPolicy(failures=1000),
)


@pytest.fixture
async def vendor(world: SitesWorld) -> AsyncIterator[Victron]:
    plant = Plant(portal_id=PORTAL, site_id="410001", devices=[EAST, WEST, BATTERY])
    victron = Victron(
        VictronConfig(broker_url="mqtt://127.0.0.1:9"), Fleet(villages=[Village(grid_id=GRID, plant=plant)])
    )
    await victron.start()
    settings = VrmSettings(url=f"{victron.http.url}/v2", username="demo", password="demo")
    vrm = VrmApi(settings, LocalBudget(1000), SystemClock(), policy=HASTY)
    world.wire(site_devices=VrmSiteDevices(vrm))
    site = {"generation_external_site_id": "410001", "generation_external_gateway_id": PORTAL}
    await world.change(grids, GRID, **site)
    yield victron
    await world.background.finish()
    await vrm.close()
    await victron.stop()


async def sync(api: Any, world: SitesWorld, grid: object = GRID, caller: Any = MEMBER) -> Any:
    """Ask, and let the work after the answer end."""
    answer = await api.get(f"/mppts/sync/{grid}", headers=world.callers.bearer(caller))
    await world.background.finish()
    return answer


async def listed(world: SitesWorld) -> list[tuple[Any, ...]]:
    names = ("external_reference", "external_id", "kw", "azimuth", "tilt", "mppt_type")
    return [tuple(row[name] for name in names) for row in await world.rows(mppts) if row["deleted_at"] is None]


ROW_EAST = ("1279", "279", Decimal("10.920"), 153.0, 10.0, "MPPT")
ROW_WEST = ("1280", "280", Decimal("5.080"), -27.0, 12.5, "PV_INVERTER")


async def test_a_site_is_read_for_the_first_time(api: Any, world: SitesWorld, vendor: Victron) -> None:
    """[API-110] [API-111] [MET-203] Rows as VRM lists them, the grid's peak power, and evidence of it."""
    answer = await sync(api, world)
    assert (answer.status, await answer.json()) == (200, {"response": "ok"})
    assert sorted(await listed(world)) == [ROW_EAST, ROW_WEST]
    rows = await world.rows(mppts)
    assert {(row["grid_id"], row["rls_organization_id"], row["external_system"]) for row in rows} == {
        (GRID, 7, "VICTRON")
    }
    assert {row["installed_at"] for row in rows} == {world.callers.clock.now()}
    assert (await world.row(grids, GRID))["kwp"] == 16
    assert await world.evidence() == [("grid.mppt_sync", GRID, {"kwp": 0}, {"kwp": 16})]
    shown = await (await api.get(f"/mppts?grid_id={GRID}", headers=world.callers.bearer(MEMBER))).json()
    assert [charger["kw"] for charger in shown["items"]] == [10.92, 5.08]


async def test_a_second_look_changes_nothing(api: Any, world: SitesWorld, vendor: Victron) -> None:
    """[API-111] [REL-45]"""
    await sync(api, world)
    before = await world.rows(mppts)
    await sync(api, world)
    assert await world.rows(mppts) == before
    assert len(await world.evidence()) == 1


async def test_what_changed_is_replaced(api: Any, world: SitesWorld, vendor: Victron) -> None:
    """[API-111] [REL-45] A charger with new panels goes and comes; one that is gone is marked as deleted."""
    await sync(api, world)
    turned = PlantDevice(name=EAST.name, custom_name="FRON 1279 ARTN12/+153/10", instance=279)
    vendor.plants[PORTAL].devices = (turned, BATTERY)
    await sync(api, world)
    assert await listed(world) == [("1279", "279", Decimal("12.000"), 153.0, 10.0, "MPPT")]
    gone = [row for row in await world.rows(mppts) if row["deleted_at"] is not None]
    assert {row["external_reference"] for row in gone} == {"1279", "1280"}
    assert (await world.row(grids, GRID))["kwp"] == 12


@pytest.mark.parametrize("faults", [{"down": True}, {"error_rate": 1}, {"garbage_rate": 1}, {"latency_ms": [900, 900]}])
async def test_whatever_vrm_does_wrong_changes_nothing(
    api: Any, world: SitesWorld, vendor: Victron, faults: dict[str, Any]
) -> None:
    """[API-111] [API-38] [API-36] Answered at once all the same; the reason is in the log."""
    await sync(api, world)
    before = (await world.rows(mppts), await world.row(grids, GRID))
    vendor.plants[PORTAL].devices = (BATTERY,)
    vendor.control.update(faults)
    with capture_logs() as logs:
        answer = await sync(api, world)
    assert await answer.json() == {"response": "ok"}
    assert (await world.rows(mppts), await world.row(grids, GRID)) == before
    [line] = [log for log in logs if log["event"] == "work after an answer failed"]
    assert line["work"] == "mppt sync"
    assert "VRM" in line["reason"]


@pytest.mark.parametrize(
    "site",
    [
        {"generation_external_site_id": None},
        {"generation_external_site_id": ""},
        {"generation_external_gateway_id": None},
        {"generation_external_system": "STEAMACO"},
        {"generation_external_site_id": "999"},
    ],
)
async def test_grids_that_vrm_does_not_monitor(
    api: Any, world: SitesWorld, vendor: Victron, site: dict[str, Any]
) -> None:
    """[API-111] Logged, and nothing else."""
    await world.change(grids, GRID, **site)
    assert (await sync(api, world)).status == 200
    assert await world.rows(mppts) == []
    calls = [entry["path"] for entry in vendor.control.log.after(0) if entry["kind"] == "vrm"]
    assert bool(calls) is (site == {"generation_external_site_id": "999"})


async def test_one_run_per_grid_at_a_time(api: Any, world: SitesWorld, vendor: Victron) -> None:
    """[API-110] Over all processes: while another one holds the grid's lease, requests are answered and ignored."""
    vendor.control.update({"latency_ms": [200, 200]})
    headers = world.callers.bearer(MEMBER)
    answers = await asyncio.gather(*(api.get(f"/mppts/sync/{GRID}", headers=headers) for _ in range(4)))
    await world.background.finish()
    assert [answer.status for answer in answers] == [200] * 4
    overviews = [entry for entry in vendor.control.log.after(0) if str(entry.get("path")).endswith("system-overview")]
    assert len(overviews) == 1
    other = PostgresJobLeases(world.pool, "another process")
    async with other.hold(f"mppt-sync:{GRID}") as is_ours:
        assert is_ours
        await sync(api, world)
    assert len([e for e in vendor.control.log.after(0) if str(e.get("path")).endswith("system-overview")]) == 1


@pytest.mark.parametrize("grid", ["0", "abc", "1.5", "", "%20", "seven", "00"])
async def test_no_grid_is_named(api: Any, world: SitesWorld, grid: str) -> None:
    """[API-110]"""
    told = await refusal(await sync(api, world, grid))
    assert told == ((422, "Grid ID is required") if grid else (404, "Cannot GET /mppts/sync/"))


async def test_who_may(api: Any, world: SitesWorld, vendor: Victron) -> None:
    """[API-68] [R39] A foreign grid is like an unknown one; it changes rows, so lenders may not."""
    for grid in (FOREIGN, DELETED, 999, -1, 99_999_999_999):
        assert await refusal(await sync(api, world, grid)) == (404, f"Could not find grid with id {grid}")
    for caller in (AGENT, LENDER):
        assert (await sync(api, world, GRID, caller)).status == 403
    reader = {"X-API-KEY": await world.callers.api_key(MEMBER, scopes=["mppts:read"])}
    assert (await api.get("/mppts", headers=reader)).status == 200
    assert (await api.get(f"/mppts/sync/{GRID}", headers=reader)).status == 403
    assert await world.rows(mppts) == []
    assert (await sync(api, world, SECOND, ADMIN)).status == 200
