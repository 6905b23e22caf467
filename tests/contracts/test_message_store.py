"""One suite for the durable queue, over the store in memory and over PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import attrs
import pytest
from tests.support.messaging_worlds import (
    MemoryWorld,
    PostgresWorld,
    World,
    pull_message,
    push_message,
    token_message,
)

from nxt_adapters.supabase.engine import create_engine
from nxt_domain.messaging.admission import Admission
from nxt_domain.messaging.events import delivery_task, unsolicited_event
from nxt_domain.messaging.machine import Finished
from nxt_domain.messaging.model import (
    CancelResult,
    CommandType,
    DeliveryStatus,
    Device,
    DeviceEvent,
    DeviceMessage,
    EventHalf,
    ExecutionStatus,
    FailureContext,
    FailureRecord,
    HalfKind,
    NewMessage,
    Phase,
    RelayNode,
    RequestData,
    Response,
    SetTime,
)
from nxt_domain.messaging.ports import Lease, Quota, ReadyBatch
from nxt_domain.messaging.stages import Stage
from nxt_domain.shared.errors import InvalidInput

NS_WAIT = timedelta(seconds=20)
FREE = Admission()
SPACED = Admission(min_interval_ms=2_000)
FIVE = Admission(max_in_flight=5)
LEASE = Lease(owner="engine-1", duration=timedelta(seconds=60))
OTHER = Lease(owner="engine-2", duration=timedelta(seconds=60))


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    engine = create_engine(request.getfixturevalue("relational_url"), pool_size=5)
    yield PostgresWorld(engine)
    await engine.dispose()


def quota(plugin: str = "push", *, admission: Admission = FREE, limit: int = 100) -> Quota:
    return Quota(plugin_id=f"stub-{plugin}", admission=admission, limit=limit, ns_wait=NS_WAIT)


async def enqueue(world: World, *messages: NewMessage) -> Sequence[str]:
    async with world.adopter() as queue:
        return await queue.enqueue(messages)


async def claim(world: World, *quotas: Quota, lease: Lease = LEASE) -> ReadyBatch:
    async with world.begin() as store:
        batch = await store.claims.ready(quotas or [quota()], lease)
        await store.commit()
    return batch


async def save(world: World, *messages: DeviceMessage) -> None:
    async with world.begin() as store:
        await store.rows.save(messages)
        await store.commit()


async def due(
    world: World, stage: Stage, *, lease: Lease = LEASE, plugins: Sequence[str] = ("stub-push",)
) -> list[str]:
    async with world.begin() as store:
        batch = await store.claims.due(stage, plugins, lease, limit=500)
        await store.commit()
    return [message.id for message in batch.messages]


async def found_by(world: World, remote_id: str, plugin: str = "stub-push") -> list[str]:
    async with world.begin() as store:
        return [message.id for message in (await store.rows.lock_by_remote_ids(plugin, [remote_id])).messages]


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
            await store.rows.archive([_delivered(first.messages[2])])
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


class TestRows:
    async def test_changes_come_back_as_they_were_saved(self, world: World) -> None:
        """[DM-16, DM-56]"""
        await enqueue(world, push_message())
        batch = await claim(world)
        record = FailureRecord(
            timestamp=batch.now.replace(microsecond=120_000),
            status=DeliveryStatus.SENT_TO_NS,
            reason="Failed to enqueue message at ChirpStack",
            error_code=14,
            details="connection refused",
        )
        changed = attrs.evolve(
            batch.messages[0],
            delivery_status=DeliveryStatus.TO_RETRY,
            retry_count=3,
            failure_history=(record, attrs.evolve(record, error_code="E7", details=None)),
            past_delivery_queue_ids=("a", 'b"{},', "ü"),
            due_at=batch.now + timedelta(seconds=16),
        )
        await save(world, changed)
        stored = (await world.live())[changed.id]
        assert stored == attrs.evolve(changed, lease_owner=None, lease_until=None)

    async def test_remote_ids_find_present_and_earlier_attempts(self, world: World) -> None:
        """[DM-13, DM-55] Per plug-in, since vendors' numbers are small."""
        await enqueue(world, push_message(1), pull_message(2))
        batch = await claim(world, quota(), quota("pull"))
        pushed, pulled = sorted(batch.messages, key=lambda message: message.plugin_id, reverse=True)
        await save(
            world,
            attrs.evolve(pushed, delivery_queue_id="17", past_delivery_queue_ids=("15", "16")),
            attrs.evolve(pulled, delivery_queue_id="17"),
        )
        assert await found_by(world, "17") == [pushed.id]
        assert await found_by(world, "15") == [pushed.id]
        assert await found_by(world, "17", "stub-pull") == [pulled.id]
        assert await found_by(world, "15", "stub-pull") == []
        assert await found_by(world, "") == []

    async def test_the_archive_keeps_all_but_the_token(self, world: World) -> None:
        """[DM-16, R49]"""
        (message_id,) = await enqueue(world, token_message())
        batch = await claim(world)
        assert batch.messages[0].request_data == RequestData(token="12345678901234567890")
        async with world.begin() as store:
            await store.rows.archive([_delivered(batch.messages[0])])
            await store.commit()
        assert await world.live() == {}
        assert await world.archived() == {message_id: "DELIVERY_SUCCESSFUL"}
        assert await world.archived_requests() == {message_id: None}

    async def test_events_join_the_transaction(self, world: World) -> None:
        """[DM-154] Without commit neither the end nor its event is stored."""
        (message_id,) = await enqueue(world, push_message())
        batch = await claim(world)
        event = unsolicited_event(
            DeviceEvent(delivery_status=DeliveryStatus.DELIVERY_SUCCESSFUL, device=Device(external_reference="1")),
            plugin_id="stub-push",
            event_id=world.new_id(),
            now=batch.now,
        )
        async with world.begin() as store:
            await store.rows.archive([_delivered(batch.messages[0])])
            await store.outbox.add([delivery_task(event)])
        assert list(await world.live()) == [message_id]
        assert await world.events() == []


