"""Who comes in, over a real socket."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest
from tests.support.identity_world import (
    ADMIN,
    AGENT,
    CUSTOMER,
    INGRESS_KEY,
    INTERNAL_KEY,
    LENDER,
    MEMBER,
    NOBODY,
    IdentityWorld,
)
from tests.unit.http.conftest import Serve

from nxt_domain.identity.access import ADMIN_ONLY, ANY_LOGIN, KEYS, PEOPLE, STAFF
from nxt_domain.identity.model import Account, Principal
from nxt_entrypoints.http.guards import Gate
from nxt_entrypoints.http.routes import Guard, Route, route

USER_OR_KEY = Guard.USER_OR_KEY


async def whoami(caller: Principal | None) -> dict[str, object]:
    if caller is None:
        return {"kind": None}
    return {"kind": caller.kind, "account_id": caller.account_id, "is_admin_org": caller.is_admin_org}


def declare(method: str, path: str, **options: Any) -> Route:
    options.setdefault("guard", USER_OR_KEY)
    options.setdefault("access", ANY_LOGIN)
    return route(method, path, summary="", tags=(), **options)(whoami)


ROUTES = [
    declare("GET", "/me"),
    declare("POST", "/orders"),
    declare("GET", "/orders"),
    declare("POST", "/orders/find", changes=False),
    declare("POST", "/grids"),
    declare("POST", "/live", live=True),
    declare("POST", "/ingress", ingress=True, access=KEYS),
    declare("POST", "/inner", guard=Guard.INTERNAL),
    declare("GET", "/readings", guard=Guard.DATA_KEY),
    declare("GET", "/access/admin", access=ADMIN_ONLY),
    declare("GET", "/access/keys", access=KEYS),
    declare("GET", "/access/staff", access=STAFF),
    declare("GET", "/access/people", access=PEOPLE),
    declare("GET", "/access/login", access=ANY_LOGIN),
]


@pytest.fixture
async def client(serve: Serve) -> Any:
    return await serve(ROUTES)


async def refusal(response: Any) -> dict[str, Any]:
    body: dict[str, Any] = await response.json()
    body.pop("requestId")
    return body


async def test_no_credential_is_unauthorized_without_reason_phrase(client: Any) -> None:
    """[API-18] [API-43] [R40]"""
    for headers in ({}, {"X-API-KEY": ""}, {"Authorization": "Basic abc"}, {"Authorization": "Bearer"}):
        response = await client.get("/me", headers=headers)
        assert response.status == 401
        assert await refusal(response) == {"statusCode": 401, "message": "Unauthorized", "code": "UNAUTHENTICATED"}
    assert (await client.get("/me?access_token=x&apiKey=y")).status == 401


async def test_a_bad_token_is_told_so(client: Any) -> None:
    """[API-18] [API-44]"""
    response = await client.get("/me", headers={"Authorization": "Bearer nonsense"})
    assert await refusal(response) == {
        "statusCode": 401,
        "message": "Invalid or expired token",
        "error": "Unauthorized",
        "code": "UNAUTHENTICATED",
    }


async def test_the_bearer_token_alone_decides(client: Any, world: IdentityWorld) -> None:
    """[API-43] A bad token is 401 even beside a good key; a malformed header leaves the word to the key."""
    key = await world.api_key(ADMIN)
    both = {**world.bearer(MEMBER), "X-API-KEY": key}
    assert (await (await client.get("/me", headers=both)).json())["account_id"] == MEMBER.id
    bad = await client.get("/me", headers={"Authorization": "bEaReR nonsense", "x-api-key": key})
    assert bad.status == 401
    for malformed in ("Bearer", "Bearer a b", "Bearer  two", "Basic abc", "nonsense"):
        by_key = await client.get("/me", headers={"Authorization": malformed, "x-api-key": key})
        assert (await by_key.json())["kind"] == "key", malformed


@pytest.mark.parametrize(
    ("claims", "text"),
    [
        ({"subject": None}, "No UID in token"),
        ({"account_id": None}, "This auth.user does not have a corresponding account"),
        ({"account_id": 999}, "No account for this user"),
        ({"subject": AGENT.supabase_id}, "No account for this user"),
    ],
)
async def test_each_reason_has_its_text(client: Any, world: IdentityWorld, claims: dict[str, Any], text: str) -> None:
    """[API-45] [API-46]"""
    response = await client.get("/me", headers=world.bearer(MEMBER, **claims))
    assert (response.status, (await refusal(response))["message"]) == (401, text)


async def test_a_deleted_account_or_organization_is_no_account(client: Any, world: IdentityWorld) -> None:
    """[API-46] [API-182]"""
    headers = world.bearer(MEMBER)
    world.accounts.put(attrs.evolve(MEMBER, is_closed=True))
    response = await client.get("/me", headers=headers)
    assert (await refusal(response))["message"] == "No account for this user"


MATRIX = {
    "/access/admin": {"admin"},
    "/access/keys": {"admin", "key"},
    "/access/staff": {"admin", "key", "member"},
    "/access/people": {"admin", "key", "member", "agent", "customer"},
    "/access/login": {"admin", "key", "member", "agent", "customer", "nobody"},
}


@pytest.mark.parametrize("path", MATRIX)
async def test_the_access_matrix(client: Any, world: IdentityWorld, path: str) -> None:
    """[API-48] [API-63] [API-68] [R39] 403 for the caller's kind, 401 only without credential."""
    callers: dict[str, dict[str, str]] = {
        "admin": world.bearer(ADMIN),
        "member": world.bearer(MEMBER),
        "agent": world.bearer(AGENT),
        "customer": world.bearer(CUSTOMER),
        "nobody": world.bearer(NOBODY),
        "key": {"X-API-KEY": await world.api_key(MEMBER)},
    }
    answers = {name: await client.get(path, headers=headers) for name, headers in callers.items()}
    assert {name for name, answer in answers.items() if answer.status == 200} == MATRIX[path]
    for name, answer in answers.items():
        if name not in MATRIX[path]:
            assert await refusal(answer) == {
                "statusCode": 403,
                "message": "You do not have access to this resource",
                "error": "Forbidden",
                "code": "FORBIDDEN",
            }
    assert (await client.get(path)).status == 401


