"""The identity provider or the database fails at each step of each creation: nothing half-made, or taken up again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
from tests.support.people_world import ADA, UMUOKE, half_made, invitation

from nxt_adapters.memory.people import MemoryPeopleRegister
from nxt_adapters.supabase.people_register import PostgresPeopleRegister
from nxt_domain.identity.logins import LoginTaken, NewLogin
from nxt_domain.identity.people import NewAgent, NewCustomer
from nxt_domain.shared.errors import Conflict, Unavailable
from nxt_domain.shared.idempotency import Claim, KeyRecord, keyed_request, working_on

AWAY = Unavailable("The identity provider can't be reached")
AGENT = NewAgent(full_name="Chidi", phone="+2348031234567", grid_id=UMUOKE)
CUSTOMER = NewCustomer(full_name="Dayo", grid_id=UMUOKE, is_hidden_from_reporting=False, email="dayo@sunny.example")
NAMELESS = attrs.evolve(CUSTOMER, email=None)

CREATIONS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "member": lambda world: world.services.invite_member(ADA, invitation()),
    "agent": lambda world: world.services.create_agent(ADA, AGENT),
    "customer": lambda world: world.services.create_customer(ADA, CUSTOMER),
}
CONTACTS = {
    "member": {"email": "bola@sunny.example"},
    "agent": {"phone": AGENT.phone},
    "customer": {"email": CUSTOMER.email},
}


async def login_of(world: Any, kind: str) -> Any:
    return await world.provider.find(**CONTACTS[kind])


@pytest.mark.parametrize("kind", CREATIONS)
async def test_a_provider_that_is_away_from_the_start_makes_nothing(world: Any, kind: str) -> None:
    """[API-74] [API-171] 503, and no trace."""
    world.provider.refusals = {"invite": AWAY, "create": AWAY}
    with pytest.raises(Unavailable):
        await CREATIONS[kind](world)
    assert (await world.account_ids(), await world.messages(), await world.alerts()) == ([], [], [])


@pytest.mark.parametrize("kind", CREATIONS)
async def test_what_was_made_is_taken_back(world: Any, kind: str) -> None:
    """[API-171] [REL-100] The claims can't be written: account and login go; the next attempt begins anew."""
    world.provider.refusals["update"] = AWAY
    with pytest.raises(Unavailable):
        await CREATIONS[kind](world)
    assert (await world.account_ids(), await login_of(world, kind)) == ([], None)
    assert (await world.messages(), await world.alerts()) == ([], [])
    world.provider.refusals.clear()
    assert (await CREATIONS[kind](world)).id


@pytest.mark.parametrize("kind", CREATIONS)
async def test_a_clean_up_that_fails_calls_for_help_and_is_adopted(world: Any, kind: str) -> None:
    """[API-171] [REL-100] An alert, and the next attempt with the same e-mail or phone takes the login up."""
    world.provider.refusals = {"update": AWAY, "delete": AWAY}
    with pytest.raises(Unavailable):
        await CREATIONS[kind](world)
    left = await login_of(world, kind)
    assert left is not None
    assert await world.alerts() == ["HALF_MADE_PERSON"]
    world.provider.refusals.clear()
    person = await CREATIONS[kind](world)
    adopted = await login_of(world, kind)
    assert (adopted.id, adopted.app_metadata["account_id"]) == (left.id, person.account_id)
    assert len(await world.messages()) == 1


