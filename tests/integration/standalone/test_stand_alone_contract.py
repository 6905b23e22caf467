"""The HTTP contract of stand-alone messaging, with its own bodies and statuses [DM 14, R40]."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from tests.support import databases
from tests.support.databases import Unobtainable
from tests.support.running_roles import quiet
from tests.support.stand_alone import API_KEY, BEARER, command, environment, service

from nxt_entrypoints.http.try_out import example
from nxt_entrypoints.messaging.openapi import messaging_document

Client = TestClient[Any, Any]


@pytest.fixture
async def client(messaging_url: str) -> AsyncIterator[Client]:
    async with service(environment(messaging_url, plugins=PLUGINS) | STS) as client:
        yield client


@pytest.fixture(scope="module")
def shared_url() -> Iterator[str]:
    """A database for tests that leave nothing in it."""
    try:
        with databases.fresh_database(databases.embedded_server(), "messaging") as url:
            yield url
    except Unobtainable as reason:
        pytest.skip(str(reason))


@pytest.fixture
async def desk(shared_url: str) -> AsyncIterator[Client]:
    async with service(environment(shared_url, plugins=PLUGINS) | STS) as client:
        yield client


PLUGINS = [{"id": "stub-push"}, {"id": "stub-pull"}, {"id": "nxt-sts"}]
STS = {"NXT_STS_URL": "http://127.0.0.1:9"}


async def post(client: Client, path: str, body: Any = ..., **options: Any) -> tuple[int, Any]:
    sent = {} if body is ... else {"json": body}
    answer = await client.post(path, headers=options.pop("headers", BEARER), **sent, **options)
    text = await answer.text()
    return answer.status, json.loads(text) if text else None


async def get(client: Client, path: str, **headers: str) -> tuple[int, Any]:
    answer = await client.get(path, headers={**BEARER, **headers})
    return answer.status, await answer.json()


async def test_a_command_is_stored_and_shown(client: Client) -> None:
    """[DM-144] [DM-145] [DM-146] Given fields come back, with what the queue adds; absent ones stay absent."""
    status, body = await post(client, "/message/enqueue", command())
    assert status == 201
    assert len(body.pop("id")) == 26
    fresh = {"deliveryQueueId": "", "deliveryStatus": "QUEUED", "retryCount": 0, "failureHistory": []}
    assert body == {**command(), **fresh}
    status, found = await get(client, "/message/4211")
    assert (status, len(found.pop("id"))) == (200, 26)
    assert found == body

    least = command(phase=..., correlationId=..., networkId=None, priority=0.1, pluginId="stub-pull")
    status, body = await post(client, "/message/enqueue", least)
    assert status == 201
    assert {name: body[name] for name in (set(body) - {"id", *fresh})} == least


async def test_what_a_command_carries_comes_back(client: Client) -> None:
    """[DM-8] [DM-145] Dates, times and tokens; a command without what it needs is accepted all the same."""
    for number, request in enumerate(
        [{"token": "1" * 20}, {"payload": {"year": 2026, "month": 3, "day": 15}}, {"payload": {"hour": 1, "minute": 2}}]
    ):
        sent = command(commandType="SET_DATE", requestData=request, correlationId=f"d{number}")
        assert (await post(client, "/message/enqueue", sent))[1]["requestData"] == request
        assert (await get(client, f"/message/d{number}"))[1]["requestData"] == request
    assert (await post(client, "/message/enqueue", command(commandType="TOP_UP_KWH")))[0] == 201


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({}, {"commandType", "priority", "pluginId", "networkId", "device"}),
        ([], {""}),
        ("x", {""}),
        (None, {""}),
        (command(extra=1), {"extra"}),
        (command(device={"type": "ELECTRICITY_METER", "externalReference": "1", "x": 1}), {"device.x"}),
        (command(device={"type": "WATER_METER", "externalReference": ""}), {"device.type", "device.externalReference"}),
        (command(device={"type": "ELECTRICITY_METER"}), {"device.externalReference"}),
        (
            command(device={"type": "ELECTRICITY_METER", "externalReference": "1", "relayNode": {"id": -1, "y": 0}}),
            {"device.relayNode.id", "device.relayNode.y"},
        ),
        (command(requestData={"payload": {"year": 2026, "month": 13, "day": 1}}), {"requestData.payload"}),
        (command(requestData={"payload": {"hour": 1, "minute": 2, "z": 3}}), {"requestData.payload"}),
        (command(requestData={"tokens": "1"}), {"requestData.tokens"}),
        (command(commandType="READ_REPORT"), {"commandType"}),
        (command(commandType="JOIN_NETWORK"), {"commandType"}),
        (command(priority="30"), {"priority"}),
        (command(priority=True), {"priority"}),
        (command(networkId=4294967296), {"networkId"}),
        (command(networkId=1.5), {"networkId"}),
        (command(networkId=...), {"networkId"}),
        (command(correlationId=""), {"correlationId"}),
        (command(correlationId=4211), {"correlationId"}),
        (command(phase="D"), {"phase"}),
        (command(phase=None), {"phase"}),
    ],
)
async def test_a_body_that_is_not_as_declared(desk: Client, body: Any, paths: set[str]) -> None:
    """[DM-7] [DM-143] [DM-144] Every violation is named by its dotted path; unknown keys are one at any level."""
    status, refusal = await post(desk, "/message/enqueue", body)
    assert (status, refusal["error"]) == (400, "Invalid request body")
    assert {issue["path"] for issue in refusal["issues"]} == paths
    assert all(issue["message"] for issue in refusal["issues"])
    assert set(refusal) == {"error", "issues"}


async def test_bodies_that_are_none(desk: Client) -> None:
    """[DM-141] [DM-143] Missing, no JSON, of another type, too long; what can't be stored is a violation."""
    status, refusal = await post(desk, "/message/enqueue")
    assert (status, refusal) == (
        400,
        {"error": "Invalid request body", "issues": [{"path": "", "message": "is required"}]},
    )
    json_type = {**BEARER, "Content-Type": "application/json"}
    assert await post(desk, "/message/enqueue", data=b"{", headers=json_type) == (400, {"error": "Invalid JSON body"})
    assert await post(desk, "/message/enqueue", data=b'"\xff"', headers=json_type) == (
        400,
        {"error": "Invalid JSON body"},
    )
    text_type = {**BEARER, "Content-Type": "text/plain"}
    assert (await post(desk, "/message/enqueue", data=b"{}", headers=text_type))[0] == 415
    with_charset = {**BEARER, "Content-Type": "Application/JSON; charset=utf-8"}
    assert (await post(desk, "/message/cancel", data=b'{"correlationId":"1"}', headers=with_charset))[0] == 200
    long = json.dumps({"correlationId": "x" * 1_048_576}).encode()
    assert (await post(desk, "/message/cancel", data=long, headers=json_type))[0] == 413
    nul = json.dumps({"correlationId": "a\x00"}).encode()
    status, refusal = await post(desk, "/message/cancel", data=nul, headers=json_type)
    assert (status, refusal["error"]) == (400, "Invalid request body")
    status, refusal = await post(desk, "/message/cancel", data=b'{"correlationId":1E999999999}', headers=json_type)
    assert (status, refusal["error"]) == (400, "Invalid request body")


