"""A role's part of the calendar: its jobs on RQ, each under its lease [R48]."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import partial

import structlog

from nxt_entrypoints.jobs.calendar import ScheduledJob, running
from nxt_entrypoints.jobs.rq_threads import JobFunction, RqThreads
from nxt_entrypoints.roles.base import Process
from nxt_entrypoints.settings.roles import Role

_log = structlog.get_logger(__name__)


def start_calendar(
    process: Process, role: Role, calendar: Sequence[ScheduledJob], functions: Mapping[str, JobFunction]
) -> None:
    """Run a role's jobs by the clock until the process ends.

    Args:
        process: The process.
        role: Whose jobs; each role has a queue of its own, so that no process takes a job that it does not know.
        calendar: What runs when.
        functions: The jobs by name; what the calendar names besides is off in this deployment.
    """
    due = running(calendar, process.settings)
    chosen = {job.name: functions[job.name] for job in due if job.name in functions}
    if not chosen:
        return
    threads = RqThreads(
        valkey_url=process.settings.valkey_url,
        calendar=due,
        functions={name: partial(_under_lease, process, name, function) for name, function in chosen.items()},
        name=f"{process.container.name()}-{role.value}",
        queue=f"nxt-{role.value}",
    )

    async def run(stopping: asyncio.Event) -> None:
        threads.start()
        await stopping.wait()
        await threads.stop()

    process.run(f"calendar of {role.value}", run)


async def _under_lease(process: Process, name: str, function: JobFunction) -> object:
    """Run a job, unless another process does; say in the log when it began, how it ended and what it did [PAY-196]."""
    async with process.container.job_leases().hold(name) as is_ours:
        if not is_ours:
            return "skipped: another process runs it"
        begun = time.monotonic()
        _log.info("a job begins", job=name)
        try:
            result = await function()
        except BaseException as error:
            _log.error("a job failed", job=name, seconds=_since(begun), error=type(error).__name__)
            raise
        _log.info("a job ended", job=name, seconds=_since(begun), result=str(result))
        return result


def _since(begun: float) -> float:
    return round(time.monotonic() - begun, 3)
