"""The gatekeeper's tables, row by row [MET-59 … MET-64]."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.meters.meters_samples import NOW, RADIO, V1, V2, a_meter, a_twin

from nxt_domain.grids.model import CommunicationProtocol, GridTwin
from nxt_domain.meters.gatekeeper import Circumstances, Verdict, judge
from nxt_domain.meters.model import InteractionStatus, InteractionType, Meter, Resolution

QUEUED, SUSPENDED = InteractionStatus.QUEUED, InteractionStatus.SUSPENDED
DEFERRED, ABORTED = InteractionStatus.DEFERRED, InteractionStatus.ABORTED
COMMISSIONING = Circumstances(from_commissioning=True)
TOP_UP, READ_VERSION = InteractionType.TOP_UP, InteractionType.READ_VERSION
READ_LIMIT, READ_TIME = InteractionType.READ_POWER_LIMIT, InteractionType.READ_TIME


def outcome(verdict: Verdict) -> tuple[InteractionStatus, str | None, Resolution | None]:
    return verdict.status, verdict.failure.code if verdict.failure else None, verdict.resolution


@pytest.mark.parametrize("status", sorted(set(InteractionStatus) - {QUEUED, SUSPENDED}))
def test_met_60_another_status_is_returned_unchanged(status: InteractionStatus) -> None:
    verdict = judge(TOP_UP, a_meter(communication_protocol=None), None, NOW, status=status)
    assert verdict == Verdict(status=status)


@pytest.mark.parametrize(
    ("kind", "changes", "code"),
    [
        pytest.param(TOP_UP, {"communication_protocol": None}, "UNSUPPORTED", id="C1"),
        pytest.param(READ_VERSION, {}, "UNSUPPORTED", id="C2 radio"),
        pytest.param(READ_TIME, {"communication_protocol": V1}, "UNSUPPORTED", id="C2 V1"),
        pytest.param(READ_TIME, {"communication_protocol": V2}, "UNSUPPORTED", id="C2 V2"),
        pytest.param(TOP_UP, {"communication_protocol": V1, "dcu_id": None}, "NO_GATEWAY", id="C3 V1"),
        pytest.param(TOP_UP, {"communication_protocol": V2, "dcu_id": None}, "NO_GATEWAY", id="C3 V2"),
        pytest.param(TOP_UP, {"grid_id": None}, "NO_GRID", id="C4"),
        pytest.param(
            READ_LIMIT, {"communication_protocol": V1, "version": "2F6B4584"}, "UNSUPPORTED", id="A3 firmware"
        ),
    ],
)
def test_met_61_what_can_never_work_is_aborted_for_good(
    kind: InteractionType, changes: dict[str, object], code: str
) -> None:
    """[MET-64] The resolution is ``UNSUPPORTED``, the record final, its status the one before judgement."""
    verdict = judge(kind, a_meter(**changes), a_twin(), NOW, status=SUSPENDED)
    assert outcome(verdict) == (ABORTED, code, Resolution.UNSUPPORTED)
    assert verdict.failure is not None
    assert (verdict.failure.is_final, verdict.failure.status) == (True, "SUSPENDED")


def test_met_61_the_first_hit_wins() -> None:
    """C2 before C3."""
    meter = a_meter(communication_protocol=V1, dcu_id=None)
    assert outcome(judge(READ_TIME, meter, None, NOW))[1] == "UNSUPPORTED"


def test_met_61_c4_spares_office_meters() -> None:
    meter = a_meter(grid_id=None, is_test_mode_on=True)
    assert judge(TOP_UP, meter, None, NOW).status is QUEUED


def test_met_63_a3_concerns_that_firmware_of_v1_and_that_read_alone() -> None:
    old = "2F6B4584"
    assert judge(READ_LIMIT, a_meter(communication_protocol=V2, version=old), None, NOW).status is QUEUED
    assert judge(READ_LIMIT, a_meter(communication_protocol=V1, version="2F6B4585"), None, NOW).status is QUEUED
    assert judge(TOP_UP, a_meter(communication_protocol=V1, version=old), None, NOW).status is QUEUED


@pytest.mark.parametrize(
    ("twin", "expected"),
    [
        pytest.param(a_twin(is_energised=False), (SUSPENDED, "GRID_DOWN", None), id="L1"),
        pytest.param(a_twin(online=(False, False)), (SUSPENDED, "GATEWAY_OFFLINE", None), id="L2 all off"),
        pytest.param(a_twin(online=()), (SUSPENDED, "GATEWAY_OFFLINE", None), id="L2 none"),
        pytest.param(a_twin(protocol=V1), (SUSPENDED, "GATEWAY_OFFLINE", None), id="L2 other protocol"),
        pytest.param(a_twin(is_energised=False, online=()), (SUSPENDED, "GRID_DOWN", None), id="L1 before L2"),
        pytest.param(a_twin(online=(False, True)), (QUEUED, None, None), id="L7 any gateway will do"),
        pytest.param(None, (QUEUED, None, None), id="L7 unknown twin never blocks"),
    ],
)
def test_met_62_radio_meters_wait_for_power_and_a_gateway(
    twin: GridTwin | None, expected: tuple[object, object, object]
) -> None:
    verdict = judge(TOP_UP, a_meter(), twin, NOW)
    assert outcome(verdict) == expected
    assert verdict.failure is None or not verdict.failure.is_final


@pytest.mark.parametrize(
    ("silence", "why", "expected"),
    [
        pytest.param(timedelta(hours=24), Circumstances(), (QUEUED, None, None), id="L7 a day"),
        pytest.param(
            timedelta(hours=24, seconds=1), Circumstances(), (ABORTED, "UNREACHABLE", Resolution.UNREACHABLE), id="L6"
        ),
        pytest.param(None, Circumstances(), (ABORTED, "UNREACHABLE", Resolution.UNREACHABLE), id="L6 never heard"),
        pytest.param(timedelta(minutes=59), COMMISSIONING, (QUEUED, None, None), id="L7 commissioning"),
        pytest.param(timedelta(minutes=60), COMMISSIONING, (DEFERRED, "AWAITING_METER", None), id="L5"),
        pytest.param(None, COMMISSIONING, (DEFERRED, "AWAITING_METER", None), id="L5 never heard"),
        pytest.param(
            timedelta(minutes=1),
            Circumstances(from_commissioning=True, from_grid_state_transition=True),
            (DEFERRED, "AWAITING_METER", None),
            id="L4",
        ),
        pytest.param(
            None,
            Circumstances(from_commissioning=True, from_grid_state_transition=True, is_retry=True),
            (QUEUED, None, None),
            id="L3",
        ),
        pytest.param(
            timedelta(minutes=1), Circumstances(from_grid_state_transition=True), (QUEUED, None, None), id="L7 recovery"
        ),
        pytest.param(
            timedelta(hours=30),
            Circumstances(is_retry=True),
            (ABORTED, "UNREACHABLE", Resolution.UNREACHABLE),
            id="L6 a plain retry",
        ),
    ],
)
def test_met_62_silence(silence: timedelta | None, why: Circumstances, expected: tuple[object, object, object]) -> None:
    meter = a_meter(last_seen_at=None if silence is None else NOW - silence)
    assert outcome(judge(TOP_UP, meter, a_twin(), NOW, circumstances=why)) == expected


@pytest.mark.parametrize(
    ("silence", "why", "text"),
    [
        (timedelta(hours=30, minutes=20), Circumstances(), "The meter has been silent for 30 hours"),
        (timedelta(minutes=75, seconds=20), COMMISSIONING, "The meter has been silent for 75 minutes"),
        (None, Circumstances(), "The meter was never heard"),
    ],
)
def test_met_62_the_reason_tells_how_long(silence: timedelta | None, why: Circumstances, text: str) -> None:
    meter = a_meter(last_seen_at=None if silence is None else NOW - silence)
    failure = judge(TOP_UP, meter, a_twin(), NOW, circumstances=why).failure
    assert failure is not None
    assert failure.reason == text


@pytest.mark.parametrize("protocol", [V1, V2])
@pytest.mark.parametrize(
    ("twin_of", "expected"),
    [
        pytest.param({"is_energised": False}, (SUSPENDED, "GRID_DOWN", None), id="A1"),
        pytest.param({"online": (False, True)}, (SUSPENDED, "GATEWAY_OFFLINE", None), id="A2"),
        pytest.param({"online": (True, False)}, (QUEUED, None, None), id="A4 another one is off"),
        pytest.param({"online": ()}, (QUEUED, None, None), id="A4 unknown gateway never blocks"),
    ],
)
def test_met_63_vendor_meters_wait_for_power_and_their_own_gateway(
    protocol: CommunicationProtocol, twin_of: dict[str, object], expected: tuple[object, object, object]
) -> None:
    meter = a_meter(communication_protocol=protocol, last_seen_at=None)
    assert outcome(judge(TOP_UP, meter, a_twin(protocol=protocol, **twin_of), NOW)) == expected  # type: ignore[arg-type]  # by name


@given(
    kind=st.sampled_from(InteractionType),
    protocol=st.sampled_from([None, RADIO, V1, V2]),
    grid_id=st.sampled_from([None, 50]),
    dcu_id=st.sampled_from([None, 1]),
    minutes=st.none() | st.integers(0, 3000),
    is_energised=st.booleans(),
    online=st.lists(st.booleans(), max_size=3).map(tuple),
    is_known=st.booleans(),
)
def test_met_59_whatever_the_case_the_verdict_explains_itself(
    kind: InteractionType,
    protocol: CommunicationProtocol | None,
    grid_id: int | None,
    dcu_id: int | None,
    minutes: int | None,
    is_energised: bool,
    online: tuple[bool, ...],
    is_known: bool,
) -> None:
    """Only ``QUEUED`` comes without a record, a final record with a resolution; the same case has the same verdict."""
    seen = None if minutes is None else NOW - timedelta(minutes=minutes)
    meter: Meter = a_meter(communication_protocol=protocol, grid_id=grid_id, dcu_id=dcu_id, last_seen_at=seen)
    twin = a_twin(is_energised=is_energised, online=online) if is_known else None
    verdict = judge(kind, meter, twin, NOW)
    assert verdict == judge(kind, meter, twin, NOW)
    assert (verdict.status is QUEUED) == (verdict.failure is None)
    assert (verdict.status is ABORTED) == (verdict.resolution is not None)
    if verdict.failure is not None:
        assert verdict.failure.is_final == (verdict.status is ABORTED)
        assert verdict.failure.reason
