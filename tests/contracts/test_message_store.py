"""One suite for the durable queue, over the store in memory and over PostgreSQL: enqueue, claims, leases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import attrs
import pytest
from tests.support.messaging_steps import (
    LEASE,
    NS_WAIT,
    OTHER,
    claim,
    delivered,
    due,
    enqueue,
    quota,
    save,
)
from tests.support.messaging_worlds import (
    MemoryWorld,
    PostgresWorld,
    World,
    pull_message,
    push_message,
)

from nxt_adapters.supabase.engine import create_engine
from nxt_domain.messaging.admission import Admission
from nxt_domain.messaging.model import (
    CommandType,
    DeliveryStatus,
    Device,
    NewMessage,
    Phase,
    RelayNode,
    RequestData,
    SetTime,
)
from nxt_domain.messaging.ports import Lease
from nxt_domain.messaging.stages import Stage
from nxt_domain.shared.errors import InvalidInput

SPACED = Admission(min_interval_ms=2_000)
FIVE = Admission(max_in_flight=5)


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    engine = create_engine(request.getfixturevalue("relational_url"), pool_size=5)
    yield PostgresWorld(engine)
    await engine.dispose()


class TestEnqueue:
    async def test_a_message_comes_back_as_it_was_given(self, world: World) -> None:
        """[DM-5, DM-16] Fields, priority to the last bit, and expiry survive the store."""
        new = push_message(
            7,
            priority=0.1 + 0.2,
            command_type=CommandType.SET_TIME,
            request_data=RequestData(payload=SetTime(hour=6, minute=0, second=0)),
            phase=Phase.B,
            network=4294967295,
            device=Device(
                external_reference="47003333771",
                relay_node=RelayNode(id=9, external_reference="gw-1", snr=-7.5, rssi=-120),
            ),
        )
        (message_id,) = await enqueue(world, new)
        message = (await world.live())[message_id]
        assert {name: getattr(message, name) for name in attrs.asdict(new, recurse=False)} == attrs.asdict(
            new, recurse=False
        )
        assert message.delivery_status is DeliveryStatus.QUEUED
        assert message.due_at is None
        assert message.ready_queue == "queue:stub-push:network:4294967295"
        assert message.expires_at - message.enqueued_at == timedelta(seconds=604_800 - 3_600)

    async def test_nothing_is_stored_without_a_commit(self, world: World) -> None:
        """[DM-2] The message and what caused it are stored together or not at all."""

        async def work_that_fails() -> None:
            async with world.adopter() as queue:
                await queue.enqueue([push_message()])
                raise RuntimeError("the adopter's own work failed")

        with pytest.raises(RuntimeError):
            await work_that_fails()
        assert await world.live() == {}

    @pytest.mark.parametrize(
        ("message", "refusal"),
        [
            (push_message(plugin_id="unheard-of"), "Unknown or disabled pluginId: unheard-of"),
            (push_message(plugin_id="stub-mute"), "Unknown or disabled pluginId: stub-mute"),
        ],
    )
    async def test_a_message_nobody_can_route_is_refused(self, world: World, message: NewMessage, refusal: str) -> None:
        """[DM-144] Nothing of the batch is stored."""
        with pytest.raises(InvalidInput, match=refusal):
            await enqueue(world, push_message(), message)
        assert await world.live() == {}

    async def test_ids_grow_in_the_order_given(self, world: World) -> None:
        """[DM-5] They break ties in queue order."""
        ids = await enqueue(world, *[push_message(number) for number in range(50)])
        assert list(ids) == sorted(ids)
        assert len(set(ids)) == 50


class TestReady:
    async def test_the_most_urgent_goes_first_then_the_oldest(self, world: World) -> None:
        """[DM-20] By priority, then by id."""
        ids = await enqueue(world, *[push_message(number, priority=p) for number, p in enumerate([10, 50, 30, 50])])
        order = []
        for _ in range(4):
            batch = await claim(world, quota(limit=1))
            order.extend(message.id for message in batch.messages)
        assert order == [ids[1], ids[3], ids[2], ids[0]]

    async def test_a_claimed_message_is_leased_and_due(self, world: World) -> None:
        """[DM-16] Claim sets status, due time and lease by the database's clock."""
        await enqueue(world, push_message())
        batch = await claim(world)
        (message,) = batch.messages
        assert message.delivery_status is DeliveryStatus.SENT_TO_NS
        assert message.due_at == batch.now + NS_WAIT
        assert (message.lease_owner, message.lease_until) == ("engine-1", batch.now + LEASE.duration)
        assert (await claim(world)).messages == []

    async def test_network_42(self, world: World) -> None:
        """[DM-26] Three queued commands leave one at a time, each at least 2 s after the one before."""
        await enqueue(world, *[push_message(number) for number in range(3)])
        spaced = quota(admission=SPACED)
        counts = []
        for step in (0, 1.9, 0.1, 1.9, 0.1, 2.0):
            await world.pass_time(timedelta(seconds=step))
            counts.append(len((await claim(world, spaced)).messages))
        # On a real clock the tenths of a second may have gone by on their own; the sum never exceeds one each 2 s.
        assert counts[0] == 1
        assert counts[1] == 0
        assert sum(counts) == 3
        assert max(counts) == 1

    async def test_networks_are_spaced_apart_from_each_other(self, world: World) -> None:
        """[DM-26, DM-29] One pass takes one message of every network."""
        await enqueue(world, *[push_message(number, network=number % 3) for number in range(9)])
        batch = await claim(world, quota(admission=SPACED))
        assert sorted(message.network_id or 0 for message in batch.messages) == [0, 1, 2]
        assert (await claim(world, quota(admission=SPACED))).messages == []

    async def test_a_spaced_queue_tells_when_it_opens(self, world: World) -> None:
        """[DM-26] So that nobody waits for the next tick."""
        await enqueue(world, push_message(1), push_message(2))
        first = await claim(world, quota(admission=SPACED))
        again = await claim(world, quota(admission=SPACED))
        assert first.next_in == timedelta(seconds=2)
        assert again.messages == []
        assert again.next_in is not None
        assert timedelta(0) < again.next_in <= timedelta(seconds=2)

    async def test_dcu_7(self, world: World) -> None:
        """[DM-25, DM-27, DM-28] 8 reads: 5 leave; when one task ends, exactly one more does."""
        await enqueue(world, *[pull_message(number) for number in range(8)])
        slots = quota("pull", admission=FIVE)
        first = await claim(world, slots)
        assert len(first.messages) == 5
        assert len(await world.slots()) == 5
        assert (await claim(world, slots)).messages == []
        async with world.begin() as store:
            await store.rows.archive([delivered(first.messages[2])])
            await store.commit()
        assert len((await claim(world, slots)).messages) == 1
        assert len(await world.slots()) == 5

    async def test_a_slot_is_freed_by_a_retry_too(self, world: World) -> None:
        """[DM-28] It is a property of live rows in flight."""
        await enqueue(world, *[pull_message(number) for number in range(6)])
        first = await claim(world, quota("pull", admission=FIVE))
        message = first.messages[0]
        await save(world, attrs.evolve(message, delivery_status=DeliveryStatus.TO_RETRY, due_at=first.now))
        assert len(await world.slots()) == 4
        assert len((await claim(world, quota("pull", admission=FIVE))).messages) == 1

    async def test_both_limits_hold_together(self, world: World) -> None:
        """[R9] A queue may be spaced and bounded."""
        await enqueue(world, *[pull_message(number) for number in range(3)])
        both = quota("pull", admission=Admission(min_interval_ms=2_000, max_in_flight=1))
        assert len((await claim(world, both)).messages) == 1
        await world.pass_time(timedelta(seconds=3))
        assert (await claim(world, both)).messages == []

    async def test_a_pass_takes_no_more_than_its_process_can_send(self, world: World) -> None:
        """[DM-29] The rest stays for others."""
        await enqueue(world, *[push_message(number, network=number % 4) for number in range(20)])
        assert len((await claim(world, quota(limit=7))).messages) == 7
        assert len((await claim(world, quota(limit=100))).messages) == 13

    async def test_full_queues_do_not_keep_others_waiting(self, world: World) -> None:
        """[DM-29] A queue without a free slot is passed over."""
        await enqueue(world, *[pull_message(number, dcu=number // 2) for number in range(10)])
        one = Admission(max_in_flight=1)
        assert len((await claim(world, quota("pull", admission=one, limit=4))).messages) == 4
        last = await claim(world, quota("pull", admission=one, limit=4))
        assert [message.ready_queue for message in last.messages] == ["queue:stub-pull:relayNode:4"]

    async def test_queues_take_turns(self, world: World) -> None:
        """[DM-29] A queue with a long backlog does not keep the others from their turn."""
        await enqueue(world, *[push_message(number, network=1) for number in range(40)])
        await enqueue(world, *[push_message(number, network=network) for network in range(2, 7) for number in range(2)])
        reached: str | None = None
        seen: set[str] = set()
        for _ in range(12):
            batch = await claim(world, attrs.evolve(quota(limit=2), after=reached))
            seen.update(message.ready_queue for message in batch.messages)
            reached = batch.reached.get("stub-push")
        assert seen == {f"queue:stub-push:network:{network}" for network in range(1, 7)}

    async def test_plugins_that_are_not_asked_for_stay(self, world: World) -> None:
        """[DM-31] A queue of another plug-in is skipped."""
        await enqueue(world, push_message(1), pull_message(2))
        batch = await claim(world, quota("pull", admission=FIVE))
        assert [message.plugin_id for message in batch.messages] == ["stub-pull"]

    async def test_an_expired_message_is_not_sent(self, world: World) -> None:
        """[DM-40] It is swept instead."""
        (message_id,) = await enqueue(world, push_message())
        await world.pass_time(timedelta(days=7))
        assert (await claim(world)).messages == []
        async with world.begin() as store:
            batch = await store.claims.expired(limit=10)
        assert [message.id for message in batch.messages] == [message_id]

    async def test_concurrent_passes_never_claim_a_message_twice(self, world: World) -> None:
        """[DM-3, DM-29] Nor do they exceed spacing or slots together."""
        await enqueue(world, *[push_message(number, network=number % 5) for number in range(60)])
        await enqueue(world, *[pull_message(number, dcu=number % 3) for number in range(60)])
        quotas = [quota(admission=SPACED), quota("pull", admission=FIVE)]
        batches = await asyncio.gather(*(claim(world, *quotas, lease=Lease(owner=f"e{n}")) for n in range(8)))
        claimed = [message for batch in batches for message in batch.messages]
        assert len({message.id for message in claimed}) == len(claimed)
        per_queue: dict[str, int] = {}
        for message in claimed:
            per_queue[message.ready_queue] = per_queue.get(message.ready_queue, 0) + 1
        assert {per_queue[f"queue:stub-push:network:{n}"] for n in range(5)} == {1}
        assert {per_queue[f"queue:stub-pull:relayNode:{n}"] for n in range(3)} == {5}


class TestDue:
    async def test_nothing_is_due_before_its_time_or_while_leased(self, world: World) -> None:
        """[DM-17, DM-37] A lapsed lease is taken over; a live one is respected."""
        (message_id,) = await enqueue(world, push_message())
        await claim(world)
        assert await due(world, Stage.NS, lease=OTHER) == []
        await world.pass_time(timedelta(seconds=30))  # due, but its sender may still be alive
        assert await due(world, Stage.NS, lease=OTHER) == []
        await world.pass_time(timedelta(seconds=40))
        assert await due(world, Stage.NS, lease=OTHER) == [message_id]
        assert await due(world, Stage.NS) == []

    async def test_stages_see_only_their_own(self, world: World) -> None:
        """[DM-35] Status and plug-in decide."""
        ids = await enqueue(world, push_message(1), pull_message(2), push_message(3))
        batch = await claim(world, quota(), quota("pull"))
        by_id = {message.id: message for message in batch.messages}
        passed = {"due_at": batch.now, "delivery_queue_id": "x"}
        await save(
            world,
            attrs.evolve(by_id[ids[0]], delivery_status=DeliveryStatus.DELIVERED_TO_NS, **passed),
            attrs.evolve(by_id[ids[1]], delivery_status=DeliveryStatus.DELIVERED_TO_NS, **passed),
            attrs.evolve(by_id[ids[2]], delivery_status=DeliveryStatus.SENT_TO_DEVICE, **passed),
        )
        assert await due(world, Stage.RELAY_NODE) == [ids[0]]
        assert await due(world, Stage.AWAITING_TASK, plugins=["stub-pull"]) == [ids[1]]
        assert await due(world, Stage.DEVICE) == [ids[2]]

    async def test_signs_of_life_keep_a_send(self, world: World) -> None:
        """[DM-44] The due time moves with the lease, so that a slow send never times out while it is alive."""
        (message_id,) = await enqueue(world, push_message())
        await claim(world)
        for _ in range(5):
            await world.pass_time(timedelta(seconds=50))
            async with world.begin() as store:
                kept = await store.claims.renew([message_id], LEASE, {"stub-push": NS_WAIT})
                await store.commit()
            assert list(kept) == [message_id]
            assert await due(world, Stage.NS, lease=OTHER) == []
        message = (await world.live())[message_id]
        assert message.due_at is not None
        assert message.lease_until is not None
        assert message.lease_until - message.due_at == LEASE.duration - NS_WAIT

    async def test_only_the_owner_renews_and_releases(self, world: World) -> None:
        """[DM-17]"""
        (message_id,) = await enqueue(world, push_message())
        await claim(world)
        async with world.begin() as store:
            assert list(await store.claims.renew([message_id], OTHER, {})) == []
            await store.claims.release([message_id], "engine-2")
            await store.commit()
        assert (await world.live())[message_id].lease_owner == "engine-1"
        async with world.begin() as store:
            await store.claims.release([message_id], "engine-1")
            await store.commit()
        assert (await world.live())[message_id].lease_owner is None

    async def test_requeue_when_the_back_off_has_passed(self, world: World) -> None:
        """[DM-55] Into the old queue, at the old priority, before younger ones."""
        first, _ = await enqueue(world, push_message(1), push_message(2))
        batch = await claim(world, quota(limit=1))
        retried = attrs.evolve(
            batch.messages[0],
            delivery_status=DeliveryStatus.TO_RETRY,
            retry_count=1,
            due_at=batch.now + timedelta(seconds=2),
        )
        await save(world, retried)
        assert await self._requeue(world) == 0
        await world.pass_time(timedelta(seconds=3))
        assert await self._requeue(world) == 1
        again = await claim(world, quota(limit=1))
        assert [(message.id, message.retry_count) for message in again.messages] == [(first, 1)]

    async def _requeue(self, world: World) -> int:
        async with world.begin() as store:
            count = await store.claims.requeue(["stub-push"], limit=10)
            await store.commit()
        return count

    async def test_stranded_messages_are_those_of_other_plugins(self, world: World) -> None:
        """[DM-38]"""
        ids = await enqueue(world, push_message(1), pull_message(2))
        await claim(world, quota(), quota("pull"))
        await world.pass_time(timedelta(minutes=2))
        async with world.begin() as store:
            batch = await store.claims.stranded(["stub-push"], limit=10)
        assert [message.id for message in batch.messages] == [ids[1]]