@pytest.mark.parametrize("kind", CREATIONS)
async def test_a_person_that_the_database_refuses_leaves_no_login(
    world: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[API-171] The last transaction fails: everything before it is undone, and its error is the answer."""

    async def refuse(*_: object) -> None:
        raise Conflict("members_pkey is violated")

    for register in (MemoryPeopleRegister, PostgresPeopleRegister):
        monkeypatch.setattr(register, f"add_{kind}", refuse)
    with pytest.raises(Conflict):
        await CREATIONS[kind](world)
    assert (await world.account_ids(), await login_of(world, kind), await world.messages()) == ([], None, [])


@pytest.mark.parametrize("kind", CREATIONS)
async def test_an_answer_that_was_lost_is_made_good_by_the_next_attempt(world: Any, kind: str) -> None:
    """[API-171] The login was made, but nobody heard of it: the next attempt adopts it."""
    world.provider.losses = {"invite", "create"}
    with pytest.raises(Unavailable):
        await CREATIONS[kind](world)
    left = await login_of(world, kind)
    assert left is not None
    world.provider.losses.clear()
    assert (await CREATIONS[kind](world)).id
    assert (await login_of(world, kind)).id == left.id


async def test_a_lost_login_that_nobody_could_ask_for_again_is_looked_for_at_once(world: Any) -> None:
    """[API-171] [API-79] A made-up e-mail is made up anew each time."""
    world.provider.losses = {"create"}
    with pytest.raises(Unavailable):
        await world.services.create_customer(ADA, NAMELESS)
    assert await world.account_ids() == []
    assert world.provider.calls[-1][0] == "delete"


@pytest.mark.parametrize("is_account_there", [True, False])
async def test_leftovers_of_a_killed_process_are_adopted(world: Any, is_account_there: bool) -> None:
    """[API-171] With its account or without: the login is found, renamed and used."""
    left = await half_made(world, NewLogin(full_name="Old Name", phone=AGENT.phone))
    if not is_account_there:
        async with world.begin() as tx:
            assert await tx.accounts.discard(left.id)
            await tx.commit()
    agent = await world.services.create_agent(ADA, AGENT)
    login = await world.provider.find(login_id=left.id)
    assert (login.full_name, login.app_metadata["account_id"]) == ("Chidi", agent.account_id)


async def test_a_commit_of_unknown_fate_never_costs_a_person_the_login(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[API-171] The person was stored, and the answer of the database was lost: nothing is taken back."""
    begin = type(world.begin())
    commits = {"left": 2}

    async def commit(self: Any) -> None:
        await original(self)
        commits["left"] -= 1
        if commits["left"] == 0:
            raise Unavailable("The database can't be reached")

    original = begin.commit
    monkeypatch.setattr(begin, "commit", commit)
    with pytest.raises(Unavailable):
        await world.services.create_agent(ADA, AGENT)
    monkeypatch.undo()
    assert await login_of(world, "agent") is not None
    assert len(await world.messages()) == 1
    with pytest.raises(LoginTaken):
        await world.services.create_agent(ADA, AGENT)


async def test_one_phone_makes_one_person_however_many_ask_at_once(world: Any) -> None:
    """[API-171] [REL-23] Six attempts side by side: one agent or customer, one login, everybody else is refused."""
    as_customer = attrs.evolve(CUSTOMER, email=None, phone=AGENT.phone)
    attempts = [
        world.services.create_agent(ADA, AGENT) if index % 2 else world.services.create_customer(ADA, as_customer)
        for index in range(6)
    ]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    made = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert len(made) == 1
    assert all(isinstance(outcome, LoginTaken | Conflict) for outcome in refused), refused
    login = await login_of(world, "agent")
    assert login.app_metadata["account_id"] == made[0].account_id
    assert await world.account_ids() == [made[0].account_id]
    assert (len(await world.messages()), await world.alerts()) == (1, [])


@pytest.mark.parametrize("kind", CREATIONS)
async def test_a_keyed_attempt_that_failed_can_be_sent_again(world: Any, kind: str) -> None:
    """[REL-155] [API-171] What was taken back was not carried out: the same key begins anew, until it is done."""
    request = keyed_request(scope="account:1", key="k-1", method="POST", path=f"/user-admin/{kind}", body=b"{}")
    for fault in ({"update": AWAY}, {"update": AWAY, "delete": AWAY}):
        world.provider.refusals = fault
        claim = await world.keys.claim(request)
        assert isinstance(claim, Claim)
        with pytest.raises(Unavailable), working_on(claim):
            await CREATIONS[kind](world)
        await world.keys.release(claim)
    world.provider.refusals = {}
    claim = await world.keys.claim(request)
    assert isinstance(claim, Claim)
    with working_on(claim):
        await CREATIONS[kind](world)
    await world.keys.release(claim)
    assert isinstance(await world.keys.claim(request), KeyRecord)
