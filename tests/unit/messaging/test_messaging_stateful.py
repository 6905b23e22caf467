"""Two engines, a network and a clock in any order: what must hold for every message at every moment."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Coroutine
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.support.messaging_worlds import MemoryWorld, plugins_of, pull_message, push_message, workshop_of

from nxt_domain.messaging.model import (
    DeliveryStatus,
    Device,
    DeviceEvent,
    DeviceMessage,
    ExecutionStatus,
    FailureContext,
    Response,
)
from nxt_domain.messaging.ports import Lease, SendFailed
from nxt_domain.messaging.retry import RetryPolicy
from nxt_domain.messaging.stages import Stage
from nxt_domain.messaging.tuning import DeliveryPolicy
from nxt_domain.messaging.use_cases import ApplyDeviceEvent, Dispatch, LeaseKeeper, Outcomes, Sweep, Tick

S = DeliveryStatus
MAX_RETRIES = 2
SPACING = timedelta(seconds=2)
SLOTS = 5


class _Engine:
    def __init__(self, world: MemoryWorld, owner: str) -> None:
        plugins = plugins_of(world)
        workshop = workshop_of(world, plugins)
        self.keeper = LeaseKeeper(workshop, Lease(owner=owner))
        outcomes = Outcomes(workshop)
        self.dispatch = Dispatch(workshop, plugins.couriers, self.keeper, outcomes)
        self.tick = Tick(workshop, plugins, self.keeper, outcomes)
        self.sweep = Sweep(workshop)


class Messaging(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.world = MemoryWorld(DeliveryPolicy(retry=RetryPolicy(max_retries=MAX_RETRIES)))
        self.world.push.on_send = self.world.pull.on_send = self._send
        self.apply = ApplyDeviceEvent(workshop_of(self.world, plugins_of(self.world)))
        self.engines = [_Engine(self.world, "engine-0"), _Engine(self.world, "engine-1")]
        self.starts = 2
        self.ids: set[str] = set()
        self.replies: dict[tuple[str, int], asyncio.Future[str]] = {}
        self.claims: dict[str, list[datetime]] = defaultdict(list)
        self.attempts: Counter[tuple[str, int]] = Counter()
        self.remote_ids: list[tuple[str, str]] = []

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        async def and_let_everything_settle() -> Any:
            result = await work
            for _ in range(30):
                await asyncio.sleep(0)
            return result

        return self.loop.run_until_complete(and_let_everything_settle())

    async def _send(self, message: DeviceMessage) -> str:
        self.claims[message.ready_queue].append(self.world.clock.now())
        self.attempts[message.id, message.retry_count] += 1
        reply = self.replies[message.id, message.retry_count] = self.loop.create_future()
        return await reply

    # What may happen

    @rule(network=st.integers(0, 1), priority=st.integers(1, 3), count=st.integers(1, 4))
    def enqueue_push(self, network: int, priority: int, count: int) -> None:
        self._enqueue(*[push_message(len(self.ids) + n, network=network, priority=priority) for n in range(count)])

    @rule(dcu=st.integers(0, 1), count=st.integers(1, 8))
    def enqueue_pull(self, dcu: int, count: int) -> None:
        self._enqueue(*[pull_message(len(self.ids) + n, dcu=dcu) for n in range(count)])

    def _enqueue(self, *messages: Any) -> None:
        async def work() -> None:
            async with self.world.adopter() as queue:
                self.ids.update(await queue.enqueue(messages))

        self.run(work())

    @rule(which=st.sets(st.integers(0, 1), min_size=1))
    def distribute(self, which: set[int]) -> None:
        async def work() -> None:
            await asyncio.gather(*(self.engines[index].dispatch.run_pass() for index in which))

        self.run(work())

    @precondition(lambda self: self._open_sends())
    @rule(data=st.data(), outcome=st.sampled_from(["accepted", "accepted", "refused", "hopeless", "empty"]))
    def reply(self, data: st.DataObject, outcome: str) -> None:
        key = data.draw(st.sampled_from(self._open_sends()))
        reply = self.replies[key]
        if outcome == "accepted":
            reply.set_result(self._accept(key))
        elif outcome == "empty":
            reply.set_result("")
        else:
            reply.set_exception(SendFailed(FailureContext(reason=outcome, skip_retry=outcome == "hopeless")))
        self.run(asyncio.sleep(0))

    def _accept(self, key: tuple[str, int]) -> str:
        message_id, attempt = key
        row = self.world.database.table("device_messages").get(message_id)
        remote_id = f"r-{message_id}-{attempt}"
        plugin = row.message.plugin_id if row else "stub-push"
        self.remote_ids.append((plugin, remote_id))
        return remote_id

    @rule(which=st.integers(0, 1), is_in_network=st.booleans())
    def crash(self, which: int, is_in_network: bool) -> None:
        """An engine dies; what it was sending is in the network's queue, or never came there."""
        mine = list(self.engines[which].keeper._held)
        for key in self._open_sends():
            if key[0] in mine:
                if is_in_network:
                    self.world.push.adoptable[key[0]] = self._accept(key)
                self.replies[key].cancel()
        self.run(self.engines[which].dispatch.drain(timedelta(0)))
        self.engines[which] = _Engine(self.world, f"engine-{self.starts}")
        self.starts += 1

    @rule(which=st.integers(0, 1), stage=st.sampled_from(Stage))
    def tick(self, which: int, stage: Stage) -> None:
        self.run(self.engines[which].tick.run(stage))

    @rule()
    def tick_at_once(self) -> None:
        async def work() -> None:
            await asyncio.gather(*(engine.tick.run(stage) for engine in self.engines for stage in Stage))

        self.run(work())

    @precondition(lambda self: self.remote_ids)
    @rule(
        data=st.data(),
        status=st.sampled_from([S.SENT_TO_DEVICE, S.DELIVERY_SUCCESSFUL, S.DELIVERY_FAILED, S.QUEUED]),
        is_known=st.booleans(),
    )
    def hear(self, data: st.DataObject, status: S, is_known: bool) -> None:
        plugin, remote_id = data.draw(st.sampled_from(self.remote_ids))
        event = DeviceEvent(
            delivery_status=status,
            device=Device(external_reference="1"),
            delivery_queue_id=remote_id if is_known else "unheard-of",
            response=Response(status=ExecutionStatus.EXECUTION_SUCCESS) if status is S.DELIVERY_SUCCESSFUL else None,
        )
        self.run(self.apply(plugin, event))

    @precondition(lambda self: any(key[0] in self._live() for key in self._open_sends()))
    @rule(data=st.data(), status=st.sampled_from([S.SENT_TO_DEVICE, S.DELIVERY_SUCCESSFUL]))
    def hear_before_the_reply(self, data: st.DataObject, status: S) -> None:
        key = data.draw(st.sampled_from([key for key in self._open_sends() if key[0] in self._live()]))
        plugin = self._live()[key[0]].plugin_id
        event = DeviceEvent(
            delivery_status=status, device=Device(external_reference="1"), delivery_queue_id=f"r-{key[0]}-{key[1]}"
        )
        self.run(self.apply(plugin, event))

    @rule(seconds=st.sampled_from([0.5, 1.9, 2, 5, 12, 21, 61, 901]))
    def wait(self, seconds: float) -> None:
        async def work() -> None:
            left = timedelta(seconds=seconds)
            while left > timedelta(0):
                step = min(left, timedelta(seconds=6))
                self.world.clock.advance(step)
                left -= step
                for engine in self.engines:
                    await engine.keeper.renew()

        self.run(work())

    @rule(seconds=st.sampled_from([30, 61]))
    def stall(self, seconds: int) -> None:
        """Time goes by while no engine gives a sign of life."""
        self.world.clock.advance(timedelta(seconds=seconds))

    @rule(which=st.integers(0, 1))
    def stall_and_take_over(self, which: int) -> None:
        """Leases lapse although their engines live; the other one looks at what is due."""
        self.world.clock.advance(timedelta(seconds=61))
        for stage in (Stage.NS, Stage.DEVICE, Stage.RELAY_NODE, Stage.AWAITING_TASK):
            self.run(self.engines[which].tick.run(stage))

    @rule(which=st.integers(0, 1))
    def come_back(self, which: int) -> None:
        """What waits for its repetition is tried again."""
        self.world.clock.advance(timedelta(seconds=20))
        self.run(self.engines[which].tick.run(Stage.RETRY))
        self.run(self.engines[which].dispatch.run_pass())

    @precondition(lambda self: self._open_sends())
    @rule()
    def refuse_all(self) -> None:
        for key in self._open_sends():
            self.replies[key].set_exception(SendFailed(FailureContext(reason="refused")))
        self.run(asyncio.sleep(0))

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        correlation_id = str(data.draw(st.integers(0, len(self.ids) - 1)))

        async def work() -> None:
            async with self.world.adopter() as queue:
                await queue.cancel([correlation_id])

        self.run(work())

    # What must hold

    def _live(self) -> dict[str, DeviceMessage]:
        return {key: row.message for key, row in self.world.database.table("device_messages").items()}

    def _open_sends(self) -> list[tuple[str, int]]:
        return sorted(key for key, reply in self.replies.items() if not reply.done())

    def _told(self, *statuses: str) -> Counter[str]:
        tasks = self.world.database.table("outbox_tasks").values()
        bodies = [task.payload["message"] for task in tasks]
        return Counter(body["id"] for body in bodies if body["deliveryStatus"] in statuses)

    @invariant()
    def no_message_is_lost_or_in_two_places(self) -> None:
        """[DM-11, DM-16, DM-33] Live with a due time, ready without one, or archived."""
        live, archived = set(self._live()), set(self.world.database.table("message_archive"))
        assert live | archived == self.ids
        assert not live & archived
        for message in self._live().values():
            assert (message.due_at is None) == (message.delivery_status is S.QUEUED)
            assert not message.delivery_status.is_terminal
            if message.delivery_status in {S.QUEUED, S.SENT_TO_NS, S.TO_RETRY}:
                assert message.delivery_queue_id == ""

    @invariant()
    def each_end_is_told_exactly_once(self) -> None:
        """[DM-19, DM-66, DM-152]"""
        archive = self.world.database.table("message_archive").values()
        ended = {end.message.id for end in archive if end.message.delivery_status.is_terminal}
        assert self._told("DELIVERY_SUCCESSFUL", "DELIVERY_FAILED") == Counter(ended)
        assert max(self._told("SENT_TO_NS").values(), default=0) <= 1
        assert set(self._told("SENT_TO_NS")) >= {message_id for message_id, _ in self.attempts}

    @invariant()
    def attempts_are_bounded_and_never_sent_twice(self) -> None:
        """[DM-4, DM-52] One send for each attempt, also when an engine dies or stalls."""
        assert max(self.attempts.values(), default=0) <= 1
        assert all(message.retry_count <= MAX_RETRIES for message in self._live().values())
        assert all(attempt <= MAX_RETRIES for _, attempt in self.attempts)

    @invariant()
    def a_message_waits_for_its_own_attempt(self) -> None:
        """[DM-16, DM-55] A reply that comes after its attempt was given up never stands for the next one.

        Who takes over adopts what the network's queue holds, even if a slow engine put it there late.
        """
        for message in self._live().values():
            if message.delivery_queue_id:
                own = f"r-{message.id}-{message.retry_count}"
                assert message.delivery_queue_id in {own, self.world.push.adoptable.get(message.id)}

    @invariant()
    def spacing_is_kept(self) -> None:
        """[DM-26]"""
        for queue, claims in self.claims.items():
            if ":stub-push:" in queue:
                assert all(later - earlier >= SPACING for earlier, later in pairwise(claims))

    @invariant()
    def slots_are_kept(self) -> None:
        """[DM-27, DM-28] Only messages in flight hold one."""
        rows = self.world.database.table("device_messages").values()
        holders = [row.message for row in rows if row.holds_slot]
        assert max(Counter(message.ready_queue for message in holders).values(), default=0) <= SLOTS
        in_flight = [m for m in self._live().values() if m.delivery_status.is_in_flight and m.plugin_id == "stub-pull"]
        assert {message.id for message in holders} == {message.id for message in in_flight}

    def teardown(self) -> None:
        """[DM-40] Whatever happened, in the end every message has ended."""
        for reply in self.replies.values():
            reply.cancel()
        for engine in self.engines:
            self.run(engine.dispatch.drain(timedelta(0)))
        self.world.clock.advance(timedelta(days=8))
        last = _Engine(self.world, "last")
        for stage in Stage:
            self.run(last.tick.run(stage))
        self.run(last.sweep())
        assert self._live() == {}
        self.each_end_is_told_exactly_once()
        self.loop.close()


Messaging.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestMessaging = Messaging.TestCase
