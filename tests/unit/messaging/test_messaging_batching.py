"""Group commit: many callers, few transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar

import pytest

from nxt_domain.shared.errors import Conflict, Unavailable
from nxt_domain.shared.group_commit import GroupCommit


class Store:
    """Writes slowly, and refuses what it is told to."""

    def __init__(self, *, refuses: dict[int, Exception] | None = None, is_away: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.refuses = refuses or {}
        self.is_away = is_away

    async def write(self, items: Sequence[int]) -> None:
        await asyncio.sleep(0.005)
        self.batches.append(list(items))
        if self.is_away:
            raise Unavailable("away")
        for item in items:
            if item in self.refuses:
                raise self.refuses[item]


async def test_what_arrives_during_a_write_goes_into_the_next_one() -> None:
    """[DM-16] One statement for the batch, in the order of arrival, never more than the limit."""
    store = Store()
    commits = GroupCommit(store.write, limit=40)
    await asyncio.gather(*(commits.submit(number) for number in range(100)))
    assert [number for batch in store.batches for number in batch] == list(range(100))
    assert len(store.batches) == 3


async def test_one_item_that_spoils_the_batch_fails_alone() -> None:
    """[DM-15] The others are written without it."""
    store = Store(refuses={3: Conflict("no")})
    commits = GroupCommit(store.write)
    results = await asyncio.gather(*(commits.submit(number) for number in range(6)), return_exceptions=True)
    assert [type(result) for result in results] == [type(None)] * 3 + [Conflict] + [type(None)] * 2


async def test_an_outage_fails_the_batch_at_once() -> None:
    """[DM-189] Nobody waits for a hundred time-outs in a row."""
    store = Store(is_away=True)
    commits = GroupCommit(store.write)
    results = await asyncio.gather(*(commits.submit(number) for number in range(50)), return_exceptions=True)
    assert all(isinstance(result, Unavailable) for result in results)
    assert len(store.batches) == 1
    store.is_away = False
    await commits.submit(1)
    assert store.batches[-1] == [1]


async def test_a_caller_that_gives_up_harms_nobody() -> None:
    """Its item is written all the same."""
    store = Store()
    commits = GroupCommit(store.write)
    impatient = asyncio.create_task(commits.submit(1))
    patient = asyncio.create_task(commits.submit(2))
    await asyncio.sleep(0)
    impatient.cancel()
    await patient
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert [number for batch in store.batches for number in batch] == [1, 2]


async def test_the_writer_works_in_nobodys_context() -> None:
    """[REL-155] It serves many callers: the idempotency key and the request id of the first are not the others'."""
    caller: ContextVar[str] = ContextVar("caller", default="nobody")
    seen: list[str] = []

    async def write(items: Sequence[int]) -> None:
        seen.append(caller.get())

    caller.set("the first request")
    await GroupCommit[int](write).submit(1)
    assert seen == ["nobody"]
