"""Meters to try things on."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from nxt_entrypoints.simulators.chirpstack.meter import Meter, MeterIdentity, MeterState

NOON = datetime(2026, 3, 15, 11, 0, tzinfo=UTC)  # 12:00 in Lagos


@pytest.fixture
def noon() -> datetime:
    """Return an instant: 12:00 in Africa/Lagos."""
    return NOON


@pytest.fixture
def make_meter() -> Callable[..., Meter]:
    """Return a maker of meters: number 47003333771 with 10 kWh, unless told otherwise."""

    def make(*, phases: int = 1, scale: float = 1.0, zone: str = "Africa/Lagos", **state: object) -> Meter:
        identity = MeterIdentity(number="47003333771", grid_id=1, zone=ZoneInfo(zone), phases=phases, scale=scale)
        return Meter(identity, MeterState(**({"at": NOON, "credit_kwh": Decimal(10)} | state)))

    return make


@pytest.fixture
def make_token() -> Callable[..., str]:
    """Return a maker of tokens of the vendor ``test``, written from R23."""

    def make(kwh: str, minute: int = 12_345_678, number: str = "47003333771") -> str:
        head = f"0{int(Decimal(kwh) * 10):06d}{minute % 10**9:09d}"
        return head + f"{(int(number) + int(head)) % 9973:04d}"

    return make
