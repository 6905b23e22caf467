"""Commands that waited go out when power or gateway are back; what nobody waits for is withdrawn."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.support.meters_world import MetersWorld
from tests.support.top_ups import Desk, clear_credit

from nxt_domain.messaging.model import CommandType, DeliveryStatus
from nxt_domain.meters.model import Interaction, InteractionStatus, InteractionType, NewInteraction, Origin, Resolution
from nxt_domain.meters.use_cases import expire_interactions, release_suspended
from nxt_domain.meters.use_cases.hand_over import messages_of
from nxt_domain.shared.wakeups import Channel

QUEUED, SUSPENDED, ABORTED = InteractionStatus.QUEUED, InteractionStatus.SUSPENDED, InteractionStatus.ABORTED
PROCESSING = InteractionStatus.PROCESSING


def read(meter_id: int, **changes: Any) -> NewInteraction:
    facts: dict[str, Any] = {
        "meter_id": meter_id,
        "type": InteractionType.READ_CREDIT,
        "status": SUSPENDED,
        "origin": Origin.USER,
        "priority": 30,
    }
    return NewInteraction(**(facts | changes))


async def suspended_top_up(world: MetersWorld, desk: Desk) -> Interaction:
    await world.set_power(is_hps_on=False)
    return await desk.buy()


class TestRelease:
    async def test_met_118_what_waited_goes_out_with_its_rank(self, world: MetersWorld) -> None:
        """[MET-94] [MET-72] The same token, the stored priority; told to dashboards."""
        desk = Desk(world)
        top_up = await suspended_top_up(world, desk)
        assert (await desk.release()).suspended == 1
        assert await world.interaction(top_up.id) == top_up  # the same code again adds no record
        await world.set_power(is_hps_on=True)
        world.wakeups.hinted.clear()
        released = await desk.release()
        assert (released.queued, released.suspended, released.aborted) == (1, 0, 0)
        after = await world.interaction(top_up.id)
        assert (after.status, after.token) == (QUEUED, top_up.token)
        assert await desk.waiting_messages() == [(str(top_up.id), 50.0)]
        assert (await desk.news_of(top_up.id))[-1] == ("UPDATE", "QUEUED")
        assert Channel.MESSAGING in world.wakeups.hinted

    async def test_met_119_another_reason_is_added_in_front(self, world: MetersWorld) -> None:
        desk = Desk(world)
        top_up = await suspended_top_up(world, desk)
        await world.set_power(is_hps_on=True)
        for gateway_id in world.gateway_ids:
            await world.set_gateway(gateway_id, is_online=False)
        assert (await desk.release()).suspended == 1
        after = await world.interaction(top_up.id)
        assert [record.code for record in after.delivery_failures] == ["GATEWAY_OFFLINE", "GRID_DOWN"]

    async def test_met_119_expired_and_unreachable_ones_are_aborted(self, world: MetersWorld) -> None:
        old, dead = await world.add(
            read(world.meter_ids[0], expires_at=world.clock.now() - timedelta(seconds=1)), read(world.meter_ids[1])
        )
        await world.set_meter(world.meter_ids[1], last_seen_at=None)
        desk = Desk(world)
        assert (await desk.release()).aborted == 2
        expired, unreachable = await world.interaction(old.id), await world.interaction(dead.id)
        assert (expired.status, expired.resolution) == (ABORTED, Resolution.EXPIRED)
        assert (unreachable.status, unreachable.resolution) == (ABORTED, Resolution.UNREACHABLE)
        assert unreachable.delivery_failures[0].code == "UNREACHABLE"
        assert ("EXPIRED", "SYSTEM", old.id) in await world.history()
        assert await world.messages() == []

    async def test_met_117_a_released_top_up_stays_behind_its_fence(self, world: MetersWorld) -> None:
        """Both waited; the clear goes out first, and the top-up after its end."""
        desk = Desk(world)
        await world.set_power(is_hps_on=False)
        token = "00001000000000010000"
        (clear,) = await world.add(clear_credit(world.meter_ids[0], status=SUSPENDED, token=token))
        top_up = await desk.buy()
        await world.set_power(is_hps_on=True)
        assert (await desk.release()).queued == 1
        assert await desk.waiting_messages() == [(str(clear.id), 60.0)]
        assert (await world.interaction(top_up.id)).status is SUSPENDED
        await desk.apply(
            world.undelivered(clear.id, last=DeliveryStatus.SENT_TO_DEVICE, command=CommandType.CLEAR_CREDIT)
        )
        assert (await desk.release()).queued == 1
        assert (str(top_up.id), 50.0) in await desk.waiting_messages()

    async def test_met_118_all_pages_are_read(self, world: MetersWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(release_suspended, "_PAGE", 3)
        await world.add(*(read(world.meter_ids[number % 3]) for number in range(8)))
        desk = Desk(world)
        assert (await desk.release()).queued == 8
        assert len(await world.messages()) == 8
        assert (await desk.release()).queued == 0

    async def test_met_12_commands_of_deleted_meters_stay(self, world: MetersWorld) -> None:
        (gone,) = await world.add(read(world.deleted_meter_id))
        assert (await Desk(world).release()).queued == 0
        assert (await world.interaction(gone.id)).status is SUSPENDED


class TestExpiry:
    async def test_met_116_waiting_reads_are_withdrawn(self, world: MetersWorld) -> None:
        """With their messages; the end is recorded and told."""
        desk = Desk(world)
        top_up = await desk.buy()
        await desk.apply(world.succeeded(top_up.id))
        (follow_up,) = await world.of_type(InteractionType.READ_CREDIT)
        assert await desk.expire() == 0
        world.clock.advance(timedelta(minutes=30))
        assert await desk.expire() == 1
        ended = await world.interaction(follow_up.id)
        assert (ended.status, ended.resolution) == (ABORTED, Resolution.EXPIRED)
        record = ended.delivery_failures[0]
        assert (record.code, record.status, record.is_final) == ("EXPIRED", "QUEUED", True)
        assert (str(follow_up.id), 50.0) not in await desk.waiting_messages()
        assert (await desk.news_of(follow_up.id))[-1] == ("UPDATE", "ABORTED")
        assert ("EXPIRED", "SYSTEM", follow_up.id) in await world.history()
        assert await desk.expire() == 0

    async def test_met_102_value_tokens_never_expire(self, world: MetersWorld) -> None:
        desk = Desk(world)
        await desk.buy()
        world.clock.advance(timedelta(days=40))
        assert await desk.expire() == 0

    async def test_met_116_a_processing_read_ends_only_if_its_message_waits(self, world: MetersWorld) -> None:
        """One for a repetition is taken back; one on its way, or just gone, runs its course."""
        past = world.clock.now() - timedelta(seconds=1)
        waiting, gone = await world.add(
            *(read(meter_id, status=QUEUED, expires_at=past) for meter_id in world.meter_ids[:2])
        )
        await world.save(*(found.moved_to(PROCESSING) for found in (waiting, gone)))
        desk = Desk(world)
        async with world.begin() as tx:
            meter = (await tx.meters.lock([world.meter_ids[0]]))[world.meter_ids[0]]
            await tx.messages.enqueue(messages_of(waiting, meter))
            await tx.commit()
        assert await desk.expire() == 1
        assert (await world.interaction(waiting.id)).status is ABORTED
        assert (await world.interaction(gone.id)).status is PROCESSING

    async def test_all_pages_are_read_past_what_can_not_be_withdrawn(
        self, world: MetersWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(expire_interactions, "_PAGE", 2)
        past = world.clock.now() - timedelta(seconds=1)
        stored = await world.add(*(read(world.meter_ids[0], status=QUEUED, expires_at=past) for _ in range(7)))
        await world.save(*(found.moved_to(PROCESSING) for found in stored[:3]))
        assert await Desk(world).expire() == 4
