"""How long a claim takes while few or very many messages wait; a part of ``messages.py``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from statistics import median

import attrs
import psycopg
from _harness import percentile, progress
from _messages_engine import PLUGIN_ID, database_of
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.messages import PostgresMessageStore
from nxt_domain.messaging.admission import Admission
from nxt_domain.messaging.ports import Lease, Quota
from nxt_domain.messaging.tuning import SPACING_DEFAULT_MS
from nxt_entrypoints.embedded.stack import EmbeddedStack

_LIMIT = 100
_PLANS_ARE_MADE_AFTER = 6
_NS_WAIT = timedelta(seconds=20)

# Ids are ULIDs of one moment: digits are letters of their alphabet, too.
_FILL = """
    insert into messaging.device_messages (
        id, command_type, priority, plugin_id, network_id, correlation_id, device, ready_queue, delivery_status,
        expires_at)
    select '01M80' || lpad(number::text, 21, '0'), 'READ_CREDIT', 10 * (number %% 4), %(plugin_id)s,
        number %% %(networks)s, number::text,
        jsonb_build_object('type', 'ELECTRICITY_METER', 'externalReference', '47' || lpad(number::text, 9, '0')),
        'queue:' || %(plugin_id)s || ':network:' || number %% %(networks)s, 'QUEUED', now() + interval '7 days'
    from generate_series(%(first)s::bigint, %(last)s) as number
"""
_KNOWN_QUEUES = """
    insert into messaging.admission (ready_queue)
    select 'queue:' || %(plugin_id)s || ':network:' || number from generate_series(0, %(networks)s - 1) as number
    on conflict do nothing
"""
_PIECE = 100_000


@attrs.frozen(kw_only=True)
class ClaimTime:
    """What claims took.

    Attributes:
        waiting: Messages in ready queues meanwhile.
        claimed: Messages, in the mean.
        p50_ms: Of a claim of up to a hundred messages, one of each network.
    """

    waiting: int
    claimed: float
    p50_ms: float
    p99_ms: float


async def claim_times(stack: EmbeddedStack, waiting: Sequence[int], *, networks: int, claims: int) -> list[ClaimTime]:
    """Measure claims with each number of messages waiting, fewest first."""
    taken: list[ClaimTime] = []
    present = 0
    for count in sorted(waiting):
        progress(f"claims with {count:,} messages waiting")
        await asyncio.to_thread(_fill, stack.relational_url, present, count, networks)
        present = count
        async with database_of(stack.relational_url) as database:
            taken.append(await _measure(database, count, claims))
    return taken


def _fill(url: str, present: int, wanted: int, networks: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for first in range(present, wanted, _PIECE):
            last = min(first + _PIECE, wanted) - 1
            facts = {"plugin_id": PLUGIN_ID, "networks": networks, "first": first, "last": last}
            connection.execute(_FILL, facts)
        # Each queue was claimed from before.
        connection.execute(_KNOWN_QUEUES, {"plugin_id": PLUGIN_ID, "networks": networks})
        # What autovacuum does in time.
        connection.execute("vacuum (analyze) messaging.device_messages, messaging.admission")


async def _measure(database: AsyncEngine, waiting: int, claims: int) -> ClaimTime:
    store, reached = PostgresMessageStore(database), None
    times: list[float] = []
    claimed = 0
    for number in range(claims + _PLANS_ARE_MADE_AFTER):
        began = time.perf_counter()
        async with store:
            batch = await store.claims.ready([_quota(reached)], Lease(owner="benchmark"))
            took = time.perf_counter() - began
            # Not committed: the next claim finds as many messages waiting.
        if not batch.messages:
            raise RuntimeError("nothing could be claimed")
        reached = batch.reached[PLUGIN_ID]
        if number >= _PLANS_ARE_MADE_AFTER:
            times.append(took)
            claimed += len(batch.messages)
    return ClaimTime(
        waiting=waiting, claimed=claimed / claims, p50_ms=median(times) * 1e3, p99_ms=percentile(times, 0.99) * 1e3
    )


def _quota(after: str | None) -> Quota:
    spaced = Admission(min_interval_ms=SPACING_DEFAULT_MS)
    return Quota(plugin_id=PLUGIN_ID, admission=spaced, limit=_LIMIT, ns_wait=_NS_WAIT, after=after)
