"""Routes of issues, on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest
from aiohttp.test_utils import TestClient, TestServer
from redis.asyncio import Redis
from tests.integration.http.conftest import wired
from tests.support.http_roles import LOTS, Services
from tests.support.identity_world import ADMIN, CUSTOMER, MEMBER, IdentityWorld
from tests.support.registers import PostgresRegisters

from nxt_adapters.redis.check_focus import ValkeyCheckFocus
from nxt_entrypoints.api.app import build_api

ONE_OF = "must be one of the following values:"
SNOOZED = "2026-04-01T10:00:00.000Z"
SECRETS = ("decoder_key", "telegram_link_token", "epicollect_contract_survey_secret", "survey_client_id")


@pytest.fixture
async def village(registers: PostgresRegisters) -> PostgresRegisters:
    """Issues 1 to 4 of the meters of the customers with these ids, 5 and 6 of the first tenant's grid."""
    for meter_id in (1, 2, 3, 4):
        await registers.add_meter(meter_id, meter_id)
        await registers.add_issue(meter_id, meter_id=meter_id)
    await registers.add_issue(5, grid_id=70)
    await registers.sql("update issues set external_reference = 'OPS-' || id")
    return registers


@pytest.fixture
async def open_api(village: PostgresRegisters, callers: IdentityWorld, valkey_url: str) -> AsyncIterator[Any]:
    """The API of an operator who opened the routes of issues again, and has no tracker."""
    services: Any = Services()
    services.registers = wired(village, valkey_url, has_tracker=False).services()
    gate = attrs.evolve(callers.gate, open_routes=frozenset({"PUT /issues", "POST /issues/debug"}))
    async with TestClient(TestServer(build_api(services, gate=gate, settings=LOTS))) as client:
        yield client


async def put(api: Any, headers: dict[str, str], *patches: dict[str, Any]) -> tuple[int, Any]:
    answer = await api.put("/issues", json=list(patches), headers=headers)
    body = await answer.json()
    return answer.status, body if answer.status == 200 else body["message"]


async def tasks(village: PostgresRegisters) -> list[Any]:
    return await village.sql("select * from internal.outbox_tasks where kind = 'TICKET_CLOSABLE' order by id")


async def test_an_issue_is_closed_and_the_tracker_hears_of_it(
    registers_api: Any, village: PostgresRegisters, callers: IdentityWorld
) -> None:
    """[API-95] [API-100] [AUTO-154] [AUTO-155] Once, by the outbox, with the ticket's key alone."""
    admin = callers.bearer(ADMIN)
    for _ in range(2):
        status, (closed, overridden) = await put(
            registers_api,
            admin,
            {"id": 2, "issue_status": "CLOSED"},
            {
                "id": 1,
                "issue_status": "OVERRIDDEN",
                "closed_at": "2026-03-09T08:00:00Z",
                "estimated_lost_revenue": 12.5,
            },
        )
        assert (status, closed["id"], closed["issue_status"]) == (200, 2, "CLOSED")
        assert closed["closed_at"] is not None
        assert (overridden["closed_at"], overridden["estimated_lost_revenue"]) == ("2026-03-09T08:00:00.000Z", 12.5)
    told = await tasks(village)
    assert [task.payload for task in told] == [{"issue_id": 2, "ticket": "OPS-2"}, {"issue_id": 1, "ticket": "OPS-1"}]
    acts = await village.sql("select * from internal.audit_log order by id")
    assert [(act.action, act.entity_id, act.organization_id) for act in acts] == [
        ("issue.update", 2, 7),
        ("issue.update", 1, 7),
    ]
    assert (acts[1].before["issue_status"], acts[1].after["issue_status"]) == ("OPEN", "OVERRIDDEN")


