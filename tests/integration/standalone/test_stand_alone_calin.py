"""CALIN's two services behind the stand-alone mode: commands, polls and tokens over its HTTP contract."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import ClientSession
from tests.support.calin import METER
from tests.support.calin_clouds import Cloud, cloud
from tests.support.stand_alone import BEARER, environment, running_service, service
from tests.support.waiting import until

QUICK = {"initialPollDelayMs": 50}


def variables(first: Cloud, second: Cloud) -> dict[str, str]:
    return {
        "CALIN_API_V1_URL": first.simulator.http.url,
        "CALIN_V1_COMPANY_NAME": "ACME",
        "CALIN_API_V1_ADMIN_USERNAME": "admin",
        "CALIN_API_V1_ADMIN_PASSWORD": "admin-1",
        "CALIN_API_V1_POS_USERNAME": "pos",
        "CALIN_API_V1_POS_PASSWORD": "pos-1",
        "CALIN_API_V1_MAINTENANCE_USERNAME": "fix",
        "CALIN_API_V1_MAINTENANCE_PASSWORD": "fix-1",
        "CALIN_V2_API": second.simulator.http.url,
        "CALIN_API_V2_COMPANY_NAME": "ACME",
        "CALIN_API_V2_CUSTOMER_ID": "C-7",
        "CALIN_API_V2_ADMIN_USERNAME": "admin",
        "CALIN_V2_PASSWORD": "admin-2",
        "CALIN_API_V2_POS_PASSWORD": "pos-2",
    }


def order(plugin: str, **changes: Any) -> dict[str, Any]:
    body = {
        "pluginId": plugin,
        "type": "TOP_UP_KWH",
        "issueDateString": "2026-08-05T10:30:00",
        "device": {"externalReference": METER},
        "payload": {"kwh": 12.5},
    }
    return {**body, **changes}


async def test_from_the_order_of_a_token_to_the_meter(messaging_url: str) -> None:
    """[DM-144, DM-148, DM-149] Tokens are made at once, and delivered by a message of their own; both ways work."""
    plugins = [{"id": f"calin-api-{generation}", "tuning": QUICK} for generation in ("v1", "v2")]
    async with cloud("v1") as first, cloud("v2") as second, ClientSession(headers=BEARER) as http:
        environ = environment(messaging_url, plugins=plugins) | variables(first, second)
        async with running_service(environ) as url:
            for place in (first, second):
                async with http.post(f"{url}/token/generate", json=order(place.name)) as answer:
                    assert answer.status == 200
                    token = (await answer.json())["token"]
                command = {
                    "commandType": "TOP_UP_KWH",
                    "priority": 50,
                    "pluginId": place.name,
                    "networkId": 42,
                    "correlationId": place.name,
                    "requestData": {"token": token},
                    "device": {"type": "ELECTRICITY_METER", "externalReference": METER, "relayNode": {"id": 7}},
                }
                async with http.post(f"{url}/message/enqueue", json=command) as answer:
                    assert answer.status == 201
                await until(lambda place=place: _is_gone(http, url, place.name), 20, "the end of the message")
                assert place.meter()["credited_kwh_total"] == 12.5


async def _is_gone(http: ClientSession, url: str, correlation_id: str) -> bool:
    async with http.get(f"{url}/message/{correlation_id}") as answer:
        return answer.status == 404


async def test_refusals(messaging_url: str) -> None:
    """[DM-24, DM-140, DM-144, DM-148] What is missing is said; a vendor's failure has the plug-in's text."""
    plugins = [{"id": "calin-api-v1"}, {"id": "calin-api-v2"}]
    async with cloud("v1") as first, cloud("v2") as second:
        environ = environment(messaging_url, plugins=plugins) | variables(first, second)
        async with service(environ) as client:

            async def post(path: str, body: Any) -> tuple[int, Any]:
                answer = await client.post(path, json=body, headers=BEARER)
                return answer.status, await answer.json()

            for place, name in ((first, "CALIN API-V1"), (second, "CALIN API-V2")):
                nowhere = {"type": "ELECTRICITY_METER", "externalReference": METER}
                command = {"commandType": "READ_CREDIT", "priority": 1, "pluginId": place.name, "networkId": None}
                assert await post("/message/enqueue", {**command, "device": nowhere}) == (
                    400,
                    {"error": f"Plugin {place.name}: device.relayNode.id is required"},
                )
                assert (await post("/token/generate", order(place.name, payload={})))[0] == 400
                assert place.count("mint") == 0
                place.mood(tokens="empty", reason="no such meter")
                assert await post("/token/generate", order(place.name)) == (
                    502,
                    {"error": f"[{name} TOKEN SERVICE] Got an empty response because: no such meter"},
                )


@pytest.mark.parametrize("generation", ["v1", "v2"])
async def test_a_vendor_that_is_away(messaging_url: str, generation: str) -> None:
    """[DM-189] The caller of a token gets 502."""
    async with cloud("v1") as first, cloud("v2") as second:
        environ = environment(messaging_url, plugins=[{"id": f"calin-api-{generation}"}]) | variables(first, second)
        for place in (first, second):
            place.faults(down=True)
        async with service(environ) as client:
            answer = await client.post("/token/generate", json=order(f"calin-api-{generation}"), headers=BEARER)
            assert answer.status == 502
            assert "CALIN API-V" in (await answer.json())["error"]
