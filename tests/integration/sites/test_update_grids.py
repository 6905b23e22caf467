"""``PUT /grids`` end to end: the application, its use case, a real database."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.http_roles import refusal
from tests.support.identity_world import ADMIN, AGENT, CUSTOMER, LENDER, MEMBER
from tests.support.sites_world import DELETED, FOREIGN, GRID, SECOND, SitesWorld

from nxt_adapters.supabase.tables import dcus, grids, outbox_tasks
from nxt_domain.grids.changes import CHANGEABLE
from nxt_domain.grids.views import GridView
from nxt_entrypoints.api.grid_fields import GridFields
from nxt_entrypoints.http.inputs import shape_of

WEATHERS = "CLOUDY, CLOUDS, SHOWERS, SUNNY, UNKNOWN, CLOUDY_WITH_RAIN"
NUMBER = "must be a number conforming to the specified constraints"


async def put(api: Any, world: SitesWorld, body: object, caller: Any = ADMIN) -> Any:
    return await api.put("/grids", json=body, headers=world.callers.bearer(caller))


def test_every_changeable_column_is_a_field() -> None:
    """[REL-41] [API-92] All columns of API-91 but the eight fixed ones; null clears what may be empty, and no other."""
    assert {field.name for field in attrs.fields(GridFields)} == CHANGEABLE | {"id"}
    assert len(attrs.fields(GridView)) - len(CHANGEABLE) == 8
    clearing = {field.name for field in shape_of(GridFields).fields if field.clears_with_null}
    assert clearing == {name for name in CHANGEABLE if grids.c[name].nullable}


async def test_some_columns_of_many_grids(api: Any, world: SitesWorld) -> None:
    """[REL-41] [API-92] [API-9] [API-10] Absence keeps, null clears, unknown and fixed fields are ignored."""
    await put(api, world, [{"id": GRID, "walkthrough_external_id": "W-1", "kwp": 10, "kwh_tariff": 200.25}])
    answer = await put(
        api,
        world,
        [
            {"id": SECOND, "current_weather": "SUNNY", "timezone": "Europe/Paris", "colour": "blue"},
            {
                "id": GRID,
                "walkthrough_external_id": None,
                "kwp": None,
                "kwh": 12.5,
                "is_hps_on": True,
                "is_hps_on_updated_at": "2026-03-10T10:15:00+01:00",
            },
        ],
    )
    assert answer.status == 200
    second, first = await answer.json()
    assert (second["id"], second["current_weather"], second["timezone"]) == (SECOND, "SUNNY", "Africa/Lagos")
    assert second["organization"]["name"] == "Sunny Grids"
    assert (first["id"], first["walkthrough_external_id"]) == (GRID, None)
    assert (first["kwp"], first["kwh"], first["kwh_tariff"]) == (10, 12.5, 200.25)
    assert (first["is_hps_on"], first["is_hps_on_updated_at"]) == (True, "2026-03-10T09:15:00.000Z")
    assert first == await (await api.get(f"/grids/{GRID}", headers=world.callers.bearer(ADMIN))).json()
    assert (await world.row(grids, FOREIGN))["current_weather"] is None


async def test_the_weather_job(api: Any, world: SitesWorld) -> None:
    """[API-92] [API-184] The jobs role's body, with the key of a platform member; nothing new leaves no evidence."""
    key = {"X-API-KEY": await world.callers.api_key(ADMIN)}
    body = [{"id": GRID, "current_weather": "SUNNY"}, {"id": FOREIGN, "current_weather": "CLOUDS"}]
    for _ in range(2):
        answer = await api.put("/grids", json=body, headers=key)
        assert [grid["current_weather"] for grid in await answer.json()] == ["SUNNY", "CLOUDS"]
    assert await world.evidence() == [
        ("grid.update", GRID, {"current_weather": None}, {"current_weather": "SUNNY"}),
        ("grid.update", FOREIGN, {"current_weather": None}, {"current_weather": "CLOUDS"}),
    ]
    assert await world.feed() == []


async def test_the_automation_platform_hears_of_it(api: Any, world: SitesWorld) -> None:
    """[API-92] [API-213] Where a grid's switch is on: one task of the outbox for each column that changed."""
    on = {"id": GRID, "is_fs_on": True, "is_hps_on": True, "is_fs_on_notification_enabled": True}
    for _ in range(2):
        await put(api, world, [on, {"id": SECOND, "is_fs_on": True}])
    [task] = await world.rows(outbox_tasks)
    told = {name: task["payload"][name] for name in ("grid_id", "grid_name", "is_fs_on")}
    assert (task["kind"], told) == ("GRID_STATE", {"grid_id": GRID, "grid_name": "Umuoke", "is_fs_on": True})


