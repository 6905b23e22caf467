"""Who lives in the demo: villages, houses and their meters, made from a seed alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal

import attrs

_HOUSES = (
    "Well House", "Baobab Corner", "Tailor Shop", "Clinic", "Mill", "School", "Market Stall", "Fish Dryer",
    "Blue Door", "Barber Shop", "Mango Yard", "Carpenter Shed", "Phone Kiosk", "Grain Store", "River View",
    "Pump House", "Bakery", "Cold Drinks", "Red Roof", "Weaver House", "Hill Top", "Old Tree", "Salt Shop",
)  # fmt: skip


@attrs.frozen(kw_only=True)
class House:
    """A customer with one connection, one meter and a place on a pole.

    Attributes:
        phone: As stored: digits without ``+`` [API-30].
        scale: Appetite for energy; 1 uses about 35 W in the mean.
        pole: Index of its pole in the village.
    """

    name: str
    phone: str
    meter_number: str
    scale: float
    pole: int
    women_impacted: int
    is_commercial: bool


@attrs.frozen(kw_only=True)
class ChargerPlan:
    """A solar charger and the panels on it.

    Attributes:
        reference: Short serial.
        instance: Its number on the site.
        kw: Connected PV power, kWp.
        azimuth: Of the panels, degrees.
        tilt: Of the panels, degrees.
    """

    reference: str
    instance: int
    kw: Decimal
    azimuth: int
    tilt: int

    @property
    def custom_name(self) -> str:
        """What the installer called it, by the rules of the synchronisation [API-111]."""
        return f"FRON {self.reference} ARTN{self.kw}/{self.azimuth:+d}/{self.tilt}"


@attrs.frozen(kw_only=True)
class VillagePlan:
    """A mini-grid to be seeded.

    Attributes:
        tariff: Price of a kWh, NGN.
        portal_id: Of its Victron gateway.
        gateways: EUIs of its LoRaWAN gateways.
        longitude: Degrees east.
        chargers: What its panels feed.
    """

    name: str
    tariff: Decimal
    latitude: float
    longitude: float
    portal_id: str
    site_id: str
    gateways: tuple[str, ...]
    houses: tuple[House, ...]
    chargers: tuple[ChargerPlan, ...]
    poles: int = 12
    timezone: str = "Africa/Lagos"


def plan_villages(seed: int = 20260310, houses_per_village: int = 22) -> Sequence[VillagePlan]:
    """Invent the demo's two villages; the same seed gives the same villages."""
    return (
        _village("Kuwera", 1, tariff=Decimal(250), place=(7.412, 4.873), seed=seed, houses=houses_per_village),
        _village("Solandi", 2, tariff=Decimal("286.5"), place=(8.105, 5.231), seed=seed, houses=houses_per_village),
    )


def meter_number(serial: int) -> str:
    """Make a CALIN number ``47001`` + five digits + Luhn check digit [MET-40, MET-41].

    Args:
        serial: 0…99999.
    """
    digits = f"47001{serial:05d}"
    total = sum(_weight(int(digit), place) for place, digit in enumerate(digits, start=1))
    return f"{digits}{(10 - total % 10) % 10}"


def _weight(digit: int, place: int) -> int:
    if place % 2:
        return digit
    doubled = 2 * digit
    return doubled - 9 if doubled > 9 else doubled


def _village(
    name: str, ordinal: int, *, tariff: Decimal, place: tuple[float, float], seed: int, houses: int
) -> VillagePlan:
    dice = random.Random(seed + ordinal)  # noqa: S311 - a demo's dice
    return VillagePlan(
        name=name,
        tariff=tariff,
        latitude=place[0],
        longitude=place[1],
        portal_id=f"c0619ab1a2b{ordinal}",
        site_id=str(410_000 + ordinal),
        gateways=tuple(f"a84041ffff2{ordinal}{hub:04x}" for hub in (1, 2)),
        chargers=(
            ChargerPlan(reference=f"127{ordinal}", instance=279, kw=Decimal("10.92"), azimuth=153, tilt=10),
            ChargerPlan(reference=f"128{ordinal}", instance=280, kw=Decimal("13.08"), azimuth=-27, tilt=12),
        ),
        houses=tuple(_house(dice, name, ordinal, index) for index in range(houses)),
    )


def _house(dice: random.Random, village: str, ordinal: int, index: int) -> House:
    lap, place = divmod(index, len(_HOUSES))
    is_commercial = dice.random() < 0.25
    return House(
        name=f"{_HOUSES[place]} {village}" + (f" {lap + 1}" if lap else ""),
        phone=f"23480{ordinal:02d}{100_000 + index:06d}",
        meter_number=meter_number(ordinal * 10_000 + index * 37 + 11),
        scale=round(dice.uniform(1.2, 2.5) if is_commercial else dice.uniform(0.5, 1.4), 2),
        pole=index % 12,
        women_impacted=dice.randint(0, 4),
        is_commercial=is_commercial,
    )
