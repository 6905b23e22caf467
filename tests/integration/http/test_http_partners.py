"""Functions for lenders and data aggregators, over fakes of what they read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from aiohttp.test_utils import TestClient, TestServer
from tests.support.http_roles import LOTS, Services
from tests.support.identity_world import ADMIN, CUSTOMER, LENDER, MEMBER, NOBODY, IdentityWorld

from nxt_adapters.memory.partners import MemoryConsumptionFeed, MemorySiteDirectory
from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_domain.identity.model import OrganizationType
from nxt_domain.orders.partners import CustomerEntry, OrderEntry, ReadForLenders
from nxt_domain.telemetry.partners import Consumption, ReadForAggregators
from nxt_entrypoints.api import partners
from nxt_entrypoints.api.app import build_api
from nxt_entrypoints.http.catalogue import routes_by_role

AT = datetime(2026, 4, 15, tzinfo=UTC)
AGGREGATOR = attrs.evolve(LENDER, id=8, organization_id=10, organization_type=OrganizationType.DATA_AGGREGATOR)
LISTS = ["customers", "orders"]
FEEDS = ["meter-consumption", "meter-consumption-2"]
RANGE = "FROM=2026-04-15T00:00:00Z&TO=2026-04-15T23:59:59.999Z"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "authorization, x-client-info, apikey, content-type",
}


class World:
    """What partners read, and who they are."""

    def __init__(self) -> None:
        self.plane = MemoryPlane()
        self.feed = MemoryConsumptionFeed()
        self.sites = MemorySiteDirectory()
        self.callers = IdentityWorld()
        self.callers.accounts.put(AGGREGATOR)
        self.services: Any = Services()
        self.services.registers.read_for_lenders = ReadForLenders(self.plane.begin)
        self.services.registers.read_for_aggregators = ReadForAggregators(self.feed, self.sites)

    async def fill(self) -> None:
        order = OrderEntry(
            id=1,
            created_at=AT,
            amount=Decimal("2000.50"),
            order_status="COMPLETED",
            currency="NGN",
            tariff=Decimal(265),
            grid="Umuoke",
        )
        customers = [CustomerEntry(id=key, grid="Umuoke") for key in range(1, 251)]
        async with self.plane.begin() as tx:
            tx.partner_register.know(order, *customers)
            await tx.commit()
        self.sites.names = {70: "Kuwana", 80: "Umuoke"}
        for hour in range(24):
            for grid_id in (70, 80):
                found = Consumption(
                    at=AT + timedelta(hours=hour),
                    meter_number=f"470000{grid_id}",
                    energy_kwh=Decimal("0.450"),
                    customer_id=123,
                )
                self.feed.hours.append((grid_id, found))


@pytest.fixture
async def world() -> World:
    made = World()
    await made.fill()
    return made


@pytest.fixture
async def api(world: World) -> AsyncIterator[Any]:
    async with TestClient(TestServer(build_api(world.services, gate=world.callers.gate, settings=LOTS))) as client:
        yield client


@pytest.fixture
async def key(world: World) -> dict[str, str]:
    return {"Authorization": f"Bearer {await world.callers.api_key(AGGREGATOR)}"}


async def told(answer: Any) -> tuple[int, Any]:
    assert {name: answer.headers.get(name) for name in CORS} == CORS
    assert answer.headers["X-Request-Id"]
    return answer.status, await answer.json()


@pytest.mark.parametrize("name", [*LISTS, *FEEDS])
async def test_only_get(api: Any, name: str) -> None:
    """[API-205] [REL-121] ``OPTIONS`` needs nobody; other methods don't exist, in any case of the path."""
    preflight = await api.options(f"/functions/v1/{name}", headers={"Access-Control-Request-Headers": "x-secret"})
    assert (preflight.status, await preflight.text()) == (200, "ok")
    assert {name: preflight.headers.get(name) for name in CORS} == CORS
    for method in ("POST", "PUT", "PATCH", "DELETE", "PROPFIND"):
        answer = await api.request(method, f"/Functions/v1/{name.upper()}/", json={})
        assert await told(answer) == (400, {"error": "Method not supported"})
    unknown = await api.get("/functions/v1/other")
    assert (unknown.status, (await unknown.json())["message"]) == (404, "Cannot GET /functions/v1/other")
    assert (await api.options("/functions/v1/other")).status == 204


