"""A deployment that keeps its logins itself: client libraries sign in at the API role."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from aiohttp.test_utils import TestClient, TestServer
from supabase import AsyncClientOptions, acreate_client
from tests.support.databases import Unobtainable
from tests.support.people_world import SUNNY, invitation
from tests.support.supabase_js import supabase_js
from tests.support.wired import api_of

from nxt_adapters.jwt.local_tokens import LocalTokens
from nxt_adapters.jwt.verifier import JwtVerifier
from nxt_adapters.memory.database import MemoryClock, MemoryDatabase
from nxt_adapters.memory.logins import MemoryIdentityProvider
from nxt_adapters.memory.signing import MemorySessionTokens
from nxt_domain.identity.logins import BAN, SESSIONS_END_AT, Login, LoginChange, NewLogin, epoch_ms
from nxt_domain.identity.ports import SessionTokens
from nxt_domain.identity.scope import PLATFORM
from nxt_domain.identity.use_cases.sign_in import ConfirmLocalSession, SignIn
from nxt_domain.shared.audit import Actor, ActorKind
from nxt_domain.shared.errors import InvalidInput, Unauthenticated
from nxt_entrypoints.container import Container
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.roles import Role

SECRET = "a-secret-of-at-least-thirty-two-characters"
EMAIL, PASSWORD = "bola@sunny.example", "correct horse"
CREDENTIALS = {"email": EMAIL, "password": PASSWORD}


@pytest.fixture(params=["memory", "jwt"])
def tokens(request: pytest.FixtureRequest) -> tuple[SessionTokens, MemoryClock]:
    clock = MemoryClock()
    return (MemorySessionTokens(clock) if request.param == "memory" else LocalTokens(SECRET, clock)), clock


async def test_tokens_say_whose_they_are_and_from_when(tokens: tuple[SessionTokens, MemoryClock]) -> None:
    """[R30] Contract of ``SessionTokens``: an access token is no refresh token, and both grow old."""
    made, clock = tokens
    login = await MemoryIdentityProvider(MemoryDatabase(clock)).create(NewLogin(full_name="Bola", email=EMAIL))
    issued = made.issue(login)
    assert issued.expires_at - clock.now() == timedelta(hours=1)
    for stamp in (made.stamp_of(issued.access_token), made.read_refresh(issued.refresh_token)):
        assert (stamp.login_id, stamp.issued_at) == (login.id, clock.now())
    for wrong in (issued.access_token, "nonsense", ""):
        with pytest.raises(Unauthenticated):
            made.read_refresh(wrong)
    with pytest.raises(Unauthenticated):
        made.stamp_of("nonsense")
    clock.advance(timedelta(days=30))
    with pytest.raises(Unauthenticated):
        made.read_refresh(issued.refresh_token)


async def test_the_verifier_takes_access_tokens_alone() -> None:
    """[API-44] [API-45] Made by the same secret, with the claims that authentication reads."""
    clock = MemoryClock()
    provider = MemoryIdentityProvider(MemoryDatabase(clock))
    login = await provider.create(NewLogin(full_name="Bola", email=EMAIL))
    login = await provider.update(login.id, LoginChange(app_metadata={"account_id": 5}))
    issued = LocalTokens(SECRET, clock).issue(login)
    verifier = JwtVerifier(clock=clock, secret=SECRET)
    claims = await verifier.verify(issued.access_token)
    assert (claims.subject, claims.account_id, claims.email, claims.full_name) == (login.id, 5, EMAIL, "Bola")
    with pytest.raises(Unauthenticated):
        await verifier.verify(issued.refresh_token)
    with pytest.raises(Unauthenticated):
        LocalTokens("x" * 40, clock).read_refresh(issued.refresh_token)


def test_a_session_may_begin_within_the_second_of_a_sign_out() -> None:
    """[API-49] Instants of sessions are finer than the whole seconds of JWT's own claims."""
    clock = MemoryClock(datetime(2026, 3, 10, 9, 15, 0, 400_000, tzinfo=UTC))
    tokens = LocalTokens(SECRET, clock)
    login = Login(id="00000000-0000-4000-8000-000000000001")
    before = tokens.issue(login)
    clock.advance(timedelta(milliseconds=100))
    signed_out = attrs.evolve(login, app_metadata={SESSIONS_END_AT: epoch_ms(clock.now())})
    clock.advance(timedelta(milliseconds=100))
    after = tokens.issue(login)
    for session, has_ended in ((before, True), (after, False)):
        assert signed_out.has_ended(tokens.stamp_of(session.access_token).issued_at) is has_ended
        assert signed_out.has_ended(tokens.read_refresh(session.refresh_token).issued_at) is has_ended


