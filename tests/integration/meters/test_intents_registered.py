"""What clients write into the intent columns of meters is registered by the domain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from tests.support.meters_villages import MemoryVillage, PostgresVillage, postgres_village
from tests.support.meters_world import MetersWorld

from nxt_domain.meters.intents import Intent, RegisterIntents, ShadowAttribute
from nxt_domain.meters.model import MeterObservation

RELAY, LIMIT = ShadowAttribute.RELAY, ShadowAttribute.POWER_LIMIT


@pytest.fixture
async def postgres(relational_url: str) -> AsyncIterator[PostgresVillage]:
    async with postgres_village(relational_url) as built:
        yield built


async def write(
    world: MetersWorld, attribute: ShadowAttribute, desired: int | None, meter_id: int | None = None
) -> None:
    """Do what a client's write leaves behind."""
    meter_id = meter_id or world.meter_ids[0]
    if isinstance(world, PostgresVillage):
        world.run(
            "insert into internal.intent_inbox (meter_id, attribute, desired) values (%s, %s, %s)",
            meter_id,
            attribute.value,
            desired,
        )
        return
    async with world.begin() as tx:
        tx.intents.write(
            Intent(meter_id=meter_id, attribute=attribute, desired=desired, at=world.clock.now(), author_id=None)
        )
        await tx.commit()


async def wanted(world: MetersWorld, attribute: ShadowAttribute) -> tuple[int | None, int] | None:
    """What is desired, and its revision."""
    if isinstance(world, PostgresVillage):
        rows = world.all(
            "select desired, desired_rev from meter_shadows where meter_id = %s and attribute = %s",
            world.meter_ids[0],
            attribute.value,
        )
        return None if not rows else (rows[0]["desired"], rows[0]["desired_rev"])
    assert isinstance(world, MemoryVillage)
    row = world.begin().intents.desired(world.meter_ids[0], attribute.value)
    return None if row is None else (row.intent.desired, row.revision)


async def test_each_write_is_a_registration(world: MetersWorld) -> None:
    """[R16] [MET-105] [REL-159] Of an equal value, too; the last one holds, and each is in the history."""
    register = RegisterIntents(world.begin)
    for attribute, desired in ((RELAY, 1), (LIMIT, 200), (RELAY, 0), (RELAY, 0)):
        await write(world, attribute, desired)
    assert await register() == 4
    assert (await wanted(world, RELAY), await wanted(world, LIMIT)) == ((0, 3), (200, 1))
    await write(world, LIMIT, None)
    assert (await register(), await register()) == (1, 0)
    assert await wanted(world, LIMIT) == (None, 2)
    assert [entry[:2] for entry in await world.history()] == [("DESIRED_SET", "USER")] * 5


async def test_a_deleted_meter_wants_nothing(world: MetersWorld) -> None:
    """[MET-12] Its intent is taken and comes to nothing; others are not held up."""
    await write(world, RELAY, 1, world.deleted_meter_id)
    await write(world, RELAY, 1)
    assert await RegisterIntents(world.begin)() == 2
    assert await wanted(world, RELAY) == (1, 1)
    assert len(await world.history()) == 1


def shadow(world: PostgresVillage) -> dict[str, Any]:
    (row,) = world.all(
        "select * from meter_shadows where meter_id = %s and attribute = 'power_limit'", world.meter_ids[0]
    )
    return row


async def test_a_new_intent_begins_anew(postgres: PostgresVillage) -> None:
    """[MET-105] [MET-132] Attempts, cool-off and block end; the time and the author are the write's."""
    meter_id = postgres.meter_ids[0]
    account = postgres.one("insert into accounts (full_name) values ('Member') returning id")
    async with postgres.begin() as tx:
        observed = MeterObservation(meter_id=meter_id, observed_at=postgres.clock.now(), power_limit_w=200)
        await tx.meters.observe([observed])
        await tx.commit()
    postgres.run(
        "update meter_shadows set state = 'BLOCKED', attempts = 5, cool_off_until = now(), drift_since = now()"
        " where meter_id = %s",
        meter_id,
    )
    for desired, state in ((500, "UNKNOWN"), (200, "IN_SYNC")):
        postgres.run(
            "insert into internal.intent_inbox (meter_id, attribute, desired, account_id)"
            " values (%s, 'power_limit', %s, %s)",
            meter_id,
            desired,
            account,
        )
        await RegisterIntents(postgres.begin)()
        row = shadow(postgres)
        assert (row["state"], row["desired"], row["attempts"], row["cool_off_until"], row["drift_since"]) == (
            state,
            desired,
            0,
            None,
            None,
        )
        assert (row["desired_origin"], row["desired_author_id"], row["reported"]) == ("USER", account, 200)
    times = postgres.all(
        "select power_limit_should_be_updated_at as limit_at, should_be_on_updated_at as relay_at"
        " from meters where id = %s",
        meter_id,
    )
    assert abs(times[0]["limit_at"] - shadow(postgres)["desired_at"]) < timedelta(milliseconds=1)
    assert times[0]["relay_at"] is None


async def test_what_was_written_stays_written(postgres: PostgresVillage) -> None:
    """[MET-27] A newer value that waits in the inbox is not overwritten by the registration of an older one."""
    meter_id = postgres.meter_ids[0]
    await write(postgres, LIMIT, 100)
    postgres.run("update meters set power_limit_should_be = 300 where id = %s", meter_id)
    await RegisterIntents(postgres.begin)()
    assert postgres.one("select power_limit_should_be from meters where id = %s", meter_id) == 300
    assert postgres.one("select count(*) from internal.intent_inbox") == 0


async def test_two_processes_register_each_intent_once(postgres: PostgresVillage) -> None:
    """[R16] Whoever takes a row has it."""
    for number in range(40):
        await write(postgres, RELAY, number % 2, postgres.meter_ids[number % 3])
    register = RegisterIntents(postgres.begin)
    taken = await asyncio.gather(*(register() for _ in range(4)))
    assert sum(taken) == 40
    assert postgres.one("select sum(desired_rev) from meter_shadows") == 40
