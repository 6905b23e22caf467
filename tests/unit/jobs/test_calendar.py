"""What runs by the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from croniter import croniter

from nxt_entrypoints.jobs.calendar import CALENDAR, OF_TELEMETRY, ScheduledJob


def test_names_are_unique() -> None:
    assert len({job.name for job in (*CALENDAR, *OF_TELEMETRY)}) == len(CALENDAR) + len(OF_TELEMETRY)


@pytest.mark.parametrize("job", [*CALENDAR, *OF_TELEMETRY], ids=lambda job: job.name)
def test_schedules_are_readable_and_deadlines_sensible(job: ScheduledJob) -> None:
    assert croniter.is_valid(job.cron)
    assert timedelta(0) < job.deadline < timedelta(days=1)


@pytest.mark.parametrize(
    ("name", "instants"),
    [
        ("expire-interactions", ["09:16", "09:17"]),
        ("release-suspended", ["09:16", "09:17"]),
        ("reconcile-gateway-orders", ["09:20", "09:25"]),
        ("exchange-rate-snapshot", ["10:00", "11:00"]),
    ],
)
def test_met_116_pay_89_when_they_run(name: str, instants: list[str]) -> None:
    """Expired interactions every minute; payments at the gateway every five; rates every hour [PAY-169]."""
    cron = next(job.cron for job in (*CALENDAR, *OF_TELEMETRY) if job.name == name)
    clock = croniter(cron, datetime(2026, 3, 10, 9, 15, 30, tzinfo=UTC))
    assert [clock.get_next(datetime).strftime("%H:%M") for _ in range(2)] == instants
