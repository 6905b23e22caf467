"""``TokenIssues``: one suite over memory and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from tests.support.meters_villages import KINDS, village
from tests.support.meters_world import MetersWorld

from nxt_domain.shared.errors import Conflict
from nxt_domain.tokens.model import TokenClass, TokenReservation
from nxt_domain.tokens.rules import minute_of

TOKEN, OTHER = "00000100000000001234", "00000200000000001234"


@pytest.fixture(params=KINDS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[MetersWorld]:
    async with village(request, request.param) as built:
        yield built


def reservation(world: MetersWorld, number: int, issued_at: datetime, **changes: Any) -> TokenReservation:
    made = TokenReservation(
        meter_id=world.meter_ids[0],
        interaction_id=number,
        token_class=TokenClass.TOP_UP,
        issued_at=issued_at,
        nonce=number % 16,
        value=Decimal("4.4"),
    )
    return attrs.evolve(made, **changes)


async def reserve(world: MetersWorld, *reservations: TokenReservation) -> None:
    async with world.begin() as tx:
        await tx.token_issues.reserve(reservations)
        await tx.commit()


async def test_r22_what_was_reserved_is_found_again(world: MetersWorld) -> None:
    now = world.clock.now()
    first = reservation(world, 1, now)
    second = reservation(world, 2, now, meter_id=world.meter_ids[1], token=TOKEN)
    await reserve(world, first, second)
    await reserve(world)
    async with world.begin() as tx:
        assert await tx.token_issues.of_interactions([1, 2, 3]) == {1: first, 2: second}
        assert await tx.token_issues.of_interactions([]) == {}


async def test_met_74_the_meter_remembers_its_newest_issue_time(world: MetersWorld) -> None:
    """Of several; an older one does not set it back."""
    now = world.clock.now()
    await reserve(world, reservation(world, 1, now + timedelta(minutes=2)), reservation(world, 2, now))
    assert (await world.meter(world.meter_ids[0])).last_sts_token_issued_at == now + timedelta(minutes=2)
    await reserve(world, reservation(world, 3, now + timedelta(minutes=1)))
    assert (await world.meter(world.meter_ids[0])).last_sts_token_issued_at == now + timedelta(minutes=2)
    assert (await world.meter(world.meter_ids[1])).last_sts_token_issued_at is None


async def test_rel_164_a_minute_is_taken_once(world: MetersWorld) -> None:
    """The last guard; the other meter's minutes are its own."""
    minute = minute_of(world.clock.now())
    await reserve(world, reservation(world, 1, minute + timedelta(seconds=5)))
    with pytest.raises(Conflict):
        await reserve(world, reservation(world, 2, minute + timedelta(seconds=59)))
    await reserve(world, reservation(world, 3, minute, meter_id=world.meter_ids[1]))
    assert [meter_id for meter_id, _, _ in await world.tokens()] == world.meter_ids[:2]


async def test_all_kinds_of_tokens_share_one_sequence_of_minutes(world: MetersWorld) -> None:
    """[STS-62] Two of one minute would be one too many for the meter, whatever they are."""
    now = world.clock.now()
    await reserve(world, reservation(world, 1, now))
    for kind in TokenClass:
        with pytest.raises(Conflict):
            await reserve(world, reservation(world, 2, now, token_class=kind, value=None))


async def test_taken_minutes_from_a_time_on(world: MetersWorld) -> None:
    minute = minute_of(world.clock.now())
    await reserve(world, *(reservation(world, n, minute + timedelta(minutes=n, seconds=30)) for n in range(-2, 3)))
    async with world.begin() as tx:
        taken = await tx.token_issues.taken_minutes(world.meter_ids, minute + timedelta(seconds=45))
        nothing = await tx.token_issues.taken_minutes([], minute)
    assert set(taken.get(world.meter_ids[0], ())) == {minute + timedelta(minutes=n) for n in range(3)}
    assert set(taken.get(world.meter_ids[1], ())) == set()
    assert not nothing


async def test_pay_115_a_token_is_completed_once(world: MetersWorld) -> None:
    now = world.clock.now()
    await reserve(world, reservation(world, 1, now), reservation(world, 2, now + timedelta(minutes=1)))
    for token in (TOKEN, OTHER):
        async with world.begin() as tx:
            await tx.token_issues.complete(1, token)
            await tx.commit()
    async with world.begin() as tx:
        found = await tx.token_issues.of_interactions([1, 2])
    assert (found[1].token, found[2].token) == (TOKEN, None)
