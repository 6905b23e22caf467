"""``DeviceMessages``: one suite over both modes, in memory and on PostgreSQL; stand-alone means a real service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.meters_villages import MemoryVillage, PostgresVillage
from tests.support.meters_world import MetersWorld
from tests.support.remote_messages import RemoteMemoryVillage, RemotePostgresVillage, remote_service
from tests.support.top_ups import Desk

from nxt_adapters.supabase.engine import create_engine
from nxt_domain.messaging.model import CancelResult, DeliveryStatus
from nxt_domain.meters.use_cases.hand_over import hand_over

MODES = ("embedded memory", "embedded postgres", "remote memory", "remote postgres")


@pytest.fixture(params=MODES)
async def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MetersWorld]:
    if request.param == "embedded memory":
        yield MemoryVillage()
    elif request.param == "remote memory":
        yield RemoteMemoryVillage()
    else:
        url = request.getfixturevalue("relational_url")
        engine = create_engine(url, pool_size=5)
        is_remote = request.param == "remote postgres"
        village: Any = (RemotePostgresVillage if is_remote else PostgresVillage)(url, engine)
        if is_remote:
            database = request.getfixturevalue("messaging_url")
            off = {"engine": {"enabled": False}}  # nothing moves while it is looked at
            async with remote_service(village, database, monkeypatch, **off):
                yield village
        else:
            yield village
        await village.close()
        await engine.dispose()


async def delivered(world: Any) -> None:
    if hasattr(world, "deliver"):
        await world.deliver()


async def get(world: MetersWorld, correlation_id: str) -> Any:
    async with world.begin() as tx:
        return await tx.messages.get(correlation_id)


async def cancel(world: MetersWorld, *correlation_ids: str) -> Any:
    async with world.begin() as tx:
        results = await tx.messages.cancel(correlation_ids)
        await tx.commit()
    return results


@pytest.mark.parametrize("is_posted", [False, True], ids=["at once", "after a while"])
async def test_a_command_is_there_from_its_commit_on(world: MetersWorld, is_posted: bool) -> None:
    """[DM-2] [DM-64] [DM-145] [R56] In both modes, whether the service has it yet or not."""
    top_up = await Desk(world).buy()
    if is_posted:
        await delivered(world)
    message = await get(world, str(top_up.id))
    assert message.delivery_status is DeliveryStatus.QUEUED
    assert (message.plugin_id, message.priority) == ("calin-chirpstack", 50)
    assert message.device.external_reference == "47001000117"
    assert await get(world, "999999") is None


async def test_without_a_commit_there_is_none(world: MetersWorld) -> None:
    """[DM-2] An order, its interaction and its message commit together or not at all."""
    top_up = await Desk(world).buy()
    assert (await cancel(world, str(top_up.id)))[str(top_up.id)] is CancelResult.CANCELLED
    async with world.begin() as tx:
        meters = await tx.meters.lock([top_up.meter_id])
        await hand_over(tx, [(top_up, meters[top_up.meter_id])], world.clock.now())
    await delivered(world)
    assert await get(world, str(top_up.id)) is None


@pytest.mark.parametrize("is_posted", [False, True], ids=["at once", "after a while"])
async def test_what_is_cancelled_never_comes(world: MetersWorld, is_posted: bool) -> None:
    """[DM-65] [PAY-145] Before it was posted and afterwards; what nobody knows says so."""
    top_up = await Desk(world).buy()
    if is_posted:
        await delivered(world)
    correlation_id = str(top_up.id)
    results = await cancel(world, "999999", correlation_id)
    assert results == {"999999": CancelResult.NOT_FOUND, correlation_id: CancelResult.CANCELLED}
    await delivered(world)
    assert await get(world, correlation_id) is None
    assert await cancel(world, correlation_id) == {correlation_id: CancelResult.NOT_FOUND}


@pytest.mark.parametrize("is_posted", [False, True], ids=["at once", "after a while"])
async def test_what_is_under_way_is_unsettled(world: MetersWorld, is_posted: bool) -> None:
    """[MET-80] A command that has a message, or is to be one, is not lost; others are."""
    top_up = await Desk(world).buy()
    if is_posted:
        await delivered(world)
    correlation_id = str(top_up.id)
    async with world.begin() as tx:
        assert set(await tx.messages.unsettled([correlation_id, "999999"])) == {correlation_id}
    await cancel(world, correlation_id)
    async with world.begin() as tx:
        assert set(await tx.messages.unsettled([correlation_id])) == set()