async def test_the_order_of_checks_of_a_command(desk: Client) -> None:
    """[DM-137] [DM-144] Schema, plug-in, command; each with its text."""
    unknown = command(pluginId="calin-chirpstack", extra=1)
    assert (await post(desk, "/message/enqueue", unknown))[1]["error"] == "Invalid request body"
    del unknown["extra"]
    assert await post(desk, "/message/enqueue", unknown) == (
        400,
        {"error": "Unknown or disabled pluginId: calin-chirpstack"},
    )
    assert await post(desk, "/message/enqueue", command(pluginId="nxt-sts")) == (
        400,
        {"error": "Plugin nxt-sts does not support commandType: READ_VOLTAGE"},
    )


@pytest.mark.parametrize(
    "authorization",
    [None, "", API_KEY, f"Bearer  {API_KEY}", f"Bearer {API_KEY}x", "Bearer", f"Basic {API_KEY}", "Bearer \xe4"],
)
async def test_without_the_key_nothing_is_looked_at(desk: Client, authorization: str | None) -> None:
    """[DM-142] 401 before the body is read; the scheme may be written in any case."""
    headers = {} if authorization is None else {"Authorization": authorization}
    for path in ("/message/enqueue", "/message/cancel", "/messages/cancel", "/token/generate"):
        status, refusal = await post(desk, path, data=b"{", headers={**headers, "Content-Type": "application/json"})
        assert (status, refusal) == (401, {"error": "Unauthorized"})
    assert (await desk.get("/message/1", headers=headers)).status == 401
    assert (await desk.get("/healthz", headers=headers)).status == 200
    shouting = {"Authorization": f"BEARER {API_KEY}"}
    assert (await post(desk, "/message/cancel", {"correlationId": "1"}, headers=shouting))[0] == 200


