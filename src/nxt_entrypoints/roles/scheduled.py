"""A role's part of the calendar: its jobs on RQ, each under its lease [R48]."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from nxt_entrypoints.jobs.calendar import ScheduledJob, running
from nxt_entrypoints.jobs.rq_threads import JobFunction, RqThreads
from nxt_entrypoints.roles.base import Process
from nxt_entrypoints.settings.roles import Role


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
    async with process.container.job_leases().hold(name) as is_ours:
        return await function() if is_ours else "skipped: another process runs it"
