"""One look at the outbox for all lanes of a channel, and claims only where there is something [REL-156]."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_domain.shared.errors import Unavailable
from nxt_domain.shared.outbox import ClaimedTask, OutboxTask
from nxt_domain.shared.wakeups import Channel
from nxt_entrypoints.jobs import relay as module
from nxt_entrypoints.jobs.relay import Lane, OutboxRelay


class Office:
    """A relay with three lanes over a plane in memory, which counts its looks and claims."""

    def __init__(self, *kinds: str) -> None:
        self.plane = MemoryPlane()
        self.done: list[str] = []
        self.claims: list[str] = []
        self.looks = 0
        channels = {"FIRST": Channel.OUTBOX, "SECOND": Channel.OUTBOX, "ALONE": Channel.GATEWAY_EVENTS}
        lanes = [Lane(kind=kind, handle=self._handle, channel=channels[kind]) for kind in kinds or channels]
        queue = self.plane.outbox_queue
        claim, due = queue.claim, queue.due

        async def counted_claim(**facts: Any) -> Any:
            self.claims.extend(facts["kinds"])
            return await claim(**facts)

        async def counted_due(kinds: Sequence[str]) -> Any:
            self.looks += 1
            return await due(kinds)

        queue.claim, queue.due = counted_claim, counted_due  # type: ignore[method-assign]  # spies
        self.relay = OutboxRelay(queue=queue, lanes=lanes, owner="test", subscribe=self.plane.wakeups.subscribe)

    async def _handle(self, tasks: Sequence[ClaimedTask]) -> None:
        self.done.extend(task.dedupe_key for task in tasks)

    async def add(self, key: str, kind: str, channel: Channel = Channel.OUTBOX) -> None:
        async with self.plane.begin() as tx:
            await tx.outbox.add([OutboxTask(kind=kind, dedupe_key=key)])
            await tx.commit()
        self.plane.wakeups.hint(channel)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        stopping = asyncio.Event()
        task = asyncio.create_task(self.relay.run(stopping))
        try:
            yield
        finally:
            stopping.set()
            await asyncio.wait_for(task, 2)

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(2):
            while not is_so():  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.005)


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setattr(module, "_POLL_S", 0.05)
    return Office()


async def test_lanes_without_tasks_claim_nothing(office: Office) -> None:
    async with office.running():
        await office.until(lambda: office.looks >= 1)
        office.claims.clear()
        await office.add("a", "SECOND")
        await office.until(lambda: office.done == ["a"])
        await office.until(lambda: office.looks >= 5)
    assert "FIRST" not in office.claims
    assert office.claims.count("SECOND") <= 3, "its task, the end of its batch, and a ring that came meanwhile"


async def test_a_task_whose_wake_up_got_lost_is_found(office: Office) -> None:
    """[PAY-121] polling is the guarantee."""
    async with office.running():
        await office.until(lambda: office.looks >= 1)
        async with office.plane.begin() as tx:
            await tx.outbox.add([OutboxTask(kind="FIRST", dedupe_key="a"), OutboxTask(kind="ALONE", dedupe_key="b")])
            await tx.commit()
        await office.until(lambda: sorted(office.done) == ["a", "b"])


async def test_a_channel_with_one_lane_needs_no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_POLL_S", 0.05)
    office = Office("ALONE")
    async with office.running():
        await office.add("a", "ALONE", Channel.GATEWAY_EVENTS)
        await office.until(lambda: office.done == ["a"] and office.claims.count("ALONE") >= 4)
    assert office.looks == 0


async def test_while_the_look_fails_lanes_look_for_themselves(office: Office) -> None:
    async def away(_kinds: Sequence[str]) -> Any:
        raise Unavailable("The database is busy or restarting")

    office.plane.outbox_queue.due = away  # type: ignore[method-assign]  # a fault
    await office.add("a", "FIRST")
    async with office.running():
        await office.until(lambda: office.done == ["a"])
