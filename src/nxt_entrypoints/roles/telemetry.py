"""The telemetry role: ingress of device data, the MQTT subscriber and the grid twin."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

from nxt_adapters.supabase.grid_state import SupabaseGridState
from nxt_adapters.supabase.meter_facts import SupabaseMeterRegister
from nxt_adapters.timescale.pool import SeriesPool
from nxt_adapters.timescale.retention import apply_retention
from nxt_adapters.timescale.series_store import TimescaleSeriesStore
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Unavailable
from nxt_domain.telemetry.use_cases.follow_plant import FollowPlant
from nxt_domain.telemetry.use_cases.group_reports import GroupedHourlyReports
from nxt_domain.telemetry.use_cases.record_reports import RecordHourlyReports
from nxt_entrypoints.jobs.calendar import OF_TELEMETRY
from nxt_entrypoints.jobs.rq_threads import JobFunction
from nxt_entrypoints.roles.base import Process, registry
from nxt_entrypoints.roles.scheduled import start_calendar
from nxt_entrypoints.settings.roles import Role
from nxt_entrypoints.telemetry_api.app import build_telemetry
from nxt_entrypoints.wiring.plants import plant_monitor
from nxt_entrypoints.wiring.reports import has_exchange_rates

_RETENTION_RETRY_S = 60.0


class TelemetryParts:
    """What the role consists of; ``TelemetryServices`` for its routes, ``ReportReceiver`` for a jobs role beside it.

    Args:
        record_hourly_reports: Turns counters into consumption.
        clock: Tells the time.
    """

    def __init__(self, record_hourly_reports: RecordHourlyReports, clock: Clock) -> None:
        self.record_hourly_reports = record_hourly_reports
        self.clock = clock

    async def send(self, reports: Sequence[Mapping[str, object]]) -> None:
        """Record reports of a jobs role in the same process [API-186]."""
        await self.record_hourly_reports.record_bodies(list(reports))


async def start_telemetry(process: Process) -> TelemetryParts:
    """Open the telemetry role in a process."""
    container = process.container
    pool = container.series_pool()
    await pool.open(wait=False)  # an API role of this process may have opened it already
    process.on_close(pool.close)
    meters = SupabaseMeterRegister(container.engine())
    reports = GroupedHourlyReports(TimescaleSeriesStore(pool), meters, container.clock())
    parts = TelemetryParts(reports, container.clock())
    _keep_retention(process, pool)
    _follow_plants(process)
    if process.settings.jobs_enabled:
        start_calendar(process, Role.TELEMETRY, OF_TELEMETRY, job_functions(process))
    app = build_telemetry(
        parts,
        gate=process.internal_gate(),
        settings=process.http_settings(),
        readiness=process.readiness(timescale_db=lambda: _probe(pool)),
        registry=registry,
    )
    await process.listen(Role.TELEMETRY, app)
    return parts


def _keep_retention(process: Process, pool: SeriesPool) -> None:
    """Add or take away the retention policies as configured, as soon as the series store is there."""
    is_enabled = process.settings.flag("TELEMETRY_RETENTION_ENABLED")

    async def run(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                await apply_retention(pool, enabled=is_enabled)
            except Unavailable:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), _RETENTION_RETRY_S)
            else:
                return

    process.run("retention", run)


def _follow_plants(process: Process) -> None:
    monitor = plant_monitor(process.settings) if process.settings.jobs_enabled else None
    if monitor is None:
        return
    follow = FollowPlant(monitor, SupabaseGridState(process.container.engine()), process.container.clock())

    async def run(stopping: asyncio.Event) -> None:
        following = asyncio.create_task(follow.run())
        waiting = asyncio.create_task(stopping.wait())
        await asyncio.wait({following, waiting}, return_when=asyncio.FIRST_COMPLETED)
        await monitor.stop()
        waiting.cancel()
        await following

    process.run("plants", run)


def job_functions(process: Process, *, by_hand: bool = False) -> Mapping[str, JobFunction]:
    """Find what this deployment runs of the role's calendar; the series must be open.

    Args:
        process: The process.
        by_hand: Whether people ask: then what is there already is taken anew.
    """
    found: dict[str, JobFunction] = {}
    if process.settings.artifact.capabilities.payments.enabled:
        business = process.container.reports().snapshot_business()
        found["grid-business-1-d"] = business.again if by_hand else business
    if has_exchange_rates(process.settings):
        process.on_close(process.container.reports().exchange_rates().close)
        snapshot = process.container.reports().snapshot_rates()
        found["exchange-rate-snapshot"] = snapshot.again if by_hand else snapshot
    return found


async def _probe(pool: SeriesPool) -> None:
    async with pool.connection(timeout=1.0) as connection:
        await connection.execute("select 1")
