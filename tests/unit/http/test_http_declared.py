"""Conventions that every declared route of every role keeps, whoever wrote it."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from tests.support.http_roles import LOTS, Services, application
from tests.support.identity_world import IdentityWorld

from nxt_domain.identity.access import ACCESS
from nxt_entrypoints.http.app import build_app
from nxt_entrypoints.http.catalogue import routes_by_role
from nxt_entrypoints.http.router import Router
from nxt_entrypoints.http.routes import DEFAULT_MAX_BODY, KIB, LARGE_MAX_BODY, Guard, Route

ALL = [(role, declared) for role, routes in routes_by_role().items() for declared in routes]
IDS = [f"{role} {declared.method} {declared.path}" for role, declared in ALL]
LARGE = {
    "PUT /grids",
    "POST /directive-batches/upsert-many",
    "PATCH /connections",
    "POST /notifications",
    "POST /sendgrid/webhook",
    "POST /chirpstack/calin",
    "POST /chirpstack/acrel",
    "POST /chirpstack/milesight",
    # Up to 5,000 reports [TEL-179].
    "POST /meter-snapshot-1-h/hourly-report",
    "POST /meter-snapshot-1-h/hourly-reports",
}
CAPABILITIES = {"production", "metering", "payments", "notifications", "fieldOperations", "automation"}
# By the first segment of the path, or the whole of it; what is not named belongs to the core, which is always on.
BELONGS = {
    "mppts": "production",
    "data-analytics/grid/{gridId}/uptimes": "production",
    "chirpstack/acrel": "production",
    "chirpstack/milesight": "production",
    "connections": "metering",
    "meters": "metering",
    "meter-interactions": "metering",
    "meter-installs": "metering",
    "directive-batches": "metering",
    "directive-batch-executions": "metering",
    "chirpstack/calin": "metering",
    "data-analytics/grid/{gridId}/top-consumers": "metering",
    "africastalking/webhook": "metering",
    "orders": "payments",
    "flutterwave": "payments",
    "payouts": "payments",
    "lost-revenue": "payments",
    "notifications": "notifications",
    "telegram": "notifications",
    "sendgrid": "notifications",
    "africastalking/sms-delivery-report": "notifications",
    "epicollect": "fieldOperations",
    "issues": "fieldOperations",
    "pd-flows": "fieldOperations",
    "pd-actions": "fieldOperations",
    "autopilot": "automation",
    "auth": None,
    "user-admin": None,
    "grids": None,
    "dcus": None,
}


@pytest.mark.parametrize(("role", "declared"), ALL, ids=IDS)
def test_success_has_the_status_of_the_method(role: str, declared: Route) -> None:
    """[API-12] 201 for every POST but the webhooks of gateways, 200, and of device messaging, 204 [R40]; else 200."""
    if declared.path == "/device-messages/events":
        assert declared.status == 204
        return
    is_gateway = declared.path.startswith("/flutterwave/webhook")
    assert declared.status == (201 if declared.method == "POST" and not is_gateway else 200)


@pytest.mark.parametrize(("role", "declared"), ALL, ids=IDS)
def test_only_the_named_routes_take_large_bodies(role: str, declared: Route) -> None:
    """[API-8] 5 MiB there, 100 KiB everywhere else; events of device messaging may have its 1 MiB [DM-141]."""
    is_large = f"{declared.method} {declared.path}" in LARGE
    usual = KIB * KIB if declared.path == "/device-messages/events" else DEFAULT_MAX_BODY
    assert declared.max_body == (LARGE_MAX_BODY if is_large else usual)
    assert (DEFAULT_MAX_BODY, LARGE_MAX_BODY) == (102_400, 5 * 1024 * KIB)


@pytest.mark.parametrize(("role", "declared"), ALL, ids=IDS)
def test_paths_match_in_any_case(role: str, declared: Route) -> None:
    """[API-1] [API-2] With one trailing slash, too; values of parameters keep their case; HEAD finds GET [API-3]."""
    router = Router(routes_by_role()[role])
    values = dict.fromkeys(declared.parameters, "VaLue")
    shouted = "/".join(part if part.startswith("{") else part.upper() for part in declared.path.split("/"))
    for path in (declared.path, shouted, f"{shouted}/"):
        found = router.find(declared.method, path.format_map(values))
        assert found == (declared, values)
    if declared.method == "GET":
        assert router.find("HEAD", declared.path.format_map(values)) == (declared, values)


@pytest.mark.parametrize("declared", [route for role, route in ALL if role == "api"], ids=lambda route: route.path)
def test_a_capability_that_is_off_has_no_routes(declared: Route) -> None:
    """[API-194] What a route belongs to follows from the table of tiers."""
    whole = declared.path.removeprefix("/")
    named = [BELONGS[name] for name in (whole, whole.split("/")[0]) if name in BELONGS]
    if named:
        assert declared.capability == named[0]
    assert declared.capability in CAPABILITIES | {None}


async def test_without_capabilities_only_the_core_is_there(world: IdentityWorld, serve: Any) -> None:
    """[API-194] [API-202] Routes of the others do not exist; of an idling role, none does."""
    for settings in (
        attrs.evolve(LOTS, capabilities=frozenset(), cors_origins=("*",)),
        attrs.evolve(LOTS, is_hibernated=True),
    ):
        client = await serve(routes_by_role()["api"], Services(), settings=settings)
        for declared in routes_by_role()["api"]:
            address = declared.path.format_map(dict.fromkeys(declared.parameters, "7"))
            answer = await client.request(declared.method, address, json={})
            is_gone = f"Cannot {declared.method} {address}" in await answer.text()
            assert is_gone is (settings.is_hibernated or declared.capability is not None), address


def test_every_route_of_the_api_has_its_row_and_its_guard() -> None:
    """[API-42] [API-68] [API-71]"""
    for role, declared in ALL:
        if role == "api":
            assert f"{declared.method} {declared.path}" in ACCESS
            assert declared.guard in {Guard.PUBLIC, Guard.VENDOR, Guard.USER_OR_KEY}
        else:
            assert declared.guard in {Guard.INTERNAL, Guard.DATA_KEY}


def test_two_routes_of_one_address_are_refused(world: IdentityWorld) -> None:
    """[API-1]"""
    twice = routes_by_role()["api"][:1] * 2
    with pytest.raises(ValueError, match="declared twice"):
        build_app("api", twice, Services(), gate=world.gate)
    assert application("api", Services(), world) is not None
