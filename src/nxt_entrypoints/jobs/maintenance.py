"""Housekeeping of the relational plane, run by the calendar."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.retention import delete_in_batches

_DONE_TASKS = """
    delete from internal.outbox_tasks where id in (
        select id from internal.outbox_tasks
        where coalesce(done_at, dropped_at) < now() - interval '30 days' limit :batch)
"""
_EXPIRED_KEYS = """
    delete from internal.idempotency_keys where (scope, key) in (
        select scope, key from internal.idempotency_keys where expires_at < now() limit :batch)
"""


class Maintenance:
    """Small set-based chores.

    Args:
        engine: The process's pool.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def refresh_hot_balances(self) -> int:
        """Add up what moved on hot accounts, and the system wallet's statistic with it [R24, PAY-30]."""
        return await self._scalar("select internal.refresh_hot_balances()")

    async def ensure_partitions(self) -> None:
        """Make the partitions of the next three months [R17]."""
        await self._scalar("select count(*) from (select internal.ensure_partitions()) as made")

    async def purge_done_work(self) -> int:
        """Delete finished tasks after 30 days and expired keys, in batches of 5,000 rows [REL-155, REL-156]."""
        return sum([await delete_in_batches(self._engine, statement) for statement in (_DONE_TASKS, _EXPIRED_KEYS)])

    async def _scalar(self, statement: str) -> int:
        async with self._engine.begin() as connection:
            return int((await connection.execute(text(statement))).scalar_one() or 0)
