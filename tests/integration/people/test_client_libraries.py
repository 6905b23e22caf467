"""Supabase's own client libraries sign in against the stand-in, and the API accepts their tokens."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import attrs
import pytest
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import create_async_engine
from supabase import AsyncClient, AsyncClientOptions, AuthApiError, acreate_client
from tests.support.databases import Unobtainable
from tests.support.people_world import ADA, SUNNY, UMUOKE, invitation
from tests.support.supabase_js import SupabaseJs, supabase_js
from tests.support.wired import api_of, wired

from nxt_adapters.supabase.engine import psycopg_url
from nxt_adapters.supabase.tables import grids, organizations
from nxt_domain.identity.model import MemberType
from nxt_entrypoints.demo.environment import new_secrets
from nxt_entrypoints.simulators.process import Simulators, SimulatorsConfig
from nxt_entrypoints.simulators.supabase.sessions import project_key
from nxt_entrypoints.simulators.supabase.simulator import SupabaseConfig

EMAIL, PASSWORD, NEW_PASSWORD = "bola@sunny.example", "correct horse", "battery staple"
PHONE = "+2348031234567"


@attrs.frozen
class Project:
    """A Supabase project with the API role before the same database."""

    url: str
    anon: str
    service: str
    api: Any
    container: Any
    http: aiohttp.ClientSession

    async def me(self, token: str, *, live: bool = False) -> int:
        """Ask the API as the bearer of a token; return the status."""
        headers = {"Authorization": f"Bearer {token}"}
        if live:  # the session is confirmed before the body is judged
            return int((await self.api.post("/user-admin/create-agent", json={}, headers=headers)).status)
        return int((await self.api.get("/grids", headers=headers)).status)

    async def message(self, to: str, kind: str) -> dict[str, str]:
        """Return the newest message of a kind."""
        async with self.http.get(f"{self.url}/messages", params={"to": to}) as answer:
            sent = [message for message in await answer.json() if message["kind"] == kind]
        return dict(sent[-1])


@pytest.fixture
async def project(relational_url: str) -> AsyncIterator[Project]:
    """With an invited member, as user administration makes one, who has not signed in yet."""
    secrets = new_secrets()
    keys = {role: project_key(secrets.jwt_secret, role) for role in ("anon", "service_role")}
    owner = create_async_engine(psycopg_url(relational_url))
    async with owner.begin() as connection:
        await connection.execute(insert(organizations).values(id=SUNNY, name="Sunny Grids"))
        await connection.execute(insert(grids).values(id=UMUOKE, name="Umuoke", organization_id=SUNNY))
        await connection.exec_driver_sql("insert into accounts (id, full_name) values (9001, 'Ada')")
    await owner.dispose()
    config = SupabaseConfig(
        jwt_secret=secrets.jwt_secret,
        anon_key=keys["anon"],
        service_role_key=keys["service_role"],
        relational_url=relational_url,
    )
    async with AsyncExitStack() as stack:
        sims = await stack.enter_async_context(Simulators(SimulatorsConfig(supabase=config)))
        url = sims.urls["supabase"]
        container = await stack.enter_async_context(wired(secrets, relational_url=relational_url, supabase=url))
        api = await stack.enter_async_context(TestClient(TestServer(api_of(container))))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        member = invitation(member_type=MemberType.DEVELOPER, redirect_to="https://app.example/account/verify")
        await container.people().services().invite_member(ADA, member)
        yield Project(url, keys["anon"], keys["service_role"], api, container, http)
        await container.identity_provider().close()


@pytest.fixture
async def js() -> AsyncIterator[SupabaseJs]:
    try:
        async with supabase_js() as library:
            yield library
    except Unobtainable as reason:
        pytest.skip(str(reason))


async def test_supabase_js_from_the_invitation_to_the_sign_out(project: Project, js: SupabaseJs) -> None:
    """[API-172] [API-178] [API-179] [API-49] Verify the invitation, set a password, sign in, refresh, sign out."""
    await js.open("new", project.url, project.anon)
    mail = await project.message(EMAIL, "invite")
    session = (await js.call("new", "auth.verifyOtp", {"token_hash": mail["token_hash"], "type": "invite"}))["session"]
    assert await project.me(session["access_token"]) == 200
    await js.call("new", "auth.updateUser", {"password": PASSWORD, "data": {"full_name": "Bola A."}})

    await js.open("desk", project.url, project.anon)
    credentials = {"email": EMAIL, "password": PASSWORD}
    first = (await js.call("desk", "auth.signInWithPassword", credentials))["session"]
    assert first["user"]["user_metadata"]["full_name"] == "Bola A."
    assert await project.me(first["access_token"]) == 200
    assert (await js.call("desk", "auth.getUser"))["user"]["email"] == EMAIL
    second = (await js.call("desk", "auth.refreshSession"))["session"]
    assert second["refresh_token"] != first["refresh_token"]
    assert await project.me(second["access_token"], live=True) == 400
    await js.call("desk", "auth.signOut")
    assert await project.me(second["access_token"], live=True) == 401
    assert await js.refusal("desk", "auth.signInWithPassword", {**credentials, "password": "wrong"}) == (
        400,
        "invalid_credentials",
    )
    assert (await js.refusal("desk", "auth.signUp", {"email": "x@x.example", "password": PASSWORD}))[0] == 422


async def test_supabase_js_resets_a_password_by_mail(project: Project, js: SupabaseJs) -> None:
    """[API-179] The mail's link signs in; the new password counts, the old one does not."""
    await js.open("desk", project.url, project.anon)
    target = "https://app.example/account/reset-password"
    await js.call("desk", "auth.resetPasswordForEmail", EMAIL, {"redirectTo": target})
    link = (await project.message(EMAIL, "recovery"))["link"]
    async with project.http.get(link, allow_redirects=False) as answer:
        assert answer.status == 303
        landed = answer.headers["Location"]
    assert landed.startswith(target + "#")
    tokens = dict(re.findall(r"(access_token|refresh_token|type)=([^&]+)", landed))
    assert tokens.pop("type") == "recovery"
    await js.call("desk", "auth.setSession", tokens)
    await js.call("desk", "auth.updateUser", {"password": NEW_PASSWORD})
    await js.open("again", project.url, project.anon)
    await js.call("again", "auth.signInWithPassword", {"email": EMAIL, "password": NEW_PASSWORD})
    async with project.http.get(link, allow_redirects=False) as answer:
        assert "error_code=otp_expired" in answer.headers["Location"]
    await js.call("desk", "auth.resetPasswordForEmail", "nobody@sunny.example")


