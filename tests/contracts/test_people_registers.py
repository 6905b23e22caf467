"""``AccountRegister``, ``PeopleRegister``, ``TenantRegister`` and ``ChatAccounts`` over memory and PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from tests.support.people_world import (
    ELSEWHERE,
    KALONDA,
    LENDER,
    OTHER,
    PLATFORM_ID,
    SUNKEN,
    SUNNY,
    UMUOKE,
    MemoryPeople,
    PostgresPeople,
    invitation,
)

from nxt_adapters.memory.contact_claims import MemoryContactClaims
from nxt_adapters.supabase.contact_claims import PostgresContactClaims
from nxt_domain.identity.logins import LoginChange, NewLogin
from nxt_domain.identity.model import AccountType, MemberType, OrganizationType
from nxt_domain.identity.people import Gender, GeneratorType, NewAgent, NewCustomer, NewTenant
from nxt_domain.identity.scope import PLATFORM, Scope
from nxt_domain.shared.errors import Conflict
from nxt_domain.shared.paging import Window

AT = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)
MINE, THEIRS, NOBODYS = Scope(organization_id=SUNNY), Scope(organization_id=OTHER), Scope(organization_id=None)
CUSTOMER = NewCustomer(
    full_name="Dayo",
    grid_id=UMUOKE,
    is_hidden_from_reporting=True,
    latitude=9.125,
    longitude=-7.5,
    lives_primarily_in_the_community=False,
    generator_owned=GeneratorType.SMALL,
    gender=Gender.FEMALE,
    total_connection_fee=Decimal("15000.50"),
)


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    made: Any = MemoryPeople() if request.param == "memory" else None
    if made is None:
        made = PostgresPeople(request.getfixturevalue("relational_url"))
    await made.found()
    yield made
    await made.close()


async def login_of(world: Any, email: str, organization_id: int = SUNNY) -> Any:
    """Make a login that belongs to an organization."""
    login = await world.provider.create(NewLogin(full_name="Somebody", email=email))
    return await world.provider.update(login.id, LoginChange(app_metadata={"organization_id": organization_id}))


async def account_of(world: Any, email: str, organization_id: int = SUNNY) -> int:
    login = await login_of(world, email, organization_id)
    async with world.begin() as tx:
        return int((await tx.accounts.ensure(login)).account_id)


async def test_an_account_follows_its_login(world: Any) -> None:
    """[API-169] [REL-97] [REL-98] Made with it, changed with it, and found by e-mail, phone and id."""
    login = await world.provider.create(NewLogin(full_name="Chidi", email="C@x.example", phone="+2348031234567"))
    async with world.begin() as tx:
        (holder,) = await tx.accounts.holders(email="c@X.example", phone=None)
        assert (holder.login_id, holder.email, holder.phone) == (login.id, "c@x.example", "2348031234567")
        assert holder.person is None
        assert list(await tx.accounts.holders(email=None, phone="+2348031234567")) == [holder]
        assert list(await tx.accounts.holders(email="c@x.example", phone="+2348031234567")) == [holder]
        assert list(await tx.accounts.holders(email=None, phone=None)) == []
        assert await tx.accounts.by_id(holder.account_id) == holder
        assert await tx.accounts.by_id(999_999) is None
        account = await tx.within(PLATFORM).people.account(holder.account_id)
        assert (account.full_name, account.supabase_id, account.organization_id) == ("Chidi", login.id, None)
        assert account.telegram_link_token is not None
    await world.provider.update(login.id, LoginChange(full_name="C. O.", app_metadata={"organization_id": SUNNY}))
    async with world.begin() as tx:
        account = await tx.within(PLATFORM).people.account(holder.account_id)
        assert (account.full_name, account.organization_id) == ("C. O.", SUNNY)


async def test_an_account_is_made_where_it_is_missing_and_discarded_while_it_is_nobodys(world: Any) -> None:
    """[API-171] Both can be repeated; an account with a person stays."""
    login = await login_of(world, "a@x.example")
    for _ in range(2):
        async with world.begin() as tx:
            assert await tx.accounts.discard(login.id) is True
            await tx.commit()
    async with world.begin() as tx:
        first = await tx.accounts.ensure(login)
        assert await tx.accounts.ensure(login) == first
        await tx.commit()
    await world.provider.update(login.id, LoginChange(app_metadata={"organization_id": SUNNY}))
    async with world.begin() as tx:
        await tx.within(MINE).people.add_member(first.account_id, invitation())
        assert await tx.accounts.discard(login.id) is False
        holder = await tx.accounts.ensure(login)
        assert holder.person is not None
        assert holder.person.kind is AccountType.MEMBER


async def test_the_first_mark_of_deletion_stays(world: Any) -> None:
    """[API-177]"""
    account_id = await account_of(world, "a@x.example")
    async with world.begin() as tx:
        await tx.accounts.close(account_id, at=AT)
        await tx.accounts.close(account_id, at=AT + timedelta(days=1))
        assert (await tx.within(PLATFORM).people.account(account_id)).deleted_at == AT


async def test_people_are_stored_whole_and_seen_from_their_tenant(world: Any) -> None:
    """[API-64] [API-170] [R39] Member, agent and customer, with the owner filled in; foreign scopes see none."""
    accounts = [await account_of(world, f"{name}@x.example") for name in "abc"]
    async with world.begin() as tx:
        people = tx.within(MINE).people
        member = await people.add_member(accounts[0], invitation(busy_commissioning_id=KALONDA))
        agent = await people.add_agent(accounts[1], NewAgent(full_name="B", phone="+1", grid_id=UMUOKE))
        customer = await people.add_customer(accounts[2], CUSTOMER)
        await tx.commit()
    assert (member.member_type, member.busy_commissioning_id) == (MemberType.TECH, KALONDA)
    assert {row.rls_organization_id for row in (member, agent, customer)} == {SUNNY}
    wanted = attrs.asdict(CUSTOMER, filter=lambda field, _: field.name not in {"full_name", "phone", "email"})
    assert {name: getattr(customer, name) for name in wanted} == wanted
    assert customer.total_connection_paid == 0
    rows = ((AccountType.MEMBER, member), (AccountType.AGENT, agent), (AccountType.CUSTOMER, customer))
    async with world.begin() as tx:
        for scope in (MINE, PLATFORM):
            people = tx.within(scope).people
            for kind, row in rows:
                person = await people.find(kind, row.id)
                assert (person.kind, person.id, person.account_id) == (kind, row.id, row.account_id)
            assert await people.member(member.id) == member
            assert await people.customer(customer.id) == customer
        for scope in (THEIRS, NOBODYS):
            people = tx.within(scope).people
            assert [await people.find(kind, row.id) for kind, row in rows] == [None, None, None]
            assert (await people.member(member.id), await people.customer(customer.id)) == (None, None)
        assert await tx.within(PLATFORM).people.find(AccountType.AGENT, 999_999) is None


async def test_one_account_is_one_person(world: Any) -> None:
    """[REL-23] A second member row of an account conflicts."""
    account_id = await account_of(world, "a@x.example")
    async with world.begin() as tx:
        await tx.within(MINE).people.add_member(account_id, invitation())
        await tx.commit()
    with pytest.raises(Conflict):
        async with world.begin() as tx:
            await tx.within(MINE).people.add_member(account_id, invitation())


async def test_changes_are_written_and_nothing_else(world: Any) -> None:
    """[API-76] [API-80]"""
    accounts = [await account_of(world, f"{name}@x.example") for name in "ab"]
    async with world.begin() as tx:
        people = tx.within(MINE).people
        member = await people.add_member(accounts[0], invitation())
        customer = await people.add_customer(accounts[1], CUSTOMER)
        changed = attrs.evolve(
            member,
            member_type=MemberType.FINANCE,
            training_level=3,
            hidden=True,
            subscribed_to_telegram_revenue_notifications=True,
            busy_commissioning_id=UMUOKE,
        )
        moved = attrs.evolve(customer, latitude=None, longitude=None, is_hidden_from_reporting=False)
        await people.save_member(changed)
        await people.save_customer(moved)
        assert (await people.member(member.id), await people.customer(customer.id)) == (changed, moved)


async def test_meters_hang_on_a_customers_connections(world: Any) -> None:
    """[API-81]"""
    account_id = await account_of(world, "a@x.example")
    async with world.begin() as tx:
        customer = await tx.within(MINE).people.add_customer(account_id, CUSTOMER)
        assert await tx.within(MINE).people.has_meters(customer.id) is False
        await tx.commit()
    await world.give_meter(customer.id)
    async with world.begin() as tx:
        assert await tx.within(MINE).people.has_meters(customer.id) is True


async def test_staff_are_listed_by_pages(world: Any) -> None:
    """[R41] Ascending ids, own tenant or one tenant, deleted ones included."""
    for name, owner in (("a", SUNNY), ("b", OTHER), ("c", SUNNY)):
        account_id = await account_of(world, f"{name}@x.example", owner)
        async with world.begin() as tx:
            await tx.within(PLATFORM).people.add_member(account_id, invitation(organization_id=owner))
            await tx.accounts.close(account_id, at=AT)
            await tx.commit()
    async with world.begin() as tx:
        first = await tx.within(MINE).people.staff(Window(limit=1))
        second = await tx.within(MINE).people.staff(Window(limit=1, after=first.next))
        assert [page.items[0].email for page in (first, second)] == ["a@x.example", "c@x.example"]
        assert (second.next, second.items[0].deleted_at) == (None, AT)
        others = await tx.within(PLATFORM).people.staff(Window(), organization_id=OTHER)
        assert [person.email for person in others.items] == ["b@x.example"]
        assert (await tx.within(MINE).people.staff(Window(), organization_id=OTHER)).items == []


async def test_organizations_and_grids_within_a_scope(world: Any) -> None:
    """[API-64] [API-182] [REL-33] Found, listed, founded; deleted grids and foreign ones are unknown."""
    async with world.begin() as tx:
        mine = tx.within(MINE).tenants
        assert (await mine.organization(SUNNY)).name == "Sunny Grids"
        assert (await mine.organization(OTHER), await mine.organization(999)) == (None, None)
        assert await mine.organization_of_grid(UMUOKE) == SUNNY
        assert [await mine.organization_of_grid(key) for key in (ELSEWHERE, SUNKEN, 999)] == [None, None, None]
        everything = tx.within(PLATFORM).tenants
        assert (await everything.organization(LENDER)).organization_type is OrganizationType.LENDER
        assert await everything.organization_of_grid(ELSEWHERE) == OTHER
        assert [tenant.id for tenant in (await everything.page(Window(limit=2))).items] == [PLATFORM_ID, SUNNY]
        assert [tenant.id for tenant in (await mine.page(Window())).items] == [SUNNY]


async def test_founding_needs_a_name_of_its_own(world: Any) -> None:
    """[API-182] [REL-138]"""
    if isinstance(world, PostgresPeople):
        await world.run("select setval(pg_get_serial_sequence('organizations', 'id'), 100)")
    async with world.begin() as tx:
        tenant = await tx.within(PLATFORM).tenants.found(NewTenant(name=" Moon Power "))
        assert (tenant.name, tenant.organization_type) == ("Moon Power", OrganizationType.SOLAR_DEVELOPER)
        assert await tx.within(PLATFORM).tenants.organization(tenant.id) == tenant
        await tx.commit()
    with pytest.raises(Conflict):
        async with world.begin() as tx:
            await tx.within(PLATFORM).tenants.found(NewTenant(name="moon power"))


async def test_chat_users_and_their_wallets(world: Any) -> None:
    """[API-115] [API-116] [REL-35] By token once, by chat user afterwards; a member pays from the organization's."""
    accounts = [await account_of(world, f"{name}@x.example") for name in "abcd"]
    async with world.begin() as tx:
        people = tx.within(MINE).people
        await people.add_member(accounts[0], invitation())
        agent = await people.add_agent(accounts[1], NewAgent(full_name="B", phone="+1", grid_id=UMUOKE))
        await people.add_customer(accounts[2], CUSTOMER)
        token = (await people.account(accounts[0])).telegram_link_token
        await tx.commit()
    later = datetime.now(UTC) + timedelta(days=1)
    async with world.begin() as tx:
        chat = tx.chat_accounts
        found = await chat.by_link_token(token, at=later)
        assert (found.id, found.telegram_id) == (accounts[0], None)
        assert await chat.by_link_token(str(uuid.uuid4()), at=later) is None
        await chat.link(accounts[0], telegram_id="tg-1", next_token="next")
        assert await chat.by_link_token(token, at=later) is None
        assert (await chat.by_telegram_id("tg-1")).id == accounts[0]
        assert (await chat.by_link_token("next", at=later)).telegram_id == "tg-1"
        assert await chat.by_telegram_id("tg-2") is None
        purses = [await chat.purse(account_id) for account_id in accounts]
        assert [purse is not None for purse in purses] == [True, True, False, False]
        assert purses[1].balance == 0
        assert purses[0].id != purses[1].id
        await tx.accounts.close(accounts[0], at=AT)
        assert await chat.by_telegram_id("tg-1") is None
    assert agent.account_id == accounts[1]


async def test_an_email_or_phone_is_one_attempts_at_a_time(world: Any) -> None:
    """[API-171] [REL-100] Contract of ``ContactClaims``: whatever their case and plus; free again afterwards."""
    claims = MemoryContactClaims() if isinstance(world, MemoryPeople) else PostgresContactClaims(world.pool)
    async with claims.claimed(email="A@x.example", phone="+2348031234567") as first:
        assert first is True
        for email, phone in (("a@X.example", None), (None, "2348031234567"), ("b@x.example", "+2348031234567")):
            async with claims.claimed(email=email, phone=phone) as second:
                assert second is False
        async with claims.claimed(email="b@x.example", phone=None) as other:
            assert other is True
    async with claims.claimed(email="a@x.example", phone=None) as again:
        assert again is True
