"""One suite for what is kept of messages, over the store in memory and over PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from sqlalchemy import text
from tests.support.messaging_process import Engine, answer, news, refuse
from tests.support.messaging_steps import claim, enqueue
from tests.support.messaging_worlds import MemoryWorld, PostgresWorld, World, pull_message, push_message, token_message

from nxt_adapters.memory.messages_journal import MemoryMessageJournal
from nxt_adapters.supabase import messages_journal as journal_module
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.messages_journal import PostgresMessageJournal
from nxt_domain.messaging.journal import MessageFilter, MessageJournal, MessageState, MessageWindow
from nxt_domain.messaging.model import DeliveryStatus
from nxt_domain.messaging.stages import Stage
from nxt_domain.shared.errors import InvalidInput

S = MessageState
ANY = MessageFilter()
ALL = MessageWindow()


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    engine = create_engine(request.getfixturevalue("relational_url"), pool_size=5)
    yield PostgresWorld(engine)
    await engine.dispose()


Open = Callable[[], AbstractAsyncContextManager[MessageJournal]]


@pytest.fixture
def journal(world: World) -> Open:
    @asynccontextmanager
    async def open_journal() -> AsyncIterator[MessageJournal]:
        if isinstance(world, PostgresWorld):
            async with world.engine.connect() as connection:
                yield PostgresMessageJournal(connection)
        else:
            assert isinstance(world, MemoryWorld)
            yield MemoryMessageJournal(world.database)

    return open_journal


@pytest.fixture
def states(journal: Open) -> Callable[..., Awaitable[list[S]]]:
    async def of(message_id: str) -> list[S]:
        async with journal() as opened:
            (record,) = await opened.find([message_id])
        moments = [passage.at for passage in record.passages]
        assert moments == sorted(moments)
        return [passage.status for passage in record.passages]

    return of


class TestPassages:
    async def test_an_answered_command_has_passed_every_stage(self, world: World, states: Any) -> None:
        """[DM-11, DM-12] Also once it is archived."""
        engine = Engine(world)
        (message_id,) = await engine.enqueue(push_message())
        await engine.send()
        remote_id = (await engine.message(message_id)).delivery_queue_id
        await engine.apply("stub-push", news(DeliveryStatus.SENT_TO_DEVICE, remote_id))
        assert await states(message_id) == [S.QUEUED, S.SENT_TO_NS, S.DELIVERED_TO_NS, S.SENT_TO_DEVICE]
        await engine.apply("stub-push", answer(remote_id))
        assert (await states(message_id))[-1] is S.DELIVERY_SUCCESSFUL

    async def test_each_attempt_is_kept(self, world: World, journal: Open, states: Any) -> None:
        """[DM-55, DM-56] With its reason and its time."""
        engine = Engine(world)
        world.push.on_send = refuse("the network is away")
        (message_id,) = await engine.enqueue(push_message())
        await engine.send()
        await world.pass_time(timedelta(hours=1))
        await engine.tick.run(Stage.RETRY)
        world.push.on_send = None
        await engine.send()
        once = [S.QUEUED, S.SENT_TO_NS]
        assert await states(message_id) == [*once, S.TO_RETRY, *once, S.DELIVERED_TO_NS]
        async with journal() as opened:
            (record,) = await opened.find([message_id])
        assert [(failure.reason, failure.status) for failure in record.failures] == [
            ("the network is away", DeliveryStatus.SENT_TO_NS)
        ]
        assert record.retry_count == 1

    async def test_waiting_on_is_no_passage(self, world: World, states: Any) -> None:
        """[DM-33] A stage is entered once, however often it is looked at."""
        engine = Engine(world)
        (message_id,) = await engine.enqueue(push_message())
        await engine.send()
        for _ in range(3):
            await world.pass_time(timedelta(minutes=16))
            await engine.tick.run(Stage.RELAY_NODE)
        assert await states(message_id) == [S.QUEUED, S.SENT_TO_NS, S.DELIVERED_TO_NS]

    async def test_a_cancelled_one_ends_as_such(self, world: World, states: Any) -> None:
        """[DM-65]"""
        (message_id,) = await enqueue(world, push_message(7))
        async with world.adopter() as queue:
            await queue.cancel(["7"])
        assert await states(message_id) == [S.QUEUED, S.CANCELLED]


class TestFind:
    async def test_by_its_own_id_or_by_what_asked_for_it(self, world: World, journal: Open) -> None:
        """[DM-18, DM-67] All messages of a correlation id, live and archived, oldest first."""
        engine = Engine(world)
        world.push.on_send = refuse("unknown there", skip_retry=True)
        (first,) = await engine.enqueue(push_message(7))
        await engine.send()
        second, other = await engine.enqueue(push_message(7), push_message(8))
        async with journal() as opened:
            found = await opened.find(["7", first])
            assert [record.id for record in await opened.find([other])] == [other]
            assert not await opened.find(["9", "nothing"])
        assert [(record.id, record.state) for record in found] == [(first, S.DELIVERY_FAILED), (second, S.QUEUED)]

    async def test_no_token_is_ever_told(self, world: World, journal: Open) -> None:
        """[DM-171] Not while the message waits, nor afterwards."""
        (message_id,) = await enqueue(world, token_message(7, token="73625140983726150493"))
        async with journal() as opened:
            (record,) = await opened.find([message_id])
        assert "73625140983726150493" not in json.dumps(attrs.asdict(record), default=str)
        assert (record.command_type, record.meter, record.network_id) == ("TOP_UP_KWH", "47003330007", 42)


class TestPage:
    async def test_the_youngest_come_first_page_by_page(self, world: World, journal: Open) -> None:
        engine = Engine(world)
        ids = list(await engine.enqueue(*[push_message(number) for number in range(5)]))
        async with world.adopter() as queue:
            await queue.cancel(["1", "3"])
        seen: list[str] = []
        after: str | None = None
        async with journal() as opened:
            for _ in range(3):
                page = await opened.page(ANY, MessageWindow(limit=2, after=after))
                seen += [record.id for record in page.items]
                after = page.next
        assert (seen, after) == (ids[::-1], None)

    @pytest.mark.parametrize("limit", [0, 501])
    def test_a_page_has_a_bounded_length(self, limit: int) -> None:
        with pytest.raises((ValueError, InvalidInput)):
            MessageWindow(limit=limit)

    async def test_each_filter_holds(self, world: World, journal: Open) -> None:
        engine = Engine(world)
        radio, vendor, far, gone = await engine.enqueue(
            push_message(1), pull_message(2, network=9), push_message(3, network=43), push_message(4)
        )
        async with world.adopter() as queue:
            await queue.cancel(["4"])

        async def ids(**wanted: Any) -> set[str]:
            async with journal() as opened:
                return {record.id for record in (await opened.page(MessageFilter(**wanted), ALL)).items}

        assert await ids() == {radio, vendor, far, gone}
        assert await ids(state=S.QUEUED) == {radio, vendor, far}
        assert await ids(state=S.CANCELLED) == {gone}
        assert await ids(state=S.UNREADABLE) == set()
        assert await ids(plugin_id="stub-pull") == {vendor}
        assert await ids(network_id=43) == {far}
        assert await ids(meter="47003330001") == {radio}
        assert await ids(meter="47003330001", network_id=43) == set()

    async def test_since_a_moment_on(self, world: World, journal: Open) -> None:
        """[DM-5] A message's birth is its id's time part."""
        (message_id,) = await enqueue(world, push_message())
        now = world.clock.now() if isinstance(world, MemoryWorld) else datetime.now(UTC)
        async with journal() as opened:
            recent = await opened.page(MessageFilter(since=now - timedelta(minutes=1)), ALL)
            later = await opened.page(MessageFilter(since=now + timedelta(minutes=1)), ALL)
        assert ([record.id for record in recent.items], later.items) == ([message_id], [])


async def test_a_row_that_cannot_be_read_is_listed_as_such(relational_url: str) -> None:
    """[DM-15] It has left its queue, and people find it."""
    engine = create_engine(relational_url, pool_size=2)
    world = PostgresWorld(engine)
    message_id, _ = await enqueue(world, push_message(1), push_message(2))
    await world.spoil(message_id)
    await claim(world)
    async with engine.connect() as connection:
        journal = PostgresMessageJournal(connection)
        (record,) = (await journal.page(MessageFilter(state=S.UNREADABLE), ALL)).items
    assert (record.id, record.state, record.meter) == (message_id, S.UNREADABLE, None)
    assert record.ready_queue == "queue:stub-push:network:42"
    await engine.dispose()


async def test_a_page_reads_the_part_that_was_asked_for(relational_url: str) -> None:
    """Between two ids along the key, however much there is."""
    engine = create_engine(relational_url, pool_size=2)
    world = PostgresWorld(engine)
    await enqueue(world, *[push_message(number) for number in range(3)])
    statement = str(journal_module._PAGE).replace(":limit", "5").replace(":state", "null")
    values = {"after": "'01K'", "floor": "'01J'", "plugin_id": "'x'", "network_id": "1", "meter": "'1'"}
    for name, value in (values | {"ended_since": "now()"}).items():
        statement = statement.replace(f":{name}", value)
    async with engine.connect() as connection:
        await connection.execute(text("set local enable_seqscan = off"))
        plan = "\n".join((await connection.execute(text(f"explain {statement}"))).scalars())
    await engine.dispose()
    assert "Index Cond: ((id < '01K'::text) AND (id >= '01J'::text)" in plan, plan
    assert "Scan Backward using pk_device_messages" in plan or "Backward using device_messages_pkey" in plan, plan
