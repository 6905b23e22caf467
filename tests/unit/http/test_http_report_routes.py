"""Hourly reports of meters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.http_roles import Services, refusal
from tests.support.identity_world import (
    INTERNAL_KEY,
)

from nxt_domain.shared.errors import Unavailable
from nxt_domain.telemetry.model import HourlyReport, IgnoredReason, IgnoredReport, RecordedReports

INNER = {"X-API-KEY": INTERNAL_KEY}
REPORT = {
    "meter_id": 5,
    "created_at": "2026-03-10T10:00:00+01:00",
    "counter_kwh": 123.456,
    "kwh_credit_available": None,
    "freeze_time": "2026-3-10 9:0",
}


async def test_a_report_is_recorded(telemetry: Any, services: Services) -> None:
    """[API-156] [TEL-178]"""
    answer = await telemetry.post("/meter-snapshot-1-h/hourly-report", json=REPORT, headers=INNER)
    assert (answer.status, await answer.text()) == (201, "{}")
    assert services.record_hourly_reports.reports == [
        HourlyReport(
            meter_id=5,
            created_at=datetime(2026, 3, 10, 9, tzinfo=UTC),
            counter_kwh=123.456,
            kwh_credit_available=None,
            freeze_time="2026-3-10 9:0",
        )
    ]


@pytest.mark.parametrize("reason", [IgnoredReason.METER_NOT_FOUND, IgnoredReason.NO_CUSTOMER, IgnoredReason.NO_GRID])
async def test_what_the_sender_cannot_mend_is_no_error(
    telemetry: Any, services: Services, reason: IgnoredReason
) -> None:
    """[TEL-179]"""
    ignored = (IgnoredReport(index=0, reason=reason),)
    services.record_hourly_reports.outcome = RecordedReports(accepted=0, ignored=ignored)
    answer = await telemetry.post("/meter-snapshot-1-h/hourly-report", json=REPORT, headers=INNER)
    assert (answer.status, await answer.json()) == (201, {"ignored": reason.value})


@pytest.mark.parametrize(
    "change",
    [
        {"meter_id": None},
        {"meter_id": "5"},
        {"created_at": None},
        {"created_at": "yesterday"},
        {"created_at": "2026-03-11T09:15:01Z"},
        {"created_at": "2014-12-31T23:59:59Z"},
        {"counter_kwh": "1"},
        {"freeze_time": 5},
    ],
)
async def test_a_malformed_report_is_refused(telemetry: Any, services: Services, change: dict[str, Any]) -> None:
    """[TEL-180] [API-26]"""
    assert services.clock.now() + timedelta(days=1) < datetime(2026, 3, 11, 9, 15, 1, tzinfo=UTC)
    answer = await telemetry.post("/meter-snapshot-1-h/hourly-report", json={**REPORT, **change}, headers=INNER)
    status, texts = await refusal(answer)
    assert status == 400
    assert all(text.startswith(next(iter(change))) for text in texts)
    assert services.record_hourly_reports.reports == []


async def test_a_list_of_reports(telemetry: Any, services: Services) -> None:
    """[TEL-182] Malformed elements don't stop the others; more than 5,000 are too many."""
    ignored = (IgnoredReport(index=1, reason=IgnoredReason.INVALID),)
    services.record_hourly_reports.outcome = RecordedReports(accepted=1, ignored=ignored)
    answer = await telemetry.post("/meter-snapshot-1-h/hourly-reports", json=[REPORT, "x"], headers=INNER)
    assert (answer.status, await answer.json()) == (
        201,
        {"accepted": 1, "ignored": [{"index": 1, "reason": "INVALID"}]},
    )
    assert len(services.record_hourly_reports.bodies) == 2
    many = await telemetry.post("/meter-snapshot-1-h/hourly-reports", json=[0] * 5001, headers=INNER)
    assert await refusal(many) == (413, "request entity too large")
    assert (await telemetry.post("/meter-snapshot-1-h/hourly-reports", json=[0] * 5000, headers=INNER)).status == 201
    for body in ({}, None, "x"):
        assert (await telemetry.post("/meter-snapshot-1-h/hourly-reports", json=body, headers=INNER)).status == 400


async def test_bodies_of_5_mib_and_no_more(telemetry: Any) -> None:
    """[TEL-168] [API-8]"""
    path, headers = "/meter-snapshot-1-h/hourly-reports", {**INNER, "Content-Type": "application/json"}
    fits = b"[" + b" " * (5 * 1024 * 1024 - 2) + b"]"
    assert (await telemetry.post(path, data=fits, headers=headers)).status == 201
    assert (await telemetry.post(path, data=fits + b" ", headers=headers)).status == 413


async def test_a_store_that_is_away(telemetry: Any, services: Services) -> None:
    """[TEL-169]"""
    services.record_hourly_reports.outcome = Unavailable("The series store can't be reached")
    answer = await telemetry.post("/meter-snapshot-1-h/hourly-report", json=REPORT, headers=INNER)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
