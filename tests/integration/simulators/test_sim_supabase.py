"""The sign-in service over real HTTP, on memory and on a real auth.users table."""

import uuid
from datetime import UTC, datetime, timedelta

import attrs
import jwt
import psycopg
import pytest

from nxt_entrypoints.database.baseline_seed import Baseline, seed
from nxt_entrypoints.simulators.process import Simulators, SimulatorsConfig
from nxt_entrypoints.simulators.supabase.passwords import hash_password
from nxt_entrypoints.simulators.supabase.sessions import project_key
from nxt_entrypoints.simulators.supabase.simulator import SupabaseConfig
from nxt_entrypoints.simulators.supabase.users import AuthUser, MemoryUserStore, PostgresUserStore

SECRET = "a-secret-of-at-least-thirty-two-characters"
ANON = project_key(SECRET, "anon")
KEY = {"apikey": ANON}
USER = AuthUser(
    id=uuid.UUID("11111111-2222-4333-8444-555555555555"),
    email="operator@example.org",
    phone="2348012345678",
    encrypted_password=hash_password("right password"),
    user_metadata={"full_name": "Village Operator"},
    app_metadata={
        "account_id": 5,
        "account_type": "MEMBER",
        "member_type": "ADMIN",
        "organization_id": 2,
    },
)


