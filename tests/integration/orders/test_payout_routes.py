"""Statements of grids over HTTP and both planes: the worked example of PAY 14.2 from rows, and its way to the bank."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import psycopg
import pytest
from aiohttp.test_utils import TestClient, TestServer
from tests.support.http_roles import LOTS, Services
from tests.support.identity_world import ADMIN, MEMBER, IdentityWorld
from tests.support.series_stores import SqlWorld, sql_world

from nxt_adapters.memory.database import MemoryClock
from nxt_adapters.memory.payouts import MemoryPlantHistory
from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_adapters.memory.wakeups import MemoryWakeUps
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_adapters.timescale.plant_history import TimescalePlantHistory
from nxt_domain.identity.model import MemberType
from nxt_domain.orders.payouts import PayoutGrid, PeriodRevenue
from nxt_domain.orders.use_cases.generate_payouts import GeneratePayouts
from nxt_domain.orders.use_cases.make_payout import ChangePayout, DraftPayout, PlantHistory
from nxt_domain.orders.use_cases.show_payout import ShowPayout
from nxt_entrypoints.api.app import build_api

GRID, BARE, OWNER = 70, 71, 7
NOW = datetime(2026, 2, 1, 6, tzinfo=UTC)
# January in Lagos, an hour ahead of UTC.
START, END = datetime(2025, 12, 31, 23, tzinfo=UTC), datetime(2026, 1, 31, 23, tzinfo=UTC)
JANUARY = {"date_from": START.isoformat(), "date_to": END.isoformat()}
ACTIVE_DAYS = {"c1": 31, "c2": 30, "c3": 28}
PAYOUT = Decimal("2781536.895")
SALES = attrs.evolve(ADMIN, id=7, supabase_id="00000000-0000-4000-8000-000000000007", member_type=MemberType.SALES)
EXAMPLE = PayoutGrid(
    id=GRID,
    name="Kalonda",
    timezone="Africa/Lagos",
    organization_id=OWNER,
    kwh_tariff=Decimal("9.5"),
    kwp_tariff=Decimal(14),
    kwh_per_module=Decimal("3.55"),
    is_generation_managed=True,
)
REVENUE = PeriodRevenue(
    energy=Decimal(4_200_000),
    connection_fees=Decimal(150_000),
    own=Decimal(0),
    unassigned_own=Decimal(0),
    connection_count=1,
    meter_count=2,
)


class World:
    """What a test needs of either world."""

    begin: Any
    plants: PlantHistory

    async def postings(self, key: str) -> Mapping[str, Decimal]:
        async with self.begin() as tx:
            found = (await tx.ledger.find([key])).get(key)
        return {} if found is None else {leg.account: leg.amount for leg in found.postings}

    async def tasks(self, kind: str) -> list[str]:
        raise NotImplementedError

    async def drafts(self) -> list[str]:
        return await self.tasks("PAYOUT_DRAFT")

    async def forget_rates(self) -> None:
        raise NotImplementedError

    async def forget_batteries(self) -> None:
        raise NotImplementedError


class Memory(World):
    def __init__(self) -> None:
        self.plane = MemoryPlane(MemoryClock(NOW))
        self.begin = self.plane.begin
        payouts = self.plane.begin().payouts
        payouts.know(EXAMPLE, REVENUE, is_automatic=True)
        payouts.know(attrs.evolve(EXAMPLE, id=BARE, name="Sora", kwh_per_module=None), is_automatic=True)
        self.history = MemoryPlantHistory(rates={END: Decimal("1532.46")})
        self.plants = self.history
        for place in range(31):
            self.history.modules[GRID, date(2026, 1, 1) + timedelta(days=place)] = 12
            self.history.modules[BARE, date(2026, 1, 1) + timedelta(days=place)] = 12
        for reference, active in ACTIVE_DAYS.items():
            self.history.controllers[GRID, reference] = Decimal("5.8")
            for place in range(31):
                noon = START + timedelta(days=place, hours=12)
                self.history.peaks[GRID, reference, noon] = Decimal("1.75" if place < active else "1.74")

    async def tasks(self, kind: str) -> list[str]:
        rows = self.plane.database.table("outbox_tasks").values()
        return sorted(row.dedupe_key for row in rows if row.kind == kind)

    async def forget_rates(self) -> None:
        self.history.rates.clear()

    async def forget_batteries(self) -> None:
        self.history.modules.clear()


class Stores(World):
    def __init__(self, url: str, series: SqlWorld) -> None:
        self.engine = create_engine(url, pool_size=4)
        self.begin = lambda: SupabaseUnitOfWork(self.engine, messages_of=lambda connection: NotImplemented)
        self.series = series
        self.plants = TimescalePlantHistory(series.pool)
        with psycopg.connect(url, autocommit=True) as owner:
            _seed(owner)

    async def seed_series(self) -> None:
        """January of the plant; the last day of December and the first of February don't count."""
        run = self.series.execute
        await run(
            "insert into exchange_rate_snapshot_1_d (period_start, from_currency, to_currency, value, created_at)"
            " select d, 'USD', 'NGN', case when d = %s then 1532.46 else 9999 end, d"
            " from generate_series(%s::timestamp, %s::timestamp, '1 day') d",
            _naive(END),
            _naive(START),
            _naive(END + timedelta(days=1)),
        )
        await run(
            "insert into grid_business_snapshot_1_d (created_at, grid_id, battery_modules_on_count)"
            " select d, g, case when d between '2026-01-01' and '2026-01-31' then 12 else 99 end"
            " from generate_series('2025-12-31'::timestamp, '2026-02-01', '1 day') d, unnest(%s::int[]) g",
            [GRID, BARE],
        )
        for place, (reference, active) in enumerate(ACTIVE_DAYS.items()):
            await run(
                "insert into mppt_asset_snapshot_1_d (created_at, mppt_id, mppt_external_reference, mppt_kw, grid_id)"
                " values ('2026-01-02', %s, %s, 99, %s), ('2026-01-20', %s, %s, 5.8, %s)",
                place,
                reference,
                GRID,
                place,
                reference,
                GRID,
            )
            await run(
                "insert into mppt_energy_snapshot_15_min (created_at, mppt_id, mppt_external_reference, kw, grid_id)"
                " select d + '12 hours'::interval, %s, %s, case when n <= %s then 1.75 else 1.74 end, %s"
                " from generate_series(%s::timestamp, '2026-02-02', '1 day') with ordinality as days(d, n)"
                " union all select '2025-12-31 22:45', %s, %s, 5.8, %s",
                place,
                reference,
                active,
                GRID,
                _naive(START),
                place,
                reference,
                GRID,
            )

    async def tasks(self, kind: str) -> list[str]:
        async with self.engine.connect() as connection:
            rows = await connection.exec_driver_sql(
                "select dedupe_key from internal.outbox_tasks where kind = %s order by id", (kind,)
            )
            return [row.dedupe_key for row in rows]

    async def forget_rates(self) -> None:
        await self.series.execute("delete from exchange_rate_snapshot_1_d")

    async def forget_batteries(self) -> None:
        await self.series.execute("delete from grid_business_snapshot_1_d")


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _seed(owner: psycopg.Connection[Any]) -> None:
    """A grid with January's orders: among them some that don't count."""
    for statement in (
        "insert into organizations (id, name) values (7, 'Sunny')",
        (
            "insert into grids (id, name, organization_id, timezone, kwh_tariff, kwp_tariff, kwh_per_battery_module,"
            " is_generation_managed_by_nxt_grid, is_hidden_from_reporting, is_automatic_payout_generation_enabled)"
            " values (70, 'Kalonda', 7, 'Africa/Lagos', 9.5, 14, 3.55, true, false, true),"
            " (71, 'Sora', 7, 'Africa/Lagos', 9.5, 14, null, true, false, true),"
            " (72, 'Hidden', 7, 'Africa/Lagos', 9.5, 14, 3.55, true, true, true),"
            " (73, 'By hand', 7, 'Africa/Lagos', 9.5, 14, 3.55, true, false, false)"
        ),
        "insert into accounts (id, full_name) values (1, 'Operator'), (9, null), (10, null)",
        (
            "insert into customers (id, grid_id, account_id, is_hidden_from_reporting) values (9, 70, 9, false),"
            " (10, 70, 10, true)"
        ),
        (
            "insert into connections (id, customer_id, currency, women_impacted, is_public, is_commercial,"
            " is_residential) values (9, 9, 'NGN', 1, false, false, true), (10, 10, 'NGN', 1, false, false, true),"
            " (11, 9, 'NGN', 1, false, false, true)"
        ),
        (
            "insert into meters (id, external_reference, external_system, communication_protocol, connection_id,"
            " rls_grid_id, meter_type) values (1, '47001771471', 'CALIN', 'CALIN_LORAWAN', 9, 70, 'HPS'),"
            " (2, '47001771472', 'CALIN', 'CALIN_LORAWAN', 9, 70, 'FS'),"
            " (3, '47001771473', 'CALIN', 'CALIN_LORAWAN', 10, 70, 'HPS')"
        ),
        "insert into wallets (id, organization_id) values (900001, 7)",
        "insert into wallets (id, meter_id) values (900002, 1)",
    ):
        owner.execute(statement)
    for amount, kind, created_at, changes in (
        (4_199_000, "ENERGY_TOPUP", START, {}),
        (1_000, "ENERGY_TOPUP", END - timedelta(milliseconds=1), {}),
        (160_000, "CONNECTION_PAYMENT", START, {"meta_is_hidden_from_reporting": True}),
        (10_000, "CONNECTION_REFUND", START, {}),
        (77, "ENERGY_TOPUP", END, {}),
        (77, "ENERGY_TOPUP", START - timedelta(milliseconds=1), {}),
        (77, "ENERGY_TOPUP", START, {"meta_is_hidden_from_reporting": True}),
        (77, "ENERGY_TOPUP", START, {"order_status": "FAILED"}),
        (77, "ENERGY_TOPUP", START, {"reversed_at": END}),
        (77, "ENERGY_TOPUP", START, {"historical_grid_id": 71}),
        (77, "AGENT_TOPUP", START, {}),
    ):
        columns = {
            "amount": amount,
            "currency": "NGN",
            "sender_wallet_id": 900001,
            "receiver_wallet_id": 900002,
            "meta_order_type": kind,
            "created_at": created_at,
            "order_status": "PENDING",
            "historical_grid_id": 70,
            "rls_organization_id": 7,
            "meta_is_hidden_from_reporting": False,
        }
        ended = {"order_status": "COMPLETED", **changes}
        names, places = ", ".join(columns), ", ".join(["%s"] * len(columns))
        order = owner.execute(f"insert into orders ({names}) values ({places}) returning id", [*columns.values()])
        sets = ", ".join(f"{name} = %s" for name in ended)
        owner.execute(f"update orders set {sets} where id = %s", [*ended.values(), *order.fetchone()])


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
    """[PAY-146] [PAY-150] … [PAY-156] [PAY-158] [PAY-160] [PAY-161] [PAY-198] 16: from rows, figure by figure."""
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