async def test_supabase_js_signs_in_by_text_message(project: Project, js: SupabaseJs) -> None:
    """[API-178] A code by SMS for those who have a login; strangers get none."""
    agent = await project.api.post(
        "/user-admin/create-agent",
        json={"full_name": "Chidi", "phone": PHONE, "grid_id": UMUOKE},
        headers={"Authorization": f"Bearer {await invited_token(project)}"},
    )
    assert agent.status == 201
    await js.open("phone", project.url, project.anon)
    options = {"shouldCreateUser": False}
    await js.call("phone", "auth.signInWithOtp", {"phone": PHONE, "options": options})
    code = (await project.message(PHONE, "sms"))["code"]
    wrong = {"phone": PHONE, "token": "000000" if code != "000000" else "111111", "type": "sms"}
    assert await js.refusal("phone", "auth.verifyOtp", wrong) == (403, "otp_expired")
    session = (await js.call("phone", "auth.verifyOtp", {"phone": PHONE, "token": code, "type": "sms"}))["session"]
    assert session["user"]["app_metadata"]["account_type"] == "AGENT"
    assert await project.me(session["access_token"]) == 403
    stranger = {"phone": "+2348031234568", "options": options}
    assert await js.refusal("phone", "auth.signInWithOtp", stranger) == (422, "otp_disabled")


async def test_supabase_js_administers_logins(project: Project, js: SupabaseJs) -> None:
    """[API-168] [API-177] The service role's side: list, make, change with merged metadata, ban, link, delete."""
    await js.open("admin", project.url, project.service)
    users = await js.call("admin", "auth.admin.listUsers", {"page": 1, "perPage": 1})
    assert (users["total"], [user["email"] for user in users["users"]]) == (1, [EMAIL])
    wish = {"email": "x@sunny.example", "password": PASSWORD, "email_confirm": True, "app_metadata": {"a": 1, "b": 1}}
    made = (await js.call("admin", "auth.admin.createUser", wish))["user"]
    changed = await js.call("admin", "auth.admin.updateUserById", made["id"], {"app_metadata": {"b": 2}})
    assert {"a": 1, "b": 2}.items() <= changed["user"]["app_metadata"].items()
    link = await js.call("admin", "auth.admin.generateLink", {"type": "magiclink", "email": "x@sunny.example"})
    assert link["properties"]["action_link"].startswith(f"{project.url}/auth/v1/verify")
    await js.call("admin", "auth.admin.updateUserById", made["id"], {"ban_duration": "876000h"})
    await js.open("banned", project.url, project.anon)
    credentials = {"email": "x@sunny.example", "password": PASSWORD}
    assert await js.refusal("banned", "auth.signInWithPassword", credentials) == (400, "user_banned")
    assert await js.refusal("admin", "auth.admin.createUser", wish) == (422, "email_exists")
    await js.open("nosy", project.url, project.anon)
    assert await js.refusal("nosy", "auth.admin.listUsers") == (403, "not_admin")


