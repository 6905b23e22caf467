"""What operators see of a role: alive, ready, figures, documents, capabilities."""

from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry
from tests.support.http_samples import PUBLIC, ROUTES, Failures, nothing
from tests.unit.http.conftest import Serve

from nxt_entrypoints.http.app import HttpSettings
from nxt_entrypoints.http.operations import Readiness
from nxt_entrypoints.http.routes import Guard, route


async def test_figures_are_kept_per_route_and_bounded(serve: Serve) -> None:
    """[API-40] [API-41]"""
    registry = CollectorRegistry()
    client = await serve(ROUTES, Failures(), registry=registry)
    for number in range(3):
        await client.get(f"/things/{number + 1}")
        await client.get(f"/unknown/{number}")
    page = await (await client.get("/metrics")).text()
    assert 'nxt_http_requests_total{method="GET",role="api",route="/things/{id}",status="200"} 3.0' in page
    assert 'nxt_http_requests_total{method="*",role="api",route="(unmatched)",status="404"} 3.0' in page
    assert "/unknown/1" not in page
    assert registry.get_sample_value("nxt_http_requests_in_flight", {"role": "api"}) == 0


async def test_requests_on_their_way_are_counted(serve: Serve) -> None:
    """[API-41] For as long as they are being answered, whatever they end with."""
    registry, seen = CollectorRegistry(), list[float | None]()

    def under_way() -> float | None:
        return registry.get_sample_value("nxt_http_requests_in_flight", {"role": "api"})

    @route("GET", "/look", guard=Guard.PUBLIC, summary="", tags=())
    async def look() -> None:
        seen.append(under_way())
        raise LookupError

    client = await serve([look], registry=registry)
    assert (await client.get("/look")).status == 500
    assert (seen, under_way()) == ([1], 0)


async def test_alive_and_ready(serve: Serve) -> None:
    """[API-40] [API-200]"""

    async def fine() -> None: ...

    async def broken() -> None:
        raise ConnectionError("10.0.0.7 refused")

    async def hanging() -> None:
        await asyncio.sleep(60)

    ready = await serve(ROUTES, Failures(), readiness=Readiness(probes={"valkey": fine}))
    assert await (await ready.get("/readyz")).json() == {"ok": True}
    warned = await serve(ROUTES, Failures(), readiness=Readiness(warnings=lambda: ["system wallet 968 is missing"]))
    assert await (await warned.get("/readyz")).json() == {"ok": True, "warnings": ["system wallet 968 is missing"]}

    probes = {"primary_db": broken, "timescale_db": hanging, "valkey": fine}
    ailing = await serve(ROUTES, Failures(), readiness=Readiness(probes=probes))
    started = asyncio.get_running_loop().time()
    answer = await ailing.get("/readyz")
    assert (answer.status, await answer.json()) == (503, {"ok": False, "failing": ["primary_db", "timescale_db"]})
    assert asyncio.get_running_loop().time() - started < 10
    alive = await ailing.get("/HealthZ/")
    assert (alive.status, await alive.json()) == (200, {"ok": True})


async def test_a_hibernated_role_serves_only_operators(serve: Serve) -> None:
    """[API-202]"""

    async def broken() -> None:
        raise ConnectionError

    settings = HttpSettings(is_hibernated=True)
    client = await serve(ROUTES, Failures(), settings=settings, readiness=Readiness(probes={"valkey": broken}))
    ready = await client.get("/readyz")
    assert (ready.status, await ready.json()) == (200, {"ok": True, "hibernated": True})
    assert (await client.get("/healthz")).status == 200
    assert (await client.get("/things/5")).status == 404
    assert "/things/{id}" not in (await (await client.get("/openapi.json")).json())["paths"]


async def test_a_capability_that_is_off_has_no_routes(serve: Serve) -> None:
    """[API-194]"""

    @route("GET", "/paid", guard=PUBLIC, summary="Paid", tags=(), capability="payments")
    async def paid() -> None: ...

    for enabled, status in ((frozenset({"payments"}), 200), (frozenset({"metering"}), 404), (None, 200)):
        client = await serve([paid, nothing], settings=HttpSettings(capabilities=enabled))
        assert (await client.get("/paid")).status == status
        assert (await client.get("/nothing")).status == 200


async def test_documents_come_from_the_declarations(serve: Serve) -> None:
    """[API-40]"""
    client = await serve(ROUTES, Failures())
    document = await (await client.get("/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    assert {"/things/{id}", "/form", "/healthz", "/openapi.json"} <= set(document["paths"])
    purchase = document["components"]["schemas"]["Purchase"]
    assert purchase["required"] == ["amount", "currency"]
    assert purchase["properties"]["currency"] == {"type": "string", "enum": ["USD", "NGN", "EUR"]}
    assert purchase["properties"]["amount"] == {
        "type": "number",
        "exclusiveMinimum": 0,
        "minimum": 1,
        "maximum": 10_000_000,
        "multipleOf": 0.01,
    }
    buying = document["paths"]["/things/{id}"]["post"]
    assert set(buying["responses"]) == {"201", "400", "413", "500", "503"}
    page = await client.get("/docs")
    text = await page.text()
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "/things/{id}" in text
    for reaching_out in ("http://", "https://", "<script", "<link", "@import", "url("):
        assert reaching_out not in text