@pytest.mark.parametrize("name", LISTS)
async def test_who_reads_lists(api: Any, world: World, name: str) -> None:
    """[API-205] [API-206] A user's token of the platform or of a lender; all others are told with 401."""
    for account in (ADMIN, LENDER):
        assert (await api.get(f"/functions/v1/{name}", headers=world.callers.bearer(account))).status == 200
    for account in (MEMBER, CUSTOMER, NOBODY, AGGREGATOR):
        answer = await api.get(f"/functions/v1/{name}", headers=world.callers.bearer(account))
        assert await told(answer) == (401, {"error": "Not authorized"})
    lenders_key = await world.callers.api_key(LENDER)
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"X-API-KEY": lenders_key}):
        answer = await api.get(f"/functions/v1/{name}", headers=headers)
        assert await told(answer) == (401, {"error": "Authentication required"})


@pytest.mark.parametrize("name", FEEDS)
async def test_who_reads_consumption(api: Any, world: World, name: str) -> None:
    """[API-205] [API-207] [R42] A key of the platform or of an aggregator, as bearer token."""
    path = f"/functions/v1/{name}?{RANGE}"
    for account in (ADMIN, AGGREGATOR):
        good = {"Authorization": f"Bearer {await world.callers.api_key(account)}"}
        assert (await api.get(path, headers=good)).status == 200
    scoped = await world.callers.api_key(AGGREGATOR, scopes=["functions:read"])
    assert (await api.get(path, headers={"Authorization": f"Bearer {scoped}"})).status == 200
    narrow = await world.callers.api_key(AGGREGATOR, scopes=["orders:read"])
    for other in (narrow, await world.callers.api_key(MEMBER), await world.callers.api_key(LENDER)):
        answer = await api.get(path, headers={"Authorization": f"Bearer {other}"})
        assert await told(answer) == (401, {"error": "Not authorized"})
    token = world.callers.bearer(ADMIN)
    for headers in ({}, {"Authorization": "Bearer nonsense"}, token, {"X-API-KEY": narrow}):
        answer = await api.get(path, headers=headers)
        assert await told(answer) == (401, {"error": "Authentication required"})


async def test_a_list_of_customers(api: Any, world: World) -> None:
    """[API-206] [REL-122] The example: 250 rows at 100 a page are 3 pages, the last with 50 entries."""
    headers = world.callers.bearer(LENDER)
    status, body = await told(await api.get("/functions/v1/customers?page=3&size=100", headers=headers))
    assert (status, list(body)) == (200, ["total", "page", "size", "total_pages", "entries"])
    assert (body["total"], body["page"], body["size"], body["total_pages"]) == (250, 3, 100, 3)
    assert len(body["entries"]) == 50
    assert body["entries"][0] == {"id": 201, "full_name": "*******", "grid": "Umuoke"}
    query = "size=5000&ascending=false&order=grid&page="
    _, most = await told(await api.get(f"/functions/v1/customers?{query}", headers=headers))
    assert (most["size"], most["page"], most["entries"][0]["id"]) == (1000, 1, 250)


async def test_a_list_of_orders(api: Any, world: World) -> None:
    """[API-206]"""
    _, body = await told(await api.get("/functions/v1/orders?order=customer", headers=world.callers.bearer(LENDER)))
    assert body["entries"] == [
        {
            "id": 1,
            "created_at": "2026-04-15T00:00:00.000Z",
            "amount": 2000.5,
            "order_status": "COMPLETED",
            "currency": "NGN",
            "tariff": 265,
            "grid": "Umuoke",
            "customer": "*******",
        }
    ]


