"""The description of the simulated world, and the memory of it."""

import sqlite3
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from nxt_entrypoints.simulators.fleet import Fleet, FleetMeter, InvalidFleetError, Plant, Village, structure
from nxt_entrypoints.simulators.state import StateStore

GATEWAY = "00800000a0000001"


def make_fleet():
    return Fleet(
        villages=[
            Village(
                grid_id=7,
                gateways=[GATEWAY],
                meters=[
                    FleetMeter(
                        number="47003333771",
                        credit_kwh=Decimal("1.10"),
                        counter_kwh=Decimal("812.05"),
                        as_of=datetime(2026, 3, 1, tzinfo=UTC),
                    )
                ],
                plant=Plant(portal_id="c0619ab1a2b3", is_three_phase=True),
            )
        ]
    )


def test_fleet_survives_its_file(tmp_path):
    """[R36] What the seed writes is what the simulators read, digit for digit."""
    path = tmp_path / "fleet.json"
    make_fleet().save(path)
    assert Fleet.load(path) == make_fleet()


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"villages": [{"grid_id": 1, "gatewys": []}]}, r"gatewys.*villages\[0\]"),
        ({"villages": [{"grid_id": "seven"}]}, "grid_id"),
        ({"villages": [{"grid_id": 1, "timezone": "Mars/Base"}]}, "Mars/Base"),
        ({"villages": [{"grid_id": 1, "gateways": ["ABC"]}]}, "ABC"),
        ({"villages": [{"grid_id": 1, "meters": [{"number": "1"}]}]}, "gateway"),
        ({"villages": [{"grid_id": 1, "gateways": [GATEWAY], "meters": [{"number": "4x"}]}]}, "4x"),
        (
            {"villages": [{"grid_id": 1, "gateways": [GATEWAY], "meters": [{"number": "1", "phase": "TWO"}]}]},
            "TWO",
        ),
        (
            {"villages": [{"grid_id": 1, "gateways": [GATEWAY], "meters": [{"number": "1"}, {"number": "1"}]}]},
            "twice",
        ),
        ({"villages": [{"grid_id": 1}, {"grid_id": 1}]}, "twice"),
        ({"villages": [{"grid_id": 1, "plant": {"portal_id": "a/b"}}]}, "portal_id"),
    ],
)
def test_wrong_fleets_say_where(document, says):
    """A mistake in the file is found at start, not as a meter that never answers."""
    with pytest.raises(InvalidFleetError, match=says):
        structure(document, Fleet)


def test_state_outlives_the_process(tmp_path):
    """[R37] Documents come back; a killed process has lost nothing that was put."""
    first = StateStore(tmp_path)
    first.put("meter", {"1": b"a", "2": b"b"})
    first.put("meter", {"2": b"c"})
    first.remove("meter", ["1", "9"])
    # Not closed: another process opens the file, as after a kill.
    second = StateStore(tmp_path)
    assert second.all("meter") == {"2": b"c"}
    assert second.all("token") == {}
    assert (tmp_path / "simulators.sqlite3").stat().st_mode & 0o777 == 0o600
    second.close()
    first.close()


def test_a_failed_write_changes_nothing(tmp_path):
    """[R37] Documents of one call are written together or not at all."""
    store = StateStore(tmp_path)
    with pytest.raises(sqlite3.IntegrityError, match="NOT NULL"):
        store.put_many([("meter", "1", b"a"), ("meter", "2", None)])
    assert store.all("meter") == {}
    store.put("meter", {"3": b"c"})
    assert store.all("meter") == {"3": b"c"}
    store.close()
