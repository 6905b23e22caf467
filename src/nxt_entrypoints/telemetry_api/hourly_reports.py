"""Hourly reports of meters (TEL 16.2, 16.3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import attrs
from msgspec import UNSET, UnsetType

from nxt_domain.telemetry.model import HourlyReport, IgnoredReason
from nxt_domain.telemetry.reports import faults_of_receipt
from nxt_domain.telemetry.use_cases.record_reports import MAX_REPORTS
from nxt_entrypoints.http.errors import BodyTooLarge
from nxt_entrypoints.http.fields import Id
from nxt_entrypoints.http.inputs import ValidationFailed
from nxt_entrypoints.http.routes import LARGE_MAX_BODY, Guard, Route, route
from nxt_entrypoints.telemetry_api.services import TelemetryServices

_TAGS = ("meter snapshots",)


@attrs.frozen(kw_only=True)
class HourlyReportBody:
    """One report [TEL-178].

    Attributes:
        created_at: Receipt time.
        counter_kwh: Cumulative counter of source 1, kWh.
        kwh_credit_available: Prepaid credit left, kWh.
        freeze_time: The meter's local time of the counter, ``YYYY-M-D H:m``.
    """

    meter_id: Id
    created_at: datetime
    counter_kwh: Decimal | None = None
    kwh_credit_available: Decimal | None = None
    freeze_time: str | None = None


@attrs.frozen(kw_only=True)
class RecordedReport:
    """Empty, or the reason why nothing was stored, which the sender can't mend by repeating [TEL-179]."""

    ignored: IgnoredReason | UnsetType = UNSET


@attrs.frozen(kw_only=True)
class Ignored:
    """An element that was not stored."""

    index: int
    reason: IgnoredReason


@attrs.frozen(kw_only=True)
class RecordedReportList:
    """Outcome of a list; all accepted readings are durable."""

    accepted: int
    ignored: Sequence[Ignored]


@route(
    "POST",
    "/meter-snapshot-1-h/hourly-report",
    guard=Guard.INTERNAL,
    summary="Take a meter's hourly report",
    tags=_TAGS,
    max_body=LARGE_MAX_BODY,
    capability="metering",
)
async def hourly_report(body: HourlyReportBody, services: TelemetryServices) -> RecordedReport:
    """Answers when the reading is durable; a report may come twice or late."""
    if faults := faults_of_receipt(body.created_at, services.clock.now()):
        raise ValidationFailed(faults)
    report = HourlyReport(
        meter_id=body.meter_id,
        created_at=body.created_at,
        counter_kwh=_measured(body.counter_kwh),
        kwh_credit_available=_measured(body.kwh_credit_available),
        freeze_time=body.freeze_time,
    )
    recorded = await services.record_hourly_reports.record([report])
    return RecordedReport(ignored=recorded.ignored[0].reason if recorded.ignored else UNSET)


@route(
    "POST",
    "/meter-snapshot-1-h/hourly-reports",
    guard=Guard.INTERNAL,
    summary="Take up to 5,000 hourly reports",
    tags=_TAGS,
    max_body=LARGE_MAX_BODY,
    capability="metering",
)
async def hourly_reports(body: list[object], services: TelemetryServices) -> RecordedReportList:
    """Answers when all accepted readings are durable; a malformed element does not stop the others."""
    if len(body) > MAX_REPORTS:
        raise BodyTooLarge
    recorded = await services.record_hourly_reports.record_bodies(body)
    return RecordedReportList(
        accepted=recorded.accepted,
        ignored=[Ignored(index=each.index, reason=each.reason) for each in recorded.ignored],
    )


def _measured(value: Decimal | None) -> float | None:
    # Measured energy is floating point in the series store; money never comes this way [TEL-13].
    return None if value is None else float(value)


ROUTES: tuple[Route, ...] = (hourly_report, hourly_reports)
