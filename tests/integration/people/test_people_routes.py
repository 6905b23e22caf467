"""User administration over HTTP, as dashboards send it, on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest
from aiohttp.test_utils import TestClient, TestServer
from tests.support.http_roles import Services, application, refusal
from tests.support.identity_world import ADMIN, AGENT, CUSTOMER, LENDER, MEMBER, NOBODY, IdentityWorld
from tests.support.people_world import CALLER, ELSEWHERE, SECOND_CALLER, SUNNY, THIRD_CALLER, UMUOKE, PostgresPeople

from nxt_domain.identity.model import MemberType
from nxt_domain.shared.errors import TooManyRequests, Unavailable, UpstreamFailed

ROOT = attrs.evolve(ADMIN, id=CALLER)
BOSS = attrs.evolve(MEMBER, id=SECOND_CALLER, full_name="Ada", member_type=MemberType.FINANCE)
STRANGER = attrs.evolve(BOSS, id=THIRD_CALLER, organization_id=8)
PHONE = "+2348031234567"
INVITATION = {
    "email": "bola@sunny.example",
    "full_name": " Bola ",
    "organization_id": SUNNY,
    "member_type": "TECH",
    "redirectTo": "https://app.example/account/verify",
}
CUSTOMER_BODY = {
    "full_name": "Dayo",
    "grid_id": UMUOKE,
    "is_hidden_from_reporting": False,
    "latitude": "9.1",
    "longitude": 7.2,
    "gender": "FEMALE",
}
ROUTES = {
    "invite-member": INVITATION,
    "update-member": {
        "id": 1,
        "full_name": "B",
        "member_type": "TECH",
        "training_level": 0,
        "hidden": False,
        "subscribed_to_telegram_revenue_notifications": False,
    },
    "create-agent": {"full_name": "Chidi", "phone": PHONE, "grid_id": UMUOKE},
    "update-agent": {"id": 1, "full_name": "Chidi", "phone": PHONE},
    "create-customer": CUSTOMER_BODY,
    "update-customer": {"id": 1, "full_name": "Dayo", "is_hidden_from_reporting": True},
}


class Api:
    """The application over a database, with callers of every kind."""

    def __init__(self, people: PostgresPeople, client: Any, callers: IdentityWorld, services: Any) -> None:
        self.people, self.client, self.callers, self.services = people, client, callers, services

    async def post(self, name: str, body: object, caller: Any = BOSS) -> Any:
        self.callers.accounts.put(caller)
        return await self.client.post(f"/user-admin/{name}", json=body, headers=self.callers.bearer(caller))

    async def delete(self, path: str, caller: Any = BOSS) -> Any:
        self.callers.accounts.put(caller)
        return await self.client.delete(f"/user-admin/{path}", headers=self.callers.bearer(caller))


@pytest.fixture
async def api(relational_url: str) -> AsyncIterator[Api]:
    people = PostgresPeople(relational_url)
    await people.found()
    services: Any = Services()
    services.people = people.services
    callers = IdentityWorld()
    async with TestClient(TestServer(application("api", services, callers))) as client:
        yield Api(people, client, callers, services)
    await people.close()


async def test_people_are_made_changed_and_deleted(api: Api) -> None:
    """[API-75] [API-76] [API-77] [API-79] [API-80] [API-81] [API-12] The answers, field by field."""
    answer = await api.post("invite-member", INVITATION)
    member = await answer.json()
    assert answer.status == 201
    assert member | {"id": 0, "created_at": "", "account_id": 0} == {
        "id": 0,
        "created_at": "",
        "subscribed_to_telegram_revenue_notifications": False,
        "member_type": "TECH",
        "account_id": 0,
        "busy_commissioning_id": None,
        "training_level": 0,
        "rls_organization_id": SUNNY,
        "hidden": False,
    }
    answer = await api.post(
        "update-member", ROUTES["update-member"] | {"id": member["id"], "busy_commissioning_id": UMUOKE}
    )
    changed = await answer.json()
    assert answer.status == 201
    assert set(changed["account"]) == {"id", "supabase_id", "organization_id"}
    agent = await (await api.post("create-agent", ROUTES["create-agent"])).json()
    assert set(agent) == {"id", "created_at", "grid_id", "account_id", "rls_organization_id"}
    customer = await (await api.post("create-customer", CUSTOMER_BODY)).json()
    assert (customer["latitude"], customer["longitude"], customer["gender"]) == (9.1, 7.2, "FEMALE")
    assert (customer["total_connection_fee"], customer["total_connection_paid"]) == (0, 0)
    assert set(customer["account"]) == {
        "id", "created_at", "full_name", "email", "phone", "telegram_id", "telegram_link_token", "deleted_at",
        "supabase_id", "organization_id",
    }  # fmt: skip
    cleared = {"id": customer["id"], "full_name": "Dayo", "is_hidden_from_reporting": True, "latitude": None}
    answer = await api.post("update-customer", cleared)
    assert (answer.status, (await answer.json())["grid_id"]) == (201, UMUOKE)
    for path, kind, name in (
        (f"MEMBER/{member['id']}", "MEMBER", "B"),
        (f"agent/{agent['id']}/", "AGENT", "Chidi"),
        (f"Customer/{customer['id']}", "CUSTOMER", "Dayo"),
    ):
        answer = await api.delete(path)
        assert (answer.status, await answer.json()) == (200, {"accountType": kind, "full_name": name, "deleted": True})


async def test_all_texts_of_a_wrong_body_come_together(api: Api) -> None:
    """[API-22] [API-24] [API-31] Missing, wrong and blank fields; nothing is asked of the provider."""
    wrong = {"email": "x", "full_name": "   ", "organization_id": "7", "member_type": "KING"}
    status, texts = await refusal(await api.post("invite-member", wrong))
    roles = "SUPERADMIN, ADMIN, PARTNER, FINANCE, DEVELOPER, MANAGER, SUPPORT, SERVICE, SALES, TECH"
    assert status == 400
    assert {
        "email must be an email",
        "full_name should not be empty",
        "organization_id must be a number conforming to the specified constraints",
        f"member_type must be one of the following values: {roles}",
    } <= set(texts)
    for phone in ("2348031234567", "08031234567", "+234123", "", 5):
        body = ROUTES["create-agent"] | {"phone": phone}
        status, texts = await refusal(await api.post("create-agent", body))
        assert (status, "phone must be a valid phone number" in texts) == (400, True)
    half = {name: value for name, value in CUSTOMER_BODY.items() if name != "latitude"}
    status, text = await refusal(await api.post("create-customer", half))
    assert (status, text) == (400, "latitude and longitude must be given together")
    status, texts = await refusal(await api.post("create-customer", CUSTOMER_BODY | {"latitude": 91}))
    assert texts == ["latitude must be a latitude string or number"]
    assert api.people.provider.calls == []


@pytest.mark.parametrize("name", ROUTES)
async def test_the_callers_kind_is_judged_before_any_row(api: Api, name: str) -> None:
    """[API-68] [API-48] [R39] Agents, customers, lenders and logins without a role: 403, whatever they ask."""
    for caller in (AGENT, CUSTOMER, LENDER, NOBODY):
        assert await refusal(await api.post(name, {}, caller)) == (403, "You do not have access to this resource")
    assert (await api.client.post(f"/user-admin/{name}", json={})).status == 401


async def test_a_session_that_ended_does_nothing(api: Api) -> None:
    """[API-49] [API-75] The live check comes before any effect."""
    api.callers.sessions.end(api.callers.token(BOSS))
    for name, body in ROUTES.items():
        assert (await api.post(name, body)).status == 401
    assert (await api.delete("agent/1")).status == 401
    assert await api.people.account_ids() == []


async def test_foreign_people_are_unknown(api: Api) -> None:
    """[R39] [API-64] A neighbour's admin gets the 404 of an id that never was, to the letter."""
    agent = await (await api.post("create-agent", ROUTES["create-agent"])).json()
    body = ROUTES["update-agent"] | {"id": agent["id"]}
    assert await refusal(await api.post("update-agent", body, STRANGER)) == (404, f"Agent {agent['id']} not found")
    assert await refusal(await api.post("update-agent", body | {"id": 999})) == (404, "Agent 999 not found")
    assert await refusal(await api.delete(f"agent/{agent['id']}", STRANGER)) == (404, f"Agent {agent['id']} not found")
    wanted = ROUTES["create-agent"] | {"grid_id": ELSEWHERE, "phone": "+2348031234568"}
    assert await refusal(await api.post("create-agent", wanted)) == (404, f"Grid {ELSEWHERE} not found")
    assert (await api.post("update-agent", body, ROOT)).status == 201


