"""Principals, keys and decisions."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from tests.support.identity_world import ADMIN, AGENT, CUSTOMER, LENDER, MEMBER, NOBODY, IdentityWorld

from nxt_adapters.memory.database import MemoryClock
from nxt_adapters.supabase.tables import enums, members
from nxt_domain.identity.cache import TtlCache
from nxt_domain.identity.model import (
    Account,
    AccountType,
    ApiKey,
    CredentialKind,
    MemberType,
    OrganizationType,
    TokenClaims,
)
from nxt_domain.identity.rules import (
    bearer_token,
    create_api_key,
    may_see_organization,
    principal_of_key,
    principal_of_user,
    same_secret,
)
from nxt_domain.identity.use_cases import AuthenticateService, require_data_reader
from nxt_domain.shared.errors import Forbidden, InvalidInput, Unauthenticated

CLAIMS = TokenClaims(
    subject=MEMBER.supabase_id,
    account_id=2,
    email="claimed@example.org",
    full_name="Claimed Name",
    expires_at=datetime(2026, 3, 10, tzinfo=UTC),
)


KEY = ApiKey(id=1, account_id=1, created_at=datetime(2026, 3, 10, tzinfo=UTC))


def test_the_database_wins_over_the_token() -> None:
    """[API-47]"""
    account = attrs.evolve(MEMBER, email="stored@example.org")
    principal = principal_of_user(account, CLAIMS, "raw-token", admin_organization_id=2)
    assert (principal.email, principal.full_name) == ("stored@example.org", MEMBER.full_name)
    assert (principal.kind, principal.token, principal.is_admin_org) == (CredentialKind.USER, "raw-token", False)
    bare = attrs.evolve(MEMBER, email=None, full_name=None)
    fallback = principal_of_user(bare, CLAIMS, "t", admin_organization_id=7)
    assert (fallback.email, fallback.full_name, fallback.is_admin_org) == ("claimed@example.org", "Claimed Name", True)
    nameless = principal_of_user(bare, attrs.evolve(CLAIMS, full_name=None), "t", admin_organization_id=2)
    assert nameless.full_name == "Unknown"


@pytest.mark.parametrize(
    ("account", "kind", "admin"),
    [
        (ADMIN, AccountType.MEMBER, True),
        (AGENT, AccountType.AGENT, False),
        (CUSTOMER, AccountType.CUSTOMER, False),
        (NOBODY, None, False),
        (attrs.evolve(AGENT, member_id=9), AccountType.MEMBER, False),
        (attrs.evolve(CUSTOMER, agent_id=9), AccountType.AGENT, False),
        (attrs.evolve(AGENT, organization_id=2), AccountType.AGENT, False),
    ],
)
def test_the_first_row_decides_the_type(account: Account, kind: AccountType | None, admin: bool) -> None:
    """[API-47] Member, agent, customer, in this order; only members are platform staff."""
    principal = principal_of_key(account, KEY, admin_organization_id=2)
    assert (principal.account_type, principal.is_admin_org) == (kind, admin)


@pytest.mark.parametrize("member_type", MemberType)
@pytest.mark.parametrize("organization_id", [2, 7])
def test_power_over_the_platform_is_membership_in_its_organization(
    member_type: MemberType, organization_id: int
) -> None:
    """[API-62] Whatever the member's type; there is no other mark of it."""
    account = attrs.evolve(MEMBER, member_type=member_type, organization_id=organization_id)
    principal = principal_of_user(account, CLAIMS, "t", admin_organization_id=2)
    assert principal.is_admin_org is (organization_id == 2)


def test_types_of_accounts_and_members() -> None:
    """[API-62] [REL-78] Three and ten, in the domain as in the database; who is not said to be else is a developer."""
    assert set(AccountType) == set(enums.account_type.enums) == {"MEMBER", "AGENT", "CUSTOMER"}
    assert list(MemberType) == enums.member_type.enums
    assert len(MemberType) == 10
    assert str(getattr(members.c.member_type.server_default, "arg", "")) == "DEVELOPER"


def test_a_principal_never_shows_its_token() -> None:
    """[API-41]"""
    principal = principal_of_user(MEMBER, CLAIMS, "raw-token-hunter2", admin_organization_id=2)
    assert "hunter2" not in repr(principal)


def test_a_new_key_is_32_random_bytes_stored_as_a_hash() -> None:
    """[API-53] [REL-166]"""
    key, stored = create_api_key(7, name="chat bot", scopes=["orders:write"])
    assert re.fullmatch(r"nxt_[A-Za-z0-9_-]{43}", key)
    assert stored.key_hash == hashlib.sha256(key.encode()).hexdigest()
    assert stored.key_prefix == key[:8]
    assert key not in repr(stored)
    assert create_api_key(7)[0] != key


@pytest.mark.parametrize("scope", ["orders", "orders:admin", "Orders:read", "orders:read ", ""])
def test_a_malformed_scope_is_refused(scope: str) -> None:
    """[R42]"""
    with pytest.raises(InvalidInput):
        create_api_key(7, scopes=[scope])


NOW = datetime(2026, 3, 10, tzinfo=UTC)
KEY = ApiKey(id=1, account_id=2, created_at=NOW)


