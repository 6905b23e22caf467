"""The relay: every task at least once, in order within its stream, whatever befalls [REL-156, PAY-121]."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_domain.shared.errors import InvalidInput, Unavailable
from nxt_domain.shared.outbox import ClaimedTask, OutboxTask
from nxt_domain.shared.wakeups import Channel
from nxt_entrypoints.jobs import relay as module
from nxt_entrypoints.jobs.relay import Lane, OutboxRelay, retry_delay


class Desk:
    """Handles tasks, and fails as told.

    Attributes:
        calls: Keys of each call, in order.
        bad: Keys that fail, and how.
    """

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.bad: dict[str, Exception] = {}

    async def handle(self, tasks: Sequence[ClaimedTask]) -> None:
        self.calls.append([task.dedupe_key for task in tasks])
        for task in tasks:
            if task.dedupe_key in self.bad:
                raise self.bad[task.dedupe_key]


class Office:
    """A relay over a plane in memory."""

    def __init__(self) -> None:
        self.plane, self.desk = MemoryPlane(), Desk()
        self.lane = Lane(kind="WORK", handle=self.desk.handle)
        self.relay = self.relay_of(self.lane)

    def relay_of(self, *lanes: Lane) -> OutboxRelay:
        return OutboxRelay(
            queue=self.plane.outbox_queue, lanes=lanes, owner="test", subscribe=self.plane.wakeups.subscribe
        )

    async def add(self, *keys: str, **facts: Any) -> None:
        async with self.plane.begin() as tx:
            await tx.outbox.add([OutboxTask(kind="WORK", dedupe_key=key, **facts) for key in keys])
            await tx.commit()
        self.plane.wakeups.hint(Channel.OUTBOX)

    def state(self, key: str) -> Any:
        return self.plane.begin().outbox.state(key)


@pytest.fixture
def office() -> Office:
    return Office()


class TestDelays:
    @pytest.mark.parametrize(
        ("attempts", "seconds"), [(0, 5), (1, 10), (2, 20), (3, 40), (6, 320), (7, 600), (8, 600), (10**6, 600)]
    )
    def test_pay_121_five_seconds_doubled_up_to_ten_minutes(self, attempts: int, seconds: int) -> None:
        assert retry_delay(attempts) == timedelta(seconds=seconds)

    @given(st.integers(0, 10**9), st.timedeltas(timedelta(milliseconds=1), timedelta(minutes=1)))
    def test_pay_121_delays_never_shrink_and_are_bounded(self, attempts: int, first: timedelta) -> None:
        assert first <= retry_delay(attempts, first) <= retry_delay(attempts + 1, first) <= timedelta(minutes=10)


async def test_tasks_are_handled_many_at_a_time_and_done(office: Office) -> None:
    await office.add("a", "b", "c")
    assert await office.relay.work_off(office.lane) == 3
    assert office.desk.calls == [["a", "b", "c"]]
    assert all(office.state(key).done_at is not None for key in "abc")
    assert await office.relay.work_off(office.lane) == 0


async def test_a_bad_task_does_not_hold_up_its_neighbours(office: Office) -> None:
    """It is tried alone, fails alone, and comes again after its delay."""
    office.desk.bad["b"] = InvalidInput("malformed", code="TASK_MALFORMED")
    await office.add("a", "b", "c")
    await office.relay.work_off(office.lane)
    assert office.desk.calls == [["a", "b", "c"], ["a"], ["b"], ["c"]]
    assert [office.state(key).done_at is not None for key in "abc"] == [True, False, True]
    assert (office.state("b").attempts, office.state("b").last_error) == (1, "TASK_MALFORMED: malformed")
    office.desk.bad.clear()
    assert await office.relay.work_off(office.lane) == 0
    office.plane.clock.advance(timedelta(seconds=5))
    assert await office.relay.work_off(office.lane) == 1


async def test_what_everybody_waits_for_is_not_asked_again_for_each(office: Office) -> None:
    """While a broker or a vendor is away, one try for the whole batch is enough."""
    office.desk.bad["b"] = Unavailable("Valkey can't be reached")
    await office.add("a", "b", "c")
    await office.relay.work_off(office.lane)
    assert office.desk.calls == [["a", "b", "c"]]
    assert [office.state(key).attempts for key in "abc"] == [1, 1, 1]


async def test_defects_are_kept_too_and_show_no_text(office: Office) -> None:
    """[R49] Texts of foreign errors may hold secrets; the kind of the error must do."""
    office.desk.bad["a"] = ValueError("token 12345678901234567890")
    await office.add("a")
    await office.relay.work_off(office.lane)
    assert (office.state("a").attempts, office.state("a").last_error) == (1, "ValueError")
    assert office.state("a").is_open


async def test_pay_121_delays_grow_from_failure_to_failure(office: Office) -> None:
    office.desk.bad["a"] = Unavailable("down")
    await office.add("a")
    waits = []
    for _ in range(9):
        before = office.plane.clock.now()
        while await office.relay.work_off(office.lane) == 0:
            office.plane.clock.advance(timedelta(seconds=5))
        waits.append((office.plane.clock.now() - before).total_seconds())
    assert waits == [0, 5, 10, 20, 40, 80, 160, 320, 600]


async def test_rel_156_what_is_too_late_is_dropped(office: Office) -> None:
    office.desk.bad["a"] = Unavailable("down")
    await office.add("a", give_up_after=timedelta(seconds=30))
    with capture_logs() as lines:
        for _ in range(4):
            await office.relay.work_off(office.lane)
            office.plane.clock.advance(timedelta(seconds=20))
    assert office.state("a").dropped_at is not None
    assert office.state("a").attempts == 3
    assert [line["kind"] for line in lines if line["event"] == "an outbox task is given up"] == ["WORK"]


async def test_order_within_a_stream_survives_a_failure(office: Office) -> None:
    """[REL-156] The later task waits while the earlier one is open."""
    office.desk.bad["1"] = Unavailable("down")
    await office.add("1", "2", "3", stream_key="interaction:7")
    for _ in range(3):
        await office.relay.work_off(office.lane)
        office.plane.clock.advance(timedelta(seconds=1))
    assert office.desk.calls == [["1"]]
    office.desk.bad.clear()
    office.plane.clock.advance(timedelta(seconds=10))
    while await office.relay.work_off(office.lane):
        pass
    assert office.desk.calls == [["1"], ["1"], ["2"], ["3"]]


async def test_a_handler_ends_before_its_lease(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a second process would begin the same work."""
    monkeypatch.setattr(module, "_WORK_S", 0.05)
    was_cancelled = False

    async def slow(_tasks: Sequence[ClaimedTask]) -> None:
        nonlocal was_cancelled
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            was_cancelled = True
            raise

    lane = Lane(kind="WORK", handle=slow)
    await office.add("a", "b")
    await asyncio.wait_for(office.relay_of(lane).work_off(lane), 5)
    assert was_cancelled
    assert [office.state(key).attempts for key in "ab"] == [1, 1]
    assert office.state("a").last_error == "TimeoutError"


