"""Pooled connections: they keep their plans, and one that died is replaced before anybody uses it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Integer, bindparam, event, func, literal_column, select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.support.databases import cut_sessions
from tests.support.running_roles import quiet

from nxt_adapters.supabase import engine as engine_module
from nxt_adapters.supabase.engine import create_engine, for_reading
from nxt_adapters.supabase.reads import ReadPool
from nxt_adapters.supabase.session import TransactionSession
from nxt_adapters.supabase.tables import banks
from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_adapters.supabase.unit_of_work import SupabaseReading
from nxt_adapters.supabase.written import Read, insertion
from nxt_domain.shared.errors import Unavailable

BACKEND = text("select pg_backend_pid()")
PLANS = text("select count(*) from pg_prepared_statements where statement like '%id from public.banks%'")
READ = text("select id from public.banks where id = :id")
WRITE = text("insert into public.banks (name, external_id) values ('Lakeside Bank', '999')")
BANKS = Read(select(banks.c.id, banks.c.name).where(banks.c.id == bindparam("wanted", type_=Integer)))
SLOW = Read(select(func.pg_sleep(5).label("slept")))
ROLE = Read(
    select(
        literal_column("current_user").label("current_user"),
        literal_column("(select count(*) from pg_prepared_statements where statement like '%banks%')").label("plans"),
    )
)
HELD = text("select count(*) from public.banks where external_id = '999'")


@pytest.fixture
async def engine(relational_url: str) -> AsyncIterator[AsyncEngine]:
    made = create_engine(relational_url, pool_size=2)
    yield made
    await made.dispose()


@pytest.fixture
async def pool(relational_url: str) -> AsyncIterator[ReadPool]:
    made = ReadPool(relational_url, max_size=1)
    yield made
    await made.close()


def reading(engine: AsyncEngine, pool: ReadPool) -> SupabaseReading:
    return SupabaseReading(for_reading(engine), lambda session: NotImplemented, pool)


async def read(engine: AsyncEngine, statement: Any, **parameters: object) -> Any:
    async with PostgresTransaction(engine) as tx:
        return (await tx.connection.execute(statement, parameters)).scalar()


async def test_reading_keeps_the_plans_of_a_connection(engine: AsyncEngine) -> None:
    """[REL-185] a transaction that only read ends in order, so that the next one needs no planning."""
    for _ in range(5):
        await read(engine, READ, id=1)
    assert await read(engine, PLANS) == 1


async def test_a_use_case_that_reads_needs_no_transaction(engine: AsyncEngine, pool: ReadPool) -> None:
    """[REL-185] Its connection keeps its plans too, goes back as it was, and commits nothing by itself."""
    for _ in range(5):
        async with reading(engine, pool) as tx:
            assert (await tx.session.execute(READ, {"id": 1})).scalar() is None
            with pytest.raises(RuntimeError):
                await tx.commit()
    assert await read(engine, PLANS) == 1
    async with PostgresTransaction(engine) as tx:
        await tx.connection.execute(WRITE)
    assert await read(engine, HELD) == 0, "the same connections hold transactions again"


async def test_reads_that_were_written_out_keep_their_plans_too(engine: AsyncEngine, pool: ReadPool) -> None:
    """[REL-185] The same rows as inside a transaction, on one connection that the server knows the statement of."""
    with pytest.raises(RuntimeError):
        async with reading(engine, pool) as tx:
            _ = tx.connection
    held = [[{"id": 1, "name": "Harbour Bank"}], []]
    async with PostgresTransaction(engine) as tx:
        await tx.connection.execute(
            text("insert into public.banks (id, name, external_id) values (1, 'Harbour Bank', '1')")
        )
        assert await TransactionSession(tx.connection).rows(BANKS, {"wanted": 1}) == held[0]
        assert await pool.rows(BANKS, {"wanted": 1}) == [], "not committed yet"
        await tx.commit()
    for _ in range(5):
        async with reading(engine, pool) as tx:
            assert [await tx.session.rows(BANKS, {"wanted": wanted}) for wanted in (1, 2)] == held
    assert await pool.rows(ROLE, {}) == [("nxt_app", 1)]


async def test_a_read_without_its_parameter_finds_nothing_out(pool: ReadPool) -> None:
    """[R39] A statement whose owner is left out does not run."""
    with pytest.raises(psycopg.ProgrammingError):
        await pool.rows(BANKS, {})


async def test_reads_outlast_connections_that_the_server_closed(
    pool: ReadPool, relational_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[DM-189] [REL-175] One that died idle is replaced unseen; one that breaks under way is told."""
    monkeypatch.setattr("nxt_adapters.supabase.reads._ANSWERED_JUST_NOW_S", 0.0)  # however quickly it is cut
    await pool.rows(BANKS, {"wanted": 1})
    cut_sessions(relational_url)
    assert await pool.rows(BANKS, {"wanted": 1}) == []
    running = asyncio.create_task(pool.rows(SLOW, {}))
    await asyncio.to_thread(cut_sessions, relational_url, running="pg_sleep")
    with pytest.raises(Unavailable):
        await running
    assert await pool.rows(BANKS, {"wanted": 1}) == []


async def test_reads_tell_of_a_database_that_is_away() -> None:
    """[API-20] [REL-175] Within about two seconds."""
    away = ReadPool("postgresql://nobody:hunter2@127.0.0.1:1/none", max_size=1)
    began = time.monotonic()
    with quiet(), pytest.raises(Unavailable):
        await away.rows(BANKS, {"wanted": 1})
    assert time.monotonic() - began < 4  # on a busy machine
    await away.close()


async def test_what_was_written_and_not_committed_is_gone(engine: AsyncEngine) -> None:
    """[REL-156] left without commit, a transaction changes nothing."""
    async with PostgresTransaction(engine) as tx:
        await tx.connection.execute(WRITE)
    assert await read(engine, HELD) == 0


async def test_who_counts_is_told_of_what_only_the_driver_did(engine: AsyncEngine) -> None:
    """Of statements and of the commit, whose transaction SQLAlchemy knows nothing of."""
    told: list[str] = []
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *facts: told.append(facts[2]))
    event.listen(engine.sync_engine, "commit", lambda _: told.append("commit"))
    lakeside = insertion("public.banks", [{"name": "Lakeside Bank", "external_id": "999"}])
    async with PostgresTransaction(engine) as tx:
        assert await tx.session.run(*lakeside) == 1
        assert not tx.connection.in_transaction()
        del told[:-1]  # what the pool asks a new connection
        await tx.commit()
    assert told == [lakeside[0].sql, "commit"]
    assert await read(engine, HELD) == 1


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


async def test_a_column_that_a_migration_adds_disturbs_no_statement_at_work(
    engine: AsyncEngine, relational_url: str
) -> None:
    """A newer version migrates while this one serves: what this one wrote out and prepared goes on working."""

    async def add(bank_id: int) -> list[dict[str, object]]:
        async with PostgresTransaction(engine) as tx:
            bank = {"id": bank_id, "name": f"Bank {bank_id}", "external_id": str(bank_id)}
            made = await tx.session.rows(*insertion("public.banks", [bank], returning=("id", "name")))
            await tx.commit()
            return made

    for bank_id in range(1, 5):
        await add(bank_id)  # the server keeps the plan from the second on
    with psycopg.connect(relational_url, autocommit=True) as owner:
        owner.execute("alter table public.banks add column motto text")
    assert await add(5) == [{"id": 5, "name": "Bank 5"}]
