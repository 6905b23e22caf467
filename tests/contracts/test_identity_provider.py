"""``IdentityProvider``: one suite over memory, our own database, and Supabase Auth's stand-in on a socket."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from nxt_adapters.gotrue.admin import GoTrueIdentityProvider
from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.logins import MemoryIdentityProvider
from nxt_adapters.resilience import CallPolicy, RetryPolicy
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.logins import PostgresIdentityProvider
from nxt_adapters.system.clock import SystemClock
from nxt_domain.identity.logins import BAN, LoginChange, LoginRefused, LoginTaken, NewLogin
from nxt_domain.identity.ports import IdentityProvider
from nxt_domain.shared.errors import (
    DomainError,
    InvalidInput,
    NotFound,
    TooManyRequests,
    Unavailable,
    UpstreamFailed,
)
from nxt_entrypoints.simulators.process import Simulators, SimulatorsConfig
from nxt_entrypoints.simulators.supabase.sessions import project_key
from nxt_entrypoints.simulators.supabase.simulator import SupabaseConfig

SECRET = "a-secret-of-at-least-thirty-two-characters"
SERVICE = project_key(SECRET, "service_role")
QUICK = CallPolicy(timeout_s=2.0, retry=RetryPolicy(attempts=1))
PATIENT = CallPolicy(timeout_s=10.0, retry=RetryPolicy(attempts=1))
NEW = NewLogin(full_name="Chidi", email="Chidi@sunny.example", phone="+2348031234567", password="correct horse")


@pytest.fixture(params=["memory", "local", "gotrue", "gotrue-postgres"])
async def provider(request: pytest.FixtureRequest) -> AsyncIterator[IdentityProvider]:
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield MemoryIdentityProvider(MemoryDatabase())
            return
        url = "" if request.param == "gotrue" else request.getfixturevalue("relational_url")
        if request.param == "local":
            engine = create_engine(url, pool_size=2)
            yield PostgresIdentityProvider(engine, SystemClock())
            await engine.dispose()
            return
        config = SupabaseConfig(jwt_secret=SECRET, anon_key="a", service_role_key=SERVICE, relational_url=url)
        sims = await stack.enter_async_context(Simulators(SimulatorsConfig(supabase=config)))
        adapter = GoTrueIdentityProvider(sims.urls["supabase"], SERVICE, policy=PATIENT)
        yield adapter
        await adapter.close()


async def test_a_login_is_made_found_and_removed(provider: IdentityProvider) -> None:
    """[API-174] [API-30] E-mail in lower case, phone without plus; found by id, e-mail and phone."""
    made = await provider.create(NEW)
    assert (made.email, made.phone, made.full_name) == ("chidi@sunny.example", "2348031234567", "Chidi")
    assert uuid.UUID(made.id)
    for key in (
        {"login_id": made.id},
        {"email": "CHIDI@sunny.example"},
        {"phone": "+2348031234567"},
        {"phone": "2348031234567"},
        {"email": "nobody@sunny.example", "phone": "2348031234567"},
    ):
        found = await provider.find(**key)  # type: ignore[arg-type]  # names of the port
        assert found is not None
        assert found.id == made.id
    assert await provider.find(email="nobody@sunny.example") is None
    assert await provider.find(phone="+2348031234568") is None
    assert await provider.find() is None


async def test_removing_needs_no_login_to_be_there(provider: IdentityProvider) -> None:
    """[API-171] A clean-up can be repeated."""
    await provider.delete(str(uuid.uuid4()))
    assert await provider.find(login_id=str(uuid.uuid4())) is None
    with pytest.raises(NotFound):
        await provider.update(str(uuid.uuid4()), LoginChange(full_name="X"))


async def test_an_email_and_a_phone_belong_to_one_login(provider: IdentityProvider) -> None:
    """[API-74] 422 with words of their own, when made and when changed; nothing is changed then."""
    first = await provider.create(NEW)
    with pytest.raises(LoginTaken, match="A user with this email address has already been registered"):
        await provider.create(NewLogin(full_name="X", email="chidi@sunny.example"))
    with pytest.raises(LoginTaken, match="Phone number already registered by another user"):
        await provider.create(NewLogin(full_name="X", phone="+2348031234567"))
    second = await provider.create(NewLogin(full_name="Dayo", phone="+2348031234568"))
    for change in (LoginChange(email=first.email), LoginChange(phone="+2348031234567", full_name="Changed")):
        with pytest.raises(LoginTaken):
            await provider.update(second.id, change)
    assert await provider.find(login_id=second.id) == second
    assert (await provider.update(first.id, LoginChange(email=first.email, phone=first.phone))).email == first.email


async def test_a_login_needs_an_email_or_a_phone(provider: IdentityProvider) -> None:
    """[API-74] 400 keeps its status and words."""
    with pytest.raises(InvalidInput, match="either an email or phone"):
        await provider.create(NewLogin(full_name="X"))


async def test_metadata_is_merged_key_by_key(provider: IdentityProvider) -> None:
    """[API-168] Keys that are not given stay, those of the operators included; what is None stays, too."""
    login = await provider.create(NEW)
    await provider.update(login.id, LoginChange(app_metadata={"account_id": 5, "organization_type": "LENDER"}))
    changed = await provider.update(login.id, LoginChange(app_metadata={"account_id": 6, "member_type": "TECH"}))
    own = {name: value for name, value in changed.app_metadata.items() if not name.startswith("provider")}
    assert own == {"account_id": 6, "organization_type": "LENDER", "member_type": "TECH"}
    renamed = await provider.update(login.id, LoginChange(full_name="Chidi O.", phone="+2348031234569"))
    assert (renamed.full_name, renamed.phone, renamed.email) == ("Chidi O.", "2348031234569", "chidi@sunny.example")
    assert renamed.app_metadata == changed.app_metadata


async def test_a_ban_holds_until_it_is_lifted(provider: IdentityProvider) -> None:
    """[API-177] A hundred years; zero lifts it."""
    login = await provider.create(NEW)
    banned = await provider.update(login.id, LoginChange(ban=BAN))
    now = SystemClock().now()
    assert banned.is_banned(now + timedelta(days=30_000))
    assert (await provider.find(login_id=login.id)) == banned
    assert not (await provider.update(login.id, LoginChange(ban=timedelta(0)))).is_banned(now)


async def test_an_invitation_can_be_sent_again_until_it_is_answered(provider: IdentityProvider) -> None:
    """[API-172] [API-179] One login for both mails; a confirmed one is refused."""
    first = await provider.invite("bola@sunny.example", full_name="Bola", redirect_to="https://app.example/verify")
    assert (first.email, first.full_name) == ("bola@sunny.example", "Bola")
    again = await provider.invite("Bola@sunny.example", full_name="Bola")
    assert again.id == first.id
    await provider.create(NEW)
    with pytest.raises(LoginTaken):
        await provider.invite("chidi@sunny.example", full_name="Chidi")


async def test_weak_passwords_are_refused(request: pytest.FixtureRequest, provider: IdentityProvider) -> None:
    """[API-74] [API-179] In the words that sign-in pages show."""
    if isinstance(provider, MemoryIdentityProvider):
        pytest.skip("memory takes any password")
    with pytest.raises(LoginRefused, match="Password should be at least 6 characters"):
        await provider.create(NewLogin(full_name="X", phone="+2348031234567", password="short"))
    login = await provider.create(NEW)
    with pytest.raises(LoginRefused):
        await provider.update(login.id, LoginChange(password="short"))
    await provider.update(login.id, LoginChange(password="another one"))


ODD = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.lists(st.none(), max_size=2)
    | st.sampled_from(
        ["2126-01-01T00:00:00Z", "2126-01-01T00:00:00.123456789Z", "2126-01-01 00:00:00", {"full_name": 5}, {}]
    )
)


# -- the wire of Supabase Auth ----------------------------------------------------------------------


class Upstream:
    """Answers as told, and remembers what came."""

    def __init__(self) -> None:
        self.answer = web.Response(status=500)
        self.requests: list[tuple[str, str, Any, Any]] = []

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.requests.append((request.method, request.path_qs, body, dict(request.headers)))
        return self.answer


@pytest.fixture
async def upstream() -> AsyncIterator[tuple[Upstream, GoTrueIdentityProvider]]:
    told = Upstream()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", told.handle)
    async with TestServer(app) as server:
        adapter = GoTrueIdentityProvider(str(server.make_url("/")), "service", policy=QUICK)
        yield told, adapter
        await adapter.close()


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (422, {"error_code": "email_exists", "msg": "Taken"}, LoginTaken, "Taken"),
        (422, {"msg": "Email address already registered by another user"}, LoginTaken, "already registered"),
        (422, {"message": "Weak"}, LoginRefused, "Weak"),
        (400, {"error_description": "Malformed"}, InvalidInput, "Malformed"),
        (404, {"error": "Gone"}, NotFound, "Gone"),
        (404, "<html>", NotFound, "Refused by the identity provider"),
        (429, {"msg": "Slow down"}, TooManyRequests, "Too many requests"),
        (401, {"msg": "secret key wrong"}, UpstreamFailed, "refuses this system's credential"),
        (403, {"msg": "no"}, UpstreamFailed, "refuses this system's credential"),
        (500, {"msg": "pq: password of postgres"}, Unavailable, "can't be reached"),
        (503, "<html>", Unavailable, "can't be reached"),
        (200, "<html>", Unavailable, "can't be reached"),
        (200, {"no": "user"}, Unavailable, "can't be reached"),
    ],
)
async def test_what_its_errors_mean(
    upstream: tuple[Upstream, GoTrueIdentityProvider], status: int, body: Any, kind: type[DomainError], message: str
) -> None:
    """[API-74] [API-21] Status by status; the words of refusals are passed on, those of failures are not."""
    told, adapter = upstream
    told.answer = web.json_response(body, status=status) if isinstance(body, dict) else web.Response(status=status)
    with pytest.raises(kind) as raised:
        await adapter.create(NEW)
    assert type(raised.value) is kind
    assert message in raised.value.message
    assert len(told.requests) == 1


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    user=st.fixed_dictionaries(
        {"id": st.uuids().map(str)},
        optional=dict.fromkeys(("email", "phone", "banned_until", "created_at", "user_metadata", "app_metadata"), ODD),
    )
)
async def test_odd_fields_of_an_answer_break_nothing(
    upstream: tuple[Upstream, GoTrueIdentityProvider], user: dict[str, Any]
) -> None:
    """[API-74] Property: what is not as expected counts as absent; times can always be compared."""
    told, adapter = upstream
    told.answer = web.json_response(user)
    login = await adapter.find(login_id="u-1")
    assert login is not None
    assert login.id == user["id"]
    assert login.is_banned(SystemClock().now()) in {True, False}


async def test_what_is_sent(upstream: tuple[Upstream, GoTrueIdentityProvider]) -> None:
    """[API-172] [API-174] [API-177] Paths, headers and bodies, to the letter."""
    told, adapter = upstream
    calls: list[tuple[Awaitable[Any], str, str, Any]] = [
        (
            adapter.invite("b@sunny.example", full_name="Bola", redirect_to="https://app.example/v?x=1"),
            "POST",
            "/auth/v1/invite?redirect_to=https://app.example/v?x%3D1",
            {"email": "b@sunny.example", "data": {"full_name": "Bola"}},
        ),
        (
            adapter.create(NewLogin(full_name="Chidi", phone="+2348031234567")),
            "POST",
            "/auth/v1/admin/users",
            {
                "phone": "+2348031234567",
                "phone_confirm": True,
                "email_confirm": True,
                "user_metadata": {"full_name": "Chidi"},
            },
        ),
        (
            adapter.update("u-1", LoginChange(full_name="C", app_metadata={"member_type": "TECH"})),
            "PUT",
            "/auth/v1/admin/users/u-1",
            {"user_metadata": {"full_name": "C"}, "app_metadata": {"member_type": "TECH"}},
        ),
        (adapter.update("u-1", LoginChange(ban=BAN)), "PUT", "/auth/v1/admin/users/u-1", {"ban_duration": "876000h"}),
        (adapter.delete("u-1"), "DELETE", "/auth/v1/admin/users/u-1", None),
    ]
    for call, method, path, body in calls:
        told.answer = web.json_response({"id": "u-1"})
        await call
        sent_method, sent_path, sent_body, headers = told.requests[-1]
        assert (sent_method, sent_path, sent_body) == (method, path, body)
        assert (headers["apikey"], headers["Authorization"]) == ("service", "Bearer service")


async def test_logins_are_searched_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """[API-171] A thousand at a time, until one fits or a page is short."""
    monkeypatch.setattr("nxt_adapters.gotrue.admin.PAGE_SIZE", 2)
    pages = {
        "1": [{"id": "a", "email": "a@x.example"}, {"id": "b", "phone": "2348031234567"}],
        "2": [{"id": "c", "email": "c@x.example"}],
    }
    asked: list[str] = []

    async def listed(request: web.Request) -> web.Response:
        asked.append(request.query["page"])
        return web.json_response({"users": pages[request.query["page"]]})

    app = web.Application()
    app.router.add_get("/auth/v1/admin/users", listed)
    async with TestServer(app) as server:
        adapter = GoTrueIdentityProvider(str(server.make_url("/")), "service", policy=QUICK)
        found = [await adapter.find(email="C@x.example"), await adapter.find(phone="+2348031234567")]
        assert [login and login.id for login in found] == ["c", "b"]
        assert await adapter.find(email="z@x.example") is None
        assert asked == ["1", "2", "1", "1", "2"]
        await adapter.close()


async def test_an_account_keeps_the_stand_in_from_removing_a_login(relational_url: str) -> None:
    """[API-171] [REL-97] Accounts go first: the foreign key holds the login, and its answer is a failure."""
    config = SupabaseConfig(jwt_secret=SECRET, anon_key="a", service_role_key=SERVICE, relational_url=relational_url)
    async with Simulators(SimulatorsConfig(supabase=config)) as sims:
        adapter = GoTrueIdentityProvider(sims.urls["supabase"], SERVICE, policy=QUICK)
        login = await adapter.create(NEW)
        with pytest.raises(Unavailable):
            await adapter.delete(login.id)
        engine = create_engine(relational_url, pool_size=1)
        async with engine.begin() as connection:
            await connection.execute(text("delete from accounts"))
        await engine.dispose()
        await adapter.delete(login.id)
        assert await adapter.find(login_id=login.id) is None
        await adapter.close()
