"""The shared control plane [R33]."""

from datetime import UTC, datetime

import pytest

from nxt_entrypoints.simulators.control import ControlPlane, Faults, InvalidControlError, ReceivedLog


def test_everything_is_zero_at_first_and_optional():
    """[R33] All keys are optional, 0 by default; absent ones keep their value."""
    healthy = Faults()
    assert healthy.as_json() == {
        "latency_ms": [0.0, 0.0],
        "down": False,
        "error_rate": 0.0,
        "garbage_rate": 0.0,
        "loss_rate": 0.0,
        "duplicate_rate": 0.0,
        "reorder_rate": 0.0,
        "seed": 0,
    }
    slow = healthy.changed({"latency_ms": [5, 10]})
    assert slow.changed({"down": True}) == Faults(latency_ms=(5.0, 10.0), down=True)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "object"),
        ({"downn": True}, "downn"),
        ({"down": 1}, "down"),
        ({"seed": 1.5}, "seed"),
        ({"seed": True}, "seed"),
        ({"latency_ms": 5}, "latency_ms"),
        ({"latency_ms": [5]}, "latency_ms"),
        ({"latency_ms": [10, 5]}, "min <= max"),
        ({"latency_ms": ["a", "b"]}, "latency_ms"),
        ({"latency_ms": [0, 1e12]}, "latency_ms"),
        ({"error_rate": 1.01}, "error_rate"),
        ({"loss_rate": -0.1}, "loss_rate"),
        ({"garbage_rate": "0.5"}, "garbage_rate"),
        ({"duplicate_rate": None}, "duplicate_rate"),
        ({"reorder_rate": True}, "reorder_rate"),
        ({"reorder_rate": {}}, "reorder_rate"),
    ],
)
def test_wrong_bodies_are_named_and_change_nothing(body, says):
    """[R33] Unknown keys and wrong types are refused with a clear text."""
    control = ControlPlane()
    with pytest.raises(InvalidControlError, match=says):
        control.update(body)
    assert control.faults == Faults()


def test_a_seed_repeats_the_same_faults():
    """[R33] The same seed throws the same dice."""
    control = ControlPlane()

    def throws():
        control.update({"seed": 7, "loss_rate": 0.5})
        return [control.hits(0.5) for _ in range(50)]

    first = throws()
    assert first == throws()
    assert set(first) == {True, False}


def test_a_rate_of_zero_draws_nothing_and_of_one_always_hits():
    """[R33] A healthy simulator's dice aren't disturbed by asking."""
    control = ControlPlane(seed=3)
    state = control.random.getstate()
    assert not any(control.hits(0.0) for _ in range(100))
    assert control.random.getstate() == state
    assert all(control.hits(1.0) for _ in range(100))


def test_log_is_bounded_and_numbered():
    """[R33] Increasing numbers and times; the oldest entries leave."""
    log = ReceivedLog(clock=lambda: datetime(2026, 1, 1, tzinfo=UTC), size=3)
    for index in range(5):
        log.add("http", path=f"/{index}")
    assert [entry["n"] for entry in log.after(0)] == [3, 4, 5]
    assert [entry["path"] for entry in log.after(4)] == ["/4"]
    assert log.after(5) == log.after(99) == []
    assert log.after(0)[0]["at"] == "2026-01-01T00:00:00+00:00"
