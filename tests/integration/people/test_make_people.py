"""New members, agents and customers: what is made, for whom, and what the feed says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest
from tests.support.people_world import (
    ADA,
    ELSEWHERE,
    LENDER,
    OPERATOR,
    OTHER,
    PLATFORM_ID,
    STRANGER,
    SUNKEN,
    SUNNY,
    UMUOKE,
    caller,
    invitation,
)

from nxt_domain.identity.logins import LoginChange, LoginTaken
from nxt_domain.identity.model import MemberType
from nxt_domain.identity.people import NewAgent, NewCustomer
from nxt_domain.shared.errors import Forbidden, InvalidInput, NotFound

AGENT = NewAgent(full_name=" Chidi ", phone="+2348031234567", grid_id=UMUOKE)
CUSTOMER = NewCustomer(full_name="Dayo", grid_id=UMUOKE, is_hidden_from_reporting=False)


def claims_in(login: Any) -> dict[str, object]:
    """Leave out what Supabase Auth adds by itself."""
    return {name: value for name, value in login.app_metadata.items() if not name.startswith("provider")}


async def test_an_invited_member_is_there_with_claims_and_a_line_in_the_feed(world: Any) -> None:
    """[API-75] [API-172] [API-168] Mail, account of the organization, member row, claims, audit; the name trimmed."""
    member = await world.services.invite_member(ADA, invitation(redirect_to="https://app.example/account/verify"))
    assert (member.member_type, member.training_level, member.hidden) == (MemberType.TECH, 0, False)
    assert member.rls_organization_id == SUNNY
    login = await world.provider.find(email="bola@sunny.example")
    assert login.full_name == "Bola"
    assert claims_in(login) == {
        "account_id": member.account_id,
        "account_type": "MEMBER",
        "member_type": "TECH",
        "organization_id": SUNNY,
    }
    assert await world.messages() == ["Ada invited a new member Bola (bola@sunny.example) with TECH role"]
    assert [name for name, _ in world.provider.calls[:2]] == ["invite", "update"]


async def test_an_invitation_to_a_lender_carries_the_organizations_type(world: Any) -> None:
    """[API-168] [REL-99] Said where it is not SOLAR_DEVELOPER."""
    await world.services.invite_member(OPERATOR, invitation(organization_id=LENDER, member_type=MemberType.FINANCE))
    login = await world.provider.find(email="bola@sunny.example")
    assert login.app_metadata["organization_type"] == "LENDER"


@pytest.mark.parametrize(
    ("mine", "wanted", "is_allowed"),
    [
        (MemberType.FINANCE, MemberType.FINANCE, True),
        (MemberType.FINANCE, MemberType.DEVELOPER, True),
        (MemberType.FINANCE, MemberType.SUPERADMIN, False),
        (MemberType.TECH, MemberType.DEVELOPER, False),
        (MemberType.TECH, MemberType.TECH, True),
        (MemberType.SALES, MemberType.TECH, False),
        (MemberType.FINANCE, MemberType.SALES, False),
        (MemberType.SUPERADMIN, MemberType.SUPERADMIN, False),
    ],
)
async def test_nobody_gives_a_role_above_their_own(
    world: Any, mine: MemberType, wanted: MemberType, is_allowed: bool
) -> None:
    """[API-66] [API-67] The ceiling; superadmins belong to the platform alone."""
    ask = world.services.invite_member(caller(SUNNY, mine), invitation(member_type=wanted))
    if is_allowed:
        assert (await ask).member_type is wanted
        return
    with pytest.raises(Forbidden, match=f"You can't assign the role {wanted}"):
        await ask
    assert world.provider.calls == []


async def test_the_platform_alone_has_superadmins(world: Any) -> None:
    """[API-67]"""
    with pytest.raises(Forbidden):
        await world.services.invite_member(OPERATOR, invitation(member_type=MemberType.SUPERADMIN))
    own = invitation(member_type=MemberType.SUPERADMIN, organization_id=PLATFORM_ID)
    assert (await world.services.invite_member(OPERATOR, own)).member_type is MemberType.SUPERADMIN


@pytest.mark.parametrize(
    "wish", [{"organization_id": OTHER}, {"organization_id": 999}, {"busy_commissioning_id": ELSEWHERE}]
)
async def test_foreign_and_unknown_look_alike(world: Any, wish: dict[str, int]) -> None:
    """[API-64] [R39] 404 either way, before anything is asked of the provider."""
    with pytest.raises(NotFound, match="not found"):
        await world.services.invite_member(ADA, invitation(**wish))
    for grid_id in (ELSEWHERE, SUNKEN, 999):
        with pytest.raises(NotFound, match=f"Grid {grid_id} not found"):
            await world.services.create_agent(ADA, attrs.evolve(AGENT, grid_id=grid_id))
        with pytest.raises(NotFound, match=f"Grid {grid_id} not found"):
            await world.services.create_customer(ADA, attrs.evolve(CUSTOMER, grid_id=grid_id))
    assert world.provider.calls == []


async def test_an_agent_has_login_account_and_wallet(world: Any) -> None:
    """[API-77] [API-174] [REL-24] Confirmed login, claims, wallet with nothing in it, audit."""
    agent = await world.services.create_agent(ADA, AGENT)
    assert (agent.grid_id, agent.rls_organization_id) == (UMUOKE, SUNNY)
    wallet = await world.wallet_of_agent(agent.id)
    assert wallet.balance == 0
    login = await world.provider.find(phone="+2348031234567")
    assert (login.phone, login.email, login.full_name) == ("2348031234567", None, "Chidi")
    assert claims_in(login) == {
        "account_id": agent.account_id,
        "account_type": "AGENT",
        "organization_id": SUNNY,
        "grid_id": UMUOKE,
    }
    assert await world.messages() == ["Ada created a new agent Chidi"]


async def test_a_customer_comes_with_the_account(world: Any) -> None:
    """[API-79] [API-175] All columns, the account beside them, no wallet."""
    wish = attrs.evolve(CUSTOMER, phone="+2348031234567", latitude=9.1, longitude=7.2, total_connection_fee=Decimal(50))
    customer = await world.services.create_customer(ADA, wish)
    assert (customer.latitude, customer.longitude, customer.total_connection_fee) == (9.1, 7.2, 50)
    assert customer.lives_primarily_in_the_community is True
    assert (customer.account.phone, customer.account.email) == ("2348031234567", None)
    assert (customer.account.id, customer.account.organization_id) == (customer.account_id, SUNNY)
    assert customer.account.full_name == "Dayo"
    assert await world.messages() == ["Ada created a new customer Dayo"]


async def test_a_customer_without_contact_gets_an_address_that_nobody_reads(world: Any) -> None:
    """[API-79] [REL-37] A made-up name under the configured domain."""
    customer = await world.services.create_customer(ADA, CUSTOMER)
    name, _, domain = customer.account.email.partition("@")
    assert (len(name), domain) == (36, "customers.invalid")
    with pytest.raises(InvalidInput, match="together"):
        await world.services.create_customer(ADA, attrs.evolve(CUSTOMER, latitude=9.1))


async def test_an_email_or_phone_is_one_persons(world: Any) -> None:
    """[API-74] The provider's words; nobody's login is touched, in whichever tenant it is."""
    await world.services.create_agent(ADA, attrs.evolve(AGENT, email="chidi@sunny.example"))
    before = await world.account_ids()
    world.provider.calls.clear()
    with pytest.raises(LoginTaken, match="Phone number already registered by another user"):
        await world.services.create_customer(STRANGER, attrs.evolve(CUSTOMER, grid_id=ELSEWHERE, phone=AGENT.phone))
    with pytest.raises(LoginTaken, match="A user with this email address has already been registered"):
        await world.services.invite_member(ADA, invitation(email="CHIDI@sunny.example"))
    assert (await world.account_ids(), world.provider.calls) == (before, [])


async def test_a_colleague_who_did_not_answer_is_invited_again(world: Any) -> None:
    """[API-179] The mail goes out again; the member stays one and the same."""
    first = await world.services.invite_member(ADA, invitation())
    again = await world.services.invite_member(ADA, invitation(member_type=MemberType.DEVELOPER))
    assert again == first
    assert [name for name, _ in world.provider.calls].count("invite") == 2
    login = await world.provider.find(email="bola@sunny.example")
    await world.provider.update(login.id, LoginChange(full_name="Bola"))
    with pytest.raises(LoginTaken):
        await world.services.invite_member(STRANGER, invitation(organization_id=OTHER))
