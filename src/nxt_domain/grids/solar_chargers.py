"""Solar chargers of a site as its vendor lists them, and what that makes of our rows [API-111, MET-203, REL-45]."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum

import attrs

from nxt_domain.shared.money import round_half_up

_NUMBER = r"([0-9]{1,9}(?:[.,][0-9]{1,9})?)"
_ARRAY = re.compile(rf"ARTN */? *{_NUMBER} */ *([+-]?{_NUMBER}) */ *{_NUMBER}", re.ASCII)
_TOP_KW = Decimal(1_000_000)
_KW_PLACES = 3


class MpptType(StrEnum):
    """What turns sunlight into power."""

    MPPT = "MPPT"
    PV_INVERTER = "PV_INVERTER"


_TYPES = {"Solar Charger": MpptType.MPPT, "PV Inverter": MpptType.PV_INVERTER}


@attrs.frozen(kw_only=True)
class SiteDevice:
    """A device of a site, as the vendor lists it.

    Attributes:
        name: What kind of device it is.
        custom_name: What the installer called it.
        instance: Its number on the site.
    """

    name: str | None
    custom_name: str | None
    instance: int | None


@attrs.frozen(kw_only=True)
class SolarCharger:
    """A charger and the panels on it; two are the same exactly when all six agree.

    Attributes:
        external_reference: Short serial in the device's name.
        external_id: The vendor's instance.
        kw: Connected PV power, kWp, to the watt.
        azimuth: Of the panels, degrees.
        tilt: Of the panels, degrees.
    """

    external_reference: str
    external_id: str
    kw: Decimal | None
    mppt_type: MpptType
    azimuth: float | None
    tilt: float | None


@attrs.frozen(kw_only=True)
class ChargerChanges:
    """What makes our rows agree with the vendor's list."""

    removed: Collection[int]
    added: Sequence[SolarCharger]


def read_charger(device: SiteDevice) -> SolarCharger | None:
    """Read a charger out of a device; None: it is something else, is not named by the rules, or is named impossibly.

    The name holds ``ARTN``, the panels' power, azimuth and tilt, e.g. ``FRON 1279 ARTN10.92/+153/10``; its second word
    is the reference.
    """
    kind = _TYPES.get(device.name or "")
    found = _ARRAY.search(device.custom_name or "")
    words = (device.custom_name or "").split()
    if kind is None or found is None or device.instance is None or len(words) < 2:
        return None
    kw = round_half_up(_decimal(found[1]), _KW_PLACES)
    azimuth, tilt = float(_decimal(found[2])), float(_decimal(found[4]))
    if kw >= _TOP_KW or not -180 <= azimuth <= 360 or tilt > 90:
        return None
    return SolarCharger(
        external_reference=words[1],
        external_id=str(device.instance),
        kw=kw,
        mppt_type=kind,
        azimuth=azimuth,
        tilt=tilt,
    )


def compare_chargers(known: Mapping[int, SolarCharger], devices: Sequence[SiteDevice]) -> ChargerChanges:
    """Compare our rows with the vendor's list; of two devices with one reference and instance the first counts.

    Args:
        known: Live rows by id.
        devices: Everything on the site.
    """
    listed: dict[tuple[str, str], SolarCharger] = {}
    for charger in filter(None, map(read_charger, devices)):
        listed.setdefault((charger.external_reference, charger.external_id), charger)
    present, wanted = set(known.values()), set(listed.values())
    return ChargerChanges(
        removed=[key for key, charger in known.items() if charger not in wanted],
        added=[charger for charger in listed.values() if charger not in present],
    )


def peak_power(chargers: Collection[SolarCharger]) -> Decimal:
    """Sum the power of all panels, kWp, to two places."""
    return round_half_up(sum((charger.kw for charger in chargers if charger.kw is not None), Decimal(0)), 2)


def _decimal(text: str) -> Decimal:
    return Decimal(text.replace(",", "."))
