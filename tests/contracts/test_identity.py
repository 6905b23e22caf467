"""The ports of identity: one suite each over the fake and the real adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

import aiohttp
import attrs
import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import Table, insert, text, update
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from nxt_adapters.gotrue import GoTrueSessions
from nxt_adapters.jwt.verifier import JwtVerifier
from nxt_adapters.memory.database import MemoryClock, MemoryDatabase
from nxt_adapters.memory.identity import (
    MemoryAccounts,
    MemoryApiKeys,
    MemoryGridOwners,
    MemorySessions,
    MemoryTokens,
)
from nxt_adapters.supabase.api_keys import PostgresApiKeys
from nxt_adapters.supabase.engine import create_engine, psycopg_url
from nxt_adapters.supabase.identity import PostgresAccounts, PostgresGridOwners
from nxt_adapters.supabase.tables import (
    accounts,
    agents,
    api_keys,
    auth_users,
    customers,
    grids,
    members,
    organizations,
)
from nxt_domain.identity.model import Account, MemberType, OrganizationType, TokenClaims
from nxt_domain.identity.ports import Accounts, ApiKeyRegistry, ApiKeys, GridOwners, LiveSessions, TokenVerifier
from nxt_domain.identity.rules import create_api_key, key_hash
from nxt_domain.shared.errors import Conflict, Unauthenticated, Unavailable

LOGIN = UUID("00000000-0000-4000-8000-0000000000aa")
AT = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)


class Keys(ApiKeys, ApiKeyRegistry, Protocol):
    """Both sides of one store."""


class Store(Protocol):
    """A store under test, with the hand that fills it."""

    accounts: Accounts
    keys: Keys
    grid_owners: GridOwners

    async def put(self, account: Account) -> None: ...
    async def put_grid(self, grid_id: int, organization_id: int) -> None: ...
    async def put_plaintext(self, account_id: int, key: str) -> None: ...


class Memory:
    def __init__(self) -> None:
        database = MemoryDatabase()
        self.accounts = MemoryAccounts(database)
        self.keys = MemoryApiKeys(database)
        self.grid_owners = MemoryGridOwners()

    async def put(self, account: Account) -> None:
        self.accounts.put(account)

    async def put_grid(self, grid_id: int, organization_id: int) -> None:
        self.grid_owners.owners[grid_id] = organization_id

    async def put_plaintext(self, account_id: int, key: str) -> None:
        self.keys.put_plaintext(account_id, key)


class Postgres:
    def __init__(self, pool: AsyncEngine, owner: AsyncEngine) -> None:
        self.accounts = PostgresAccounts(pool)
        self.keys = PostgresApiKeys(pool)
        self.grid_owners = PostgresGridOwners(pool)
        self._owner = owner

    async def put(self, account: Account) -> None:
        if account.supabase_id is not None:
            await self._store(auth_users, {"id": UUID(account.supabase_id)})
        if account.organization_id is not None:
            kind = account.organization_type or OrganizationType.SOLAR_DEVELOPER
            await self._tenant(account.organization_id, kind)
        await self._write_account(account)
        role = {"account_id": account.id}
        if account.member_id is not None:
            kind = account.member_type
            await self._store(members, {"id": account.member_id, "member_type": kind, **role})
        if account.agent_id is not None:
            await self._store(agents, {"id": account.agent_id, "grid_id": account.grid_id, **role})
        if account.customer_id is not None:
            await self._store(customers, {"id": account.customer_id, "grid_id": account.grid_id, **role})

    async def put_grid(self, grid_id: int, organization_id: int) -> None:
        await self._tenant(organization_id, OrganizationType.SOLAR_DEVELOPER)
        row = {"id": grid_id, "name": f"Grid {grid_id}", "organization_id": organization_id}
        await self._store(grids, row)

    async def put_plaintext(self, account_id: int, key: str) -> None:
        async with self._owner.begin() as connection:
            # A deployment that was taken over has keys from before there were hashes.
            await connection.execute(text("alter table api_keys alter column key_hash drop not null"))
            await connection.execute(insert(api_keys).values(account_id=account_id, key=key))

    async def _tenant(self, organization_id: int, kind: OrganizationType) -> None:
        row = {"id": organization_id, "name": f"Tenant {organization_id}", "organization_type": kind}
        await self._store(organizations, row, is_repeatable=True)

    async def _write_account(self, account: Account) -> None:
        row = {
            "id": account.id,
            "supabase_id": None if account.supabase_id is None else UUID(account.supabase_id),
            "email": account.email,
            "full_name": account.full_name,
            "organization_id": account.organization_id,
            "deleted_at": AT if account.is_closed else None,
        }
        async with self._owner.begin() as connection:
            # Where the identity provider's table has its triggers, the account is there already.
            mine = accounts.c.supabase_id == row["supabase_id"]
            updated = await connection.execute(update(accounts).where(mine).values(**row).returning(accounts.c.id))
            if updated.one_or_none() is None:
                await connection.execute(insert(accounts).values(**row))

    async def _store(self, table: Table, row: Mapping[str, object], *, is_repeatable: bool = False) -> None:
        async with self._owner.begin() as connection:
            if is_repeatable:
                known = await connection.execute(table.select().where(table.c.id == row["id"]))
                if known.one_or_none() is not None:
                    await connection.execute(update(table).where(table.c.id == row["id"]).values(**row))
                    return
            await connection.execute(insert(table).values(**row))


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield Memory()
        return
    url = request.getfixturevalue("relational_url")
    pool, owner = create_engine(url, pool_size=2), create_async_engine(psycopg_url(url))
    try:
        yield Postgres(pool, owner)
    finally:
        await pool.dispose()
        await owner.dispose()


PERSON = Account(id=901, supabase_id=str(LOGIN), email="m@example.org", full_name="Member", organization_id=907)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"supabase_id": None, "email": None, "full_name": None, "organization_id": None},
        {"member_id": 911, "member_type": MemberType.FINANCE},
        {"agent_id": 912, "grid_id": 970},
        {"customer_id": 913, "grid_id": 970},
        {"member_id": 911, "member_type": MemberType.TECH, "customer_id": 913, "grid_id": 970},
        {"is_closed": True},
    ],
)
async def test_an_account_comes_with_what_decides_its_rights(store: Store, change: dict[str, object]) -> None:
    """[API-46] [API-47] [API-48]"""
    facts = {name: getattr(PERSON, name) for name in ("id", "supabase_id", "email", "full_name", "organization_id")}
    kind = None if change.get("organization_id", 907) is None else OrganizationType.LENDER
    account = Account(**{**facts, "organization_type": kind, **change})  # type: ignore[arg-type]  # a test's table
    await store.put_grid(970, 907)
    await store.put(account)
    assert await store.accounts.get(account.id) == account


async def test_an_unknown_account_is_none(store: Store) -> None:
    assert await store.accounts.get(999_999) is None


async def test_whose_a_grid_is(store: Store) -> None:
    """[API-64]"""
    await store.put_grid(970, 907)
    assert await store.grid_owners.organization_of(970) == 907
    assert await store.grid_owners.organization_of(971) is None


async def test_a_key_is_found_by_its_hash_alone(store: Store) -> None:
    """[API-53]"""
    await store.put(PERSON)
    key, new = create_api_key(PERSON.id, name="bot", scopes=["orders:write", "grids:read"], expires_at=AT)
    key_id = await store.keys.add(new)
    found = await store.keys.find(key_hash=key_hash(key), plaintext=None)
    assert found is not None
    assert (found.id, found.account_id, found.name, found.key_prefix) == (key_id, PERSON.id, "bot", key[:8])
    assert (found.scopes, found.expires_at) == (frozenset({"orders:write", "grids:read"}), AT)
    assert await store.keys.find(key_hash=key_hash(key + "x"), plaintext=None) is None
    # The stored hash is no key.
    assert await store.keys.find(key_hash=key_hash(new.key_hash), plaintext=new.key_hash) is None


async def test_a_key_without_scopes_has_all_rights_and_one_with_none_has_none(store: Store) -> None:
    """[R42]"""
    await store.put(PERSON)
    for scopes in (None, []):
        key, new = create_api_key(PERSON.id, scopes=scopes)
        await store.keys.add(new)
        found = await store.keys.find(key_hash=key_hash(key), plaintext=None)
        assert found is not None
        assert found.scopes == (None if scopes is None else frozenset())


async def test_a_key_needs_an_account(store: Store) -> None:
    with pytest.raises(Conflict):
        await store.keys.add(create_api_key(999_999)[1])


async def test_the_life_of_a_key(store: Store) -> None:
    """[API-54] [API-55] [R42]"""
    await store.put(PERSON)
    key, new = create_api_key(PERSON.id)
    key_id = await store.keys.add(new)

    async def is_usable() -> bool:
        found = await store.keys.find(key_hash=key_hash(key), plaintext=key)
        assert found is not None
        return found.is_usable(AT)

    assert await is_usable()
    assert await store.keys.set_locked(key_id, locked=True)
    assert not await is_usable()
    assert await store.keys.set_locked(key_id, locked=False)
    assert await is_usable()
    assert await store.keys.revoke(key_id, at=AT)
    assert await store.keys.revoke(key_id, at=AT + timedelta(days=1))
    assert not await is_usable()
    (listed,) = await store.keys.list()
    assert (listed.id, listed.revoked_at, listed.key_prefix) == (key_id, AT, key[:8])
    assert not await store.keys.set_locked(key_id + 1, locked=True)
    assert not await store.keys.revoke(key_id + 1, at=AT)


async def test_plain_keys_of_older_deployments(store: Store) -> None:
    """[API-50] [API-53] [API-54] Exactly, in case too; moved to hashes they go on working."""
    await store.put(PERSON)
    await store.put_plaintext(PERSON.id, "Old-Key-1")
    found = await store.keys.find(key_hash=key_hash("Old-Key-1"), plaintext="Old-Key-1")
    assert found is not None
    assert found.account_id == PERSON.id
    assert await store.keys.find(key_hash=key_hash("old-key-1"), plaintext="old-key-1") is None
    assert await store.keys.find(key_hash=key_hash("Old-Key-1"), plaintext=None) is None
    assert await store.keys.hash_plaintext() == 1
    assert await store.keys.hash_plaintext() == 0
    moved = await store.keys.find(key_hash=key_hash("Old-Key-1"), plaintext=None)
    assert moved is not None
    assert (moved.id, moved.key_prefix) == (found.id, "Old-Key-")


async def test_a_database_that_is_away_is_told_so() -> None:
    """[API-20]"""
    pool = create_engine("postgresql://nobody@127.0.0.1:1/none", pool_size=1)
    try:
        with pytest.raises(Unavailable):
            await PostgresAccounts(pool).get(1)
        with pytest.raises(Unavailable):
            await PostgresApiKeys(pool).find(key_hash="x", plaintext=None)
    finally:
        await pool.dispose()


async def test_keys_are_stored_without_their_secret(relational_url: str) -> None:
    """[API-53] Nothing in the row gives the key away."""
    pool, owner = create_engine(relational_url, pool_size=1), create_async_engine(psycopg_url(relational_url))
    try:
        store = Postgres(pool, owner)
        await store.put(PERSON)
        key, new = create_api_key(PERSON.id)
        await store.keys.add(new)
        async with owner.connect() as connection:
            row = (await connection.execute(text("select api_keys::text as row, key from api_keys"))).one()
        assert row.key is None
        assert key not in row.row
        assert key[8:] not in row.row
    finally:
        await pool.dispose()
        await owner.dispose()


# --- TokenVerifier ---

SECRET = "a shared secret that is long enough for its digest"


class Verifier(Protocol):
    """A verifier under test, with the hand that signs."""

    port: TokenVerifier

    def sign(self, claims: TokenClaims) -> str: ...


class MemoryVerifier:
    def __init__(self) -> None:
        self.fake = MemoryTokens(MemoryClock(AT))
        self.port: TokenVerifier = self.fake

    def sign(self, claims: TokenClaims) -> str:
        token = f"token-{claims.account_id}"
        self.fake.put(token, claims)
        return token


class SignedVerifier:
    def __init__(self) -> None:
        self.port: TokenVerifier = JwtVerifier(clock=MemoryClock(AT), secret=SECRET)

    def sign(self, claims: TokenClaims) -> str:
        payload = {
            "sub": claims.subject,
            "email": claims.email,
            "exp": claims.expires_at.timestamp(),
            "app_metadata": {"account_id": claims.account_id},
            "user_metadata": {"full_name": claims.full_name},
        }
        return jwt.encode(payload, SECRET, algorithm="HS256")


CLAIMS = TokenClaims(
    subject=str(LOGIN), account_id=2, email="m@example.org", full_name="Member", expires_at=AT + timedelta(seconds=1)
)


@pytest.mark.parametrize("verifier", [MemoryVerifier, SignedVerifier])
async def test_a_good_token_gives_its_claims(verifier: type[Verifier]) -> None:
    """[API-45]"""
    under_test = verifier()
    assert await under_test.port.verify(under_test.sign(CLAIMS)) == CLAIMS


@pytest.mark.parametrize("verifier", [MemoryVerifier, SignedVerifier])
async def test_a_bad_or_expired_token_is_refused(verifier: type[Verifier]) -> None:
    """[API-44]"""
    under_test = verifier()
    for token in (under_test.sign(attrs.evolve(CLAIMS, expires_at=AT)), "nonsense", ""):
        with pytest.raises(Unauthenticated, match="Invalid or expired token"):
            await under_test.port.verify(token)


# --- LiveSessions ---


class Provider(Protocol):
    """An identity provider under test."""

    port: LiveSessions

    def end(self, token: str) -> None: ...
    def go_away(self) -> None: ...


class MemoryProvider:
    def __init__(self) -> None:
        self.fake = MemorySessions()
        self.port: LiveSessions = self.fake

    def end(self, token: str) -> None:
        self.fake.end(token)

    def go_away(self) -> None:
        self.fake.is_away = True


class HttpProvider:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._ended: set[str] = set()
        self._is_away = False
        self._session = session
        self.port: LiveSessions

    def end(self, token: str) -> None:
        self._ended.add(f"Bearer {token}")

    def go_away(self) -> None:
        self._is_away = True

    async def user(self, request: web.Request) -> web.Response:
        if self._is_away:
            return web.Response(status=503)
        if request.headers["Authorization"] in self._ended:
            return web.json_response({"code": 403, "msg": "Session does not exist"}, status=403)
        return web.json_response({"id": str(LOGIN)})


@pytest.fixture(params=["memory", "gotrue"])
async def provider(request: pytest.FixtureRequest) -> AsyncIterator[Provider]:
    if request.param == "memory":
        yield MemoryProvider()
        return
    async with aiohttp.ClientSession() as session:
        under_test = HttpProvider(session)
        app = web.Application()
        app.router.add_get("/auth/v1/user", under_test.user)
        async with TestServer(app) as server:
            under_test.port = GoTrueSessions(str(server.make_url("/")), "anon", session)
            yield under_test


async def test_a_session_lives_until_it_is_ended(provider: Provider) -> None:
    """[API-49]"""
    await provider.port.confirm("t")
    provider.end("t")
    with pytest.raises(Unauthenticated):
        await provider.port.confirm("t")
    await provider.port.confirm("another")


async def test_a_provider_that_is_away_signs_nobody_out(provider: Provider) -> None:
    """[API-16] [API-49]"""
    provider.go_away()
    with pytest.raises(Unavailable):
        await provider.port.confirm("t")
