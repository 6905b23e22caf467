"""Running one or more roles in this process until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from nxt_entrypoints.container import Container
from nxt_entrypoints.garbage import spare_what_stays
from nxt_entrypoints.roles.api import start_api
from nxt_entrypoints.roles.base import Process
from nxt_entrypoints.roles.hibernation import start_hibernated
from nxt_entrypoints.roles.jobs import start_jobs
from nxt_entrypoints.roles.provisioning import start_provisioning
from nxt_entrypoints.roles.telemetry import TelemetryParts, start_telemetry
from nxt_entrypoints.settings.roles import Role
from nxt_entrypoints.settings.settings import Settings

_log = structlog.get_logger(__name__)

Ready = Callable[[Mapping[str, object]], None]


async def serve(settings: Settings, roles: Sequence[Role], *, ready: Ready | None = None) -> None:
    """Run roles until SIGTERM or SIGINT, then stop them in order [API-39].

    Args:
        settings: Checked for these roles.
        roles: Which; several share stores and call each other directly [API-186].
        ready: Told the ports when everything listens.

    Raises:
        OSError: A port is taken.
    """
    os.environ["TZ"] = "UTC"  # cron of RQ reckons in local time; ours is UTC on every machine [TEL-4]
    time.tzset()
    if settings.hibernated:
        await start_hibernated(settings, roles, ready)
        return
    async with Process(settings, Container(settings=settings)) as process:
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, process.stopping.set)
        await _start(process, roles)
        spare_what_stays()
        if ready is not None:
            ready({"pid": os.getpid(), "ports": {role.value: port for role, port in process.ports.items()}})
        await process.stopping.wait()
        _log.info("stopping", roles=[role.value for role in roles])
        await process.finish()


async def _start(process: Process, roles: Sequence[Role]) -> None:
    """Open telemetry first, so that jobs beside it can call it directly."""
    telemetry: TelemetryParts | None = None
    if Role.TELEMETRY in roles:
        telemetry = await start_telemetry(process)
    if Role.JOBS in roles:
        await start_jobs(process, telemetry)
    if Role.PROVISIONING in roles:
        await start_provisioning(process)
    if Role.API in roles:
        await start_api(process)