async def test_supabase_py_signs_in_refreshes_and_signs_out(project: Project) -> None:
    """[API-178] [API-179] [API-49] The same from Python, whose links end in a code that is exchanged (PKCE)."""
    await set_password(project)
    client = await python_client(project, project.anon)
    signed = await client.auth.sign_in_with_password({"email": EMAIL, "password": PASSWORD})
    assert signed.session is not None
    assert await project.me(signed.session.access_token) == 200
    fresh = (await client.auth.refresh_session()).session
    assert fresh is not None
    assert fresh.refresh_token != signed.session.refresh_token
    assert (await client.auth.get_user()).user.email == EMAIL  # type: ignore[union-attr]  # signed in
    await client.auth.sign_out()
    assert await project.me(fresh.access_token, live=True) == 401
    with pytest.raises(AuthApiError, match="Invalid login credentials"):
        await client.auth.sign_in_with_password({"email": EMAIL, "password": "wrong"})


async def test_supabase_py_resets_a_password(project: Project) -> None:
    """[API-179]"""
    client = await python_client(project, project.anon)
    await client.auth.reset_password_for_email(EMAIL, {"redirect_to": "https://app.example/reset"})
    async with project.http.get((await project.message(EMAIL, "recovery"))["link"], allow_redirects=False) as answer:
        landed = answer.headers["Location"]
    code = re.search(r"\?code=([^&]+)$", landed)
    assert code is not None
    exchanged = await client.auth.exchange_code_for_session({"auth_code": code[1]})  # type: ignore[typeddict-item]  # the verifier is kept by the client
    assert exchanged.session is not None
    await client.auth.update_user({"password": NEW_PASSWORD})
    again = await python_client(project, project.anon)
    assert (await again.auth.sign_in_with_password({"email": EMAIL, "password": NEW_PASSWORD})).session is not None


async def test_supabase_py_administers_logins(project: Project) -> None:
    """[API-177] The service role from Python."""
    admin = (await python_client(project, project.service)).auth.admin
    made = await admin.create_user({"phone": PHONE, "phone_confirm": True, "user_metadata": {"full_name": "X"}})
    assert {user.id for user in await admin.list_users()} >= {made.user.id}
    assert (await admin.get_user_by_id(made.user.id)).user.phone == PHONE.lstrip("+")
    changed = await admin.update_user_by_id(made.user.id, {"user_metadata": {"note": "y"}})
    assert changed.user.user_metadata == {"full_name": "X", "note": "y"}
    invited = await admin.invite_user_by_email("z@sunny.example")
    assert invited.user.email == "z@sunny.example"


async def python_client(project: Project, key: str) -> AsyncClient:
    return await acreate_client(project.url, key, AsyncClientOptions(auto_refresh_token=False, persist_session=False))


async def set_password(project: Project) -> None:
    provider = project.container.identity_provider()
    login = await provider.find(email=EMAIL)
    await project.http.put(
        f"{project.url}/auth/v1/admin/users/{login.id}",
        json={"password": PASSWORD, "email_confirm": True},
        headers={"apikey": project.service, "Authorization": f"Bearer {project.service}"},
    )


async def invited_token(project: Project) -> str:
    await set_password(project)
    body = {"email": EMAIL, "password": PASSWORD}
    url = f"{project.url}/auth/v1/token?grant_type=password"
    async with project.http.post(url, json=body, headers={"apikey": project.anon}) as answer:
        return str((await answer.json())["access_token"])


async def test_own_changes_reach_the_account(project: Project, js: SupabaseJs) -> None:
    """[API-180] [API-169] The name at once, the phone by code, the e-mail when both addresses have confirmed."""
    await set_password(project)
    await js.open("desk", project.url, project.anon)
    await js.call("desk", "auth.signInWithPassword", {"email": EMAIL, "password": PASSWORD})

    async def account() -> tuple[str | None, str | None, str | None]:
        async with project.container.unit_of_work() as tx:
            (holder,) = await tx.accounts.holders(email="new@sunny.example", phone=None) or await tx.accounts.holders(
                email=EMAIL, phone=None
            )
            return holder.person.full_name, holder.email, holder.phone

    wish = {"email": "new@sunny.example", "phone": PHONE, "data": {"full_name": "Bola B."}}
    await js.call("desk", "auth.updateUser", wish)
    assert await account() == ("Bola B.", EMAIL, None)
    code = (await project.message(PHONE, "phone_change"))["code"]
    await js.call("desk", "auth.verifyOtp", {"phone": PHONE, "token": code, "type": "phone_change"})
    for to, kind in ((EMAIL, "email_change_current"), ("new@sunny.example", "email_change")):
        assert (await account())[1] == EMAIL
        async with project.http.get((await project.message(to, kind))["link"], allow_redirects=False) as answer:
            assert answer.status == 303
    assert await account() == ("Bola B.", "new@sunny.example", PHONE.lstrip("+"))
    taken = {"email": "new@sunny.example"}
    assert (await js.call("desk", "auth.updateUser", taken))["user"]["email"] == "new@sunny.example"