class TestCancel:
    async def test_what_waits_is_taken_back_without_an_event(self, world: World) -> None:
        """[DM-65, DM-66]"""
        ids = await enqueue(world, push_message(1), push_message(2))
        assert await self._cancel(world, "1", "9") == {"1": CancelResult.CANCELLED, "9": CancelResult.NOT_FOUND}
        assert list(await world.live()) == [ids[1]]
        assert await world.archived() == {ids[0]: "CANCELLED"}
        assert await world.events() == []
        assert world.metrics.ends == ["CANCELLED"]

    async def test_what_is_on_its_way_is_not(self, world: World) -> None:
        """[DM-65] The phases that could be removed stay removed."""
        phases = [push_message(1, phase=phase) for phase in Phase]
        await enqueue(world, *phases)
        claimed = (await claim(world, quota(limit=1))).messages[0]
        assert await self._cancel(world, "1") == {"1": CancelResult.NOT_CANCELLABLE}
        assert list(await world.live()) == [claimed.id]

    async def test_a_repetition_that_waits_can_be_taken_back(self, world: World) -> None:
        """[DM-65]"""
        await enqueue(world, push_message(1))
        batch = await claim(world)
        await save(world, attrs.evolve(batch.messages[0], delivery_status=DeliveryStatus.TO_RETRY, due_at=batch.now))
        assert await self._cancel(world, "1") == {"1": CancelResult.CANCELLED}

    async def _cancel(self, world: World, *correlation_ids: str) -> dict[str, CancelResult]:
        async with world.adopter() as queue:
            return dict(await queue.cancel(correlation_ids))

    async def test_lookup_finds_the_newest(self, world: World) -> None:
        """[DM-18, DM-64] Plain before phases, the newest of equals; finishing an older one hides nothing."""
        ids = await enqueue(world, push_message(1, phase=Phase.B), push_message(1), push_message(1), push_message(2))
        assert await self._get(world, "1") == ids[2]
        older = (await world.live())[ids[1]]
        async with world.begin() as store:
            await store.rows.archive([_delivered(older)])
            await store.commit()
        assert await self._get(world, "1") == ids[2]
        assert await self._get(world, "3") is None

    async def test_lookup_falls_back_to_the_first_phase(self, world: World) -> None:
        """[DM-64]"""
        ids = await enqueue(world, push_message(1, phase=Phase.C), push_message(1, phase=Phase.B))
        assert await self._get(world, "1") == ids[1]

    async def _get(self, world: World, correlation_id: str) -> str | None:
        async with world.adopter() as queue:
            message = await queue.get(correlation_id)
        return None if message is None else message.id