async def test_without_a_key_in_the_environment_all_is_open(messaging_url: str) -> None:
    """[DM-142]"""
    environ = environment(messaging_url) | {"DEVICE_MESSAGING_API_KEY": " "}
    async with service(environ) as client:
        assert (await post(client, "/message/enqueue", command(), headers={}))[0] == 201


async def test_unknown_routes_and_messages(desk: Client) -> None:
    """[DM-143] [DM-146] One text for all that is not there."""
    for path in ("/message/9999", "/nothing", "/message/", "/docs", "/openapi.json"):
        assert await get(desk, path) == (404, {"error": "Not found"})
    answer = await desk.delete("/message/4211", headers=BEARER)
    assert (answer.status, await answer.json()) == (404, {"error": "Not found"})


@pytest.mark.parametrize("path", ["/message/%00", f"/message/{'x' * 513}"])
async def test_a_bad_path_part(desk: Client, path: str) -> None:
    """[DM-143]"""
    status, refusal = await get(desk, path)
    assert (status, refusal["error"], len(refusal["issues"])) == (400, "Invalid path parameters", 1)


async def test_commands_are_taken_back(client: Client) -> None:
    """[DM-65] [DM-147] One or several, in the order asked; what is unknown says so."""
    for number in ("1", "2"):
        await post(client, "/message/enqueue", command(correlationId=number))
    assert await post(client, "/message/cancel", {"correlationId": "1"}) == (
        200,
        {"correlationId": "1", "result": "CANCELLED"},
    )
    status, results = await post(client, "/messages/cancel", {"correlationIds": ["3", "2", "1", "2"]})
    assert status == 200
    assert [(one["correlationId"], one["result"]) for one in results][:3] == [
        ("3", "NOT_FOUND"),
        ("2", "CANCELLED"),
        ("1", "NOT_FOUND"),
    ]
    assert (await get(client, "/message/2"))[0] == 404
    assert (await post(client, "/messages/cancel", {"correlationIds": []}))[1]["issues"][0]["path"] == "correlationIds"
    status, refusal = await post(client, "/messages/cancel", {"correlationIds": ["1", ""]})
    assert (status, refusal["issues"][0]["path"]) == (400, "correlationIds.1")


async def test_a_named_request_is_one_command(client: Client) -> None:
    """A request whose answer was lost is sent again with its key, at once or later: still one message [R56]."""
    named = {**BEARER, "Idempotency-Key": "task-1"}
    answers = await asyncio.gather(*(post(client, "/message/enqueue", command(), headers=named) for _ in range(5)))
    assert {(status, body["id"]) for status, body in answers} == {(201, answers[0][1]["id"])}
    assert (await post(client, "/message/enqueue", command()))[1]["id"] != answers[0][1]["id"]
    assert (await post(client, "/message/cancel", {"correlationId": "4211"}))[1]["result"] == "CANCELLED"
    assert (await post(client, "/message/enqueue", command(), headers=named))[1]["id"] == answers[0][1]["id"]
    assert (await get(client, "/message/4211"))[0] == 404


TOKEN = {
    "type": "TOP_UP_KWH",
    "pluginId": "stub-push",
    "issueDateString": "2026-08-05T10:30:00",
    "device": {"externalReference": "47003333771"},
    "payload": {"kwh": 10},
}


