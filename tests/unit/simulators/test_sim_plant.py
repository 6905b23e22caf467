"""The simulated plant's physics, and password hashes."""

from datetime import UTC, datetime, timedelta

import pytest

from nxt_entrypoints.simulators.fleet import FleetMeter, Plant, Village
from nxt_entrypoints.simulators.supabase.passwords import hash_password, verify_password
from nxt_entrypoints.simulators.victron.plant import PlantState

NOON, EVENING, NIGHT = (datetime(2026, 3, 15, hour, tzinfo=UTC) for hour in (11, 18, 1))


def make_plant(**changes):
    village = Village(
        grid_id=1,
        gateways=["00800000a0000001"],
        meters=[FleetMeter(number=str(47003333000 + index), scale=2) for index in range(20)],
        plant=Plant(portal_id="c0619ab1a2b3", is_three_phase=changes.pop("three", False)),
    )
    return PlantState(village=village, seed=1, at=NOON, **changes)


def test_sun_and_load_follow_the_day():
    """Panels deliver at noon and not at night; the village draws most in the evening."""
    plant = make_plant()
    assert plant.pv_w(NOON) > 5000 > plant.pv_w(NIGHT) == 0
    assert plant.output_w(EVENING) > 1.5 * plant.output_w(NIGHT) > 0


def test_battery_takes_the_difference_and_stays_in_bounds():
    """Charged by day, discharged by night, never above full or below empty."""
    plant = make_plant(soc_percent=99.5)
    for minute in range(0, 24 * 60, 10):
        plant.step(NOON + timedelta(minutes=minute))
        assert 20 <= plant.soc_percent <= 100
    charged = make_plant()
    charged.step(NOON + timedelta(minutes=10))
    assert charged.soc_percent > 70


@pytest.mark.parametrize("three", [False, True])
def test_phases_sum_to_the_load(three):
    """[TEL-156] L1 alone, or L1 to L3, share the output power."""
    plant = make_plant(three=three)
    powers = plant.phase_w(NOON)
    assert len(powers) == (3 if three else 1)
    assert abs(sum(powers) - plant.output_w(NOON)) < 0.2
    topics = [topic for topic in plant.values(NOON) if topic.endswith("/Power") and "/Ac/" in topic]
    assert topics == [f"system/0/Ac/ConsumptionOnOutput/L{n}/Power" for n in range(1, len(powers) + 1)]


def test_blackout_is_zero_and_a_lost_inverter_is_null():
    """[AUTO-33] [TEL-155] The two ways in which a plant is not energised."""
    dark = make_plant(is_on=False, load_w=900.0)
    assert dark.phase_w(NOON) == (0.0,)
    gone = make_plant(is_inverter_gone=True, three=True)
    assert gone.phase_w(NOON) == (None, None, None)
    assert make_plant(load_w=750.0).phase_w(NIGHT) == (750.0,)


def test_passwords_are_salted_and_checked():
    """[R30] Two hashes of one password differ; only the password fits; other kinds never fit."""
    stored = hash_password("lamp oil 1870")
    assert stored != hash_password("lamp oil 1870")
    assert stored.startswith("scrypt$")
    assert "lamp" not in stored
    assert verify_password("lamp oil 1870", stored)
    assert not verify_password("lamp oil 1871", stored)
    for other in (None, "", "$2a$10$abcdefghijklmnopqrstuv", "scrypt$x$8$1$AA==$AA==", "scrypt$1$2$3"):
        assert not verify_password("lamp oil 1870", other)
