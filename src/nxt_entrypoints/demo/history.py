"""A plausible month: hourly use, and purchases whenever the credit runs low."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import attrs

from nxt_domain.grids.tariffs import energy_sold
from nxt_entrypoints.demo.villages import House, VillagePlan

_HOUR = timedelta(hours=1)
_MEAN_KW = 0.035
# Share of a day's energy by local hour: a small rise in the morning, a high evening.
_PROFILE = (
    0.5, 0.4, 0.4, 0.4, 0.5, 0.8, 1.3, 1.3, 1.0, 0.8, 0.8, 0.8,
    0.9, 0.9, 0.8, 0.8, 0.9, 1.2, 1.9, 2.4, 2.3, 1.7, 1.0, 0.6,
)  # fmt: skip
_AMOUNTS = (Decimal(500), Decimal(1000), Decimal(1500), Decimal(2000), Decimal(3000))
_LOW_KWH = Decimal(2)


@attrs.frozen(kw_only=True)
class PastPurchase:
    """A purchase of the past.

    Attributes:
        by_agent: Whether the village's agent sold it.
    """

    at: datetime
    amount: Decimal
    energy_kwh: Decimal
    by_agent: bool


@attrs.frozen(kw_only=True)
class MeterHistory:
    """What a meter went through, from ``start`` on.

    Attributes:
        hourly_kwh: Use of each hour.
        credit_kwh: Left at the end.
        counter_kwh: Cumulative counter at the end.
        ended_at: When credit and counter had these values.
    """

    house: House
    start: datetime
    hourly_kwh: Sequence[Decimal]
    purchases: Sequence[PastPurchase]
    credit_kwh: Decimal
    counter_kwh: Decimal
    ended_at: datetime


def last_reading_at(now: datetime) -> datetime:
    """Tell when seeded history ends: just before the last full hour, so that the first report completes it [R36]."""
    return now.replace(minute=0, second=0, microsecond=0) - _HOUR - timedelta(seconds=30)


def invent_history(village: VillagePlan, house: House, now: datetime, days: int = 30) -> MeterHistory:
    """Let a house live for some days, hour by hour; the same inputs give the same history.

    Args:
        village: Gives tariff and time zone.
        house: Gives appetite, and the seed.
        now: Aware UTC; history ends at ``last_reading_at(now)``.
        days: Length of the history.
    """
    dice = random.Random(int(house.meter_number))  # noqa: S311 - a demo's dice
    ended_at = last_reading_at(now)
    first = (ended_at + timedelta(seconds=30)) - days * 24 * _HOUR
    zone = ZoneInfo(village.timezone)
    credit, counter = Decimal(dice.randint(30, 90)) / 10, Decimal(dice.randint(50_00, 900_00)) / 100
    hourly: list[Decimal] = []
    purchases: list[PastPurchase] = []
    for step in range(days * 24):
        hour = first + step * _HOUR
        used = min(_use(house, hour.astimezone(zone).hour, dice), credit)
        hourly.append(used)
        credit, counter = credit - used, counter + used
        if credit < _LOW_KWH and 6 <= hour.astimezone(zone).hour <= 21 and hour + _HOUR < ended_at:
            purchase = _buy(village, hour, dice)
            purchases.append(purchase)
            credit += purchase.energy_kwh
    return MeterHistory(
        house=house,
        start=first,
        hourly_kwh=hourly,
        purchases=purchases,
        credit_kwh=credit,
        counter_kwh=counter,
        ended_at=ended_at,
    )


def _use(house: House, local_hour: int, dice: random.Random) -> Decimal:
    kwh = _MEAN_KW * house.scale * _PROFILE[local_hour] * dice.uniform(0.6, 1.4)
    return Decimal(round(kwh * 100)) / 100


def _buy(village: VillagePlan, hour: datetime, dice: random.Random) -> PastPurchase:
    amount = dice.choice(_AMOUNTS)
    return PastPurchase(
        at=hour + timedelta(seconds=dice.randint(0, 3599)),
        amount=amount,
        energy_kwh=energy_sold(amount, village.tariff),
        by_agent=dice.random() < 0.2,
    )
