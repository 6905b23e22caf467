"""Bringing commands to stand-alone messaging, on stores in memory [R56]."""

from __future__ import annotations

import attrs
import pytest
from tests.support.remote_messages import RemoteMemoryVillage
from tests.support.top_ups import Desk

from nxt_domain.messaging.remote import posted_command
from nxt_domain.meters.model import InteractionStatus, Resolution
from nxt_domain.shared.errors import InvalidInput, Unavailable


@pytest.fixture
def village() -> RemoteMemoryVillage:
    return RemoteMemoryVillage()


async def test_tasks_hold_no_token_and_posts_do(village: RemoteMemoryVillage) -> None:
    """[R49] [MET-143]"""
    top_up = await Desk(village).buy()
    (task,) = await village.tasks("DEVICE_MESSAGE")
    assert top_up.token is not None
    assert top_up.token not in str(task.payload)
    assert task.stream_key == f"message:{top_up.id}"
    await village.deliver()
    (body,) = village.service.bodies.values()
    assert body["requestData"] == {"token": top_up.token}
    assert list(village.service.bodies) == [task.dedupe_key]


async def test_a_refusal_ends_the_interaction_as_in_the_embedded_mode(village: RemoteMemoryVillage) -> None:
    """[DM-176] [MET-80] FAILED with the service's text; people hear of a paid one; once."""
    desk = Desk(village)
    top_up = await desk.buy()
    village.service.refusal = InvalidInput("Unknown or disabled pluginId: calin-chirpstack")
    await village.deliver()
    failed = await village.interaction(top_up.id)
    assert (failed.status, failed.resolution) == (InteractionStatus.FAILED, Resolution.DELIVERY_FAILED)
    (record,) = failed.delivery_failures
    assert (record.reason, record.status, record.is_final) == (
        "Unknown or disabled pluginId: calin-chirpstack",
        InteractionStatus.QUEUED,
        True,
    )
    assert await desk.alerts() == ["TOP_UP_FAILED"]
    assert (await desk.news_of(top_up.id))[-1] == ("UPDATE", "FAILED")


async def test_what_has_ended_meanwhile_is_not_posted(village: RemoteMemoryVillage) -> None:
    """[PAY-145]"""
    top_up = await Desk(village).buy()
    tasks = await village.claim()
    await village.save(attrs.evolve(top_up, status=InteractionStatus.ABORTED))
    await village.post(tasks)
    assert village.service.bodies == {}


async def test_one_that_is_being_posted_cannot_be_taken_back(village: RemoteMemoryVillage) -> None:
    """[DM-65] Nobody knows yet whether the service has it."""
    top_up = await Desk(village).buy()
    tasks = await village.claim()
    async with village.begin() as tx:
        results = await tx.messages.cancel([str(top_up.id)])
        await tx.commit()
    assert results[str(top_up.id)] == "NOT_CANCELLABLE"
    await village.post(tasks)
    assert len(village.service.bodies) == 1


async def test_a_service_that_is_away_keeps_all_of_them(village: RemoteMemoryVillage) -> None:
    """[DM-189]"""
    await Desk(village).buy()
    village.service.failure = Unavailable("away")
    tasks = await village.claim()
    with pytest.raises(Unavailable):
        await village.post(tasks)
    village.service.failure = None
    await village.post(tasks)
    assert len(village.service.bodies) == 1


def test_a_task_of_somebody_else_is_refused() -> None:
    with pytest.raises(InvalidInput, match="holds no command"):
        posted_command("device-message:1", {"message": {"priority": 1}})
