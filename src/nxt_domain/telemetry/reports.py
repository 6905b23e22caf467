"""Reading a report from the wire (sections 16.2 and 16.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from nxt_domain.shared.errors import InvalidInput
from nxt_domain.telemetry.model import HourlyReport

MAX_AHEAD = timedelta(days=1)
EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
"""Before it no meter was there, as for other devices [TEL-166]; without a limit one report spans centuries of hours."""
_MAX_ID = 2**31 - 1


def parse_report(body: object, now: datetime) -> HourlyReport:
    """Read one report [TEL-178, TEL-180].

    Args:
        body: Decoded JSON; numbers may be ``int``, ``float`` or ``Decimal``.
        now: The present instant, aware.

    Raises:
        InvalidInput: The body is not an object, or a member is missing or malformed; with all texts at once.
    """
    if not isinstance(body, Mapping):
        raise InvalidInput("report must be an object")
    faults: list[str] = []
    meter_id = _meter_id(body.get("meter_id"), faults)
    created_at = _instant(body.get("created_at"), now, faults)
    counter = _number("counter_kwh", body.get("counter_kwh"), faults)
    credit = _number("kwh_credit_available", body.get("kwh_credit_available"), faults)
    freeze_time = body.get("freeze_time")
    if freeze_time is not None and not isinstance(freeze_time, str):
        faults.append("freeze_time must be a string")
    if faults:
        raise InvalidInput(faults)
    return HourlyReport(
        meter_id=meter_id,
        created_at=created_at,
        counter_kwh=counter,
        kwh_credit_available=credit,
        freeze_time=freeze_time if isinstance(freeze_time, str) else None,
    )


def faults_of_receipt(created_at: datetime, now: datetime) -> list[str]:
    """Say what is wrong with a receipt time; both are aware. Empty: nothing [TEL-178]."""
    if created_at - now > MAX_AHEAD:
        return ["created_at must not lie more than 1 day ahead"]
    if created_at < EARLIEST:
        return ["created_at must not lie before 2015-01-01"]
    return []


def usable_counter(counter_kwh: float | None) -> float:
    """Return the counter, or NaN when it is missing, not finite or negative [TEL-95]."""
    if counter_kwh is None or not math.isfinite(counter_kwh) or counter_kwh < 0:
        return math.nan
    return counter_kwh


def usable_credit(credit_kwh: float | None) -> float:
    """Return the credit, or NaN when it is missing or not finite [TEL-13]."""
    return math.nan if credit_kwh is None or not math.isfinite(credit_kwh) else credit_kwh


def _meter_id(value: object, faults: list[str]) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _MAX_ID:
        faults.append("meter_id must be a positive integer")
        return 0
    return value


def _instant(value: object, now: datetime, faults: list[str]) -> datetime:
    instant = _iso_instant(value) if isinstance(value, str) else None
    if instant is None:
        faults.append("created_at must be an ISO 8601 date")
        return now
    faults.extend(faults_of_receipt(instant, now))
    return instant


def _iso_instant(value: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(value)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _number(name: str, value: object, faults: list[str]) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        faults.append(f"{name} must be a number")
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf
