"""What the relational plane forgets, and when [REL-143]. Orders, transactions, the ledger and the audit log: never."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

BATCH: Final = 5000
"""Rows that one transaction deletes at most; others wait no longer than that takes."""

_METERS_AT_ONCE = 200

# By the index over meter, type and time: a year of one meter's reports is no reason to read the others'.
_OLD_REPORTS = """
    delete from meter_interactions where id in (
        select old.id
        from unnest(cast(:meters as integer[])) as listed (meter_id)
        cross join lateral (
            select created_at from meter_interactions
            where meter_id = listed.meter_id and meter_interaction_type = 'READ_REPORT'
            order by created_at desc limit 1
        ) as newest
        cross join lateral (
            select id from meter_interactions
            where meter_id = listed.meter_id and meter_interaction_type = 'READ_REPORT'
                and created_at < least(newest.created_at, now() - cast(:age as interval))
        ) as old
        limit :batch)
"""
_METERS = "select id from meters where id > :after order by id limit :page"

_ARCHIVED_MESSAGES = """
    delete from messaging.message_archive where (id, finished_at) in (
        select id, finished_at from messaging.message_archive
        where finished_at < now() - cast(:age as interval) order by id, finished_at limit :batch)
"""

# Tables of the public schema whose rows are worth something for a while only.
_SHORT_LIVED: Final = {
    "device_logs": timedelta(days=90),
    "autopilot_executions": timedelta(days=90),
    "solcast_cache": timedelta(days=7),
    "ussd_session_hops": timedelta(days=2 * 365),
}
_OF_SHORT_LIFE = """
    delete from {table} where id in (
        select id from {table} where created_at < now() - cast(:age as interval) order by id limit :batch)
"""


async def delete_in_batches(engine: AsyncEngine, statement: str, **values: object) -> int:
    """Repeat a deletion, each time in a transaction of its own, until it finds too few rows; return how many went.

    Args:
        engine: The process's pool.
        statement: Deletes ``limit :batch`` rows.
        values: What else it binds.

    Raises:
        DBAPIError: The database can't be reached; what went before stays deleted.
    """
    total = 0
    while True:
        async with engine.begin() as connection:
            deleted = (await connection.execute(text(statement), {**values, "batch": BATCH})).rowcount
        total += deleted
        if deleted < BATCH:
            return total


async def forget_messages(engine: AsyncEngine, age: timedelta) -> int:
    """Delete device messages that finished so long ago, and return how many went [DM-12].

    Args:
        engine: The process's pool, of the relational or of the stand-alone plane.
        age: How long finished messages are kept.

    Raises:
        DBAPIError: The database can't be reached; what went before stays deleted.
    """
    return await delete_in_batches(engine, _ARCHIVED_MESSAGES, age=age)


class PostgresRetention:
    """Deletes what has had its time, in transactions of at most ``BATCH`` rows; may stop at any point and run again.

    Args:
        engine: The process's pool.
        reports: Age at which hourly reports of meters go, but for each meter's newest; the series keep the readings.
        messages: Age at which finished device messages leave their archive.
    """

    def __init__(self, engine: AsyncEngine, *, reports: timedelta, messages: timedelta) -> None:
        self._engine = engine
        self._reports = reports
        self._messages = messages

    async def __call__(self) -> int:
        """Delete, and return how many rows went.

        Raises:
            DBAPIError: The database can't be reached; what went before stays deleted.
        """
        total = await forget_messages(self._engine, self._messages)
        for table, age in _SHORT_LIVED.items():
            total += await delete_in_batches(self._engine, _OF_SHORT_LIFE.format(table=table), age=age)
        async for meters in self._meters():
            total += await delete_in_batches(self._engine, _OLD_REPORTS, age=self._reports, meters=meters)
        return total

    async def _meters(self) -> AsyncIterator[Sequence[int]]:
        after = 0
        while True:
            async with self._engine.connect() as connection:
                found = await connection.execute(text(_METERS), {"after": after, "page": _METERS_AT_ONCE})
            meters = list(found.scalars())
            if not meters:
                return
            yield meters
            after = meters[-1]
