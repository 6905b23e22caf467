"""Commands without a message are found and handed over again, or ended [MET-80]."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest
from tests.support.meters_world import MetersWorld
from tests.support.top_ups import Desk, clear_credit

from nxt_domain.messaging.events import delivery_task
from nxt_domain.messaging.model import DeliveryStatus
from nxt_domain.meters.model import Interaction, InteractionStatus, InteractionType, NewInteraction, Origin, Resolution
from nxt_domain.meters.use_cases import sweep_interactions
from nxt_domain.shared.wakeups import Channel

QUEUED, PROCESSING, FAILED = InteractionStatus.QUEUED, InteractionStatus.PROCESSING, InteractionStatus.FAILED
LONG, DAYS = timedelta(minutes=11), timedelta(hours=49, minutes=1)


def read(meter_id: int, **changes: Any) -> NewInteraction:
    facts: dict[str, Any] = {
        "meter_id": meter_id,
        "type": InteractionType.READ_CREDIT,
        "status": QUEUED,
        "origin": Origin.USER,
        "priority": 30,
    }
    return NewInteraction(**(facts | changes))


async def take_message_away(world: MetersWorld, interaction: Interaction) -> None:
    async with world.begin() as tx:
        await tx.messages.cancel([str(interaction.id)])
        await tx.commit()


async def under_way(world: MetersWorld, interaction: Interaction) -> Interaction:
    """Handed on long ago, and its message gone without a word."""
    await take_message_away(world, interaction)
    changed = attrs.evolve(interaction, status=PROCESSING, first_transmitted_at=world.clock.now())
    await world.save(changed)
    await world.age(interaction.id, DAYS)
    return changed


async def test_what_waits_without_a_message_is_handed_over_again(world: MetersWorld) -> None:
    """After ten minutes, once; with its token and rank."""
    desk = Desk(world)
    top_up = await desk.buy()
    await take_message_away(world, top_up)
    await world.age(top_up.id, timedelta(minutes=9))
    assert await desk.sweep() == 0
    await world.age(top_up.id, timedelta(minutes=2))
    world.wakeups.hinted.clear()
    assert await desk.sweep() == 1
    assert await desk.waiting_messages() == [(str(top_up.id), 50.0)]
    assert Channel.MESSAGING in world.wakeups.hinted
    assert await desk.sweep() == 0
    assert (await world.interaction(top_up.id)).token == top_up.token


async def test_what_has_a_message_or_an_untold_end_is_left_alone(world: MetersWorld) -> None:
    desk = Desk(world)
    sold = await desk.buy()
    (ended,) = await world.add(read(world.meter_ids[1]))
    async with world.begin() as tx:
        await tx.outbox.add([delivery_task(world.succeeded(ended.id))])
        await tx.commit()
    for waiting in (sold, ended):
        await world.age(waiting.id, DAYS)
    assert await desk.sweep() == 0
    assert len(await world.messages()) == 1


async def test_a_fence_and_a_token_to_come_hold_as_before(world: MetersWorld) -> None:
    """[MET-117] The first waits behind an older clearing, the second for its order's task."""
    desk = Desk(world)
    (clear,) = await world.add(clear_credit(world.meter_ids[0], token="00001000000000010000"))
    fenced = await desk.buy()
    (incomplete,) = await world.add(read(world.meter_ids[1], type=InteractionType.CLEAR_TAMPER))
    for waiting in (clear, fenced, incomplete):
        await world.age(waiting.id, DAYS)
    assert await desk.sweep() == 1
    assert await desk.waiting_messages() == [(str(clear.id), 60.0)]


async def test_what_was_sent_and_forgotten_is_ended(world: MetersWorld) -> None:
    """[MET-121] A read fails, with the reason and its news."""
    desk = Desk(world)
    (asked,) = await world.add(read(world.meter_ids[0]))
    await under_way(world, asked)
    assert await desk.sweep() == 1
    ended = await world.interaction(asked.id)
    assert (ended.status, ended.resolution) == (FAILED, Resolution.DELIVERY_FAILED)
    assert ended.delivery_failures[0].status == DeliveryStatus.SENT_TO_DEVICE
    assert await desk.news_of(asked.id) == [("UPDATE", "FAILED")]
    assert await desk.sweep() == 0


async def test_a_top_up_that_was_forgotten_is_looked_into(world: MetersWorld) -> None:
    """[MET-122] It may have reached the meter: its credit is read before anything is said."""
    desk = Desk(world)
    top_up = await under_way(world, await desk.buy())
    assert await desk.sweep() == 1
    (look,) = await world.of_type(InteractionType.READ_CREDIT)
    assert (look.origin, look.follow_up_of_id) == (Origin.VERIFICATION, top_up.id)
    assert (await world.interaction(top_up.id)).status is PROCESSING
    await world.age(top_up.id, DAYS)
    assert await desk.sweep() == 0


async def test_all_pages_are_read(world: MetersWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_interactions, "_PAGE", 3)
    for waiting in await world.add(*(read(world.meter_ids[number % 3]) for number in range(8))):
        await world.age(waiting.id, LONG)
    assert await Desk(world).sweep() == 8
    assert len(await world.messages()) == 8
