"""Reports that arrive one by one share transactions, and nobody suffers from another's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import pytest
from tests.support.telemetry import at, meter_facts, report

from nxt_adapters.memory.database import MemoryClock
from nxt_adapters.memory.telemetry import MemoryMeterRegister, MemoryRecordingSession, MemorySeriesStore
from nxt_domain.shared.errors import Unavailable
from nxt_domain.telemetry.model import IgnoredReason
from nxt_domain.telemetry.use_cases.group_reports import GroupedHourlyReports


class CountingStore(MemorySeriesStore):
    """Counts transactions, can hold them up, and can fail on a meter or altogether."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.poisoned: int | None = None
        self.is_away = False

    def recording(self, meter_ids: Sequence[int]) -> AbstractAsyncContextManager[MemoryRecordingSession]:
        if self.is_away:
            raise Unavailable("away")
        if self.poisoned in meter_ids:
            raise ZeroDivisionError("a defect that one report brings about")
        self.sizes.append(len(meter_ids))
        return super().recording(meter_ids)


class SlowRegister(MemoryMeterRegister):
    """Waits at a gate, as a busy store does."""

    def __init__(self, store: CountingStore) -> None:
        super().__init__({meter: meter_facts(meter) for meter in range(1, 1001)})
        self._store = store

    async def facts(self, meter_ids: Sequence[int]) -> dict[int, object]:  # type: ignore[override]  # same content
        await self._store.gate.wait()
        return dict(await super().facts(meter_ids))


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


def recorder(store: CountingStore, **limits: int) -> GroupedHourlyReports:
    return GroupedHourlyReports(store, SlowRegister(store), MemoryClock(at(12)), **limits)


async def test_reports_gather_while_a_commit_is_under_way(store: CountingStore) -> None:
    """[TEL-216] Four hundred callers, two transactions; each is answered after its own is durable."""
    record = recorder(store)
    store.gate.clear()
    calls = [asyncio.create_task(record.record([report(m, at(10), 5.0)])) for m in range(1, 401)]
    await asyncio.sleep(0.01)
    assert not any(call.done() for call in calls)
    store.gate.set()
    results = await asyncio.gather(*calls)
    assert {result.accepted for result in results} == {1}
    assert sum(store.sizes) == len(store.readings) == 400
    assert len(store.sizes) <= 2


async def test_a_group_is_bounded(store: CountingStore) -> None:
    """[TEL-216] At most so many reports in one transaction."""
    record = recorder(store, group_size=100)
    await asyncio.gather(*(record.record([report(m, at(10), 5.0)]) for m in range(1, 351)))
    assert max(store.sizes) <= 100
    assert sum(store.sizes) == 350


async def test_an_idle_recorder_starts_at_once(store: CountingStore) -> None:
    """[TEL-216] One after the other: each has its own transaction, and none waits for company."""
    record = recorder(store)
    for hour in (9, 10, 11):
        await asyncio.wait_for(record.record([report(1, at(hour), 5.0)]), 1)
    assert store.sizes == [1, 1, 1]


async def test_each_caller_learns_what_became_of_its_own_reports(store: CountingStore) -> None:
    """[TEL-179] [TEL-182] Places are counted in the caller's reports."""
    record = recorder(store)
    store.gate.clear()
    first = asyncio.create_task(record.record([report(1, at(10), 5.0)]))
    await asyncio.sleep(0)
    second = asyncio.create_task(record.record([report(2, at(10), 5.0), report(5000, at(10), 5.0)]))
    third = asyncio.create_task(record.record([report(6000, at(10), 5.0)]))
    await asyncio.sleep(0)
    store.gate.set()
    results = await asyncio.gather(first, second, third)
    told = [(r.accepted, [(i.index, i.reason) for i in r.ignored]) for r in results]
    missing = IgnoredReason.METER_NOT_FOUND
    assert told == [(1, []), (1, [(1, missing)]), (0, [(0, missing)])]


async def test_a_full_queue_refuses(store: CountingStore) -> None:
    """[TEL-217] The sender's outbox holds the report; those that wait already are served."""
    record = recorder(store, queue_limit=3)
    store.gate.clear()
    under_way = asyncio.create_task(record.record([report(1, at(10), 5.0)]))
    await asyncio.sleep(0.01)
    queued = [asyncio.create_task(record.record([report(m, at(10), 5.0)])) for m in (2, 3, 4)]
    await asyncio.sleep(0.01)
    assert record.waiting == 3
    with pytest.raises(Unavailable):
        await asyncio.wait_for(record.record([report(5, at(10), 5.0)]), 1)
    store.gate.set()
    assert [(await call).accepted for call in (under_way, *queued)] == [1, 1, 1, 1]
    assert sorted(store.readings.meter_id.tolist()) == [1, 2, 3, 4]


async def test_a_store_that_is_away_fails_all_and_comes_back(store: CountingStore) -> None:
    """[TEL-169] [TEL-208]"""
    record = recorder(store)
    store.is_away = True
    outcomes = await asyncio.gather(*(record.record([report(m, at(10), 5.0)]) for m in (1, 2)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable, Unavailable]
    store.is_away = False
    assert (await record.record([report(1, at(10), 5.0)])).accepted == 1


async def test_one_report_that_breaks_does_not_stop_the_others(store: CountingStore) -> None:
    """[TEL-35] The group is halved until the bad report is alone."""
    record = recorder(store)
    store.poisoned = 13
    outcomes = await asyncio.gather(
        *(record.record([report(m, at(10), 5.0)]) for m in range(1, 41)), return_exceptions=True
    )
    broken = [m for m, outcome in enumerate(outcomes, 1) if isinstance(outcome, ZeroDivisionError)]
    assert broken == [13]
    assert sorted(store.readings.meter_id.tolist()) == [m for m in range(1, 41) if m != 13]


async def test_a_caller_that_goes_away_harms_nobody(store: CountingStore) -> None:
    """Its report is stored all the same."""
    record = recorder(store)
    store.gate.clear()
    calls = [asyncio.create_task(record.record([report(m, at(10), 5.0)])) for m in (1, 2)]
    await asyncio.sleep(0.01)
    calls[0].cancel()
    store.gate.set()
    assert (await calls[1]).accepted == 1
    assert len(store.readings) == 2