async def test_tokens_are_made(desk: Client) -> None:
    """[DM-148] [DM-149] [DM-168] By plug-ins that can."""
    assert await post(desk, "/token/generate", TOKEN) == (200, {"token": "stub-token"})
    clear = {**TOKEN, "type": "CLEAR_TAMPER"}
    del clear["payload"]
    assert await post(desk, "/token/generate", clear) == (200, {"token": "stub-token"})
    assert await post(desk, "/token/generate", {**TOKEN, "pluginId": "stub-pull"}) == (
        400,
        {"error": "Plugin does not support token generation: stub-pull"},
    )
    assert await post(desk, "/token/generate", {**TOKEN, "pluginId": "nobody"}) == (
        400,
        {"error": "Unknown or disabled pluginId: nobody"},
    )


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"type": "DELIVER_PREEXISTING_TOKEN"}, "type"),
        ({"type": ...}, "type"),
        ({"payload": ...}, "payload"),
        ({"payload": {}}, "payload.kwh"),
        ({"payload": {"kwh": "10"}}, "payload.kwh"),
        ({"payload": {"kwh": 1, "powerLimit": 1}}, "payload.powerLimit"),
        ({"type": "SET_POWER_LIMIT"}, "payload.kwh"),
        ({"type": "CLEAR_CREDIT"}, "payload"),
        ({"issueDateString": ""}, "issueDateString"),
        ({"device": {}}, "device.externalReference"),
        ({"extra": 1}, "extra"),
    ],
)
async def test_an_order_of_a_token_that_is_not_as_declared(desk: Client, changes: dict[str, Any], path: str) -> None:
    """[DM-7] [DM-140] [DM-148] Strict, by its type; an amount that is missing is never sent to a vendor."""
    body = {name: value for name, value in {**TOKEN, **changes}.items() if value is not ...}
    status, refusal = await post(desk, "/token/generate", body)
    assert (status, refusal["error"]) == (400, "Invalid request body")
    assert path in {issue["path"] for issue in refusal["issues"]}


async def test_a_token_that_the_service_does_not_make(desk: Client) -> None:
    """[DM-135] [DM-136] [DM-148] What can't be ordered is 400 with the plug-in's text, a service that is away 502."""
    order = {**TOKEN, "pluginId": "nxt-sts"}
    status, refusal = await post(desk, "/token/generate", order)
    assert (status, refusal) == (400, {"error": "[NXT STS TOKEN SERVICE] device.decoderKey is required"})
    order["device"] = {"externalReference": "1", "decoderKey": "0123456789ABCDEF"}
    assert await post(desk, "/token/generate", order) == (
        502,
        {"error": "[NXT STS TOKEN SERVICE] Failed to generate token"},
    )


async def test_posts_of_vendors_in_the_order_of_their_checks(desk: Client) -> None:
    """[DM-150] [DM-168] No bearer key; plug-in, push, JSON; 204 whether the event is of use or not."""
    event = {"deliveryStatus": "DELIVERY_SUCCESSFUL", "device": {"externalReference": "1"}, "deliveryQueueId": "none"}
    assert await post(desk, "/ingress/stub-push", event, headers={}) == (204, None)
    assert await post(desk, "/ingress/stub-push", {"any": "thing"}, headers={}) == (204, None)
    assert await post(desk, "/ingress/stub-push", headers={}) == (204, None)
    assert await post(desk, "/ingress/stub-push", [1], headers={}) == (204, None)
    for plugin, text in (
        ("nobody", "Unknown or disabled pluginId: nobody"),
        ("stub-pull", "Plugin does not support PUSH ingress: stub-pull"),
        ("nxt-sts", "Plugin does not support PUSH ingress: nxt-sts"),
        ("stub-push", "Invalid JSON body"),
    ):
        assert await post(desk, f"/ingress/{plugin}", data=b"{", headers={}) == (400, {"error": text})


async def test_posts_of_chirpstack_show_their_key(messaging_url: str) -> None:
    """[DM-107] [DM-150] Over the raw bytes, before they are JSON; of a repeated parameter the first counts."""
    names = ("TOKEN", "APPLICATION_ID", "PROFILE_ID")
    chirpstack = {f"CHIRPSTACK_{name}": "x" for name in ("API_TOKEN", *names[1:], "APP_KEY")}
    environ = environment(messaging_url, plugins=[{"id": "calin-chirpstack"}]) | chirpstack
    async with service(environ | {"CHIRPSTACK_API_URL": "127.0.0.1:9", "CHIRPSTACK_INGRESS_KEY": "in"}) as client:
        path = "/ingress/calin-chirpstack?event=join&event=up"
        assert await post(client, path, data=b"{", headers={}) == (401, {"error": "Invalid signature"})
        assert await post(client, path, data=b"{", headers={"X-API-KEY": "on"}) == (401, {"error": "Invalid signature"})
        key = {"X-API-KEY": "in"}
        assert await post(client, path, data=b"{", headers=key) == (400, {"error": "Invalid JSON body"})
        join = {"deviceInfo": {"devEui": "0000047003333771"}}
        assert await post(client, path, join, headers=key) == (204, None)
        minted = {**TOKEN, "pluginId": "calin-chirpstack"}
        assert (await post(client, "/token/generate", minted))[1] == {
            "error": "Plugin does not support token generation: calin-chirpstack"
        }


