"""What jobs have done already, in ``internal.job_units`` [REL-169]."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import attrs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.engine import dump_json
from nxt_domain.shared.job_units import BegunUnit, JobUnit
from nxt_domain.shared.json import JsonObject

_BEGIN: Final = text(
    """
    insert into internal.job_units as u (job_name, period_key, unit_key, state, started_at, attempts, result)
    values (:job, :period, :unit, 'RUNNING', clock_timestamp(), 1, cast(:result as jsonb))
    on conflict (job_name, period_key, unit_key) do update set state = 'RUNNING', started_at = clock_timestamp(),
        attempts = u.attempts + 1, result = excluded.result, last_error = null
    where u.state <> 'DONE'
    """
)
_BEGUN: Final = text(
    """
    select job_name as job, period_key as period, unit_key as unit, result from internal.job_units
    where job_name = :job and state = 'RUNNING' order by id for update
    """
)
_DONE: Final = text(
    """
    select u.job_name as job, u.period_key as period, u.unit_key as unit from internal.job_units u
    join unnest(cast(:jobs as text[]), cast(:periods as text[]), cast(:units as text[])) as asked (job, period, unit)
        on (u.job_name, u.period_key, u.unit_key) = (asked.job, asked.period, asked.unit)
    where u.state = 'DONE'
    """
)
_FINISH: Final = text(
    """
    insert into internal.job_units as u (job_name, period_key, unit_key, state, started_at, finished_at, attempts)
    values (:job, :period, :unit, 'DONE', now(), clock_timestamp(), 1)
    on conflict (job_name, period_key, unit_key) do update set state = 'DONE', finished_at = clock_timestamp(),
        attempts = u.attempts + case when u.state = 'RUNNING' then 0 else 1 end, last_error = null
    where u.state <> 'DONE'
    returning id
    """
)
_FAIL: Final = text(
    """
    insert into internal.job_units as u (job_name, period_key, unit_key, state, started_at, attempts, last_error)
    values (:job, :period, :unit, 'FAILED', clock_timestamp(), 1, :error)
    on conflict (job_name, period_key, unit_key) do update set state = 'FAILED', attempts = u.attempts + 1,
        last_error = excluded.last_error
    where u.state <> 'DONE'
    """
)
_ERROR_CHARACTERS: Final = 500


class PostgresJobUnits:
    """Implements ``JobUnits``.

    Args:
        connection: Carries the caller's transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def begin(self, unit: JobUnit, result: JsonObject) -> None:
        """See ``JobUnits.begin``."""
        await self._connection.execute(_BEGIN, {**attrs.asdict(unit), "result": dump_json(result)})

    async def begun(self, job: str) -> Sequence[BegunUnit]:
        """See ``JobUnits.begun``."""
        rows = await self._connection.execute(_BEGUN, {"job": job})
        return [
            BegunUnit(key=JobUnit(job=row.job, period=row.period, unit=row.unit), result=row.result or {})
            for row in rows
        ]

    async def done(self, units: Collection[JobUnit]) -> Collection[JobUnit]:
        """See ``JobUnits.done``; one statement."""
        asked = {
            "jobs": [unit.job for unit in units],
            "periods": [unit.period for unit in units],
            "units": [unit.unit for unit in units],
        }
        return {JobUnit(**row) for row in (await self._connection.execute(_DONE, asked)).mappings()}

    async def finish(self, unit: JobUnit) -> bool:
        """See ``JobUnits.finish``."""
        return (await self._connection.execute(_FINISH, attrs.asdict(unit))).first() is not None

    async def fail(self, unit: JobUnit, error: str) -> None:
        """See ``JobUnits.fail``."""
        await self._connection.execute(_FAIL, {**attrs.asdict(unit), "error": error[:_ERROR_CHARACTERS]})