async def test_lenders_and_aggregators_change_nothing(client: Any, world: IdentityWorld) -> None:
    """[R39] Neither by token nor by key; what only reads is theirs."""
    for headers in (world.bearer(LENDER), {"X-API-KEY": await world.api_key(LENDER)}):
        assert (await client.post("/orders", headers=headers)).status == 403
        assert (await client.get("/orders", headers=headers)).status == 200
        assert (await client.post("/orders/find", headers=headers)).status == 201


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        (None, {"POST /orders", "GET /orders", "POST /orders/find", "POST /grids"}),
        ([], set()),
        (["orders:read"], {"GET /orders", "POST /orders/find"}),
        (["orders:write"], {"GET /orders", "POST /orders", "POST /orders/find"}),
        (["grids:write", "orders:read"], {"POST /grids", "GET /orders", "POST /orders/find"}),
    ],
)
async def test_scopes_of_a_key(client: Any, world: IdentityWorld, scopes: list[str] | None, allowed: set[str]) -> None:
    """[R42]"""
    headers = {"X-API-KEY": await world.api_key(MEMBER, scopes=scopes)}
    found = set()
    for name in ("POST /orders", "GET /orders", "POST /orders/find", "POST /grids"):
        method, path = name.split()
        response = await client.request(method, path, headers=headers)
        assert response.status in {200, 201, 403}
        found |= {name} if response.status < 400 else set()
    assert found == allowed


async def test_a_live_route_confirms_the_session_of_a_user(client: Any, world: IdentityWorld) -> None:
    """[API-49]"""
    headers = world.bearer(MEMBER)
    assert (await client.post("/live", headers=headers)).status == 201
    world.sessions.end("token-of-2")
    gone = await client.post("/live", headers=headers)
    assert (gone.status, (await refusal(gone))["message"]) == (
        401,
        "Session from session_id claim in JWT does not exist",
    )
    world.sessions.is_away = True
    assert (await client.post("/live", headers=headers)).status == 503
    asked = world.sessions.asked
    assert (await client.post("/live", headers={"X-API-KEY": await world.api_key(MEMBER)})).status == 201
    assert world.sessions.asked == asked


async def test_the_network_servers_key_opens_only_its_route(client: Any, world: IdentityWorld) -> None:
    """[API-59] [API-68] [DM-107] Beside ordinary keys and the platform's own users; a bearer token still decides."""
    headers = {"X-API-KEY": INGRESS_KEY}
    assert await (await client.post("/ingress", headers=headers)).json() == {"kind": None}
    assert (await client.get("/me", headers=headers)).status == 401
    assert (await client.post("/ingress", headers={"X-API-KEY": INGRESS_KEY + "x"})).status == 401
    assert (await client.post("/ingress", headers={"X-API-KEY": await world.api_key(MEMBER)})).status == 201
    assert (await client.post("/ingress", headers=world.bearer(ADMIN))).status == 201
    assert (await client.post("/ingress", headers=world.bearer(MEMBER))).status == 403
    assert (await client.post("/ingress", headers={**headers, "Authorization": "Bearer nonsense"})).status == 401


async def test_the_inner_roles_take_the_inner_key_or_an_operators(client: Any, world: IdentityWorld) -> None:
    """[API-57] [API-71]"""
    assert await (await client.post("/inner", headers={"X-API-KEY": INTERNAL_KEY})).json() == {"kind": None}
    operator = await client.post("/inner", headers={"X-API-KEY": await world.api_key(ADMIN)})
    assert (await operator.json())["account_id"] == ADMIN.id
    refused: list[dict[str, str]] = [
        {},
        {"X-API-KEY": "wrong"},
        {"X-API-KEY": await world.api_key(MEMBER)},
        world.bearer(ADMIN),
        {"Authorization": f"Bearer {INTERNAL_KEY}"},
    ]
    for headers in refused:
        response = await client.post("/inner", headers=headers)
        assert await refusal(response) == {"statusCode": 401, "message": "Unauthorized", "code": "UNAUTHENTICATED"}


