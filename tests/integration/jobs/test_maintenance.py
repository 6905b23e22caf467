"""Housekeeping of the relational plane."""

from __future__ import annotations

import psycopg

from nxt_adapters.supabase.engine import create_engine
from nxt_entrypoints.jobs.maintenance import Maintenance


async def test_what_has_had_its_time_is_deleted(relational_url: str) -> None:
    """[REL-155] [REL-156] Expired keys, and tasks that ended 30 days ago; in any number, and nothing else."""
    with psycopg.connect(relational_url, autocommit=True) as connection:
        connection.execute(
            "insert into internal.idempotency_keys (scope, key, method, path, request_hash, state, expires_at)"
            " select 'account:1', n::text, 'POST', '/orders', '', 'COMPLETED',"
            " now() + case when n <= 5001 then interval '-1 second' else interval '1 hour' end"
            " from generate_series(1, 5003) as n"
        )
        connection.execute(
            "insert into internal.outbox_tasks (kind, dedupe_key, payload, done_at, dropped_at) values"
            " ('HOOK', 'old', '{}', now() - interval '31 days', null),"
            " ('HOOK', 'dropped', '{}', null, now() - interval '31 days'),"
            " ('HOOK', 'recent', '{}', now() - interval '29 days', null), ('HOOK', 'open', '{}', null, null)"
        )
        engine = create_engine(relational_url, pool_size=1)
        assert await Maintenance(engine).purge_done_work() == 5003
        assert await Maintenance(engine).purge_done_work() == 0
        await engine.dispose()
        left = connection.execute("select dedupe_key from internal.outbox_tasks order by id").fetchall()
        keys = connection.execute("select key from internal.idempotency_keys order by key").fetchall()
    assert left == [("recent",), ("open",)]
    assert keys == [("5002",), ("5003",)]
