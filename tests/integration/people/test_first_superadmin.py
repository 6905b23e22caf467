"""The first superadmin of an installation, over every identity provider."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.people_world import ADA, PLATFORM_ID, invitation

from nxt_adapters.system.clock import SystemClock
from nxt_domain.identity.logins import LoginTaken, NewLogin
from nxt_domain.identity.model import MemberType
from nxt_domain.identity.use_cases.first_superadmin import EnsureSuperadmin
from nxt_domain.identity.use_cases.person_maker import PersonMaker
from nxt_domain.shared.errors import InvalidInput, Unavailable

DESK = NewLogin(full_name="The Desk", email="desk@platform.example", password="correct horse")


def _ensure(world: Any) -> EnsureSuperadmin:
    maker = PersonMaker(begin=world.begin, provider=world.provider, contacts=world.contacts, clock=SystemClock())
    return EnsureSuperadmin(begin=world.begin, provider=world.provider, maker=maker, admin_organization_id=PLATFORM_ID)


async def test_a_superadmin_is_made_once(world: Any) -> None:
    """[REL-170] [API-168] Confirmed login with claims, member row, one line in the feed; again: nothing."""
    ensure = _ensure(world)
    member = await ensure(DESK)
    assert member is not None
    assert (member.member_type, member.rls_organization_id) == (MemberType.SUPERADMIN, PLATFORM_ID)
    login = await world.provider.find(email=DESK.email)
    claims = {name: value for name, value in login.app_metadata.items() if not name.startswith("provider")}
    assert claims == {
        "account_id": member.account_id,
        "account_type": "MEMBER",
        "organization_id": PLATFORM_ID,
        "member_type": "SUPERADMIN",
    }
    before = await world.account_ids()
    assert await ensure(DESK) is None
    assert await world.account_ids() == before
    assert [text for text in await world.messages() if "first superadmin" in text] == [
        "Operator at the command line made The Desk the first superadmin"
    ]


async def test_an_address_that_is_somebody_elses_is_refused(world: Any) -> None:
    """[REL-170] A tenant's member does not become staff of the platform by the way."""
    await world.services.invite_member(ADA, invitation(email=DESK.email))
    with pytest.raises(LoginTaken):
        await _ensure(world)(DESK)


async def test_a_person_without_an_address_is_refused(world: Any) -> None:
    """[REL-170] Nobody could sign in."""
    with pytest.raises(InvalidInput, match="e-mail"):
        await _ensure(world)(NewLogin(full_name="The Desk"))


async def test_a_failure_leaves_nobody_half_made(world: Any) -> None:
    """[REL-100] [REL-177] What was begun is taken back; the next attempt succeeds."""
    before = await world.account_ids()
    world.provider.refusals["update"] = Unavailable("The identity provider can't be reached")
    with pytest.raises(Unavailable):
        await _ensure(world)(DESK)
    world.provider.refusals.clear()
    assert await world.account_ids() == before
    assert await _ensure(world)(DESK) is not None
