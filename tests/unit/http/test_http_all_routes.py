"""Every declared route of every role: guards, documents, and no input that breaks it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.http_roles import HASH, Services, application, refusal
from tests.support.identity_world import (
    ADMIN,
    INTERNAL_KEY,
    IdentityWorld,
)

from nxt_entrypoints.http.catalogue import openapi_documents, routes_by_role
from nxt_entrypoints.http.routes import Guard, Route

ALL = [(role, declared) for role, routes in routes_by_role().items() for declared in routes]
IDS = [f"{role} {declared.method} {declared.path}" for role, declared in ALL]
SIGNED = {"/device-messages/events"}
"""Open to nobody but the service: a wrong signature is answered like a wrong key [DM-177]."""

SURVIVED: list[bytes | None] = [None, b"", b"null", b"[]", b"[{}]", b"{}", b'"a string"', b"5", b"true", b"{bad"]
SURVIVED += [b"[" * 20_000, b'{"id":1E999999999}', b'"\xff"', b'{"id":"\\u0000"}']


def credentials(declared: Route, world: IdentityWorld) -> dict[str, str]:
    match declared.guard:
        case Guard.INTERNAL:
            return {"X-API-KEY": INTERNAL_KEY}
        case Guard.USER_OR_KEY:
            return world.bearer(ADMIN)
        case _:
            return {"verif-hash": HASH}


def address(declared: Route) -> str:
    return "/".join("7" if part.startswith("{") else part for part in declared.path.split("/"))


@pytest.mark.parametrize(("role", "declared"), ALL, ids=IDS)
async def test_no_input_breaks_a_route(role: str, declared: Route, world: IdentityWorld) -> None:
    """[API-38] No body, null, [], [{}], {}, a string, wrong types in every field: answered, never 500."""
    wrong = [
        json.dumps(dict.fromkeys(field_names(declared), value)).encode()
        for value in (None, "x", -1, 1.5, True, [], {}, [{}])
    ]
    async with TestClient(TestServer(application(role, Services(), world))) as client:
        for content in (*SURVIVED, *wrong):
            for kind in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
                headers = {**credentials(declared, world), "Content-Type": kind}
                answer = await client.request(declared.method, address(declared), data=content, headers=headers)
                assert answer.status < 500, (content, kind, await answer.text())
                if answer.status >= 400:
                    assert (await answer.json())["statusCode"] == answer.status


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


FIELDS = st.integers(0, 20)
"""Stand for a route's own fields, in turn, so that one drawn value tries all routes: to draw costs more than to ask."""
BODIES = st.one_of(
    st.dictionaries(FIELDS, JSON_VALUES), st.lists(st.dictionaries(FIELDS, JSON_VALUES), max_size=3), JSON_VALUES
)


@pytest.fixture
async def served(role: str, world: IdentityWorld) -> AsyncIterator[TestClient[Any, Any]]:
    """A role's client, for a whole test."""
    async with TestClient(TestServer(application(role, Services(), world))) as client:
        yield client


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@pytest.mark.parametrize("role", [role for role, routes in routes_by_role().items() if routes])
@given(drawn=BODIES)
async def test_any_json_is_answered_below_500(
    role: str, world: IdentityWorld, served: TestClient[Any, Any], drawn: Any
) -> None:
    """[API-38] Property: every route answers any JSON, also under its own field names."""
    for declared in routes_by_role()[role]:
        body = json.dumps(with_fields(drawn, [*field_names(declared), "x"])).encode()
        headers = {**credentials(declared, world), "Content-Type": "application/json"}
        answer = await served.request(declared.method, address(declared), data=body, headers=headers)
        assert answer.status < 500, (declared.method, declared.path, body, await answer.text())


def field_names(declared: Route) -> list[str]:
    return [name for kind in declared.inputs.values() for name in getattr(kind, "__annotations__", {})]


def with_fields(drawn: Any, names: Sequence[str]) -> Any:
    """Put names in the places of the numbers that stand for them."""
    if isinstance(drawn, list):
        return [with_fields(item, names) for item in drawn]
    if isinstance(drawn, dict):
        return {names[key % len(names)] if isinstance(key, int) else key: value for key, value in drawn.items()}
    return drawn


@pytest.mark.parametrize(("role", "declared"), ALL, ids=IDS)
async def test_every_guarded_route_refuses_a_stranger(role: str, declared: Route, world: IdentityWorld) -> None:
    """[API-42] [API-71]"""
    async with TestClient(TestServer(application(role, Services(), world))) as client:
        answer = await client.request(declared.method, address(declared), json={})
        is_guarded = declared.guard not in {Guard.PUBLIC, Guard.VENDOR} or declared.path in SIGNED
        assert (answer.status == 401) is is_guarded
        wrong = await client.request(declared.method, address(declared), json={}, headers={"X-API-KEY": "wrong"})
        assert (wrong.status == 401) is is_guarded


@pytest.mark.parametrize("role", ["api", "provisioning", "jobs", "telemetry"])
async def test_every_role_has_its_operational_endpoints(role: str, world: IdentityWorld) -> None:
    """[API-40] [API-35]"""
    async with TestClient(TestServer(application(role, Services(), world))) as client:
        for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"):
            answer = await client.get(path)
            assert answer.status == 200
            assert ("Access-Control-Allow-Origin" in answer.headers) is (role == "api")
        document = await (await client.get("/openapi.json")).json()
        declared = {(route.method.lower(), route.path) for route in routes_by_role()[role]}
        documented = {(method, path) for path, item in document["paths"].items() for method in item}
        assert declared <= documented
        assert document == openapi_documents()[role]


@pytest.mark.parametrize("path", ["/agents", "/organizations", "/accounts", "/api-keys", "/wallets", "/jira"])
async def test_what_is_reached_by_other_ways_has_no_route(api: Any, path: str) -> None:
    """[API-1] [API-117]"""
    assert await refusal(await api.get(path)) == (404, f"Cannot GET {path}")
