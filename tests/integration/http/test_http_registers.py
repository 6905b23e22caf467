"""Lists of customers, connections, meters, issues and notes, and the search for a meter, on a real database."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from aiohttp.test_utils import TestClient, TestServer
from tests.support.http_roles import Services
from tests.support.identity_world import ADMIN, AGENT, CUSTOMER, LENDER, MEMBER, NOBODY, IdentityWorld
from tests.support.registers import PostgresRegisters

from nxt_entrypoints.api.app import build_api
from nxt_entrypoints.http.app import HttpSettings

LISTS = ["customers", "connections", "meters", "issues", "notes"]
SECRETS = {"decoder_key", "telegram_link_token", "epicollect_contract_survey_secret", "supabase_id"}

FOUND = {
    "id", "created_at", "external_reference", "nickname", "meter_type", "meter_phase", "external_system",
    "communication_protocol", "balance", "balance_updated_at", "kwh_credit_available",
    "kwh_credit_available_updated_at", "kwh_tariff", "is_on", "last_seen_at", "wallet", "dcu", "connection",
    "last_metering_hardware_install_session",
}  # fmt: skip


@pytest.fixture
async def village(registers: PostgresRegisters) -> PostgresRegisters:
    """Each customer has a meter with the same id, a connection, an issue and a note."""
    for meter_id in (1, 2, 3, 4):
        await registers.add_meter(meter_id, meter_id)
        await registers.add_issue(meter_id, meter_id=meter_id)
        await registers.add_note(meter_id, meter_id=meter_id)
    await registers.add_meter(5, None)
    return registers


async def page(api: Any, path: str, headers: dict[str, str]) -> tuple[list[int], int | None]:
    answer = await api.get(path, headers=headers)
    assert answer.status == 200, await answer.text()
    body = await answer.json()
    assert set(body) == {"items", "next"}
    return [item["id"] for item in body["items"]], body["next"]


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_of_ones_own_tenant(
    registers_api: Any, village: PostgresRegisters, callers: IdentityWorld, name: str
) -> None:
    """[R41] [API-64] Pages by key, of a grid, of everybody for the platform."""
    mine, admin = callers.bearer(MEMBER), callers.bearer(ADMIN)
    assert await page(registers_api, f"/{name}", mine) == ([1, 2, 3], None)
    assert await page(registers_api, f"/{name}?limit=2", mine) == ([1, 2], 2)
    assert await page(registers_api, f"/{name}?limit=2&after=2", mine) == ([3], None)
    assert await page(registers_api, f"/{name}?grid_id=71", mine) == ([3], None)
    assert await page(registers_api, f"/{name}?grid_id=80", mine) == ([], None)
    assert await page(registers_api, f"/{name}?grid_id=80", admin) == ([4], None)
    everything, _ = await page(registers_api, f"/{name}?limit=500", admin)
    assert everything == ([1, 2, 3, 4, 5] if name == "meters" else [1, 2, 3, 4])
    assert await page(registers_api, f"/{name}?limit=1&after=1&grid_id=70", mine) == ([2], None)


@pytest.mark.parametrize("name", LISTS)
async def test_who_may_read_a_list(
    registers_api: Any, village: PostgresRegisters, callers: IdentityWorld, name: str
) -> None:
    """[R41] [API-48] Members and keys, those of lenders too, whose own tenant is empty; nobody else."""
    for account in (AGENT, CUSTOMER, NOBODY):
        assert (await registers_api.get(f"/{name}", headers=callers.bearer(account))).status == 403
    assert (await registers_api.get(f"/{name}")).status == 401
    assert await page(registers_api, f"/{name}", callers.bearer(LENDER)) == ([], None)
    key = {"X-API-KEY": await callers.api_key(MEMBER, scopes=[f"{name}:read"])}
    assert await page(registers_api, f"/{name}", key) == ([1, 2, 3], None)
    other = {"X-API-KEY": await callers.api_key(MEMBER, scopes=["grids:read"])}
    assert (await registers_api.get(f"/{name}", headers=other)).status == 403


@pytest.mark.parametrize("name", LISTS)
async def test_a_window_that_is_none(registers_api: Any, callers: IdentityWorld, name: str) -> None:
    """[R41] [API-22]"""
    for query in ("limit=0", "limit=501", "limit=x", "after=-1", "grid_id=x", "grid_id=2147483648"):
        answer = await registers_api.get(f"/{name}?{query}", headers=callers.bearer(MEMBER))
        assert answer.status == 400, query
        assert isinstance((await answer.json())["message"], list)


async def test_lists_show_the_columns_and_no_secret(
    registers_api: Any, village: PostgresRegisters, callers: IdentityWorld
) -> None:
    """[R41] [REL-141] Names as in the tables; numbers as numbers; no key, token or credential."""
    await village.sql("insert into notes (id, message, author_id, connection_id) values (9, 'Wired well', 2, 1)")
    await village.sql("update meters set kwh_credit_available = 12.4, balance = 3286 where id = 1")
    answer = {}
    for name in LISTS:
        told = await (await registers_api.get(f"/{name}?grid_id=70", headers=callers.bearer(MEMBER))).json()
        answer[name] = told["items"]
        columns = {row.column_name for row in await village.sql(COLUMNS, name=name)}
        assert set(told["items"][0]) - {"full_name", "phone"} <= columns
        assert not set(told["items"][0]) & SECRETS
    assert (answer["meters"][0]["kwh_credit_available"], answer["meters"][0]["balance"]) == (12.4, 3286)
    assert answer["customers"][0]["full_name"] == "Customer 1"
    assert [note["message"] for note in answer["notes"]] == ["Seal was open", "Seal was open", "Wired well"]


COLUMNS = "select column_name from information_schema.columns where table_schema = 'public' and table_name = :name"


async def commission(village: PostgresRegisters, meter_id: int, status: str = "SUCCESSFUL") -> None:
    """Give a meter what makes it ready for use."""
    key = {"id": meter_id}
    await village.sql("insert into metering_hardware_install_sessions (id, meter_id) values (:id, :id)", **key)
    await village.sql(
        "insert into meter_commissionings (id, metering_hardware_install_session_id, meter_commissioning_status)"
        f" values (:id, :id, '{status}')",
        **key,
    )
    await village.sql(
        "insert into metering_hardware_imports (id, metering_hardware_install_session_id,"
        " metering_hardware_import_status) values (:id, :id, 'SUCCESSFUL')",
        **key,
    )
    await village.sql(
        "update metering_hardware_install_sessions set last_meter_commissioning_id = :id,"
        " last_metering_hardware_import_id = :id where id = :id",
        **key,
    )
    await village.sql("update meters set last_metering_hardware_install_session_id = :id where id = :id", **key)
    await village.sql("insert into wallets (meter_id) values (:id)", **key)


async def test_anybody_may_look_a_meter_up(registers_api: Any, village: PostgresRegisters) -> None:
    """[API-102] Exactly the fields of the contract, none of them secret."""
    await commission(village, 1)
    await village.sql(
        "insert into dcus (id, external_reference, external_system, communication_protocol, grid_id)"
        " values (6, 'd6', 'CALIN', 'CALIN_LORAWAN', 70)"
    )
    await village.sql("update meters set dcu_id = 6, nickname = 'Shop', kwh_tariff = 265 where id = 1")
    answer = await registers_api.get("/meters/search?search=47000000001")
    assert answer.status == 200
    found = await answer.json()
    assert set(found) == FOUND
    assert (found["external_reference"], found["nickname"], found["kwh_tariff"]) == ("47000000001", "Shop", 265)
    assert found["wallet"]["balance"] == 0
    assert set(found["wallet"]) == {"id", "balance", "balance_updated_at"}
    assert found["dcu"] == {"id": 6, "external_reference": "d6", "is_online": False}
    customer = found["connection"]["customer"]
    assert set(found["connection"]) == {"id", "customer"}
    assert customer["account"] == {"id": 101, "full_name": "Customer 1"}
    assert customer["grid"] == {
        "id": 70,
        "name": "Grid 70",
        "timezone": "Africa/Lagos",
        "kwh_tariff_essential_service": customer["grid"]["kwh_tariff_essential_service"],
        "kwh_tariff_full_service": customer["grid"]["kwh_tariff_full_service"],
        "uses_dual_meter_setup": False,
        "organization": {"id": 7, "name": "Sunny"},
    }
    assert found["last_metering_hardware_install_session"] == {
        "id": 1,
        "last_metering_hardware_import": {"metering_hardware_import_status": "SUCCESSFUL"},
        "last_meter_commissioning": {"meter_commissioning_status": "SUCCESSFUL"},
    }
    await village.sql("update meters set dcu_id = null where id = 1")
    assert (await (await registers_api.get("/meters/search?search=47000000001")).json())["dcu"] is None


async def test_a_meter_that_is_not_ready_is_not_found(registers_api: Any, village: PostgresRegisters) -> None:
    """[API-102] Not commissioned, its last commissioning failed, in stock, deleted, unknown, not asked for."""
    await commission(village, 2, "FAILED")
    await commission(village, 3)
    await village.sql("update meters set deleted_at = now() where id = 3")
    for number in ("47000000001", "47000000002", "47000000003", "47000000005", "4700000000", "", "x' or 1=1 --"):
        answer = await registers_api.get("/meters/search", params={"search": number})
        text = f"Meter {number} not found or ready for use"
        assert (answer.status, (await answer.json())["message"]) == (404, text)
    missing = await registers_api.get("/meters/search")
    assert (missing.status, (await missing.json())["message"]) == (404, "Meter  not found or ready for use")


async def test_searches_are_counted_by_themselves(callers: IdentityWorld) -> None:
    """[API-102] [R8] As many a minute as purchases, and not taken from them."""
    settings = HttpSettings(public_requests_per_minute=2)
    services: Any = Services()
    async with TestClient(TestServer(build_api(services, gate=callers.gate, settings=settings))) as client:
        statuses = [(await client.get("/meters/search?search=1")).status for _ in range(3)]
        assert statuses[2] == 429
        assert 429 not in statuses[:2]
        assert (await client.post("/orders/flutterwave/check/public", json={"id": 1})).status == 201
    assert set(settings.limits.values()) == {2}
    assert attrs.evolve(settings, public_requests_per_minute=30).limits["meter-search"] == 30