@pytest.mark.parametrize(
    ("key", "is_usable"),
    [
        (KEY, True),
        (attrs.evolve(KEY, is_locked=True), False),
        (attrs.evolve(KEY, expires_at=NOW), False),
        (attrs.evolve(KEY, expires_at=NOW + timedelta(seconds=1)), True),
        (attrs.evolve(KEY, revoked_at=NOW), False),
        (attrs.evolve(KEY, revoked_at=NOW + timedelta(days=1)), True),
    ],
)
def test_a_key_counts_while_nothing_stands_against_it(key: ApiKey, is_usable: bool) -> None:
    """[REL-38] [API-51] [R42]"""
    assert key.is_usable(NOW) is is_usable


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bEARER abc", "abc"),
        ("Bearer  abc", None),
        ("Bearer abc d", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("Basic abc", None),
        ("", None),
        (None, None),
    ],
)
def test_bearer_headers(header: str | None, token: str | None) -> None:
    """[API-43]"""
    assert bearer_token(header) == token


@pytest.mark.parametrize(
    ("presented", "expected", "same"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("", "", False),
        (None, "a", False),
        ("a", None, False),
        ("\udcff", "ÿ", False),
    ],
)
def test_secrets_are_compared_by_their_bytes(presented: str | None, expected: str | None, same: bool) -> None:
    """[API-57] An unset secret matches nothing, not even nothing."""
    assert same_secret(presented, expected) is same


def test_the_tenant_rule() -> None:
    """[API-63] [API-64] Nobody's objects are seen by the platform alone."""
    admin = principal_of_key(ADMIN, KEY, admin_organization_id=2)
    member = principal_of_key(MEMBER, KEY, admin_organization_id=2)
    drifter = principal_of_key(attrs.evolve(MEMBER, organization_id=None), KEY, admin_organization_id=2)
    assert [may_see_organization(admin, owner) for owner in (7, 9, None)] == [True, True, True]
    assert [may_see_organization(member, owner) for owner in (7, 9, None)] == [True, False, False]
    assert [may_see_organization(drifter, owner) for owner in (7, 9, None)] == [False, False, False]


def test_who_may_read_consumption() -> None:
    """[API-56]"""
    aggregator = attrs.evolve(LENDER, organization_type=OrganizationType.DATA_AGGREGATOR)
    for account, grid_owner in ((ADMIN, 7), (aggregator, 7), (MEMBER, 7)):
        require_data_reader(principal_of_key(account, KEY, admin_organization_id=2), grid_organization_id=grid_owner)
    for account, owner in ((MEMBER, 9), (LENDER, 7), (MEMBER, None)):
        with pytest.raises(Forbidden, match="Not authorized"):
            require_data_reader(principal_of_key(account, KEY, admin_organization_id=2), grid_organization_id=owner)


async def test_a_role_may_be_left_open_for_mixed_deployments() -> None:
    """[API-58]"""
    guard = AuthenticateService(internal_keys=frozenset({"k"}), is_required=False)
    assert await guard(None) is None
    assert await guard("anything") is None
    strict = AuthenticateService(internal_keys=frozenset({"k", "alias"}))
    assert await strict("alias") is None
    for key in (None, "", "anything"):
        with pytest.raises(Unauthenticated, match=r"^Unauthorized$"):
            await strict(key)
    # A role without a key configured is closed, not open.
    with pytest.raises(Unauthenticated):
        await AuthenticateService(internal_keys=frozenset())(None)


async def test_an_account_row_is_remembered_for_ten_seconds() -> None:
    """[API-46]"""
    world = IdentityWorld()
    token = world.token(MEMBER)
    assert (await world.user(token)).full_name == MEMBER.full_name
    world.accounts.put(attrs.evolve(MEMBER, full_name="Renamed"))
    assert (await world.user(token)).full_name == MEMBER.full_name
    world.clock.advance(timedelta(seconds=10))
    assert (await world.user(token)).full_name == "Renamed"


async def test_a_token_is_verified_again_after_ten_seconds_and_never_outlives_itself() -> None:
    """[API-44] A dashboard's burst of requests costs one verification; there is no leeway at the end of a token."""
    world = IdentityWorld()
    token = world.token(MEMBER, expires_at=world.clock.now() + timedelta(seconds=5))
    await world.user(token)
    world.clock.advance(timedelta(seconds=5))
    with pytest.raises(Unauthenticated):
        await world.user(token)
    token = world.token(MEMBER)
    await world.user(token)
    world.token(MEMBER, subject="another one")  # as if the key that signed it were withdrawn
    await world.user(token)
    world.clock.advance(timedelta(seconds=10))
    with pytest.raises(Unauthenticated):
        await world.user(token)


def test_a_cache_is_bounded_in_age_and_size() -> None:
    """[API-55]"""
    clock = MemoryClock()
    cache: TtlCache[int, str] = TtlCache(clock, ttl=timedelta(seconds=10), max_entries=3)
    for number in range(5):
        cache.put(number, str(number))
    assert [cache.get(number) for number in range(5)] == [None, None, "2", "3", "4"]
    cache.forget(3)
    clock.advance(timedelta(seconds=9.9))
    assert (cache.get(2), cache.get(3)) == ("2", None)
    clock.advance(timedelta(seconds=0.1))
    assert cache.get(2) is None
    cache.put(7, "7")
    clock.advance(timedelta(seconds=-60))
    assert cache.get(7) is None