class Clock:
    def __init__(self):
        self.now = datetime.now(UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def config(tmp_path):
    return SimulatorsConfig(
        data_dir=str(tmp_path), supabase=SupabaseConfig(jwt_secret=SECRET, anon_key=ANON, service_role_key="svc")
    )


@pytest.fixture
def users():
    return MemoryUserStore([USER])


@pytest.fixture
async def url(config, users, clock):
    async with Simulators(config, users=users, clock=clock) as sims:
        yield sims.urls["supabase"]


async def call(http, method, address, headers=KEY, **options):
    async with http.request(method, address, headers=headers, **options) as answer:
        return answer.status, await answer.json() if answer.content_type == "application/json" else None


async def grant(http, url, kind="password", **body):
    body = body or {"email": "operator@example.org", "password": "right password"}
    return await call(http, "POST", f"{url}/auth/v1/token?grant_type={kind}", json=body)


def bearer(token):
    return KEY | {"Authorization": f"Bearer {token}"}


async def test_sign_in_gives_a_token_with_all_claims(url, http):
    """[API-44] [API-45] [API-178] HS256, audience, account, metadata; the same user at /user."""
    status, body = await grant(http, url)
    assert status == 200
    assert (body["token_type"], body["expires_in"]) == ("bearer", 3600)
    claims = jwt.decode(body["access_token"], SECRET, algorithms=["HS256"], audience="authenticated")
    assert claims["sub"] == str(USER.id)
    assert claims["email"] == "operator@example.org"
    assert (claims["aud"], claims["role"]) == ("authenticated", "authenticated")
    assert claims["user_metadata"] == {"full_name": "Village Operator"}
    assert USER.app_metadata.items() <= claims["app_metadata"].items()
    assert claims["exp"] == claims["iat"] + 3600 == body["expires_at"]
    assert claims["iss"] == f"{url}/auth/v1"
    status, user = await call(http, "GET", f"{url}/auth/v1/user", bearer(body["access_token"]))
    assert (status, user) == (200, body["user"])
    assert user["id"] == str(USER.id)
    assert "password" not in str(user)


@pytest.mark.parametrize(
    "body",
    [
        {"email": "operator@example.org", "password": "wrong"},
        {"email": "nobody@example.org", "password": "right password"},
    ],
)
async def test_bad_passwords_and_unknown_users_look_alike(url, http, body):
    """[R30] 400 invalid_credentials in GoTrue's shape."""
    assert await grant(http, url, **body) == (
        400,
        {"code": 400, "error_code": "invalid_credentials", "msg": "Invalid login credentials"},
    )


async def test_sign_in_by_phone_and_in_any_case(url, http):
    """[API-178] A phone number with its plus sign, an e-mail in capitals."""
    assert (await grant(http, url, phone="+2348012345678", password="right password"))[0] == 200
    assert (await grant(http, url, email="Operator@Example.ORG", password="right password"))[0] == 200


async def test_wrong_calls_are_refused_in_gotrues_shapes(url, http):
    """[API-49] Missing key, missing bearer, foreign token: 401, 401, 403; unknown grants 400."""
    address = f"{url}/auth/v1/user"
    status, body = await call(http, "GET", address, {})
    assert (status, body["message"]) == (401, "No API key found in request")
    status, body = await call(http, "GET", address, {"apikey": "wrong"})
    assert (status, body["message"]) == (401, "Invalid API key")
    status, body = await call(http, "GET", address)
    assert (status, body["error_code"]) == (401, "no_authorization")
    foreign = jwt.encode({"sub": str(USER.id), "aud": "authenticated"}, "x" * 40, algorithm="HS256")
    status, body = await call(http, "GET", address, bearer(foreign))
    assert (status, body["error_code"]) == (403, "bad_jwt")
    assert (await call(http, "GET", address, bearer(ANON)))[0] == 403
    assert (await grant(http, url, kind="magic", email="a"))[0] == 400
    assert (await grant(http, url, email="operator@example.org"))[0] == 400
    assert (await grant(http, url, password="x"))[0] == 400
    status, body = await call(http, "POST", f"{url}/auth/v1/token?grant_type=password", data=b"{")
    assert (status, body["error_code"]) == (400, "bad_json")


async def test_sign_out_ends_the_session_although_the_token_is_still_fresh(url, http):
    """[API-49] What the live check is for: 403 session_not_found after log-out; scope local spares others."""
    first = (await grant(http, url))[1]["access_token"]
    second = (await grant(http, url))[1]["access_token"]
    assert (await call(http, "POST", f"{url}/auth/v1/logout?scope=local", bearer(first)))[0] == 204
    status, body = await call(http, "GET", f"{url}/auth/v1/user", bearer(first))
    assert (status, body["error_code"]) == (403, "session_not_found")
    assert body["msg"]
    assert (await call(http, "GET", f"{url}/auth/v1/user", bearer(second)))[0] == 200
    third = (await grant(http, url))[1]["access_token"]
    assert (await call(http, "POST", f"{url}/auth/v1/logout", bearer(third)))[0] == 204
    assert (await call(http, "GET", f"{url}/auth/v1/user", bearer(second)))[0] == 403


async def test_access_tokens_expire_and_are_refreshed(url, http, clock):
    """[API-178] 3600 s; refresh tokens rotate, with a 10 s window for the replaced one."""
    clock.now -= timedelta(hours=2)
    old = (await grant(http, url))[1]
    status, body = await call(http, "GET", f"{url}/auth/v1/user", bearer(old["access_token"]))
    assert (status, body["error_code"]) == (403, "bad_jwt")
    clock.now += timedelta(hours=2)
    status, new = await grant(http, url, "refresh_token", refresh_token=old["refresh_token"])
    assert status == 200
    assert new["refresh_token"] != old["refresh_token"]
    assert (await call(http, "GET", f"{url}/auth/v1/user", bearer(new["access_token"])))[0] == 200
    clock.now += timedelta(seconds=9)
    status, newer = await grant(http, url, "refresh_token", refresh_token=old["refresh_token"])
    assert status == 200
    assert newer["refresh_token"] not in {old["refresh_token"], new["refresh_token"]}
    status, body = await grant(http, url, "refresh_token", refresh_token="unknown")
    assert (status, body["error_code"]) == (400, "refresh_token_not_found")


async def test_a_replayed_refresh_token_ends_the_session(url, http, clock):
    """[API-178] After the window the replaced token is a theft: the whole session is closed."""
    old = (await grant(http, url))[1]
    new = (await grant(http, url, "refresh_token", refresh_token=old["refresh_token"]))[1]
    clock.now += timedelta(seconds=11)
    status, body = await grant(http, url, "refresh_token", refresh_token=old["refresh_token"])
    assert (status, body["error_code"]) == (400, "refresh_token_already_used")
    assert (await grant(http, url, "refresh_token", refresh_token=new["refresh_token"]))[0] == 400
    assert (await call(http, "GET", f"{url}/auth/v1/user", bearer(new["access_token"])))[0] == 403


async def test_changes_of_the_user_show_at_once_and_bans_hold(url, http, users, clock):
    """[API-177] /user reads the store; a banned or deleted user has no session."""
    token = (await grant(http, url))[1]["access_token"]
    users.users[USER.id] = attrs.evolve(USER, user_metadata={"full_name": "New Name"})
    _, user = await call(http, "GET", f"{url}/auth/v1/user", bearer(token))
    assert user["user_metadata"] == {"full_name": "New Name"}
    users.users[USER.id] = attrs.evolve(USER, banned_until=clock.now + timedelta(days=1))
    status, body = await call(http, "GET", f"{url}/auth/v1/user", bearer(token))
    assert (status, body["error_code"]) == (403, "user_banned")
    assert (await grant(http, url))[1]["error_code"] == "user_banned"
    del users.users[USER.id]
    status, body = await call(http, "GET", f"{url}/auth/v1/user", bearer(token))
    assert (status, body["error_code"]) == (403, "user_not_found")


async def test_health_key_set_and_outage(url, http):
    """[API-44] [API-49] Open addresses; 503 while down, 500 on a simulated failure."""
    assert (await call(http, "GET", f"{url}/auth/v1/health", {}))[1]["name"] == "GoTrue"
    assert await call(http, "GET", f"{url}/auth/v1/.well-known/jwks.json", {}) == (200, {"keys": []})
    assert await call(http, "GET", f"{url}/keys", {}) == (200, {"anon_key": ANON})
    await call(http, "PUT", f"{url}/control", json={"down": True})
    assert (await grant(http, url))[0] == 503
    await call(http, "PUT", f"{url}/control", json={"down": False, "error_rate": 1})
    assert (await grant(http, url))[0] == 500


async def test_log_holds_no_secret(url, http):
    """[R33] What was received, without passwords and tokens."""
    signed = (await grant(http, url))[1]
    await call(http, "GET", f"{url}/auth/v1/user", bearer(signed["access_token"]))
    _, entries = await call(http, "GET", f"{url}/log")
    assert [entry["path"] for entry in entries] == ["/auth/v1/token", "/auth/v1/user"]
    for secret in ("right password", signed["access_token"], signed["refresh_token"], ANON):
        assert secret not in str(entries)


async def test_sessions_outlive_a_restart(config, users, http):
    """[R37] A dashboard stays signed in over a restart with the same data directory."""
    async with Simulators(config, users=users) as first:
        signed = (await grant(http, first.urls["supabase"]))[1]
    async with Simulators(config, users=users) as second:
        url = second.urls["supabase"]
        assert (await call(http, "GET", f"{url}/auth/v1/user", bearer(signed["access_token"])))[0] == 200
        assert (await grant(http, url, "refresh_token", refresh_token=signed["refresh_token"]))[0] == 200


async def test_users_live_in_the_relational_database(relational_url, http):
    """[R30] [REL-5] The table auth.users: add, sign in, change the password, ban."""
    url = relational_url.replace("postgresql://", "postgresql+psycopg://")
    seed(relational_url, Baseline())
    store = PostgresUserStore(url)
    await store.put(USER)
    config = SimulatorsConfig(supabase=SupabaseConfig(jwt_secret=SECRET, anon_key=ANON, relational_url=relational_url))
    async with Simulators(config) as sims:
        address = sims.urls["supabase"]
        status, body = await grant(http, address)
        assert status == 200
        assert body["user"]["app_metadata"]["account_id"] == 5
        assert (await call(http, "GET", f"{address}/auth/v1/user", bearer(body["access_token"])))[0] == 200
        assert (await grant(http, address, phone="+2348012345678", password="right password"))[0] == 200
        await store.put(attrs.evolve(USER, encrypted_password=hash_password("new password")))
        assert (await grant(http, address))[0] == 400
        assert (await grant(http, address, email=USER.email, password="new password"))[0] == 200
        with psycopg.connect(relational_url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("UPDATE auth.users SET banned_until = now() + interval '1 day'")
        status, body = await grant(http, address, email=USER.email, password="new password")
        assert (status, body["error_code"]) == (400, "user_banned")
    await store.close()
