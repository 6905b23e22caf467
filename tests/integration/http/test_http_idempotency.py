"""``Idempotency-Key`` over a real socket, with work in memory and in PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from tests.support.identity_world import ADMIN, MEMBER, IdentityWorld
from tests.support.keyed_shop import KEY, ORDER, ROUTES, MemoryShop, PostgresShop

from nxt_domain.shared.errors import DomainError, NotFound, Unavailable
from nxt_domain.shared.idempotency import Answer, Claim
from nxt_entrypoints.http.app import build_app
from nxt_entrypoints.http.openapi import openapi_document


@pytest.fixture
def callers() -> IdentityWorld:
    return IdentityWorld()


@pytest.fixture(params=["memory", "postgres"])
async def shop(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    if request.param == "memory":
        yield MemoryShop()
        return
    made = PostgresShop(request.getfixturevalue("relational_url"))
    yield made
    await made.engine.dispose()


@pytest.fixture
async def client(shop: Any, callers: IdentityWorld) -> AsyncIterator[Any]:
    app = build_app("api", ROUTES, shop, gate=callers.gate, idempotency_keys=shop.keys)
    async with TestClient(TestServer(app), headers=callers.bearer(MEMBER)) as made:
        yield made


async def test_a_repeated_request_gets_the_first_answer(client: Any, shop: Any, callers: IdentityWorld) -> None:
    """[REL-155] [PAY-50] [R42] Byte for byte; however the same JSON is written; per account and key."""
    first = await client.post("/purchases", json=ORDER, headers=KEY)
    reordered = b'{"note" : "lamp", "amount":5.0}'
    again = await client.post("/PURCHASES/", data=reordered, headers={**KEY, "Content-Type": "application/json"})
    assert (first.status, await first.json()) == (201, {"number": 1, "amount": 5, "note": "lamp"})
    assert (again.status, await again.json()) == (201, await first.json())
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert await shop.sold() == 1

    api_key = {"X-API-KEY": await callers.api_key(MEMBER), "Authorization": "none"}
    for headers in (callers.bearer(ADMIN), api_key, {"Idempotency-Key": "Order 1/ä"}, {}):
        assert (await client.post("/purchases", json=ORDER, headers={**KEY, **headers})).status == 201
    assert await shop.sold() == 4
    await client.post("/purchases", json=ORDER)
    await client.post("/purchases", json=ORDER)
    assert await shop.sold() == 6


async def test_a_key_for_another_request_is_a_conflict(client: Any, shop: Any) -> None:
    """[REL-155] Another body, path, query, method."""
    await client.post("/purchases", json=ORDER, headers=KEY)
    others = [
        client.post("/purchases", json={**ORDER, "amount": 6}, headers=KEY),
        client.post("/purchases?dry=1", json=ORDER, headers=KEY),
        client.put("/purchases/5", json=ORDER, headers=KEY),
    ]
    for answer in await asyncio.gather(*others):
        assert (answer.status, (await answer.json())["code"]) == (409, "IDEMPOTENCY_KEY_REUSED")
    assert (await client.put("/purchases/5", headers={"Idempotency-Key": "k"})).status == 200
    assert (await client.put("/purchases/6", headers={"Idempotency-Key": "k"})).status == 409
    again = await client.put("/purchases/5", headers={"Idempotency-Key": "k"})
    assert (again.status, await again.read(), again.headers["Content-Length"]) == (200, b"", "0")
    assert await shop.sold() == 2


async def test_while_a_request_is_carried_out_its_repeats_wait(client: Any, shop: Any) -> None:
    """[REL-155] Many at once over sockets: one is carried out, the others are told to come back."""
    shop.may_go_on.clear()
    running = [asyncio.create_task(client.post("/purchases", json=ORDER, headers=KEY)) for _ in range(8)]
    done, (first,) = await _all_but_one(running)
    refused = [(answer.status, (await answer.json())["code"]) for answer in done]
    assert refused == [(409, "IDEMPOTENCY_IN_PROGRESS")] * 7
    shop.may_go_on.set()
    assert (await (await first).json())["number"] == 1
    repeats = await asyncio.gather(*(client.post("/purchases", json=ORDER, headers=KEY) for _ in range(8)))
    assert {(await answer.json())["number"] for answer in repeats} == {1}
    assert (shop.carried_out, await shop.sold()) == (1, 1)


async def _all_but_one(tasks: list[asyncio.Task[Any]]) -> tuple[list[Any], set[asyncio.Task[Any]]]:
    pending = set(tasks)
    done: list[Any] = []
    while len(pending) > 1:
        finished, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED, timeout=10)
        assert finished
        done += [task.result() for task in finished]
    return done, pending


@pytest.mark.parametrize("key", ["", "x" * 129, "a\tb"])
async def test_a_malformed_key_is_refused(client: Any, shop: Any, key: str) -> None:
    """[REL-155] 1 to 128 characters."""
    answer = await client.post("/purchases", json=ORDER, headers={"Idempotency-Key": key})
    assert (answer.status, (await answer.json())["code"]) == (400, "IDEMPOTENCY_KEY_MALFORMED")
    assert shop.carried_out == 0
    assert (await client.post("/purchases", json=ORDER, headers={"Idempotency-Key": "x" * 128})).status == 201


@pytest.mark.parametrize("path", ["/purchases/public", "/purchases/find", "/purchases/text"])
async def test_where_keys_do_not_count(client: Any, shop: Any, path: str) -> None:
    """[R42] Public routes, those that change nothing, and those whose answer is no JSON ignore even malformed keys."""
    for key in ("k", "k", "x" * 500):
        assert (await client.post(path, json=ORDER, headers={"Idempotency-Key": key})).status == 201
    assert shop.carried_out == 3


async def test_bad_input_takes_no_key(client: Any, shop: Any) -> None:
    """[PAY-50] A request that was not even read may be mended and sent again; so may one without a right."""
    for body in (b"{bad", b"{}", b'{"amount":"5"}'):
        answer = await client.post("/purchases", data=body, headers={**KEY, "Content-Type": "application/json"})
        assert answer.status == 400
    assert (await client.post("/purchases", json=ORDER, headers={**KEY, "Authorization": "Bearer bad"})).status == 401
    assert (await client.post("/purchases", json=ORDER, headers=KEY)).status == 201


async def test_a_refusal_is_an_answer(client: Any, shop: Any) -> None:
    """[PAY-50] It is given again, under the number of the present request."""
    shop.error = NotFound("No such lamp")
    first = await client.post("/purchases", json=ORDER, headers=KEY)
    shop.error = None
    again = await client.post("/purchases", json=ORDER, headers=KEY)
    assert first.status == again.status == 404
    assert (await again.json())["message"] == "No such lamp"
    assert (await again.json())["requestId"] == again.headers["X-Request-Id"]
    assert shop.carried_out == 1

    shop.error = DomainError("Kept for compatibility", code="OLD_HABIT")
    for _ in range(2):
        assert (await client.put("/purchases/5", headers={"Idempotency-Key": "old"})).status == 500
    assert shop.carried_out == 2


@pytest.mark.parametrize("error", [RuntimeError("defect"), Unavailable("The database is busy")])
async def test_a_failure_that_changed_nothing_may_be_repeated(client: Any, shop: Any, error: Exception) -> None:
    """[REL-175] [API-36] Repeating with the same key is what a client does about a 5xx."""
    shop.error = error
    assert (await client.post("/purchases", json=ORDER, headers=KEY)).status >= 500
    shop.error = None
    assert (await client.post("/purchases", json=ORDER, headers=KEY)).status == 201
    assert await shop.sold() == 1


async def test_a_failure_after_a_commit_is_never_repeated(client: Any, shop: Any) -> None:
    """[REL-155] [REL-175] Half of it may stand: whoever asks again is told so, and nothing is done twice."""
    shop.error, shop.fails_after_commit = RuntimeError("defect"), True
    assert (await client.post("/purchases", json=ORDER, headers=KEY)).status == 500
    shop.error = None
    again = await client.post("/purchases", json=ORDER, headers=KEY)
    assert (again.status, (await again.json())["code"]) == (409, "IDEMPOTENCY_IN_PROGRESS")
    assert (shop.carried_out, await shop.sold()) == (1, 1)


async def test_an_answer_that_can_not_be_kept_is_given_all_the_same(client: Any, shop: Any) -> None:
    """[REL-155] The work is done; only a repeat learns less."""

    async def fail(claim: Claim, answer: Answer) -> None:
        raise Unavailable("away")

    shop.keys.complete = fail
    assert (await client.post("/purchases", json=ORDER, headers=KEY)).status == 201
    assert (await client.post("/purchases", json=ORDER, headers=KEY)).status == 409
    assert await shop.sold() == 1


async def test_an_upload_is_known_by_its_content(client: Any, shop: Any) -> None:
    """[REL-155] Not by the boundary that the client drew."""
    for content, status in ((b"a;b", 201), (b"a;b", 201), (b"a;c", 409)):
        form = aiohttp.FormData()
        form.add_field("file", content, filename="x.csv")
        assert (await client.post("/purchases/upload", data=form, headers=KEY)).status == status
    assert shop.carried_out == 1


def test_keys_are_documented_where_they_count() -> None:
    """[R42] [API-40]"""
    paths = openapi_document("api", ROUTES, version="1")["paths"]
    keyed = {
        (path, method)
        for path, item in paths.items()
        for method, operation in item.items()
        if any(each["name"] == "Idempotency-Key" for each in operation.get("parameters", ()))
    }
    assert keyed == {("/purchases", "post"), ("/Purchases/{id}", "put"), ("/purchases/upload", "post")}
    assert all({"400", "409"} <= set(paths[path][method]["responses"]) for path, method in keyed)
    assert "idempotency key" in json.dumps(paths["/purchases"]["post"]["responses"]["409"])