async def test_operations_and_documentation(client: Client) -> None:
    """[DM-151] [DM-169] Alive, ready, figures, the document and its page; open to all."""
    await post(client, "/message/enqueue", command())
    alive = await client.get("/healthz")
    assert (alive.status, await alive.json()) == (200, {"ok": True})
    ready = await client.get("/readyz")
    assert (ready.status, (await ready.json())["ok"]) == (200, True)
    figures = await (await client.get("/metrics")).text()
    assert 'device_messaging_queue_depth{queue="queue:stub-push:network:42"} 1.0' in figures
    assert 'device_messaging_queue_depth{queue="webhook:pending"} 0.0' in figures
    assert "device_messaging_up 1.0" in figures
    document = await (await client.get("/v3/api-docs")).json()
    assert (document["openapi"], document["info"]["title"]) == ("3.1.0", "NXT Device Messaging")
    assert {tag["name"] for tag in document["tags"]} == {"command", "ingress", "ops"}
    assert "/metrics" not in document["paths"]
    used = {tag for item in document["paths"].values() for operation in item.values() for tag in operation["tags"]}
    assert used == {"command", "ingress", "ops"}
    event = document["webhooks"]["deliveryEvent"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert event == {"$ref": "#/components/schemas/WebhookEvent"}
    assert "WebhookEvent" in document["components"]["schemas"]
    page = await client.get("/swagger")
    assert (page.status, page.content_type) == (200, "text/html")
    shown = await page.text()
    assert "NXT Device Messaging" in shown
    assert shown.count("<form data-path=") == sum(len(item) for item in document["paths"].values())
    assert not re.search(r"(src|href)=.https?:", shown)


async def test_the_bodies_that_the_page_suggests_are_taken(client: Client) -> None:
    """[DM-151] What stands in the forms of the interactive documentation works as it is."""
    document = messaging_document()
    for path, item in document["paths"].items():
        if "{" in path or "post" not in item:
            continue
        schema = item["post"]["requestBody"]["content"]["application/json"]["schema"]
        status, answer = await post(client, path, example(schema, document))
        assert status in {200, 201} or answer["error"].startswith("Unknown or disabled pluginId"), (path, answer)


async def test_without_its_database_it_says_so() -> None:
    """[DM-143] [DM-170] [DM-172] [DM-189] It starts; commands, posts and figures are 503, and it lives."""
    with quiet():  # tracebacks for people take longer than the answers
        await _look_at_a_service_without_database()


async def _look_at_a_service_without_database() -> None:
    async with service(environment("postgresql://nobody@127.0.0.1:9/nothing")) as client:
        event = {"deliveryStatus": "DELIVERY_SUCCESSFUL", "device": {"externalReference": "1"}, "deliveryQueueId": "x"}
        answers = await asyncio.gather(
            post(client, "/message/enqueue", command()),
            get(client, "/message/1"),
            post(client, "/message/cancel", {"correlationId": "1"}),
            post(client, "/ingress/stub-push", event),
            get(client, "/metrics"),
        )
        assert answers == [(503, {"error": "Storage unavailable"})] * 5
        assert (await client.get("/healthz")).status == 200
        ready = await client.get("/readyz")
        assert (ready.status, (await ready.json())["failing"]) == (503, ["database"])


async def test_a_database_that_says_nothing_is_given_five_seconds() -> None:
    """[DM-143] Neither a refusal nor an answer: 503 all the same, before a caller gives up."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with quiet():  # a traceback for people takes longer than the answer
        async with service(environment(f"postgresql://nobody@127.0.0.1:{port}/nothing")) as client:
            began = asyncio.get_running_loop().time()
            answer = await post(client, "/message/enqueue", command())
            assert answer == (503, {"error": "Storage unavailable"})
            assert asyncio.get_running_loop().time() - began < 6
    server.close()


async def test_text_that_is_no_text_is_no_json(desk: Client) -> None:
    """[DM-143] Half of a surrogate pair can't be stored."""
    body = json.dumps(command(correlationId="\ud800")).encode()
    json_type = {**BEARER, "Content-Type": "application/json"}
    status, refusal = await post(desk, "/message/enqueue", data=body, headers=json_type)
    assert (status, refusal["error"]) == (400, "Invalid JSON body")
