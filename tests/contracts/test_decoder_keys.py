"""``DecoderKeys``: one suite over memory and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
from tests.support.meters_villages import KINDS, PostgresVillage, village
from tests.support.meters_world import MetersWorld

from nxt_domain.shared.secrets import SecretLost

KEY, OTHER = "0123456789ABCDEF", "FEDCBA9876543210"


@pytest.fixture(params=KINDS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[MetersWorld]:
    async with village(request, request.param) as built:
        yield built


async def keys(world: MetersWorld, meter_ids: Sequence[int]) -> dict[int, str]:
    async with world.begin() as tx:
        found = await tx.decoder_keys.of_meters(meter_ids)
    return {meter_id: key.reveal() for meter_id, key in found.items()}


async def seal(world: MetersWorld) -> None:
    if isinstance(world, PostgresVillage):
        await world.seal_keys()


async def test_rel_141_a_key_is_there_from_the_moment_it_was_written(world: MetersWorld) -> None:
    """[R15] Before it is sealed, and after."""
    first, second, third = world.meter_ids
    await world.give_key(first, KEY)
    await seal(world)
    await world.give_key(second, OTHER)
    assert await keys(world, [first, second, third]) == {first: KEY, second: OTHER}
    await seal(world)
    assert await keys(world, [second, third]) == {second: OTHER}
    assert await keys(world, []) == {}


async def test_rel_141_the_newest_counts_and_an_empty_text_deletes(world: MetersWorld) -> None:
    meter_id = world.meter_ids[0]
    await world.give_key(meter_id, KEY)
    await seal(world)
    await world.give_key(meter_id, OTHER)
    assert await keys(world, [meter_id]) == {meter_id: OTHER}
    await world.give_key(meter_id, "")
    assert await keys(world, [meter_id]) == {}
    await seal(world)
    assert await keys(world, [meter_id]) == {}


async def test_r59_a_key_without_its_data_key_is_lost(world: MetersWorld) -> None:
    """Other meters' keys are opened all the same."""
    await world.lose_key(world.meter_ids[0])
    with pytest.raises(SecretLost):
        await keys(world, world.meter_ids)
    await world.give_key(world.meter_ids[1], KEY)
    assert await keys(world, world.meter_ids[1:]) == {world.meter_ids[1]: KEY}


async def test_sts_7_a_key_shows_itself_nowhere(world: MetersWorld) -> None:
    await world.give_key(world.meter_ids[0], KEY)
    async with world.begin() as tx:
        found = await tx.decoder_keys.of_meters(world.meter_ids)
    assert KEY not in repr(found)
