"""Connectivity of a grid's hardware and the list for funders, end to end."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pytest
from tests.support.http_roles import refusal
from tests.support.identity_world import ADMIN, AGENT, MEMBER
from tests.support.sites_world import DELETED, FOREIGN, GRID, STRANGER, SitesWorld

from nxt_adapters.supabase.tables import issues, meters, poles

LINES = "/grids/{}/pbg-connections/download"
STATS = "/grids/{}/metering_hardware_connectivity_stats"
TODAY = datetime(2026, 3, 9, 8, tzinfo=UTC)
EARLIER = datetime(2026, 1, 2, 3, tzinfo=UTC)


async def get(api: Any, world: SitesWorld, path: str, caller: Any = MEMBER) -> Any:
    return await api.get(path, headers=world.callers.bearer(caller))


async def test_the_share_of_meters_that_can_be_reached(api: Any, world: SitesWorld) -> None:
    """[API-93] [MET-201] Meters without gateway are offline; deleted ones and those of other grids do not count."""
    up = await world.add_dcu("a8", GRID, is_online=True)
    down = await world.add_dcu("b8", GRID)
    await world.add_dcu("c8", GRID, is_online=True, deleted_at=TODAY)
    await world.add_dcu("d8", FOREIGN, is_online=True)
    for number, dcu in enumerate((up, up, down, None)):
        await world.add_meter(f"4700{number}", GRID, dcu_id=dcu)
    await world.add_meter("47008", GRID, dcu_id=up, deleted_at=TODAY)
    await world.add_meter("47009", FOREIGN, dcu_id=up)
    answer = await get(api, world, STATS.format(GRID))
    assert await answer.json() == {
        "meters": {"online_pct": 0.5, "offline_pct": 0.5},
        "dcus": {"online": ["a8"], "offline": ["b8"]},
    }


async def test_a_grid_without_hardware(api: Any, world: SitesWorld) -> None:
    """[API-93]"""
    answer = await get(api, world, STATS.format(GRID))
    empty = {"meters": {"online_pct": 0, "offline_pct": 0}, "dcus": {"online": [], "offline": []}}
    assert await answer.json() == empty


@pytest.mark.parametrize("path", [STATS, LINES, LINES + "?format=xlsx"])
@pytest.mark.parametrize(("grid", "caller"), [(FOREIGN, MEMBER), (GRID, STRANGER), (DELETED, ADMIN), (999, ADMIN)])
async def test_what_a_caller_does_not_own_is_unknown(
    api: Any, world: SitesWorld, path: str, grid: int, caller: Any
) -> None:
    """[API-94] [R39] Foreign, deleted and unknown grids answer alike."""
    answer = await get(api, world, path.format(grid), caller)
    assert await refusal(answer) == (404, f"Could not find grid with id {grid}")


@pytest.mark.parametrize("path", [STATS, LINES])
async def test_agents_do_not_see_it(api: Any, world: SitesWorld, path: str) -> None:
    """[API-68]"""
    assert (await get(api, world, path.format(GRID), AGENT)).status == 403
    assert await refusal(await get(api, world, path.format("seven"))) == (
        400,
        "Validation failed (numeric string is expected)",
    )


def leftovers() -> list[Path]:
    return list(Path(gettempdir()).glob("nxt-workbook-*"))


async def found_village(world: SitesWorld) -> None:
    """Four meters: commissioned long ago, lately, with an open issue in between, and not yet."""
    geom = {"type": "Point", "coordinates": [4.873, 7.5]}
    [pole] = await world.add(poles, {"external_reference": "010001", "grid_id": GRID, "location_geom": geom})
    old = await world.add_meter("0001", GRID, full_name="=Mill, of Ade", phone="2348031234567", pole_id=pole)
    new = await world.add_meter(
        "0002", GRID, customer={"gender": "FEMALE", "generator_owned": "LARGE"}, latitude=7.25, longitude=-4.5
    )
    ill = await world.add_meter("0003", GRID, meter_type="FS")
    await world.add_meter("0004", GRID)
    failed = await world.add_meter("0005", GRID)
    await world.install(old, imported="SUCCESSFUL", commissioned="SUCCESSFUL", at=EARLIER)
    await world.install(new, imported="SUCCESSFUL", commissioned="FAILED", at=TODAY)
    await world.install(ill, imported="SUCCESSFUL", commissioned="SUCCESSFUL", at=datetime(2026, 2, 1, tzinfo=UTC))
    await world.install(failed, imported="FAILED", commissioned=None)
    [issue] = await world.add(issues, {"issue_type": "NO_CREDIT", "meter_id": ill})
    await world.change(meters, ill, last_encountered_issue_id=issue)
    await world.add_meter("0006", GRID, deleted_at=TODAY)
    await world.add_meter("0007", FOREIGN)


PLACE = "Umuoke Community,,"
MONDAY = "2026-03-09T00:00:00"
NO_PHONE = "+2349000000000"
EXPECTED = [
    f"0004,House 0004,Undisclosed,Residential,Small,{PLACE}{NO_PHONE},,,,HPS,No installation data available",
    f"0005,House 0005,Undisclosed,Residential,Small,{PLACE}{NO_PHONE},,,,HPS,Meter import: FAILED",
    f"0002,House 0002,Female,Residential,Large,{PLACE}{NO_PHONE},7.25,-4.5,{MONDAY},HPS,Meter commissioning: FAILED",
    f"0003,House 0003,Undisclosed,Residential,Small,{PLACE}{NO_PHONE},,,2026-02-01T00:00:00,FS,Open issue: NO_CREDIT",
    f"0001,'=Mill of Ade,Undisclosed,Residential,Small,{PLACE}2348031234567,7.5,4.873,2026-01-02T00:00:00,HPS,",
]


async def test_the_list_for_funders(api: Any, world: SitesWorld) -> None:
    """[API-94] [MET-202] Order, statuses, places and the disarmed formula, byte for byte."""
    await found_village(world)
    answer = await get(api, world, LINES.format(GRID))
    assert answer.headers["Content-Type"] == "application/octet-stream"
    name = "Umuoke-pbg-connections-2026-03-10T09:15:00.000Z.csv"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    header, *lines = (await answer.text()).split("\n")
    assert header.startswith("External ID,Customer Name,")
    assert lines == EXPECTED


async def test_the_list_as_a_workbook(api: Any, world: SitesWorld) -> None:
    """[API-94] The same lines; texts are texts, coordinates numbers; nothing is left on the disk."""
    await found_village(world)
    answer = await get(api, world, LINES.format(GRID) + "?format=xlsx")
    assert answer.headers["Content-Disposition"].endswith('.xlsx"')
    with zipfile.ZipFile(io.BytesIO(await answer.read())) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<row ") == 1 + len(EXPECTED)
    assert "<t>=Mill, of Ade</t>" in sheet
    assert "<f>" not in sheet
    assert "<v>4.873</v>" in sheet
    assert leftovers() == []
    wrong = await get(api, world, LINES.format(GRID) + "?format=pdf")
    assert await refusal(wrong) == (400, ["format must be one of the following values: csv, xlsx"])


async def test_a_slow_reader_holds_no_connection(world: SitesWorld) -> None:
    """[API-94] Between two lines nothing of the pool is in use; a meter that is gone meanwhile is left out."""
    await found_village(world)
    caller = await world.callers.user(world.callers.token(MEMBER))
    listed = await world.services.sites.download_pbg_connections(caller, GRID, "csv")
    assert (await anext(listed.rows))[0] == "0004"
    assert world.pool.sync_engine.pool.checkedout() == 0
    assert [row[0] async for row in listed.rows] == ["0005", "0002", "0003", "0001"]


async def test_asking_for_the_head_alone(api: Any, world: SitesWorld) -> None:
    """[API-3]"""
    answer = await api.head(LINES.format(GRID), headers=world.callers.bearer(MEMBER))
    assert (answer.status, await answer.read()) == (200, b"")
    assert "attachment" in answer.headers["Content-Disposition"]
