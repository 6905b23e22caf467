"""ChirpStack's posts: the worked example of DM 10.5, what each event needs, and any JSON at all."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_adapters.chirpstack.calin import FrameFault
from nxt_adapters.chirpstack.translation import NOT_ACKNOWLEDGED, Ignored, Translation, translate
from nxt_domain.messaging.model import (
    CommandType,
    DeliveryStatus,
    Device,
    DeviceEvent,
    EventHalf,
    ExecutionStatus,
    FailureContext,
    HalfKind,
    RelayNode,
    Response,
)

METER = "47003333771"
INFO = {"deviceInfo": {"devEui": "0000047003333771"}}
ITEM = "0f6e2a4c-8f0a-4a55-9d3a-1c0e7f0b5a11"
CREDIT = "aHE3MwNwBGiBCFQXeFY0MzMzsRY="
REPORT = "aHE3MwNwBGiBI0T0MzNGRztZoeUzMzMze3QzMzMzMzMzM3Q0MzMzPIY6MzM7PBY="
RX = [
    {"gatewayId": "gw-weak", "snr": 1, "rssi": -120},
    {"gatewayId": "gw-mid", "snr": 10, "rssi": -100},
    {"gatewayId": "gw-best", "snr": 10, "rssi": -90},
]
TXACK = {**INFO, "downlinkId": 2682863327, "queueItemId": ITEM}
UP = {**INFO, "deduplicationId": "d-1", "data": CREDIT, "rxInfo": RX}
ACK = {**INFO, "deduplicationId": "d-1", "queueItemId": ITEM, "acknowledged": True}


def without(body: dict, *names: str) -> dict:
    return {name: value for name, value in body.items() if name not in names}


def result_of(event: str | None, body: object, **options: bool) -> DeviceEvent | EventHalf | Ignored:
    return translate(event, body, **options).result


def is_ignored(event: str | None, body: object, **options: bool) -> bool:
    return isinstance(result_of(event, body, **options), Ignored)


def test_the_worked_example_of_three_posts() -> None:
    """[DM-102] [DM-103] [DM-104] worked example of 10.5"""
    assert result_of("txack", TXACK) == DeviceEvent(
        delivery_status=DeliveryStatus.SENT_TO_DEVICE,
        delivery_queue_id=ITEM,
        device=Device(external_reference=METER),
    )
    up, ack = result_of("up", UP), result_of("ack", ACK)
    assert isinstance(up, EventHalf)
    assert isinstance(ack, EventHalf)
    assert (up.kind, ack.kind) == (HalfKind.UP, HalfKind.ACK)
    assert up.deduplication_id == ack.deduplication_id == "d-1"
    expected = DeviceEvent(
        delivery_status=DeliveryStatus.DELIVERY_SUCCESSFUL,
        delivery_queue_id=ITEM,
        device=Device(
            external_reference=METER,
            relay_node=RelayNode(external_reference="gw-best", snr=10, rssi=-90),
        ),
        response=Response(
            status=ExecutionStatus.EXECUTION_SUCCESS,
            data={"kwhCreditAvailable": Decimal("123.45"), "creditLevel": 0, "isOn": True},
        ),
    )
    assert up.joined_with(ack) == ack.joined_with(up) == expected


def test_a_refusal_by_the_meter_travels_with_the_uplink() -> None:
    """[DM-81] [DM-104]"""
    half = result_of("up", {**UP, "data": "aHE3MwNwBGjAATQXFg=="})
    assert isinstance(half, EventHalf)
    assert half.response == Response(status=ExecutionStatus.EXECUTION_FAILURE, data={"tokenAccepted": False})
    assert half.failure == FailureContext(reason="Delivery was successful but the token was not accepted")


def test_a_report_is_unsolicited_and_never_half() -> None:
    """[DM-91] [DM-102]"""
    event = result_of("up", {**UP, "data": REPORT})
    assert isinstance(event, DeviceEvent)
    assert event.unsolicited
    assert event.command_type is CommandType.READ_REPORT
    assert event.delivery_status is DeliveryStatus.DELIVERY_SUCCESSFUL
    assert event.delivery_queue_id is None
    assert event.response is not None
    assert event.response.status is ExecutionStatus.EXECUTION_SUCCESS
    assert event.response.data["freezeTime"] == "2026-08-14 13:00"
    assert event.device.relay_node is not None


def test_a_join_is_unsolicited() -> None:
    """[DM-102]"""
    assert result_of("join", INFO) == DeviceEvent(
        delivery_status=DeliveryStatus.DELIVERY_SUCCESSFUL,
        device=Device(external_reference=METER),
        command_type=CommandType.JOIN_NETWORK,
        response=Response(status=ExecutionStatus.EXECUTION_SUCCESS, data={"networkJoined": True}),
        unsolicited=True,
    )


def test_a_missing_acknowledgement_fails_the_delivery() -> None:
    """[DM-102]"""
    for deduplication in ("", "d-1"):
        nack = {**ACK, "acknowledged": False, "deduplicationId": deduplication}
        assert result_of("ack", nack) == DeviceEvent(
            delivery_status=DeliveryStatus.DELIVERY_FAILED,
            delivery_queue_id=ITEM,
            device=Device(external_reference=METER),
            failure=FailureContext(reason=NOT_ACKNOWLEDGED),
        )


@pytest.mark.parametrize("downlink", [1, 0, "1", 2682863327.0, Decimal(7)])
def test_a_txack_may_name_its_downlink_as_number_or_text(downlink: object) -> None:
    """[DM-102]"""
    event = result_of("txack", {**TXACK, "downlinkId": downlink})
    assert isinstance(event, DeviceEvent)
    assert event.delivery_queue_id == ITEM


def test_a_txack_without_queue_item_has_no_id() -> None:
    """[DM-102] [DM-58]"""
    for body in (without(TXACK, "queueItemId"), {**TXACK, "queueItemId": ""}):
        event = result_of("txack", body)
        assert isinstance(event, DeviceEvent)
        assert event.delivery_queue_id is None


@pytest.mark.parametrize(
    ("event", "body"),
    [
        ("txack", without(TXACK, "downlinkId")),
        ("txack", {**TXACK, "downlinkId": None}),
        ("txack", {**TXACK, "downlinkId": True}),
        ("ack", without(ACK, "queueItemId")),
        ("ack", {**ACK, "queueItemId": 7}),
        ("ack", without(ACK, "deduplicationId")),
        ("ack", {**ACK, "deduplicationId": ""}),
        ("ack", {**ACK, "acknowledged": False, "deduplicationId": None}),
        ("ack", without(ACK, "acknowledged")),
        ("ack", {**ACK, "acknowledged": "true"}),
        ("up", without(UP, "data")),
        ("up", {**UP, "data": None}),
        ("up", without(UP, "rxInfo")),
        ("up", {**UP, "rxInfo": {}}),
        ("up", without(UP, "deduplicationId")),
        ("up", {**UP, "deduplicationId": ""}),
        *((event, without(TXACK | UP | ACK, "deviceInfo")) for event in ("txack", "up", "ack", "join")),
        *(
            ("join", {"deviceInfo": info})
            for info in (None, [], {}, {"devEui": 16}, {"devEui": "0" * 15}, {"devEui": "0" * 17})
        ),
    ],
)
def test_an_event_without_what_it_needs_is_ignored(event: str, body: dict) -> None:
    """[DM-101] [DM-102]"""
    assert is_ignored(event, body)
    assert not is_ignored("join", {"deviceInfo": {"devEui": "0000047003333771"}})


@pytest.mark.parametrize("event", [None, "", "status", "log", "location", "integration", "UP", "up "])
def test_other_events_are_ignored(event: str | None) -> None:
    """[DM-100]"""
    assert is_ignored(event, TXACK | UP | ACK)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (TXACK | UP | ACK, "txack"),
        (ACK | UP, "ack"),
        ({**UP, "devAddr": "01"}, "up"),
        (UP, "up"),
        ({**INFO, "devAddr": "01"}, "join"),
    ],
)
def test_on_the_old_path_the_body_decides_when_the_event_is_missing(body: dict, kind: str) -> None:
    """[DM-186]"""
    for missing in (None, ""):
        assert translate(missing, body, by_shape=True) == translate(kind, body)
    assert is_ignored(None, INFO, by_shape=True)
    assert is_ignored("status", body, by_shape=True)


def best(*entries: object) -> RelayNode | None:
    half = result_of("up", {**UP, "rxInfo": list(entries)})
    assert isinstance(half, EventHalf)
    return half.device.relay_node


def test_the_best_gateway_has_the_highest_snr_then_rssi_then_comes_first() -> None:
    """[DM-103]"""
    a = {"gatewayId": "a", "snr": 5, "rssi": -80}
    assert best(a, {"gatewayId": "b", "snr": 5.5, "rssi": -120}).external_reference == "b"
    assert best(a, {"gatewayId": "b", "snr": 5, "rssi": -79}).external_reference == "b"
    assert best(a, {"gatewayId": "b", "snr": 5, "rssi": -80}).external_reference == "a"


def test_a_missing_figure_counts_as_zero() -> None:
    """[DM-103]"""
    assert best({"gatewayId": "a", "snr": -3, "rssi": -80}, {"gatewayId": "b", "rssi": -99}) == RelayNode(
        external_reference="b", snr=0, rssi=-99
    )
    assert best({"gatewayId": "a"}) == RelayNode(external_reference="a", snr=0, rssi=0)


@pytest.mark.parametrize(
    "figure",
    [None, "7", True, [], {}, float("nan"), float("inf"), 10**400, Decimal("1E999999999"), Decimal("sNaN")],
)
def test_a_figure_that_no_signal_can_have_counts_as_zero(figure: object) -> None:
    """[DM-103]"""
    assert best({"gatewayId": "a", "snr": figure, "rssi": figure}).snr == 0


def test_exact_numbers_are_figures_too() -> None:
    """[DM-103] [R12]"""
    assert best({"gatewayId": "a", "snr": Decimal("9.5"), "rssi": Decimal(-87)}) == RelayNode(
        external_reference="a", snr=9.5, rssi=-87.0
    )


def test_entries_without_a_gateway_are_passed_over() -> None:
    """[DM-103]"""
    assert best() is None
    assert best(None, 7, [], {}, {"gatewayId": 7}, {"gatewayId": ""}) is None
    assert best({"snr": 50}, {"gatewayId": "a", "snr": -9, "rssi": -90}).external_reference == "a"


def test_an_undecodable_uplink_yields_nothing_but_its_hex() -> None:
    """[DM-80] [DM-105]"""
    ignored = result_of("up", {**UP, "data": "aHE3MwNwBGiBCFQXeFY0MzMzshY="})
    assert isinstance(ignored, Ignored)
    assert ignored.undecodable is not None
    assert ignored.undecodable.fault is FrameFault.CHECKSUM
    assert ignored.frame_hex == "687137330370046881085417785634333333b216"
    no_base64 = result_of("up", {**UP, "data": "é"})
    assert isinstance(no_base64, Ignored)
    assert no_base64.frame_hex == ""


def test_a_frame_from_another_address_is_used_and_pointed_out() -> None:
    """[DM-86]"""
    other = {**UP, "deviceInfo": {"devEui": "0000047001891341"}}
    translation = translate("up", other)
    assert isinstance(translation.result, EventHalf)
    assert translation.result.device.external_reference == "47001891341"
    assert translation.foreign_address == "047003333771"
    assert translate("up", UP).foreign_address is None
    power_limit = {**other, "data": "AAEAAQBmAAnEAcEABgAAE4g="}
    assert translate("up", power_limit).foreign_address is None, "this answer carries no address"


@pytest.mark.parametrize("bad", ["a\x00b", "a\nb", "é", "x" * 129, "\ud800", "\u202e"])
def test_ids_that_no_row_and_no_log_can_hold_count_as_missing(bad: str) -> None:
    """[DM-102] the body comes from outside and can hold anything"""
    assert is_ignored("ack", {**ACK, "queueItemId": bad})
    assert is_ignored("ack", {**ACK, "deduplicationId": bad})
    assert is_ignored("up", {**UP, "deduplicationId": bad})
    assert is_ignored("join", {"deviceInfo": {"devEui": bad.ljust(16, "0")}})
    assert best({"gatewayId": bad}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
NAMES = ("deviceInfo", "downlinkId", "queueItemId", "acknowledged", "deduplicationId", "data", "rxInfo", "devAddr")
EVENTS = st.none() | st.sampled_from(["up", "ack", "txack", "join", "status", ""])


@given(EVENTS, JSON, st.booleans())
def test_any_json_is_translated_or_ignored(event: str | None, body: object, by_shape: bool) -> None:
    """[DM-100] [DM-101]"""
    assert isinstance(translate(event, body, by_shape=by_shape), Translation)


@given(
    EVENTS,
    st.dictionaries(st.sampled_from(NAMES), JSON),
    st.sampled_from([INFO, {"deviceInfo": {"devEui": "0" * 16}}]),
    st.sampled_from([TXACK, UP, ACK, {}]),
    st.lists(st.fixed_dictionaries({"gatewayId": JSON, "snr": JSON, "rssi": JSON}), max_size=3),
)
def test_any_damage_to_a_real_post_is_translated_or_ignored(
    event: str | None, damage: dict, info: dict, real: dict, heard: list
) -> None:
    """[DM-102]"""
    assert isinstance(translate(event, {**real, "rxInfo": heard, **damage, **info}, by_shape=True), Translation)
