"""Statements of grids over HTTP and both planes: the worked example of PAY 14.2 from rows, and its way to the bank."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from aiohttp.test_utils import TestClient, TestServer
from tests.support.http_roles import LOTS, Services
from tests.support.identity_world import ADMIN, MEMBER, IdentityWorld
from tests.support.payout_world import BARE, END, GRID, OWNER, PAYOUT, START, Memory, Stores, World
from tests.support.series_stores import sql_world

from nxt_adapters.memory.wakeups import MemoryWakeUps
from nxt_domain.identity.model import MemberType
from nxt_domain.orders.use_cases.make_payout import ChangePayout, DraftPayout
from nxt_domain.orders.use_cases.show_payout import ShowPayout
from nxt_entrypoints.api.app import build_api

JANUARY = {"date_from": START.isoformat(), "date_to": END.isoformat()}
SALES = attrs.evolve(ADMIN, id=7, supabase_id="00000000-0000-4000-8000-000000000007", member_type=MemberType.SALES)


@pytest.fixture(params=["memory", "stores"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        yield Memory()
        return
    async with sql_world(request.getfixturevalue("series_url")) as series:
        made = Stores(request.getfixturevalue("relational_url"), series)
        await made.seed_series()
        yield made
        await made.engine.dispose()


@pytest.fixture
def callers() -> IdentityWorld:
    found = IdentityWorld()
    found.accounts.put(SALES)
    return found


@pytest.fixture
async def api(world: World, callers: IdentityWorld) -> AsyncIterator[Any]:
    services: Any = Services()
    services.money.draft_payout = DraftPayout(begin=world.begin, plants=world.plants, wake_ups=MemoryWakeUps())
    services.money.change_payout = ChangePayout(begin=world.begin)
    services.money.show_payout = ShowPayout(begin=world.begin, accounts=callers.accounts)
    async with TestClient(TestServer(build_api(services, gate=callers.gate, settings=LOTS))) as client:
        yield client


class Client:
    """Somebody's calls, with exact decimals in the answers."""

    def __init__(self, api: Any, headers: Mapping[str, str]) -> None:
        self._api = api
        self._headers = headers

    async def post(self, **body: object) -> tuple[int, Any]:
        return await self._told(self._api.post("/payouts", json={**JANUARY, **body}, headers=self._headers))

    async def put(self, **body: object) -> tuple[int, Any]:
        return await self._told(self._api.put("/payouts", json=body, headers=self._headers))

    async def _told(self, call: Any) -> tuple[int, Any]:
        answer = await call
        return answer.status, json.loads(await answer.text(), parse_float=Decimal)


@pytest.fixture
def finance(api: Any, callers: IdentityWorld) -> Client:
    return Client(api, callers.bearer(ADMIN))


async def test_the_worked_example(world: World, finance: Client) -> None:
    """[PAY-146] [PAY-150] [PAY-151] [PAY-152] [PAY-153] [PAY-156] [PAY-158] [PAY-160] [PAY-161] From rows."""
    status, payout = await finance.post(grid_id=GRID)
    assert status == 201
    assert payout["proposed_amount"] == PAYOUT
    assert (payout["payout_status"], payout["external_system"]) == ("WAITING_FOR_APPROVAL", "FLUTTERWAVE")
    assert (payout["approved_amount"], payout["approved_by"], payout["draft_link"]) == (None, None, None)
    details = payout["details"]
    assert details.pop("mppts").count("5.8") == 3
    groups = details.pop("battery_module_day_groups")
    assert groups.startswith('[["2026-01-01", 12, 3.55], ')
    assert groups.count("12, 3.55") == 31
    assert details == {
        "title": "Kalonda Tech Report Draft 2026-01-01 through 2026-02-01",
        "grid_id": GRID,
        "grid_name": "Kalonda",
        "payout_id": payout["id"],
        "start": "2026-01-01 00:00:00",
        "end": "2026-02-01 00:00:00",
        "day_count": 31,
        "energy_topup_revenue": 4_200_000,
        "connection_fee_revenue": 150_000,
        "total_revenue": 4_350_000,
        "kwp_fee": 14,
        "kwh_fee": Decimal("9.5"),
        "exchange_rate": Decimal("1532.5"),
        "total_kwh_rented": Decimal("42.6"),
        "total_kwp_rented": Decimal("16.652"),
        "total_kwh_rental_fee": Decimal("620202.75"),
        "total_kwp_rental_fee": Decimal("357260.355"),
        "total_rental": Decimal("977463.105"),
        "nxtgrid_fee": Decimal("0.1"),
        "flutterwave_fee": Decimal("0.02"),
        "insurance_fee": Decimal("0.02"),
        "nxtgrid_applied_fee": 420_000,
        "flutterwave_applied_fee": 87_000,
        "insurance_applied_fee": 84_000,
        "payout": PAYOUT,
        "total_connection_count": 1,
        "total_meter_count": 2,
    }
    assert await world.drafts() == [f"payout:{payout['id']}:draft:1"]


async def test_a_repeat_works_the_same_statement_out_anew(world: World, finance: Client) -> None:
    """[PAY-147] [PAY-121] [PAY-198] 17: the same id, another revision; not once it is approved."""
    answers = await asyncio.gather(*(finance.post(grid_id=GRID) for _ in range(3)))
    ids = {payout["id"] for _, payout in answers}
    assert ([status for status, _ in answers], len(ids)) == ([201] * 3, 1)
    (payout_id,) = ids
    assert await world.drafts() == [f"payout:{payout_id}:draft:{revision}" for revision in (1, 2, 3)]
    assert (await finance.put(id=payout_id, payout_status="PROCESSING"))[0] == 200
    status, refusal = await finance.post(grid_id=GRID)
    assert (status, refusal["code"]) == (409, "PAYOUT_STATE")
    assert (await finance.put(id=payout_id, payout_status="FAILED"))[0] == 200
    status, another = await finance.post(grid_id=GRID)
    assert status == 201
    assert another["id"] != payout_id