async def test_what_is_shown_of_an_issue(
    registers_api: Any, village: PostgresRegisters, callers: IdentityWorld
) -> None:
    """[API-95] [REL-141] The meter down to the organization, the PV charger, no secret."""
    await village.sql("insert into mppts (id, external_reference, external_id, grid_id) values (8, '1279', '4', 70)")
    await village.sql("insert into issues (id, issue_type, mppt_id) values (6, 'VEBUS_STATE', 8)")
    await village.sql("update accounts set telegram_link_token = 'link-secret' where id = 101")
    await village.sql("insert into meters (id, external_reference, external_system) values (9, '9', 'CALIN')")
    await village.sql("insert into issues (id, issue_type, meter_id) values (9, 'NO_CREDIT', 9)")
    answer = await registers_api.put("/issues", json=[{"id": n} for n in (6, 1, 9, 5)], headers=callers.bearer(ADMIN))
    text = await answer.text()
    of_mppt, of_meter, of_stock, of_grid = await answer.json()
    assert (of_mppt["meter"], of_mppt["mppt"]["external_reference"]) == (None, "1279")
    assert (of_grid["meter"], of_grid["mppt"], of_grid["grid_id"]) == (None, None, 70)
    assert (of_stock["meter"]["external_reference"], of_stock["meter"]["connection"]) == ("9", None)
    customer = of_meter["meter"]["connection"]["customer"]
    assert (customer["account"]["full_name"], customer["grid"]["name"]) == ("Customer 1", "Grid 70")
    assert customer["grid"]["organization"]["name"] == "Sunny"
    assert not any(word in text for word in (*SECRETS, "link-secret"))
    assert await village.value("select count(*) from internal.audit_log") == 0, "nothing was changed"


async def test_ordinary_organizations_may_only_snooze(
    registers_api: Any, village: PostgresRegisters, callers: IdentityWorld
) -> None:
    """[API-95] [API-68] [R39] By the field alone, before any row is read."""
    key = {"X-API-KEY": await callers.api_key(MEMBER)}
    for headers in (callers.bearer(MEMBER), key):
        status, (shown,) = await put(registers_api, headers, {"id": 1, "snoozed_until": SNOOZED, "meter_id": 4})
        assert (status, shown["snoozed_until"], shown["meter"]["id"]) == (200, SNOOZED, 1)
        status, (shown,) = await put(registers_api, headers, {"id": 1, "snoozed_until": None})
        assert (status, shown["snoozed_until"]) == (200, None)
        for field, value in (
            ("issue_status", "CLOSED"),
            ("issue_type", "TAMPER"),
            ("closed_at", None),
            ("external_reference", "OPS-9"),
            ("estimated_lost_revenue", 1),
            ("grid_id", 71),
        ):
            for issue_id in (1, 4, 999):
                patch = {"id": issue_id, "snoozed_until": SNOOZED, field: value}
                refused = await put(registers_api, headers, {"id": 1, "snoozed_until": SNOOZED}, patch)
                assert refused == (403, "You do not have access to this resource")
    assert await village.value("select count(*) from issues where snoozed_until is not null") == 0
    assert (await put(registers_api, callers.bearer(CUSTOMER), {"id": 1}))[0] == 403


async def test_unknown_issues_and_grids(registers_api: Any, village: PostgresRegisters, callers: IdentityWorld) -> None:
    """[API-95] [R39] A foreign one answers as one that nobody has; nothing is applied then."""
    mine, admin = callers.bearer(MEMBER), callers.bearer(ADMIN)
    for issue_id in (4, 999):
        refused = await put(registers_api, mine, {"id": 1, "snoozed_until": SNOOZED}, {"id": issue_id})
        assert refused == (404, f"Could not find issue with id {issue_id}")
    assert await put(registers_api, admin, {"id": 5, "grid_id": 999}) == (404, "Could not find grid with id 999")
    assert await village.value("select count(*) from issues where snoozed_until is not null") == 0
    status, (moved,) = await put(registers_api, admin, {"id": 5, "grid_id": 80})
    assert (status, moved["grid_id"], moved["rls_organization_id"]) == (200, 80, 8)