class TestEarlyNews:
    ACK = EventHalf(
        kind=HalfKind.ACK, deduplication_id="d-1", device=Device(external_reference="1"), delivery_queue_id="r-1"
    )
    UP = EventHalf(
        kind=HalfKind.UP,
        deduplication_id="d-1",
        device=Device(external_reference="1", relay_node=RelayNode(external_reference="gw", snr=10, rssi=-90)),
        response=Response(status=ExecutionStatus.EXECUTION_FAILURE, data={"tokenAccepted": False}),
        failure=FailureContext(reason="refused"),
    )

    async def _pair(self, world: World, *halves: EventHalf) -> Sequence[DeviceEvent]:
        async with world.begin() as store:
            events = await store.early.pair(halves)
            await store.commit()
        return events

    @pytest.mark.parametrize("is_ack_first", [True, False])
    async def test_two_halves_make_one_event(self, world: World, is_ack_first: bool) -> None:
        """[DM-104] In either order, at any process: the id from the ack, all else from the uplink."""
        first, second = (self.ACK, self.UP) if is_ack_first else (self.UP, self.ACK)
        assert await self._pair(world, first) == []
        (event,) = await self._pair(world, second)
        assert event == DeviceEvent(
            delivery_status=DeliveryStatus.DELIVERY_SUCCESSFUL,
            delivery_queue_id="r-1",
            device=self.UP.device,
            response=self.UP.response,
            failure=self.UP.failure,
        )
        assert await self._pair(world, second) == []

    async def test_halves_of_one_batch_pair_too(self, world: World) -> None:
        """[DM-104, DM-106] A second half of the same kind replaces the first."""
        newer = attrs.evolve(self.ACK, delivery_queue_id="r-2")
        other = attrs.evolve(self.UP, deduplication_id="d-2")
        (event,) = await self._pair(world, self.ACK, newer, other, self.UP)
        assert event.delivery_queue_id == "r-2"

    async def test_a_half_waits_ten_seconds(self, world: World) -> None:
        """[DM-104]"""
        await self._pair(world, self.ACK)
        await world.pass_time(timedelta(seconds=10))
        assert await self._pair(world, self.UP) == []
        assert len(await self._pair(world, self.ACK)) == 1

    async def test_halves_at_two_processes_at_once_still_meet(self, world: World) -> None:
        """[DM-105] Storing one and looking for the other is one step."""
        halves = [
            attrs.evolve(half, deduplication_id=f"d-{number}") for number in range(40) for half in (self.ACK, self.UP)
        ]
        results = await asyncio.gather(*(self._pair(world, half) for half in halves))
        assert sum(len(events) for events in results) == 40

    async def test_early_events_are_kept_in_order_and_taken_once(self, world: World) -> None:
        """[DM-59] At most 20 of an id, for a minute."""
        statuses = [DeliveryStatus.SENT_TO_DEVICE, DeliveryStatus.DELIVERY_FAILED]
        events = [self._event(status) for status in statuses]
        await self._park(world, *events, self._event(DeliveryStatus.SENT_TO_DEVICE, "other"))
        assert await self._take(world, "r-1") == events
        assert await self._take(world, "r-1") == []
        await self._park(world, *[self._event(DeliveryStatus.SENT_TO_DEVICE)] * 15)
        await self._park(world, *[self._event(DeliveryStatus.SENT_TO_DEVICE)] * 15)
        assert len(await self._take(world, "r-1")) == 20

    async def test_nobody_claims_an_event_after_a_minute(self, world: World) -> None:
        """[DM-59] It is dropped and counted."""
        await self._park(world, self._event(DeliveryStatus.SENT_TO_DEVICE))
        await self._pair(world, self.ACK)
        await world.pass_time(timedelta(seconds=60))
        async with world.begin() as store:
            assert await store.early.prune() == 1
            assert await store.early.prune() == 0
            await store.commit()
        assert await self._take(world, "r-1") == []

    def _event(self, status: DeliveryStatus, remote_id: str = "r-1") -> DeviceEvent:
        return DeviceEvent(delivery_status=status, delivery_queue_id=remote_id, device=Device(external_reference="1"))

    async def _park(self, world: World, *events: DeviceEvent) -> None:
        async with world.begin() as store:
            await store.early.park("stub-push", events)
            await store.commit()

    async def _take(self, world: World, remote_id: str) -> Sequence[DeviceEvent]:
        async with world.begin() as store:
            assert list(await store.early.take_parked("stub-pull", [remote_id])) == []
            events = await store.early.take_parked("stub-push", [remote_id])
            await store.commit()
        return list(events)


def _delivered(message: DeviceMessage) -> Finished:
    response = Response(status=ExecutionStatus.EXECUTION_SUCCESS, data={"kwhCreditAvailable": 12.5})
    return Finished(attrs.evolve(message, delivery_status=DeliveryStatus.DELIVERY_SUCCESSFUL), response)
