"""How the server looks for tasks: the same few steps, however many wait, and however old its statistics are."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT

from nxt_adapters.supabase import outbox
from nxt_adapters.supabase.engine import create_engine

FILL = """
    insert into internal.outbox_tasks (kind, dedupe_key, stream_key, payload, done_at)
    select %s, %s || n, %s || n / 3, '{}', case when %s then now() end from generate_series(1, %s) as n
"""
PARAMETERS = {"kinds": ["SOCKET_EVENT"], "limit": 100, "owner": "test", "lease": timedelta(seconds=60)}


@pytest.mark.parametrize("done", [0, 20_000])
async def test_a_claim_walks_only_its_lane_and_its_streams(relational_url: str, done: int) -> None:
    """[REL-156] statistics from a moment when nothing was open mislead nobody."""
    with psycopg.connect(relational_url, autocommit=True) as owner:
        owner.execute(FILL, ("DELIVERY_EVENT", "done-", "done-", True, done))
        owner.execute("vacuum analyze internal.outbox_tasks")
        owner.execute(FILL, ("SOCKET_EVENT", "open-", "open-", False, 3000))
    engine = create_engine(relational_url, pool_size=1)
    explain = text(f"explain {outbox._CLAIM.text}").bindparams(bindparam("kinds", type_=ARRAY(TEXT)))
    async with engine.connect() as connection:
        plan = "\n".join((await connection.execute(explain, PARAMETERS)).scalars())
    await engine.dispose()
    assert "ix_outbox_tasks_open on outbox_tasks t" in plan, plan
    assert "Index Cond: ((kind = wanted.kind) AND (next_attempt_at <=" in plan, plan
    assert "ix_outbox_tasks_open_stream on outbox_tasks earlier" in plan, plan
    assert "Seq Scan" not in plan, plan