async def test_an_issue_opens_again(registers_api: Any, village: PostgresRegisters, callers: IdentityWorld) -> None:
    """[API-95] [REL-74] At most one open issue of a meter; each closing is told by itself."""
    admin = callers.bearer(ADMIN)
    await put(registers_api, admin, {"id": 1, "issue_status": "CLOSED"})
    status, (shown,) = await put(registers_api, admin, {"id": 1, "issue_status": "OPEN"})
    assert (status, shown["closed_at"]) == (200, None)
    await put(registers_api, admin, {"id": 1, "issue_status": "CLOSED"})
    assert [task.payload["issue_id"] for task in await tasks(village)] == [1, 1]
    await village.sql("insert into issues (id, issue_type, meter_id) values (11, 'TAMPER', 1)")
    refused = await put(registers_api, admin, {"id": 2, "snoozed_until": SNOOZED}, {"id": 1, "issue_status": "OPEN"})
    assert refused == (409, "There is another open issue of the same kind")
    assert await village.value("select snoozed_until from issues where id = 2") is None


async def test_what_an_issue_must_not_be(
    registers_api: Any, village: PostgresRegisters, callers: IdentityWorld
) -> None:
    """[API-95] [API-22] [API-23]"""
    admin = callers.bearer(ADMIN)
    for patch, texts in (
        ({}, ["0.id must be a number conforming to the specified constraints"]),
        (
            {"id": 1, "issue_status": "GONE"},
            ["0.issue_status must be one of the following values: OPEN, CLOSED, OVERRIDDEN"],
        ),
        ({"id": 1, "snoozed_until": "later"}, ["0.snoozed_until must be a valid ISO 8601 date string"]),
    ):
        status, found = await put(registers_api, admin, patch)
        assert status == 400
        assert set(texts) <= set(found)
    for patch, text in (
        ({"id": 1, "issue_type": None}, "issue_type should not be empty"),
        ({"id": 5, "grid_id": None}, "grid_id should not be empty"),
    ):
        assert await put(registers_api, admin, patch) == (400, text)
    assert await put(registers_api, admin) == (200, [])


async def test_two_who_close_one_issue(registers_api: Any, village: PostgresRegisters, callers: IdentityWorld) -> None:
    """[API-95] At the same time: closed once, told once."""
    admin = callers.bearer(ADMIN)
    calls = (put(registers_api, admin, {"id": 1, "issue_status": "CLOSED"}) for _ in range(4))
    assert [status for status, _ in await asyncio.gather(*calls)] == [200] * 4
    assert len(await tasks(village)) == 1


async def test_a_meter_is_marked_for_the_check(
    open_api: Any, registers_api: Any, callers: IdentityWorld, valkey_url: str
) -> None:
    """[API-97] [API-17]"""
    async with Redis.from_url(valkey_url) as client:
        focus = ValkeyCheckFocus(client)
        for body, marked in (
            ({"external_reference": "47001771477"}, "47001771477"),
            ({"external_reference": None}, None),
        ):
            answer = await open_api.post("/issues/debug", json=body, headers=callers.bearer(ADMIN))
            assert (answer.status, await answer.read(), await focus.target()) == (201, b"", marked)
    refused = await open_api.post("/issues/debug", json={}, headers=callers.bearer(MEMBER))
    assert refused.status == 403
    away = await registers_api.post("/issues/debug", json={}, headers=callers.bearer(ADMIN))
    assert away.status == 503, "without Valkey there is no mark"


async def test_routes_that_the_operator_opened_again(
    open_api: Any, registers_api: Any, village: PostgresRegisters, callers: IdentityWorld
) -> None:
    """[API-193] [API-215] Without credential all may be changed; a credential that is shown still counts."""
    status, (shown,) = await put(open_api, {}, {"id": 4, "issue_status": "CLOSED"})
    assert (status, shown["issue_status"]) == (200, "CLOSED")
    (act,) = await village.sql("select * from internal.audit_log")
    assert (act.actor_type, act.actor_account_id, act.actor_label) == ("WEBHOOK", None, "Anybody")
    assert act.request_id
    assert await tasks(village) == [], "there is no tracker to tell"
    assert (await open_api.post("/issues/debug", json={})).status == 201
    assert (await put(open_api, callers.bearer(MEMBER), {"id": 4, "issue_status": "OPEN"}))[0] == 403
    assert (await put(open_api, {"X-API-KEY": "wrong"}, {"id": 4, "issue_status": "OPEN"}))[0] == 401
    assert (await open_api.get("/issues")).status == 401
    assert (await put(registers_api, {}, {"id": 4, "issue_status": "OPEN"}))[0] == 401
