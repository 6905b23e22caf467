"""``PartnerRegister``, ``SiteDirectory`` and ``ConsumptionFeed``: one suite each over memory and the real planes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.support.registers import AT, MemoryRegisters, PostgresRegisters
from tests.support.series_stores import series_url, sql_world

from nxt_adapters.memory.partners import MemoryConsumptionFeed, MemorySiteDirectory
from nxt_adapters.supabase.partner_register import PostgresSiteDirectory
from nxt_adapters.timescale.consumption_feed import TimescaleConsumptionFeed
from nxt_adapters.timescale.pool import create_series_pool
from nxt_domain.orders.partners import CustomerEntry, OrderEntry
from nxt_domain.shared.errors import Unavailable
from nxt_domain.shared.numbered_pages import Leaf
from nxt_domain.telemetry.partners import Consumption, ConsumptionFeed, ConsumptionWindow

Registers = MemoryRegisters | PostgresRegisters
HOUR = datetime(2026, 4, 15, tzinfo=UTC)
SOLD = {30: ("Grid 71", 500), 31: ("Grid 70", 2000), 32: ("Grid 80", 2000)}
"""Grid and amount of each order."""

ORDER = (
    "insert into orders (id, created_at, amount, currency, tariff, sender_wallet_id, receiver_wallet_id,"
    " historical_grid_id, rls_organization_id, meta_order_type, meta_is_hidden_from_reporting, meta_receiver_name)"
    " values (:id, :at, :amount, 'NGN', 265, 1, 2, :grid, 7, cast(:type as order_type_enum), :hidden, 'A Customer')"
)


async def fill(registers: Registers) -> None:
    """Make what may be seen, and for the real store what may not."""
    if isinstance(registers, MemoryRegisters):
        entries = [CustomerEntry(id=n, grid=f"Grid {grid}") for n, grid in ((1, 70), (2, 70), (3, 71), (4, 80))]
        sold = [
            OrderEntry(
                id=key,
                created_at=AT,
                amount=Decimal(amount),
                order_status="COMPLETED",
                currency="NGN",
                tariff=Decimal(265),
                grid=grid,
            )
            for key, (grid, amount) in SOLD.items()
        ]
        async with registers.begin() as tx:
            tx.partner_register.know(*entries, *sold)
            await tx.commit()
        return
    await registers.seed()
    for customer_id, grid_id in ((1, 70), (2, 70), (3, 71), (4, 80), (5, 70), (6, 70)):
        await registers.add_customer(customer_id, grid_id)
    await registers.sql("insert into grids (id, name, organization_id, deleted_at) values (81, 'Gone', 8, now())")
    await registers.sql("update grids set is_hidden_from_reporting = false")
    await registers.sql(
        "insert into grids (id, name, organization_id, is_hidden_from_reporting) values (82, 'Hidden', 8, true)"
    )
    await registers.add_customer(7, 80)
    await registers.add_customer(8, 80)
    await registers.sql("update customers set grid_id = 74 + id where id in (7, 8)")
    await registers.sql("update customers set is_hidden_from_reporting = true where id = 5")
    await registers.sql("update accounts set deleted_at = now() where id = 106")
    await registers.sql("insert into wallets (id, customer_id) values (1, 1), (2, 2)")
    for key, (grid, amount) in SOLD.items():
        await add_order(registers, key, int(grid.split()[1]), amount)
    await add_order(registers, 33, 70, 1, hidden=True)
    await add_order(registers, 34, 70, 1, type="CUSTOMER_TOPUP")
    await add_order(registers, 35, 70, 1, completed=False)


async def add_order(registers: PostgresRegisters, key: int, grid_id: int, amount: int, **odd: Any) -> None:
    values = {"hidden": odd.get("hidden", False), "type": odd.get("type", "ENERGY_TOPUP")}
    await registers.sql(ORDER, id=key, at=AT, amount=amount, grid=grid_id, **values)
    if odd.get("completed", True):
        await registers.sql("update orders set order_status = 'COMPLETED', settled_at = now() where id = :id", id=key)


@pytest.fixture(params=["memory", "postgres"])
async def registers(request: pytest.FixtureRequest) -> AsyncIterator[Registers]:
    made: Registers = (
        MemoryRegisters() if request.param == "memory" else PostgresRegisters(request.getfixturevalue("relational_url"))
    )
    await fill(made)
    yield made
    await made.close()


async def ids(read: Callable[[Leaf], Awaitable[Any]], **leaf: Any) -> list[int]:
    return [entry.id for entry in (await read(Leaf(**leaf))).entries]


async def test_customers_without_names(registers: Registers) -> None:
    """[API-206] [REL-121] Not those that are hidden or deleted, or whose grid is."""
    async with registers.begin() as tx:
        read = tx.partner_register.customers
        page = await read(Leaf())
        assert [(entry.id, entry.full_name, entry.grid) for entry in page.entries] == [
            (1, "*******", "Grid 70"),
            (2, "*******", "Grid 70"),
            (3, "*******", "Grid 71"),
            (4, "*******", "Grid 80"),
        ]
        assert (page.total, page.page, page.size, page.total_pages) == (4, 1, 100, 1)
        assert await ids(read, ascending=False) == [4, 3, 2, 1]
        assert await ids(read, order="grid", ascending=False) == [4, 3, 2, 1]
        assert await ids(read, order="full_name") == [1, 2, 3, 4]


async def test_pages_by_number(registers: Registers) -> None:
    """[REL-122] The last page is short, and behind it there is nothing."""
    async with registers.begin() as tx:
        read = tx.partner_register.customers
        last = await read(Leaf(page=2, size=3))
        assert ([entry.id for entry in last.entries], last.total, last.total_pages) == ([4], 4, 2)
        behind = await read(Leaf(page=3, size=3))
        assert (behind.entries, behind.total) == ([], 4)
        far = await read(Leaf(page=2_147_483_647, size=1000))
        assert (far.entries, far.total_pages) == ([], 1)


async def test_energy_sold(registers: Registers) -> None:
    """[API-206] [REL-121] Completed purchases of energy that are not hidden."""
    async with registers.begin() as tx:
        read = tx.partner_register.orders
        first = (await read(Leaf())).entries[0]
        assert first == OrderEntry(
            id=30,
            created_at=AT,
            amount=Decimal(500),
            order_status="COMPLETED",
            currency="NGN",
            tariff=Decimal(265),
            grid="Grid 71",
            customer="*******",
        )
        assert await ids(read) == [30, 31, 32]
        assert await ids(read, order="amount", ascending=False) == [32, 31, 30]
        assert await ids(read, order="grid") == [31, 30, 32]
        for column in ("created_at", "order_status", "currency", "tariff", "customer"):
            assert await ids(read, order=column) == [30, 31, 32]


@pytest.fixture(params=["memory", "postgres"])
async def sites(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    if request.param == "memory":
        directory = MemorySiteDirectory()
        directory.names = {70: "Grid 70", 71: " gRID 70 ", 80: "Grid 80"}
        yield directory
        return
    made = PostgresRegisters(request.getfixturevalue("relational_url"))
    await made.seed()
    await made.sql("update grids set name = ' gRID 70 ', deleted_at = now() where id = 71")
    yield PostgresSiteDirectory(made.pool)
    await made.close()


async def test_sites_by_name(sites: Any) -> None:
    """[API-207] [TEL-172] Neither case nor surrounding blanks count; deleted grids have their history."""
    assert list(await sites.grids_named("  GRID 70")) == [70, 71]
    assert list(await sites.grids_named("nowhere")) == []


@pytest.fixture(params=["memory", "postgres", "timescale"])
async def feed(request: pytest.FixtureRequest) -> AsyncIterator[ConsumptionFeed]:
    """Two meters with three hours each on grids 70 and 80, and in real stores what may not be seen."""
    hours = [(HOUR + timedelta(hours=hour), meter) for hour in range(3) for meter in (1, 2)]
    if request.param == "memory":
        fake = MemoryConsumptionFeed()
        fake.hours = [(70 if meter == 1 else 80, consumption(at, meter)) for at, meter in hours]
        yield fake
        return
    with series_url(request.param, None) as url:
        async with sql_world(url) as world:
            for at, meter in hours:
                await world.put_hour(meter, at, row(meter))
            for meter, odd in (
                (11, {"is_hidden_from_reporting": True}),
                (12, {"consumption_kwh": None}),
                (13, {"consumption_kwh": float("nan")}),
            ):
                await world.put_hour(meter, HOUR, {**row(meter), **odd})
            yield TimescaleConsumptionFeed(world.pool)


def row(meter: int) -> dict[str, object]:
    return {
        "meter_external_reference": f"4700000000{meter}",
        "consumption_kwh": 0.4495 * meter,
        "customer_id": 100 + meter,
        "grid_id": 70 if meter == 1 else 80,
        "is_hidden_from_reporting": False,
    }


def consumption(at: datetime, meter: int) -> Consumption:
    energy = {1: Decimal("0.450"), 2: Decimal("0.899")}[meter]
    return Consumption(at=at, meter_number=f"4700000000{meter}", energy_kwh=energy, customer_id=100 + meter)


async def test_hours_that_may_be_reported(feed: ConsumptionFeed) -> None:
    """[API-207] [TEL-173] Both ends inclusive, by time and meter, three decimals, half up; no NaN, no null."""
    day = ConsumptionWindow(start=HOUR, end=HOUR + timedelta(hours=1))
    total, found = await feed.read(day, grid_ids=None)
    expected = [consumption(HOUR + timedelta(hours=hour), meter) for hour in (0, 1) for meter in (1, 2)]
    assert (total, list(found)) == (4, expected)
    total, found = await feed.read(day, grid_ids=[70])
    assert (total, list(found)) == (2, expected[::2])
    assert await feed.read(day, grid_ids=[]) == (0, [])
    part = ConsumptionWindow(start=HOUR, end=HOUR + timedelta(hours=1), offset=1, limit=2)
    total, found = await feed.read(part, grid_ids=None)
    assert (total, list(found)) == (4, expected[1:3])
    behind = ConsumptionWindow(start=HOUR, end=HOUR, offset=2_147_483_647)
    assert await feed.read(behind, grid_ids=None) == (2, [])


async def test_a_store_that_is_away() -> None:
    """[API-207]"""
    fake = MemoryConsumptionFeed()
    fake.is_down = True
    pool = create_series_pool("postgresql://nobody@127.0.0.1:9/none")
    for feed in (fake, TimescaleConsumptionFeed(pool)):
        with pytest.raises(Unavailable):
            await feed.read(ConsumptionWindow(start=HOUR, end=HOUR), grid_ids=None)
