"""Small rules of the series: rounding, safe numbers, the time of a reading."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import ROUND_FLOOR, Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from nxt_domain.telemetry.columns import FloatColumn

_HALF = Decimal("0.5")
_FREEZE_EARLIEST = timedelta(minutes=-20)
_FREEZE_LATEST = timedelta(minutes=5)


def round_half_up(value: float, places: int) -> float:
    """Round the shortest decimal representation; halves go towards plus infinity [TEL-15].

    Args:
        value: Finite number.
        places: Decimal places to keep, 0 to 15.
    """
    shifted = Decimal(repr(float(value))).scaleb(places)
    return float((shifted + _HALF).to_integral_value(ROUND_FLOOR).scaleb(-places))


def round_column(values: FloatColumn, places: int) -> FloatColumn:
    """Round each value as ``round_half_up`` does; NaN stays NaN [TEL-15].

    Binary arithmetic decides all values but those next to a half, which are few and are decided in decimals.
    """
    scale = 10.0**places
    shifted = values * scale
    rounded = np.floor(shifted + 0.5) / scale
    distance = np.abs(shifted - np.floor(shifted) - 0.5)
    near_half = np.flatnonzero(distance <= np.maximum(np.abs(shifted), 1.0) * 1e-15 * 8)
    for row in near_half:
        rounded[row] = round_half_up(float(values[row]), places)
    return rounded


def safe_number(value: object, fallback: float | None = None) -> float | None:
    """Return a finite number, or one that a non-blank string holds; else the fallback [TEL-16]."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return fallback
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return fallback
    return number if math.isfinite(number) else fallback


def zone_named(name: str) -> ZoneInfo | None:
    """Return a zone by its IANA name; None when there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def reading_time(received_at: datetime, freeze_time: str | None, zone: tzinfo | None) -> datetime:
    """Tell when a report's counter had its value [TEL-85].

    Args:
        received_at: Receipt, aware.
        freeze_time: The meter's local time, ``YYYY-M-D H:m``, or None.
        zone: The grid's zone; None: not known, so local times mean nothing.

    Returns:
        The freeze time when it lies between 20 minutes before and 5 minutes after the receipt, else the receipt
        truncated to the second: a meter's clock may be wrong, its receipt is not.
    """
    received = received_at.astimezone(UTC)
    for instant in _freeze_instants(freeze_time, zone):
        if _FREEZE_EARLIEST <= instant - received <= _FREEZE_LATEST:
            return instant
    return received.replace(microsecond=0)


def _freeze_instants(freeze_time: str | None, zone: tzinfo | None) -> tuple[datetime, ...]:
    """Return the instants that a local time may mean: two in the hour that clocks repeat in autumn."""
    if freeze_time is None or zone is None:
        return ()
    try:
        local = datetime.strptime(freeze_time.strip(), "%Y-%m-%d %H:%M").replace(tzinfo=zone)
        return tuple(local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    except (ValueError, OverflowError):
        return ()