async def test_sessions_end_by_sign_out_ban_and_deletion() -> None:
    """[API-49] [API-177] Whoever signed out, was banned or removed has no session, and renews none."""
    clock = MemoryClock()
    provider = MemoryIdentityProvider(MemoryDatabase(clock))
    made = MemorySessionTokens(clock)
    sign_in = SignIn(logins=provider, provider=provider, tokens=made, clock=clock)
    confirm = ConfirmLocalSession(provider=provider, tokens=made, clock=clock).confirm
    login = await provider.create(NewLogin(full_name="Bola", email=EMAIL, password=PASSWORD))
    session = await sign_in.by_password(email=EMAIL, phone=None, password=PASSWORD)
    await confirm(session.access_token)
    await provider.update(login.id, LoginChange(ban=BAN))
    with pytest.raises(Unauthenticated, match="banned"):
        await confirm(session.access_token)
    for renewed in (sign_in.refresh(session.refresh_token), sign_in.by_password(phone=None, **CREDENTIALS)):
        with pytest.raises(InvalidInput, match="User is banned"):
            await renewed
    await provider.update(login.id, LoginChange(ban=timedelta(0), app_metadata={SESSIONS_END_AT: 9_000_000_000_000}))
    with pytest.raises(Unauthenticated):
        await confirm(session.access_token)
    with pytest.raises(InvalidInput, match="Invalid Refresh Token"):
        await sign_in.refresh(session.refresh_token)
    assert await provider.check(email=EMAIL, phone=None, password="wrong") is None


# -- the API role -----------------------------------------------------------------------------------


@pytest.fixture
async def api(relational_url: str) -> AsyncIterator[Any]:
    """The role with local logins, and a member with a password."""
    artifact = {"$schemaVersion": "1", "deployment": {"identity": {"provider": "local"}}}
    variables = {
        "NXT_CONFIG_JSON": json.dumps(artifact),
        "NXT_ENV": "development",
        "NXT_PORT": "1",
        "NXT_DB_URL": relational_url,
        "NXT_TIMESCALE_DB_URL": "postgresql://nxt:unused@127.0.0.1:1/series",
        "HERMES_URL": "redis://127.0.0.1:1",
        "SUPABASE_API_URL": "http://127.0.0.1:1",
        "SUPABASE_ANON_KEY": "anon",
        "SUPABASE_SERVICE_ROLE_KEY": "service",
        "SUPABASE_JWT_SECRET": SECRET,
        "INTERNAL_API_KEY": "inner",
        **dict.fromkeys(("TALOS_API", "YETI_API", "LOCH_API"), "http://127.0.0.1:1"),
    }
    container = Container(settings=load_settings(variables, [Role.API]))
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(TestClient(TestServer(api_of(container))))
        async with container.engine().begin() as connection:
            await connection.exec_driver_sql(f"insert into organizations (id, name) values ({SUNNY}, 'Sunny Grids')")
        enrol = container.people().enrol()
        await enrol(Actor(kind=ActorKind.OPERATOR, label="Ada"), PLATFORM, invitation(), password=PASSWORD)
        yield client
        await container.read_pool().close()
        await container.engine().dispose()
        await container.http_session().close()


async def test_a_member_signs_in_renews_and_signs_out(api: Any) -> None:
    """[R30] [API-178] Over plain HTTP; the API takes the tokens, and the live check their end."""
    answer = await api.post("/auth/v1/token?grant_type=password", json=CREDENTIALS)
    session = await answer.json()
    assert (session["token_type"], session["expires_in"], session["user"]["email"]) == ("bearer", 3600, EMAIL)
    bearer = {"Authorization": f"Bearer {session['access_token']}"}
    assert (await api.get("/grids", headers=bearer)).status == 200
    assert (await (await api.get("/auth/v1/user", headers=bearer)).json())["user_metadata"] == {"full_name": "Bola"}
    answer = await api.post("/auth/v1/token?grant_type=refresh_token", json=session)
    assert (await answer.json())["user"]["id"] == session["user"]["id"]
    assert (await api.post("/auth/v1/logout", headers=bearer)).status == 201
    assert (await api.get("/auth/v1/user", headers=bearer)).status == 401
    assert (await api.post("/auth/v1/token?grant_type=refresh_token", json=session)).status == 400


@pytest.mark.parametrize(
    ("grant", "body"),
    [
        ("password", {**CREDENTIALS, "password": "wrong"}),
        ("password", {**CREDENTIALS, "email": "nobody@sunny.example"}),
        ("password", {"email": EMAIL}),
        ("password", {"password": PASSWORD}),
        ("refresh_token", {"refresh_token": "nonsense"}),
        ("refresh_token", {}),
        ("magic", CREDENTIALS),
    ],
)
async def test_bad_proofs_are_400(api: Any, grant: str, body: Any) -> None:
    """[R30] Never 401, never 500; strangers and wrong passwords look alike."""
    answer = await api.post(f"/auth/v1/token?grant_type={grant}", json=body)
    assert answer.status == 400
    if grant == "password" and len(body) == 2:
        assert (await answer.json())["message"] == "Invalid login credentials"


async def test_client_libraries_sign_in_at_the_api_role(api: Any) -> None:
    """[R30] supabase-js and supabase-py, pointed at the API role."""
    url = str(api.make_url("/")).rstrip("/")
    client = await acreate_client(url, "anon", AsyncClientOptions(auto_refresh_token=False, persist_session=False))
    signed = await client.auth.sign_in_with_password(CREDENTIALS)  # type: ignore[arg-type]  # e-mail and password
    assert signed.session is not None
    assert (await client.auth.refresh_session()).session is not None
    await client.auth.sign_out()
    try:
        async with supabase_js() as js:
            await js.open("desk", url, "anon")
            session = (await js.call("desk", "auth.signInWithPassword", CREDENTIALS))["session"]
            assert session["user"]["email"] == EMAIL
            assert (await js.call("desk", "auth.getUser"))["user"]["email"] == EMAIL
            await js.call("desk", "auth.signOut")
    except Unobtainable as reason:
        pytest.skip(str(reason))
