"""Changes of members, agents and customers, and deletion."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest
from tests.support.people_world import (
    ADA,
    ELSEWHERE,
    OPERATOR,
    STRANGER,
    SUNNY,
    UMUOKE,
    caller,
    invitation,
)

from nxt_domain.identity.model import AccountType, MemberType
from nxt_domain.identity.people import ContactChange, CustomerChange, MemberChange, NewAgent, NewCustomer
from nxt_domain.identity.scope import PLATFORM
from nxt_domain.shared.errors import Conflict, Forbidden, NotFound, Unavailable

AWAY = Unavailable("The identity provider can't be reached")


async def member_of(world: Any) -> Any:
    return await world.services.invite_member(ADA, invitation(busy_commissioning_id=UMUOKE))


async def agent_of(world: Any) -> Any:
    return await world.services.create_agent(ADA, NewAgent(full_name="Chidi", phone="+2348031234567", grid_id=UMUOKE))


async def customer_of(world: Any) -> Any:
    new = NewCustomer(full_name="Dayo", grid_id=UMUOKE, is_hidden_from_reporting=False, latitude=9.1, longitude=7.2)
    return await world.services.create_customer(ADA, new)


def change(member_id: int, **changes: Any) -> MemberChange:
    return MemberChange(
        **{
            "id": member_id,
            "full_name": "Bola A.",
            "member_type": MemberType.DEVELOPER,
            "training_level": 2,
            "subscribed_to_telegram_revenue_notifications": True,
            "hidden": True,
            **changes,
        }
    )


async def stored_member(world: Any, member_id: int) -> Any:
    async with world.begin() as tx:
        return await tx.within(PLATFORM).people.member(member_id)


async def stored_customer(world: Any, customer_id: int) -> Any:
    async with world.begin() as tx:
        return await tx.within(PLATFORM).people.customer(customer_id)


async def test_a_member_is_changed_in_both_places(world: Any) -> None:
    """[API-76] [API-173] Row, name and claim of the login, audit; an absent grid stays, null clears it."""
    member = await member_of(world)
    answer = await world.services.update_member(ADA, change(member.id))
    login = await world.provider.find(email="bola@sunny.example")
    assert (answer.id, answer.account.id, answer.account.supabase_id) == (member.id, member.account_id, login.id)
    assert answer.account.organization_id == SUNNY
    assert (login.full_name, login.app_metadata["member_type"]) == ("Bola A.", "DEVELOPER")
    assert login.app_metadata["account_id"] == member.account_id
    stored = await stored_member(world, member.id)
    assert (stored.member_type, stored.training_level, stored.hidden) == (MemberType.DEVELOPER, 2, True)
    assert stored.busy_commissioning_id == UMUOKE
    assert (await world.messages())[-1] == "Ada made updates to member Bola A."
    await world.services.update_member(ADA, change(member.id, keeps_grid=False))
    assert (await stored_member(world, member.id)).busy_commissioning_id is None


async def test_a_failed_update_changes_nothing(world: Any) -> None:
    """[API-173] The provider is away: the row is as it was, and nothing is in the feed."""
    member, customer = await member_of(world), await customer_of(world)
    feed = await world.messages()
    world.provider.refusals["update"] = AWAY
    with pytest.raises(Unavailable):
        await world.services.update_member(ADA, change(member.id))
    moved = CustomerChange(id=customer.id, full_name="Dayo", is_hidden_from_reporting=True, keeps_position=False)
    with pytest.raises(Unavailable):
        await world.services.update_customer(ADA, moved)
    assert await stored_member(world, member.id) == member
    assert (await stored_customer(world, customer.id)).latitude == 9.1
    assert (await stored_customer(world, customer.id)).is_hidden_from_reporting is False
    assert await world.messages() == feed


async def test_the_ceiling_holds_for_updates_and_spares_what_stays(world: Any) -> None:
    """[API-66] A type above one's own can't be given, but kept."""
    member = await world.services.invite_member(ADA, invitation(member_type=MemberType.FINANCE))
    tech = caller(SUNNY, MemberType.TECH)
    with pytest.raises(Forbidden, match="You can't assign the role DEVELOPER"):
        await world.services.update_member(tech, change(member.id))
    await world.services.update_member(tech, change(member.id, member_type=MemberType.FINANCE))
    with pytest.raises(Forbidden, match="SUPERADMIN"):
        await world.services.update_member(OPERATOR, change(member.id, member_type=MemberType.SUPERADMIN))


async def test_foreign_people_do_not_exist(world: Any) -> None:
    """[API-64] [R39] Another tenant's person, an unknown id and a deleted person: 404 alike; nothing is asked."""
    member, agent, customer = await member_of(world), await agent_of(world), await customer_of(world)
    world.provider.calls.clear()
    updates = world.services
    contact = ContactChange(id=agent.id, full_name="X", phone="+2348031234568")
    moved = CustomerChange(id=customer.id, full_name="X", is_hidden_from_reporting=True)
    for ask in (
        updates.update_member(STRANGER, change(member.id)),
        updates.update_member(ADA, change(999)),
        updates.update_member(ADA, change(member.id, busy_commissioning_id=ELSEWHERE, keeps_grid=False)),
        updates.update_agent(STRANGER, contact),
        updates.update_agent(ADA, attrs.evolve(contact, id=999)),
        updates.update_customer(STRANGER, moved),
        updates.delete_person(STRANGER, AccountType.MEMBER, member.id),
        updates.delete_person(STRANGER, AccountType.AGENT, agent.id),
        updates.delete_person(STRANGER, AccountType.CUSTOMER, customer.id),
        updates.delete_person(ADA, AccountType.AGENT, 999),
    ):
        with pytest.raises(NotFound, match="not found"):
            await ask
    assert world.provider.calls == []
    await updates.delete_person(ADA, AccountType.AGENT, agent.id)
    with pytest.raises(NotFound):
        await updates.update_agent(ADA, contact)