async def test_a_crash_between_work_and_mark_repeats_the_work(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """At least once: the lease lapses, and the task is done again."""

    async def die(_tasks: Sequence[ClaimedTask]) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(office.plane.outbox_queue, "done", die)
        await office.add("a")
        with pytest.raises(KeyboardInterrupt):
            await office.relay.work_off(office.lane)
    assert await office.relay.work_off(office.lane) == 0
    office.plane.clock.advance(timedelta(seconds=60))
    assert await office.relay.work_off(office.lane) == 1
    assert office.desk.calls == [["a"], ["a"]]


class TestRunning:
    async def test_it_works_until_stopped_and_wakes_when_there_is_work(
        self, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_POLL_S", 30.0)
        stopping = asyncio.Event()
        running = asyncio.create_task(office.relay.run(stopping))
        for key in "abc":
            await asyncio.sleep(0.02)
            await office.add(key)
            async with asyncio.timeout(2):
                while key not in {one for call in office.desk.calls for one in call}:  # noqa: ASYNC110 - no event
                    await asyncio.sleep(0.005)
        stopping.set()
        await asyncio.wait_for(running, 2)

    async def test_polling_finds_what_nobody_hinted_at(self, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        """[R4] Polling is the guarantee."""
        monkeypatch.setattr(module, "_POLL_S", 0.02)
        stopping = asyncio.Event()
        running = asyncio.create_task(office.relay.run(stopping))
        await asyncio.sleep(0.05)
        async with office.plane.begin() as tx:
            await tx.outbox.add([OutboxTask(kind="WORK", dedupe_key="a")])
            await tx.commit()
        async with asyncio.timeout(2):
            while not office.desk.calls:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.005)
        stopping.set()
        await asyncio.wait_for(running, 2)

    async def test_a_slow_lane_holds_up_no_other(self, office: Office) -> None:
        """And what is under way when it stops is finished first."""
        release, finished = asyncio.Event(), []

        async def slow(tasks: Sequence[ClaimedTask]) -> None:
            await release.wait()
            finished.extend(task.dedupe_key for task in tasks)

        relay = office.relay_of(Lane(kind="SLOW", handle=slow), office.lane)
        async with office.plane.begin() as tx:
            await tx.outbox.add([OutboxTask(kind="SLOW", dedupe_key="s"), OutboxTask(kind="WORK", dedupe_key="w")])
            await tx.commit()
        stopping = asyncio.Event()
        running = asyncio.create_task(relay.run(stopping))
        async with asyncio.timeout(2):
            while not office.desk.calls:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.005)
        stopping.set()
        await asyncio.sleep(0.02)
        assert not running.done()
        release.set()
        await asyncio.wait_for(running, 2)
        assert finished == ["s"]
        assert office.state("s").done_at is not None

    async def test_a_store_that_is_away_does_not_end_the_relay(
        self, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_POLL_S", 0.01)
        claim = office.plane.outbox_queue.claim
        failures = iter([Unavailable("away"), OSError("broken")])

        async def flaky(**arguments: Any) -> Any:
            for failure in failures:
                raise failure
            return await claim(**arguments)

        monkeypatch.setattr(office.plane.outbox_queue, "claim", flaky)
        await office.add("a")
        stopping = asyncio.Event()
        running = asyncio.create_task(office.relay.run(stopping))
        async with asyncio.timeout(2):
            while not office.desk.calls:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.005)
        stopping.set()
        await asyncio.wait_for(running, 2)
