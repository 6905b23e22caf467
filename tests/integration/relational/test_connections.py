"""Pooled connections: they keep their plans, and one that died is replaced before anybody uses it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase import engine as engine_module
from nxt_adapters.supabase.engine import create_engine, for_reading
from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_adapters.supabase.unit_of_work import SupabaseReading

BACKEND = text("select pg_backend_pid()")
PLANS = text("select count(*) from pg_prepared_statements where statement like '%id from public.banks%'")
READ = text("select id from public.banks where id = :id")
WRITE = text("insert into public.banks (name, external_id) values ('Lakeside Bank', '999')")
HELD = text("select count(*) from public.banks where external_id = '999'")


@pytest.fixture
async def engine(relational_url: str) -> AsyncIterator[AsyncEngine]:
    made = create_engine(relational_url, pool_size=2)
    yield made
    await made.dispose()


async def read(engine: AsyncEngine, statement: Any, **parameters: object) -> Any:
    async with PostgresTransaction(engine) as tx:
        return (await tx.connection.execute(statement, parameters)).scalar()


async def test_reading_keeps_the_plans_of_a_connection(engine: AsyncEngine) -> None:
    """[REL-185] a transaction that only read ends in order, so that the next one needs no planning."""
    for _ in range(5):
        await read(engine, READ, id=1)
    assert await read(engine, PLANS) == 1


async def test_a_use_case_that_reads_needs_no_transaction(engine: AsyncEngine) -> None:
    """[REL-185] Its connection keeps its plans too, goes back as it was, and commits nothing by itself."""
    reading = for_reading(engine)
    for _ in range(5):
        async with SupabaseReading(reading, messages_of=lambda connection: NotImplemented) as tx:
            assert (await tx.connection.execute(READ, {"id": 1})).scalar() is None
            with pytest.raises(RuntimeError):
                await tx.commit()
    assert await read(engine, PLANS) == 1
    async with PostgresTransaction(engine) as tx:
        await tx.connection.execute(WRITE)
    assert await read(engine, HELD) == 0, "the same connections hold transactions again"


async def test_what_was_written_and_not_committed_is_gone(engine: AsyncEngine) -> None:
    """[REL-156] left without commit, a transaction changes nothing."""
    async with PostgresTransaction(engine) as tx:
        await tx.connection.execute(WRITE)
    assert await read(engine, HELD) == 0


async def test_an_aborted_transaction_ends_without_a_further_error(engine: AsyncEngine) -> None:
    async with PostgresTransaction(engine) as tx:
        await tx.connection.execute(WRITE)
        with pytest.raises(Exception, match="does not exist"):
            await tx.connection.execute(text("select * from public.nowhere"))
    assert await read(engine, HELD) == 0


async def test_the_warmest_connection_is_used_first(engine: AsyncEngine) -> None:
    async with PostgresTransaction(engine), PostgresTransaction(engine):
        pass
    assert len({await read(engine, BACKEND) for _ in range(4)}) == 1


async def test_a_connection_that_the_server_closed_is_replaced_unseen(engine: AsyncEngine, relational_url: str) -> None:
    """[DM-189] after a restart of the database nobody sees the old connections."""
    before = await read(engine, BACKEND)
    with psycopg.connect(relational_url, autocommit=True) as owner:
        owner.execute("select pg_terminate_backend(%s, 5000)", (before,))
    after = await read(engine, BACKEND)
    assert after not in {None, before}


async def test_a_long_silent_connection_is_asked_first(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    dialect = engine.sync_engine.dialect
    ping = dialect.do_ping
    monkeypatch.setattr(dialect, "do_ping", lambda connection: asked.append(time.monotonic()) or ping(connection))
    await read(engine, BACKEND)
    await read(engine, BACKEND)
    assert asked == []
    monkeypatch.setattr(engine_module, "_LONG_IDLE_S", 0.0)
    await read(engine, BACKEND)
    assert len(asked) == 1