async def generated(world: World, now: datetime) -> tuple[int, int]:
    draft = DraftPayout(begin=world.begin, plants=world.plants, wake_ups=MemoryWakeUps())
    done = await GeneratePayouts(begin=world.begin, draft=draft, clock=MemoryClock(now))()
    return done.drafted, done.failed


async def test_each_month_by_itself(world: World, finance: Client) -> None:
    """[PAY-162] [PAY-163] [PAY-198] 17: one statement, draft and entry, however often it runs; a failure is retried."""
    assert await generated(world, NOW.replace(hour=4)) == (0, 0)
    assert await generated(world, NOW.replace(hour=5)) == (1, 1)
    assert await generated(world, NOW) == (0, 1)
    assert await generated(world, NOW + timedelta(days=1)) == (0, 0)
    (drafted,) = await world.drafts()
    number = drafted.split(":")[1]
    assert await world.tasks("PAYOUT_BOOKKEEPING") == [f"payout:{number}:xero"]
    alerts = await world.tasks("ALERT")
    assert [key.split(":")[:4] for key in alerts] == [["alert", "PAYOUT_NOT_DRAFTED", "grid", str(BARE)]] * 2
    _, payout = await finance.post(grid_id=GRID)
    assert (str(payout["id"]), payout["proposed_amount"]) == (number, PAYOUT)