async def test_agents_and_customers_get_new_contacts_at_once(world: Any) -> None:
    """[API-78] [API-80] [API-176] Phone, e-mail and name of the login; what is absent stays; position cleared."""
    agent, customer = await agent_of(world), await customer_of(world)
    answer = await world.services.update_agent(
        ADA, ContactChange(id=agent.id, full_name="Chidi O.", phone="+2348031234568", email="c@sunny.example")
    )
    assert (answer.id, answer.grid_id) == (agent.id, UMUOKE)
    login = await world.provider.find(login_id=answer.account.supabase_id)
    assert (login.phone, login.email, login.full_name) == ("2348031234568", "c@sunny.example", "Chidi O.")
    kept = CustomerChange(id=customer.id, full_name="Dayo A.", is_hidden_from_reporting=True)
    answer = await world.services.update_customer(ADA, kept)
    login = await world.provider.find(login_id=answer.account.supabase_id)
    assert (login.email, login.full_name) == (customer.account.email, "Dayo A.")
    stored = await stored_customer(world, customer.id)
    assert (stored.is_hidden_from_reporting, stored.latitude) == (True, 9.1)
    await world.services.update_customer(ADA, attrs.evolve(kept, keeps_position=False))
    assert (await stored_customer(world, customer.id)).latitude is None
    assert (await world.messages())[-3:] == [
        "Ada updated agent Chidi O.",
        "Ada updated customer Dayo A.",
        "Ada updated customer Dayo A.",
    ]


async def test_a_deleted_person_is_banned_and_stays_in_the_books(world: Any) -> None:
    """[API-81] [API-177] [REL-36] Marked, banned for a hundred years, told once; repeated calls change nothing."""
    agent = await agent_of(world)
    for _ in range(2):
        answer = await world.services.delete_person(ADA, AccountType.AGENT, agent.id)
        assert (answer.accountType, answer.full_name, answer.deleted) == (AccountType.AGENT, "Chidi", True)
    assert (await world.messages())[1:] == ["Ada deleted agent Chidi"]
    login = await world.provider.find(phone="2348031234567")
    async with world.begin() as tx:
        person = await tx.within(PLATFORM).people.find(AccountType.AGENT, agent.id)
    assert login.banned_until - person.deleted_at > timedelta(days=36_000)
    assert (await world.wallet_of_agent(agent.id)) is not None


async def test_a_failed_ban_keeps_the_mark_and_a_repeat_completes_it(world: Any) -> None:
    """[API-177] Access is cut already; the answer is the error; the first time of deletion stays."""
    agent = await agent_of(world)
    world.provider.refusals["update"] = AWAY
    with pytest.raises(Unavailable):
        await world.services.delete_person(ADA, AccountType.AGENT, agent.id)
    async with world.begin() as tx:
        first = (await tx.within(PLATFORM).people.find(AccountType.AGENT, agent.id)).deleted_at
    assert first is not None
    assert len(await world.messages()) == 1
    world.provider.refusals.clear()
    await world.services.delete_person(ADA, AccountType.AGENT, agent.id)
    async with world.begin() as tx:
        assert (await tx.within(PLATFORM).people.find(AccountType.AGENT, agent.id)).deleted_at == first
    assert (await world.messages())[1:] == ["Ada deleted agent Chidi"]


async def test_customers_with_meters_stay(world: Any) -> None:
    """[API-81] 409 with the sentence that dashboards show."""
    customer = await customer_of(world)
    await world.give_meter(customer.id)
    with pytest.raises(Conflict, match="Can't delete customers with meters assigned"):
        await world.services.delete_person(ADA, AccountType.CUSTOMER, customer.id)
    async with world.begin() as tx:
        assert (await tx.within(PLATFORM).people.find(AccountType.CUSTOMER, customer.id)).deleted_at is None


async def test_nobody_removes_somebody_above_them(world: Any) -> None:
    """[API-68] The ceiling of the deletion of members; a rank without place counts lowest."""
    member = await world.services.invite_member(ADA, invitation(member_type=MemberType.FINANCE))
    for member_type in (MemberType.TECH, MemberType.SALES):
        with pytest.raises(Forbidden):
            await world.services.delete_person(caller(SUNNY, member_type), AccountType.MEMBER, member.id)
    assert (await world.services.delete_person(ADA, AccountType.MEMBER, member.id)).deleted