async def test_the_inner_key_is_no_credential_of_the_api_role(client: Any) -> None:
    """[R39]"""
    assert (await client.get("/me", headers={"X-API-KEY": INTERNAL_KEY})).status == 401


async def test_data_keys_come_as_bearer_tokens(client: Any, world: IdentityWorld) -> None:
    """[API-56]"""
    key = await world.api_key(MEMBER)
    assert (await client.get("/readings", headers={"Authorization": f"Bearer {key}"})).status == 200
    cases = [
        ({}, "Missing or malformed Authorization header"),
        ({"X-API-KEY": key}, "Missing or malformed Authorization header"),
        ({"Authorization": f"bearer {key}"}, "Missing or malformed Authorization header"),
        ({"Authorization": "Bearer "}, "Missing or malformed Authorization header"),
        ({"Authorization": "Bearer wrong"}, "Invalid API key"),
    ]
    for headers, text in cases:
        response = await client.get("/readings", headers=headers)
        assert (response.status, (await refusal(response))["message"]) == (401, text)


async def test_while_the_key_store_is_away_known_keys_go_on(client: Any, world: IdentityWorld) -> None:
    """[API-55] [API-56] Data keys answer 401 as they always did; elsewhere nobody is signed out."""
    known, fresh = await world.api_key(MEMBER), await world.api_key(MEMBER)
    assert (await client.get("/me", headers={"X-API-KEY": known})).status == 200
    world.keys.is_away = True
    assert (await client.get("/me", headers={"X-API-KEY": known})).status == 200
    assert (await client.get("/readings", headers={"Authorization": f"Bearer {known}"})).status == 200
    assert (await client.get("/me", headers={"X-API-KEY": fresh})).status == 503
    away = await client.get("/readings", headers={"Authorization": f"Bearer {fresh}"})
    assert (away.status, (await refusal(away))["message"]) == (401, "Unable to verify API key")


async def life_of(client: Any, key: str) -> int:
    return int((await client.get("/me", headers={"X-API-KEY": key})).status)


async def test_the_life_of_a_key(client: Any, world: IdentityWorld) -> None:
    """[API-51] [API-55] [R42] Locked, expired or revoked: refused within 60 s, with one text for all reasons."""
    key = await world.api_key(MEMBER)
    key_id = (await world.keys.list())[0].id
    assert await life_of(client, key) == 200
    await world.keys.set_locked(key_id, locked=True)
    world.clock.advance(timedelta(seconds=60))
    refused = await client.get("/me", headers={"X-API-KEY": key})
    assert (await refusal(refused))["message"] == "The API key used does not have a corresponding account"
    await world.keys.set_locked(key_id, locked=False)
    assert await life_of(client, key) == 200
    await world.keys.revoke(key_id, at=world.clock.now())
    world.clock.advance(timedelta(seconds=60))
    assert await life_of(client, key) == 401


@pytest.mark.parametrize(
    "owner",
    [
        attrs.evolve(MEMBER, is_closed=True),
        attrs.evolve(MEMBER, organization_id=None),
        attrs.evolve(AGENT, id=MEMBER.id),
        attrs.evolve(CUSTOMER, id=MEMBER.id),
        attrs.evolve(NOBODY, id=MEMBER.id),
    ],
)
async def test_a_key_counts_only_while_its_owner_may_have_one(
    client: Any, world: IdentityWorld, owner: Account
) -> None:
    """[API-51] [API-52]"""
    key = await world.api_key(MEMBER)
    assert await life_of(client, key) == 200
    world.accounts.put(owner)
    world.clock.advance(timedelta(seconds=60))
    assert await life_of(client, key) == 401


async def test_plain_keys_count_until_a_deployment_says_no(client: Any, world: IdentityWorld, serve: Serve) -> None:
    """[API-53] [API-54] Exactly, in case too; hashing them changes nothing for their holders."""
    world.keys.put_plaintext(MEMBER.id, "Old-Key-1")
    assert await life_of(client, "Old-Key-1") == 200
    assert await life_of(client, "old-key-1") == 401
    assert await world.keys.hash_plaintext() == 1
    world.clock.advance(timedelta(seconds=60))
    assert await life_of(client, "Old-Key-1") == 200


@pytest.mark.parametrize("key", ["x" * 10_000, "ключ", "a\tb"])
async def test_a_key_that_can_be_none_is_not_looked_up(client: Any, world: IdentityWorld, key: str) -> None:
    """[API-51]"""
    world.keys.is_away = True  # a look-up would be 503
    response = await client.get("/me", headers={"X-API-KEY": key[:7000]})
    assert response.status == 401


async def test_a_gate_that_is_not_wired_is_a_defect_not_an_open_door(serve: Serve) -> None:
    client = await serve(ROUTES, gate=Gate())
    assert (await client.get("/me", headers={"X-API-KEY": "x"})).status == 500
    assert (await client.post("/inner", headers={"X-API-KEY": "x"})).status == 500
