"""What the routes of the telemetry role need; the container satisfies it."""

from __future__ import annotations

from typing import Protocol

from nxt_domain.shared.clock import Clock
from nxt_domain.telemetry.use_cases.record_reports import RecordHourlyReports


class TelemetryServices(Protocol):
    """Use cases of the telemetry role, ready to be called."""

    @property
    def record_hourly_reports(self) -> RecordHourlyReports:
        """Turns counters into hourly consumption."""

    @property
    def clock(self) -> Clock:
        """Tells the time."""