async def test_the_providers_errors_have_their_statuses(api: Api) -> None:
    """[API-74] [API-16] 422, 429, 502 and 503; never 401, which would sign the caller out."""
    assert (await api.post("create-agent", ROUTES["create-agent"])).status == 201
    taken = await api.post("create-agent", ROUTES["create-agent"])
    assert await refusal(taken) == (422, "Phone number already registered by another user")
    for error, status in (
        (UpstreamFailed("The identity provider refuses this system's credential or call"), 502),
        (Unavailable("The identity provider can't be reached"), 503),
        (TooManyRequests(), 429),
    ):
        api.people.provider.refusals = {"create": error}
        assert (await api.post("create-customer", CUSTOMER_BODY)).status == status
    ceiling = await api.post("invite-member", INVITATION | {"member_type": "SUPERADMIN"})
    assert await refusal(ceiling) == (403, "You can't assign the role SUPERADMIN")


async def test_chat_users_are_linked_once_and_found(api: Api) -> None:
    """[API-115] [API-116] [API-181] [REL-35] [PAY-101] Link token, conflicts, wallet; the token works once."""
    admin = api.callers.bearer(ROOT)
    api.callers.accounts.put(ROOT)
    customer = await (await api.post("create-customer", CUSTOMER_BODY)).json()
    agent = await (await api.post("create-agent", ROUTES["create-agent"])).json()
    token = customer["account"]["telegram_link_token"]
    link = {"telegram_id": "tg-1", "telegram_link_token": token}
    answer = await api.client.post("/telegram/link", json=link, headers=admin)
    assert (answer.status, await answer.json()) == (201, {"full_name": "Dayo"})
    again = await api.client.post("/telegram/link", json=link, headers=admin)
    assert await refusal(again) == (404, f"Could not find account with telegram link {token}")
    found = await api.client.get("/telegram/accounts/tg-1", headers=admin)
    assert await refusal(found) == (422, "This account has no related member/agent/customer with a wallet")
    unknown = await api.client.get("/telegram/accounts/tg-9", headers=admin)
    assert await refusal(unknown) == (404, "Could not find account with Telegram ID tg-9")
    await api.people.run("update accounts set telegram_id = null where telegram_id = 'tg-1'")
    await api.people.run(f"update accounts set telegram_link_token = 'T' where id = {agent['account_id']}")
    answer = await api.client.post(
        "/telegram/link", json={"telegram_id": "tg-1", "telegram_link_token": "T"}, headers=admin
    )
    assert answer.status == 201
    purse = await (await api.client.get("/telegram/accounts/tg-1", headers=admin)).json()
    assert (purse["id"], purse["full_name"], purse["wallet"]["balance"]) == (agent["account_id"], "Chidi", 0)
    assert (await api.client.get("/telegram/accounts/tg-1", headers=api.callers.bearer(CUSTOMER))).status == 403


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ("telegram_link_token_expires_at = now() - interval '1 s'", 404),
        ("deleted_at = now()", 404),
        ("telegram_id = 'tg-2'", 409),
    ],
)
async def test_a_link_that_must_not_be(api: Api, change: str, status: int) -> None:
    """[API-115] [REL-35] [REL-144] An expired token, a deleted account: unknown; a linked account: 409."""
    customer = await (await api.post("create-customer", CUSTOMER_BODY)).json()
    await api.people.run(f"update accounts set {change} where id = {customer['account_id']}")
    body = {"telegram_id": "tg-1", "telegram_link_token": customer["account"]["telegram_link_token"]}
    api.callers.accounts.put(ROOT)
    answer = await api.client.post("/telegram/link", json=body, headers=api.callers.bearer(ROOT))
    assert answer.status == status


async def test_the_charting_tool_gets_its_tokens(api: Api) -> None:
    """[API-73] [API-48] Any login may ask, one without a role included."""
    for caller in (BOSS, NOBODY, CUSTOMER):
        api.callers.accounts.put(caller)
        answer = await api.client.get("/auth/grafana-token", headers=api.callers.bearer(caller))
        assert (answer.status, set(await answer.json())) == (200, {"access_token", "refresh_token"})
    assert (await api.client.get("/auth/grafana-token")).status == 401


async def test_without_the_charting_tool_there_is_no_token(api: Api) -> None:
    """[API-73] The integration is off: 404."""
    api.services.people = attrs.evolve(api.people.services, charting_tokens=None)
    api.callers.accounts.put(BOSS)
    answer = await api.client.get("/auth/grafana-token", headers=api.callers.bearer(BOSS))
    assert await refusal(answer) == (404, "Cannot GET /auth/grafana-token")