@pytest.mark.parametrize("name", LISTS)
async def test_parameters_of_lists(api: Any, world: World, name: str) -> None:
    """[API-205] [REL-122]"""
    headers = world.callers.bearer(LENDER)
    for query, parameter in (
        ("page=0", "page"),
        ("page=x", "page"),
        ("page=99999999999", "page"),
        ("size=-1", "size"),
        ("size=0", "size"),
        ("size=1.5", "size"),
        ("ascending=yes", "ascending"),
        ("order=phone", "order"),
        ("order=id;drop", "order"),
    ):
        answer = await api.get(f"/functions/v1/{name}?{query}", headers=headers)
        assert await told(answer) == (400, {"error": f"Invalid {parameter} parameter"})
    null = await api.get(f"/functions/v1/{name}?order=%00", headers=headers)
    assert await told(null) == (400, {"error": "null characters are not allowed"})


async def test_consumption(api: Any, key: dict[str, str]) -> None:
    """[API-207] [TEL-177] Readings of a day; the site counts on the second path alone."""
    status, body = await told(await api.get(f"/functions/v1/meter-consumption?{RANGE}&site=kuwana", headers=key))
    assert (status, body["total"], body["offset"], body["pageLimit"], len(body["readings"])) == (200, 48, 0, 20, 20)
    assert body["readings"][0] == {
        "timestamp": "2026-04-15T00:00:00.000Z",
        "meterId": "47000070",
        "energyConsumptionKwh": 0.45,
        "timeIntervalMinutes": 60,
        "customerAccountId": 123,
    }
    path = f"/functions/v1/meter-consumption-2?{RANGE}"
    for site, total in ((" KUWANA", 24), ("", 48), ("nowhere", 0)):
        _, body = await told(await api.get(path, params={"site": site}, headers=key))
        assert body["total"] == total
    _, body = await told(await api.get(f"{path}&offset=40&pageLimit=5000", headers=key))
    assert (body["pageLimit"], body["offset"], len(body["readings"])) == (1000, 40, 8)


@pytest.mark.parametrize("name", FEEDS)
async def test_parameters_of_consumption(api: Any, key: dict[str, str], name: str) -> None:
    """[API-207]"""
    for query, text in (
        ("", "Missing required parameters: FROM, TO"),
        ("FROM=2026-04-15", "Missing required parameters: FROM, TO"),
        ("from=2026-04-15&to=2026-04-16", "Missing required parameters: FROM, TO"),
        ("FROM=soon&TO=2026-04-15", "Invalid FROM parameter"),
        ("FROM=2026-04-15&TO=later", "Invalid TO parameter"),
        (f"{RANGE}&offset=-1", "Invalid offset parameter"),
        (f"{RANGE}&pageLimit=0", "Invalid pageLimit parameter"),
        (f"{RANGE}&pageLimit=x", "Invalid pageLimit parameter"),
    ):
        answer = await api.get(f"/functions/v1/{name}?{query}", headers=key)
        assert await told(answer) == (400, {"error": text})


async def test_when_a_store_is_away(api: Any, world: World, key: dict[str, str]) -> None:
    """[API-205] [API-207] Outages and defects are told in the functions' own words."""
    world.feed.is_down = True
    failure = (500, {"error": "Failed to retrieve meter consumption data"})
    assert await told(await api.get(f"/functions/v1/meter-consumption?{RANGE}", headers=key)) == failure
    world.services.registers.read_for_aggregators = None
    assert await told(await api.get(f"/functions/v1/meter-consumption?{RANGE}", headers=key)) == failure


def test_they_are_no_routes_of_the_role() -> None:
    """[API-72] [API-205]"""
    assert not {route.path for route in partners.ROUTES} & {route.path for route in routes_by_role()["api"]}
