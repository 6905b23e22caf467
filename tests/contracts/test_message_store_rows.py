"""The same suite: rows under lock, cancelling and looking up, and news that come too early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import attrs
import pytest
from tests.support.messaging_steps import (
    claim,
    delivered,
    enqueue,
    found_by,
    quota,
    save,
)
from tests.support.messaging_worlds import (
    MemoryWorld,
    PostgresWorld,
    World,
    pull_message,
    push_message,
    token_message,
)

from nxt_adapters.supabase.engine import create_engine
from nxt_domain.messaging.events import delivery_task, unsolicited_event
from nxt_domain.messaging.model import (
    CancelResult,
    DeliveryStatus,
    Device,
    DeviceEvent,
    EventHalf,
    ExecutionStatus,
    FailureContext,
    FailureRecord,
    HalfKind,
    Phase,
    RelayNode,
    RequestData,
    Response,
)


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    engine = create_engine(request.getfixturevalue("relational_url"), pool_size=5)
    yield PostgresWorld(engine)
    await engine.dispose()


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
            await store.rows.archive([delivered(batch.messages[0])])
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
            await store.rows.archive([delivered(batch.messages[0])])
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
            await store.rows.archive([delivered(older)])
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

    async def test_which_ids_have_early_events_is_told_without_taking_them(self, world: World) -> None:
        """[DM-59] Of the asked plug-in and ids alone, and only as long as they are kept."""
        await self._park(world, *[self._event(DeliveryStatus.SENT_TO_DEVICE)] * 2)
        assert await self._parked_ids(world, "r-1", "r-2") == {"r-1"}
        assert await self._parked_ids(world, "r-1", plugin="stub-pull") == set()
        assert len(await self._take(world, "r-1")) == 2
        await self._park(world, self._event(DeliveryStatus.SENT_TO_DEVICE))
        await world.pass_time(timedelta(seconds=60))
        assert await self._parked_ids(world, "r-1") == set()

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

    async def _parked_ids(self, world: World, *remote_ids: str, plugin: str = "stub-push") -> set[str]:
        async with world.begin() as store:
            return set(await store.early.parked_ids(plugin, remote_ids))

    async def _take(self, world: World, remote_id: str) -> Sequence[DeviceEvent]:
        async with world.begin() as store:
            assert list(await store.early.take_parked("stub-pull", [remote_id])) == []
            events = await store.early.take_parked("stub-push", [remote_id])
            await store.commit()
        return list(events)