async def test_an_empty_array(api: Any, world: SitesWorld) -> None:
    """[API-92]"""
    answer = await put(api, world, [])
    assert (answer.status, await answer.text()) == (200, "[]")


@pytest.mark.parametrize("lost", [DELETED, 999])
async def test_an_unknown_grid_stops_all(api: Any, world: SitesWorld, lost: int) -> None:
    """[API-92] [R39] 404, and nothing is applied."""
    before = await world.state()
    answer = await put(api, world, [{"id": GRID, "kwp": 9}, {"id": lost, "kwp": 9}])
    assert await refusal(answer) == (404, f"Could not find grid with id {lost}")
    assert await world.state() == before


async def test_all_wrong_types_are_told_with_their_index(api: Any, world: SitesWorld) -> None:
    """[API-22] [API-23] [API-11]"""
    answer = await put(
        api,
        world,
        [
            {"id": GRID, "kwp": "5", "is_fs_on": "true", "deployed_at": "soon", "name": ""},
            {"kwh_tariff": -1, "current_weather": "FOG"},
            7,
        ],
    )
    status, texts = await refusal(answer)
    assert status == 400
    assert sorted(texts) == sorted(
        [
            f"0.kwp {NUMBER}",
            "0.kwp must not be less than 0",
            "0.kwp must not be greater than 1000000000",
            "0.is_fs_on must be a boolean value",
            "0.deployed_at must be a valid ISO 8601 date string",
            "0.name should not be empty",
            f"1.id {NUMBER}",
            "1.id must be an integer number",
            "1.id must not be less than 1",
            "1.id must not be greater than 2147483647",
            "1.kwh_tariff must not be less than 0",
            f"1.current_weather must be one of the following values: {WEATHERS}",
            "2.element must be an object",
        ]
    )
    assert await refusal(await put(api, world, {"id": GRID})) == (400, ["body must be an array"])


async def test_taken_names_and_lost_owners(api: Any, world: SitesWorld) -> None:
    """[REL-40] [API-20] [REL-84] A name belongs to one grid; a grid's things follow it to its new owner."""
    [dcu] = await world.add(
        dcus,
        {"external_reference": "1", "external_system": "CALIN", "communication_protocol": "CALIN_V1", "grid_id": GRID},
    )
    before = await world.state()
    assert (await put(api, world, [{"id": GRID, "kwp": 3}, {"id": SECOND, "name": " UMUOKE "}])).status == 409
    assert (await put(api, world, [{"id": GRID, "organization_id": 999}])).status == 409
    assert await world.state() == before
    moved = await (await put(api, world, [{"id": GRID, "organization_id": 8}])).json()
    assert moved[0]["organization"]["name"] == "Other Grids"
    assert (await world.row(dcus, dcu))["rls_organization_id"] == 8


async def test_what_opens_a_chat_stays_out_of_the_evidence(api: Any, world: SitesWorld) -> None:
    """[REL-142]"""
    await put(api, world, [{"id": GRID, "telegram_response_path_token": "very-secret", "kwp": 4}])
    assert "very-secret" not in json.dumps(await world.evidence(), default=str)
    [(action, grid_id, _, after)] = await world.evidence()
    assert (action, grid_id, sorted(after)) == ("grid.update", GRID, ["kwp", "telegram_response_path_token"])


@pytest.mark.parametrize("caller", [MEMBER, AGENT, CUSTOMER, LENDER])
async def test_only_the_platform_changes_grids(api: Any, world: SitesWorld, caller: Any) -> None:
    """[API-68] [R39] By the caller's kind, before any row is read."""
    before = await world.state()
    for body in ([{"id": GRID, "kwp": 9}], [{"id": 999}], []):
        answer = await put(api, world, body, caller)
        assert await refusal(answer) == (403, "You do not have access to this resource")
    assert await world.state() == before


JSON = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(changes=st.lists(st.dictionaries(st.sampled_from(sorted(CHANGEABLE)), JSON, max_size=6), max_size=3))
async def test_no_value_breaks_the_database(api: Any, world: SitesWorld, changes: list[dict[str, Any]]) -> None:
    """[API-38] Property: whatever is sent for a grid's columns is stored or refused, and never a defect."""
    answer = await put(api, world, [{"id": GRID, **change} for change in changes])
    assert answer.status in {200, 400, 409}, await answer.text()
