"""A job of the calendar by hand, as of an instant [PAY-196]."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

import attrs
from dependency_injector import providers

from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Conflict, NotFound
from nxt_entrypoints.container import Container
from nxt_entrypoints.jobs.calendar import CALENDAR, OF_TELEMETRY, ScheduledJob
from nxt_entrypoints.jobs.rq_threads import JobFunction
from nxt_entrypoints.roles import jobs, telemetry
from nxt_entrypoints.roles.base import Process
from nxt_entrypoints.settings.roles import Role
from nxt_entrypoints.settings.settings import Settings

_ALL = {job.name: (Role.JOBS, job) for job in CALENDAR} | {job.name: (Role.TELEMETRY, job) for job in OF_TELEMETRY}


@attrs.frozen
class StoppedClock:
    """Always shows the same instant."""

    at: datetime

    def now(self) -> datetime:
        """Return it."""
        return self.at


def job_of(name: str) -> tuple[Role, ScheduledJob]:
    """Find a job and the role that runs it.

    Raises:
        NotFound: There is none of that name.
    """
    if name not in _ALL:
        raise NotFound(f"There is no job {name}; there are {', '.join(sorted(_ALL))}", code="JOB_UNKNOWN")
    return _ALL[name]


def run(name: str, settings: Settings, clock: Clock | None = None) -> object:
    """Run a job once, under its lease, whatever the schedule and the environment; return what it did.

    Args:
        name: Of the job.
        settings: Of the role that runs it.
        clock: What the job takes for now; None: the machine's.

    Raises:
        NotFound: The job is unknown, or off in this deployment.
        Conflict: Another process runs it.
        DomainError: The job's own failure.
    """
    return asyncio.run(run_job(name, settings, clock))


async def run_job(name: str, settings: Settings, clock: Clock | None = None) -> object:
    """As ``run``, inside a running event loop."""
    role, job = job_of(name)
    container = Container(settings=settings)
    if clock is not None:
        container.clock.override(providers.Object(clock))
    async with Process(settings, container) as process:
        function = (await _functions(process, role)).get(name)
        if function is None:
            raise NotFound(f"The job {name} is off in this deployment", code="JOB_OFF")
        async with container.job_leases().hold(name) as is_ours:
            if not is_ours:
                raise Conflict(f"Another process runs {name}", code="JOB_RUNS")
            return await asyncio.wait_for(function(), job.deadline.total_seconds())


async def _functions(process: Process, role: Role) -> Mapping[str, JobFunction]:
    if role is Role.JOBS:
        return await jobs.job_functions(process)
    pool = process.container.series_pool()
    await pool.open(wait=False)
    process.on_close(pool.close)
    return telemetry.job_functions(process, by_hand=True)
