"""Names of solar chargers, and how lists are compared: pure rules."""

from __future__ import annotations

from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_domain.grids.solar_chargers import (
    MpptType,
    SiteDevice,
    SolarCharger,
    compare_chargers,
    peak_power,
    read_charger,
)

EXAMPLE = SolarCharger(
    external_reference="1279",
    external_id="279",
    kw=Decimal("10.92"),
    mppt_type=MpptType.MPPT,
    azimuth=153.0,
    tilt=10.0,
)


def device(custom_name: str | None, *, name: str | None = "Solar Charger", instance: int | None = 279) -> SiteDevice:
    return SiteDevice(name=name, custom_name=custom_name, instance=instance)


def test_the_example() -> None:
    """[API-111] [MET-203]"""
    assert read_charger(device("FRON 1279 ARTN10.92/+153/10")) == EXAMPLE


@pytest.mark.parametrize(
    "name",
    [
        "FRON 1279 ARTN/10,92/153/10",
        "FRON 1279 ARTN 10.92 / 153 / 10",
        "FRON  1279  east ARTN10.920/+153,0/10.0 spare",
        "FRON 1279 ARTN/10.92/+153/10kW",
    ],
)
def test_other_spellings(name: str) -> None:
    """[API-111] An optional slash, blanks around slashes, a comma for the point."""
    assert read_charger(device(name)) == EXAMPLE


def test_an_inverter_faces_north() -> None:
    """[API-111] A negative azimuth; another kind of device."""
    charger = read_charger(device("SMA 7 ARTN5/-20/7,5", name="PV Inverter", instance=20))
    assert charger == SolarCharger(
        external_reference="7",
        external_id="20",
        kw=Decimal(5),
        mppt_type=MpptType.PV_INVERTER,
        azimuth=-20.0,
        tilt=7.5,
    )


@pytest.mark.parametrize(
    "other",
    [
        device("FRON 1279 ARTN10.92/+153/10", name="Battery Monitor"),
        device("FRON 1279 ARTN10.92/+153/10", name=None),
        device("FRON 1279 ARTN10.92/+153/10", instance=None),
        device("ARTN10.92/+153/10"),
        device("FRON 1279 ARTN10.92/+153"),
        device("FRON 1279 ARTN-10/153/10"),
        device("FRON 1279 artn10.92/153/10"),
        device("FRON 1279 ARTN10.92/153/-10"),
        device("FRON 1279 ARTN10.92/400/10"),
        device("FRON 1279 ARTN10.92/153/95"),
        device("FRON 1279 ARTN1000000/153/10"),
        device("FRON 1279 ARTN١٠/153/10"),
        device("FRON 1279"),
        device(""),
        device(None),
    ],
)
def test_what_is_no_charger(other: SiteDevice) -> None:
    """[API-111] Other devices, names outside the rules, and panels that can't be."""
    assert read_charger(other) is None


def test_the_second_word_is_the_reference() -> None:
    """[MET-203] Kept for compatibility, even where it is the array itself."""
    charger = read_charger(device("FRON ARTN10.92/+153/10"))
    assert charger is not None
    assert charger.external_reference == "ARTN10.92/+153/10"


@given(
    kw=st.decimals(0, 999_999, places=3),
    azimuth=st.integers(-180, 360),
    tilt=st.decimals(0, 90, places=1),
    comma=st.booleans(),
    blanks=st.booleans(),
)
def test_names_are_read_as_they_were_written(
    kw: Decimal, azimuth: int, tilt: Decimal, comma: bool, blanks: bool
) -> None:
    """[API-111] Property: whatever an installer writes within the rules is read back exactly."""
    slash = " / " if blanks else "/"
    array = f"{kw}{slash}{azimuth:+d}{slash}{tilt}"
    charger = read_charger(device(f"FRON 1279 ARTN{array.replace('.', ',') if comma else array}"))
    assert charger is not None
    assert (charger.kw, charger.azimuth, charger.tilt) == (kw, azimuth, float(tilt))


@given(name=st.text(), kind=st.sampled_from(["Solar Charger", "PV Inverter", "Gateway"]))
def test_no_name_breaks_the_reading(name: str, kind: str) -> None:
    """[API-38] Property."""
    read_charger(device(f"A B ARTN{name}", name=kind))


CHARGERS = st.builds(
    lambda serial, kw, tilt: attrs.evolve(EXAMPLE, external_reference=str(serial), kw=Decimal(kw), tilt=float(tilt)),
    st.integers(0, 5),
    st.integers(1, 3),
    st.integers(0, 2),
)


@given(known=st.lists(CHARGERS, max_size=6), listed=st.lists(CHARGERS, max_size=6))
def test_afterwards_both_lists_agree(known: list[SolarCharger], listed: list[SolarCharger]) -> None:
    """[REL-45] Property: what stays and what is added is what the vendor lists, each reference and instance once."""
    devices = [device(f"FRON {c.external_reference} ARTN{c.kw}/+153/{c.tilt}") for c in listed]
    rows = dict(enumerate(known))
    changes = compare_chargers(rows, devices)
    after = [charger for key, charger in rows.items() if key not in changes.removed] + list(changes.added)
    first: dict[str, SolarCharger] = {}
    for charger in listed:
        first.setdefault(charger.external_reference, charger)
    assert set(after) == set(first.values())
    again = compare_chargers(dict(enumerate(after)), devices)
    assert (list(again.removed), list(again.added)) == ([], [])


def test_the_sum_of_the_panels() -> None:
    """[API-111] Rounded half up to two places; rows without power count nothing."""
    halves = [attrs.evolve(EXAMPLE, kw=kw) for kw in (Decimal("10.002"), Decimal("0.003"), None)]
    assert peak_power(halves) == Decimal("10.01")
    assert peak_power([]) == 0
