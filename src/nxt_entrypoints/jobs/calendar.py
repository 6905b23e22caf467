"""What runs by the clock, and when (UTC) [AUTO 2, R48]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import attrs

from nxt_entrypoints.settings.settings import Settings


@attrs.frozen(kw_only=True)
class ScheduledJob:
    """A job of the calendar.

    Attributes:
        name: Of the job and its lease.
        cron: Five fields, UTC.
        deadline: A run is ended after it.
        in_staging: Whether it runs in staging, too, and not in production alone [PAY-8].
        is_dated: Whether people may run it as of an earlier instant.
    """

    name: str
    cron: str
    deadline: timedelta = timedelta(minutes=5)
    in_staging: bool = False
    is_dated: bool = False


CALENDAR = (
    ScheduledJob(name="reconcile-gateway-orders", cron="*/5 * * * *", in_staging=True),
    ScheduledJob(name="release-suspended", cron="* * * * *"),
    ScheduledJob(name="expire-interactions", cron="* * * * *"),
    ScheduledJob(name="sweep-interactions", cron="*/5 * * * *"),
    ScheduledJob(name="refresh-hot-balances", cron="* * * * *", deadline=timedelta(minutes=1)),
    ScheduledJob(name="chain-audit-log", cron="* * * * *"),
    ScheduledJob(name="verify-audit-log", cron="0 3 * * *", deadline=timedelta(hours=1)),
    ScheduledJob(name="ledger-audit", cron="0 2 * * *", deadline=timedelta(hours=1)),
    # From 05:00 of the first for a day; a run drafts what is missing still [PAY-162].
    ScheduledJob(name="generate-payouts", cron="0 * 1,2 * *", deadline=timedelta(minutes=50), is_dated=True),
    ScheduledJob(name="revenue-report", cron="0 10 * * 2", deadline=timedelta(minutes=50), is_dated=True),
    ScheduledJob(name="lifeline", cron="0 5 * * *", deadline=timedelta(minutes=50), is_dated=True),
    ScheduledJob(name="ensure-partitions", cron="10 1 * * *"),
    ScheduledJob(name="purge-done-work", cron="30 1 * * *", deadline=timedelta(minutes=30)),
    ScheduledJob(name="forget-old-rows", cron="0 4 * * *", deadline=timedelta(minutes=50)),
)

OF_TELEMETRY = (
    # Due at one o'clock; what was missed is made up for within half a day [TEL-66, TEL-133].
    ScheduledJob(name="grid-business-1-d", cron="0 1-12 * * *", deadline=timedelta(minutes=30), is_dated=True),
    # Due at one o'clock; what could not be had is asked for again every hour [PAY-167, PAY-169].
    ScheduledJob(name="exchange-rate-snapshot", cron="0 * * * *", deadline=timedelta(minutes=30), is_dated=True),
)
"""What the telemetry role runs."""


def running(calendar: Sequence[ScheduledJob], settings: Settings) -> Sequence[ScheduledJob]:
    """Choose the jobs that run in this environment [PAY-8, R6]."""
    return [job for job in calendar if settings.effects_enabled(staging=job.in_staging)]
