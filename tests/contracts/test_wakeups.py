"""``WakeUps``: in memory, and over LISTEN/NOTIFY between connections [R4]."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import psycopg
import pytest
from tests.support.databases import cut_sessions

from nxt_adapters.memory.wakeups import MemoryWakeUps
from nxt_adapters.supabase.wakeups import PostgresWakeUps
from nxt_domain.shared.wakeups import Channel, WakeUps

PATIENCE_S = 5.0


@pytest.fixture(params=["memory", "postgres"])
async def wakeups(request: pytest.FixtureRequest) -> AsyncIterator[WakeUps]:
    if request.param == "memory":
        yield MemoryWakeUps()
        return
    made = PostgresWakeUps(request.getfixturevalue("relational_url"))
    await made.start()
    yield made
    await made.stop()


async def test_a_hint_wakes_every_waiter_of_its_channel_and_no_other(wakeups: WakeUps) -> None:
    one, two = wakeups.subscribe(Channel.OUTBOX), wakeups.subscribe(Channel.OUTBOX)
    other = wakeups.subscribe(Channel.SETTLEMENT)
    wakeups.hint(Channel.OUTBOX)
    await asyncio.wait_for(asyncio.gather(one.wait(), two.wait()), PATIENCE_S)
    assert not other.is_set()


async def test_several_channels_at_once(wakeups: WakeUps) -> None:
    events = [wakeups.subscribe(channel) for channel in Channel]
    wakeups.hint(*Channel)
    await asyncio.wait_for(asyncio.gather(*(event.wait() for event in events)), PATIENCE_S)


async def test_a_waiter_clears_and_is_woken_again(wakeups: WakeUps) -> None:
    event = wakeups.subscribe(Channel.MESSAGING)
    for _ in range(3):
        wakeups.hint(Channel.MESSAGING)
        await asyncio.wait_for(event.wait(), PATIENCE_S)
        event.clear()


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():  # noqa: ASYNC110 - what is waited for lies in the database
            await asyncio.sleep(0.02)


class TestBetweenProcesses:
    async def test_a_hint_of_one_reaches_the_other(self, relational_url: str) -> None:
        here, there = PostgresWakeUps(relational_url), PostgresWakeUps(relational_url)
        await here.start()
        await there.start()
        event = there.subscribe(Channel.SETTLEMENT)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not event.is_set():  # until its connection listens, hints may get lost
                    here.hint(Channel.SETTLEMENT)
                    await asyncio.sleep(0.02)
        finally:
            await here.stop()
            await there.stop()

    async def test_r4_many_hints_are_one_notification(self, relational_url: str) -> None:
        """At most every 50 ms."""
        heard = 0
        async with await psycopg.AsyncConnection.connect(relational_url, autocommit=True) as listener:
            await listener.execute("listen nxt_outbox")
            wakeups = PostgresWakeUps(relational_url)
            await wakeups.start()
            began = time.monotonic()
            for _ in range(200):
                wakeups.hint(Channel.OUTBOX)
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.2)
            took_s = time.monotonic() - began
            await wakeups.stop()
            async for _ in listener.notifies(timeout=0.3):
                heard += 1
        assert 1 <= heard <= took_s / 0.05 + 1

    async def test_a_broken_connection_is_made_anew(self, relational_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Meanwhile workers of the same process are still woken, and nobody gets an error."""
        monkeypatch.setattr("nxt_adapters.supabase.wakeups._RECONNECT_S", 0.05)
        wakeups = PostgresWakeUps(relational_url)
        await wakeups.start()
        event = wakeups.subscribe(Channel.OUTBOX)
        count = (
            "select count(*) from pg_stat_activity"
            " where datname = current_database() and application_name = 'nxt wake-ups'"
        )
        async with await psycopg.AsyncConnection.connect(relational_url, autocommit=True) as owner:

            async def is_connected() -> bool:
                row = await (await owner.execute(count)).fetchone()
                return row is not None and int(row[0]) == 2

            await _until(is_connected)
            await asyncio.to_thread(cut_sessions, relational_url, "nxt wake-ups")
            wakeups.hint(Channel.OUTBOX)
            assert event.is_set()
            event.clear()
            async with asyncio.timeout(PATIENCE_S):
                while not event.is_set():
                    await owner.execute("select pg_notify('nxt_outbox', '')")
                    await asyncio.sleep(0.05)
        await wakeups.stop()

    async def test_a_database_that_is_away_stops_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("nxt_adapters.supabase.wakeups._RECONNECT_S", 0.05)
        wakeups = PostgresWakeUps("postgresql://nobody@127.0.0.1:1/none")
        await wakeups.start()
        event = wakeups.subscribe(Channel.OUTBOX)
        await asyncio.sleep(0.2)
        wakeups.hint(Channel.OUTBOX)
        await asyncio.wait_for(event.wait(), PATIENCE_S)
        await wakeups.stop()
