"""What the OpenAPI documents promise, the running roles keep: schemathesis over real sockets, use cases and stores.

Cases are made from each role's own document. Many of them name things that exist, so that they reach the rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.support import databases
from tests.support.databases import Unobtainable
from tests.support.running_roles import RunningRoles
from tests.support.two_tenants import TwoTenants
from tests.support.valkey import ValkeyServer, flush

from nxt_entrypoints.http.catalogue import openapi_documents, routes_by_role
from nxt_entrypoints.settings.roles import Role

load_all_checks()

DOCUMENTS = {Role(role): document for role, document in openapi_documents().items()}
ROUTES = {
    (Role(role), route.method, route.path): route for role, routes in routes_by_role().items() for route in routes
}
OPERATIONS = [
    (role, path, method)
    for role, document in DOCUMENTS.items()
    for path, item in document["paths"].items()
    for method in item
]
IDS = [f"{role} {method.upper()} {path}" for role, path, method in OPERATIONS]
SCHEMAS = {role: schemathesis.openapi.from_dict(document) for role, document in DOCUMENTS.items()}

BOUNDED, NIGHTLY = 1_200, 22_000
"""Cases over all operations, by default and in the nightly run."""

CALLERS = ["platform SUPERADMIN", "own SUPERADMIN", "own TECH", "agent of Sunny Grids", "customer of Sunny Grids"]
KNOWN = {
    "grid_id": "grid",
    "gridId": "grid",
    "customer_id": "customer",
    "connection_id": "connection",
    "meter_id": "meter",
    "meter_external_reference": "meter_number",
    "pole_id": "pole",
    "sender_wallet_id": "organization_wallet",
    "receiver_wallet_id": "meter_wallet",
    "organizationId": "organization",
    "organization_id": "organization",
    "external_reference": "order_reference",
}
"""Which of a tenant's things a field means, wherever it stands."""

SEGMENTS = {
    "grids": "grid",
    "connections": "connection",
    "customers": "customer",
    "dcus": "dcu",
    "issues": "issue",
    "meters": "meter",
    "orders": "order",
}
"""Which thing plain ``id`` means, by the first segment of the path."""


class World:
    """The roles, their rows, and the credentials of callers."""

    def __init__(self, rows: TwoTenants, roles: RunningRoles) -> None:
        self.rows = rows
        self.roles = roles
        self.session = requests.Session()
        self._calls = 0
        secret = roles.secrets.jwt_secret
        self.tokens = {
            name: rows.token(name, secret, session_id=roles.session_of(rows.people[name].login)) for name in CALLERS
        }

    def headers(self, role: Role, caller: str) -> dict[str, str]:
        self._calls += 1
        # An address each: public routes count them [R8].
        address = {"X-Forwarded-For": f"10.{self._calls >> 16 & 255}.{self._calls >> 8 & 255}.{self._calls & 255}"}
        if role is not Role.API:
            return {**address, "X-API-KEY": self.roles.secrets.internal_api_key}
        return {**address, "Authorization": f"Bearer {self.tokens[caller]}"}


@pytest.fixture(scope="module")
def world(valkey_server: ValkeyServer) -> Iterator[World]:
    flush(valkey_server.url)
    try:
        server = databases.embedded_server()
    except Unobtainable as reason:
        pytest.skip(str(reason))
    with (
        databases.fresh_database(server, "relational") as relational,
        databases.fresh_database(server, "telemetry") as series,
    ):
        rows = TwoTenants(relational)
        with RunningRoles(relational, valkey_server.url, series, roles=list(Role)) as roles:
            yield World(rows, roles)
        rows.close()


def run(world: World, role: Role, path: str, method: str, *, cases: int) -> None:
    operation = SCHEMAS[role][path][method.upper()]
    strategy = operation.as_strategy(generation_mode=GenerationMode.POSITIVE) | operation.as_strategy(
        generation_mode=GenerationMode.NEGATIVE
    )

    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy, data=st.data())
    def judge(case: Any, data: st.DataObject) -> None:
        if data.draw(st.booleans(), label="names things that exist"):
            _name_things(case, path, world.rows.own if data.draw(st.booleans()) else world.rows.foreign)
        _protect_header(case, world)
        headers = world.headers(role, data.draw(st.sampled_from(CALLERS)))
        answer = case.call(
            base_url=world.roles.urls[role],
            session=world.session,
            headers=headers,
            allow_redirects=False,
            timeout=60,
        )
        _no_failure(role, path, method, answer)
        if answer.content or answer.status_code >= 400:
            checks = [status_code_conformance, content_type_conformance, response_schema_conformance]
            case.validate_response(answer, checks=[*checks, response_headers_conformance])
        else:  # a result that is nothing has neither body nor type [API-13]
            case.validate_response(answer, checks=[status_code_conformance])
            assert _may_be_nothing(role, path, method), "an empty body is not documented"

    judge()


def _no_failure(role: Role, path: str, method: str, answer: Any) -> None:
    """No 5xx, but for the codes that a route maps to 500 for old clients."""
    if answer.status_code < 500:
        return
    route = ROUTES.get((role, method.upper(), path))
    code = json.loads(answer.content).get("code")
    assert route is not None, answer.text
    assert route.statuses.get(code) == answer.status_code, (method, path, answer.text)


def _may_be_nothing(role: Role, path: str, method: str) -> bool:
    responses = DOCUMENTS[role]["paths"][path][method]["responses"]
    return any("body is empty" in answer["description"] for answer in responses.values())


def _name_things(case: Any, path: str, things: Mapping[str, int | str]) -> None:
    kinds = {**KNOWN, "id": SEGMENTS.get(path.split("/")[1], "grid")}
    for part in (case.path_parameters, case.query, case.body):
        _replace(part, kinds, things)


def _replace(part: Any, kinds: Mapping[str, str], things: Mapping[str, int | str]) -> None:
    if isinstance(part, dict):
        for name, value in part.items():
            if name in kinds:
                part[name] = things[kinds[name]]
            else:
                _replace(value, kinds, things)
    elif isinstance(part, list):
        for item in part:
            _replace(item, kinds, things)


def _protect_header(case: Any, world: World) -> None:
    """Sign webhooks, so that more than the signature is tried."""
    if "verif-hash" in (case.headers or {}):
        case.headers["verif-hash"] = world.roles.secrets.flutterwave_webhook_secret


@pytest.mark.parametrize(("role", "path", "method"), OPERATIONS, ids=IDS)
def test_every_operation_keeps_its_promise(world: World, role: Role, path: str, method: str) -> None:
    """[API-12] [API-13] [API-14] [API-15] [API-17] [API-38] No 5xx, no undocumented status, answers as described."""
    run(world, role, path, method, cases=BOUNDED // len(OPERATIONS))


@pytest.mark.nightly
@pytest.mark.parametrize(("role", "path", "method"), OPERATIONS, ids=IDS)
def test_every_operation_keeps_its_promise_for_long(world: World, role: Role, path: str, method: str) -> None:
    """[API-38] At least 20,000 cases over all."""
    run(world, role, path, method, cases=NIGHTLY // len(OPERATIONS) + 1)