async def test_what_is_refused(world: World, finance: Client) -> None:
    """[PAY-146] [PAY-169] Each with its status and text; nothing is stored and nothing queued."""
    too_short = {"date_from": START.isoformat(), "date_to": (START + timedelta(hours=23)).isoformat()}
    status, told = await finance.post(grid_id=GRID, **too_short)
    assert (status, told["message"]) == (400, "date_to must be after date_from")
    status, told = await finance.post(grid_id=999)
    assert (status, told["message"]) == (404, "Could draft report for unknown grid with id 999")
    status, told = await finance.post(grid_id=BARE)
    assert (status, told["message"]) == (
        500,
        "Could not draft payout for Sora because kwh_per_battery_module is not a number",
    )
    await world.forget_batteries()
    status, told = await finance.post(grid_id=GRID)
    assert (status, told["message"]) == (500, "Could not draft payout for Kalonda because kwhArray is not a number")
    await world.forget_rates()
    status, told = await finance.post(grid_id=GRID)
    assert (status, told["message"]) == (500, "ExchangeRate in payout draft for Kalonda is not a number")
    assert await world.drafts() == []


async def test_the_way_to_the_bank(world: World, finance: Client) -> None:
    """[API-125] [PAY-148] [PAY-149] [PAY-165] [PAY-166] Link, approval, transfer; the ledger goes along."""
    _, payout = await finance.post(grid_id=GRID)
    number = payout["id"]
    ignored = {"proposed_amount": 1, "grid_id": 5, "details": {}, "started_at": END.isoformat()}
    status, linked = await finance.put(id=number, draft_link="https://docs.example.org/1", **ignored)
    assert (status, linked["draft_link"]) == (200, "https://docs.example.org/1")
    assert (linked["proposed_amount"], linked["grid_id"], linked["details"]) == (PAYOUT, GRID, payout["details"])
    status, approved = await finance.put(id=number, payout_status="PROCESSING", approved_amount=2_780_000)
    assert (status, approved["payout_status"], approved["approved_amount"]) == (200, "PROCESSING", 2_780_000)
    assert approved["approved_by"] == {"id": ADMIN.id, "full_name": "Operator"}
    if isinstance(world, Stores):
        assert (approved["grid"]["id"], approved["grid"]["name"]) == (GRID, "Kalonda")
    accrued = await world.postings(f"payout:{number}:accrue")
    assert accrued[f"payable:developer:{OWNER}"] == Decimal(2_780_000)
    assert accrued[f"clearing:revenue:{GRID}"] == Decimal(-4_350_000)
    assert sum(accrued.values()) == 0
    status, refusal = await finance.put(id=number, payout_status="SUCCESSFUL")
    assert (status, refusal["code"]) == (400, "REFERENCE_MISSING")
    status, paid = await finance.put(id=number, payout_status="SUCCESSFUL", external_reference="T-1")
    assert (status, paid["payout_status"], paid["external_reference"]) == (200, "SUCCESSFUL", "T-1")
    assert await world.postings(f"payout:{number}:disburse") == {
        f"payable:developer:{OWNER}": Decimal(-2_780_000),
        "external:disbursement": Decimal(2_780_000),
    }
    status, _ = await finance.put(id=number, payout_status="WAITING_FOR_APPROVAL")
    assert status == 409
    again, _ = await finance.put(id=number, payout_status="SUCCESSFUL")
    assert again == 200


async def test_a_failed_transfer_owes_nothing(world: World, finance: Client) -> None:
    """[PAY-149] The accrual is reversed, leg by leg."""
    _, payout = await finance.post(grid_id=GRID)
    await finance.put(id=payout["id"], payout_status="PROCESSING")
    accrued = await world.postings(f"payout:{payout['id']}:accrue")
    assert (await finance.put(id=payout["id"], payout_status="FAILED"))[0] == 200
    reversed_legs = await world.postings(f"payout:{payout['id']}:reverse-accrual")
    assert reversed_legs == {account: -amount for account, amount in accrued.items()}


async def test_who_may(world: World, api: Any, finance: Client, callers: IdentityWorld) -> None:
    """[PAY-146] [PAY-148] Tenants never; the platform's staff drafts, and finance alone approves."""
    del world
    tenant, sales = Client(api, callers.bearer(MEMBER)), Client(api, callers.bearer(SALES))
    assert (await tenant.post(grid_id=GRID))[0] == 403
    assert (await tenant.put(id=1))[0] == 403
    status, payout = await sales.post(grid_id=GRID)
    assert status == 201
    assert (await sales.put(id=payout["id"], payout_status="PROCESSING"))[0] == 403
    status, _ = await sales.put(id=payout["id"], draft_link="https://docs.example.org/1")
    assert status == 200
    assert (await finance.put(id=999))[0] == 404
    assert (await finance.put(draft_link="x"))[0] == 400
    status, refusal = await finance.put(id=payout["id"], payout_status="PROCESSING", approved_amount=-1)
    assert (status, refusal["code"]) == (422, "PAYOUT_NEGATIVE")
