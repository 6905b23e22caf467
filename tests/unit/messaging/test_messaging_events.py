"""What the adopter is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_domain.messaging.events import (
    delivery_event_from_payload,
    delivery_event_to_payload,
    delivery_task,
    message_event,
    unsolicited_event,
)
from nxt_domain.messaging.model import (
    CommandType,
    DeliveryEvent,
    DeliveryStatus,
    Device,
    DeviceEvent,
    DeviceMessage,
    ExecutionStatus,
    FailureContext,
    FailureRecord,
    Phase,
    RelayNode,
    RequestData,
    Response,
)
from nxt_domain.messaging.wire import event_from_json, event_to_json
from nxt_domain.shared.errors import InvalidInput

NOW = datetime(2026, 8, 14, 13, 0, 7, 120_000, tzinfo=UTC)
GATEWAY = Device(external_reference="47003333771", relay_node=RelayNode(external_reference="gw-best", snr=10, rssi=-90))
TOKEN = "12345678901234567890"

millis = st.integers(0, 10**12).map(lambda millis: datetime(2010, 1, 1, tzinfo=UTC) + timedelta(milliseconds=millis))
words = st.text(min_size=1, max_size=12)
maybe = st.none() | words
devices = st.builds(
    Device,
    external_reference=words,
    relay_node=st.none()
    | st.builds(
        RelayNode,
        id=st.none() | st.integers(0, 2**32 - 1),
        external_reference=maybe,
        snr=st.none() | st.floats(-30, 30),
        rssi=st.none() | st.integers(-150, 0).map(float),
    ),
)
responses = st.builds(
    Response,
    status=st.sampled_from(ExecutionStatus),
    data=st.none() | st.dictionaries(words, st.none() | st.booleans() | st.integers() | words, max_size=4),
)
records = st.builds(
    FailureRecord,
    timestamp=millis,
    status=st.sampled_from(DeliveryStatus),
    reason=words,
    error_code=st.none() | st.integers() | words,
    details=maybe,
    is_final=st.booleans(),
)
message_events = st.builds(
    DeliveryEvent,
    event_id=words,
    occurred_at=millis,
    plugin_id=words,
    delivery_status=st.sampled_from(DeliveryStatus),
    device=devices,
    message_id=words,
    correlation_id=maybe,
    command_type=st.sampled_from(CommandType),
    phase=st.none() | st.sampled_from(Phase),
    response=st.none() | responses,
    failure_history=st.lists(records, max_size=3).map(tuple),
)
device_events = st.builds(
    DeviceEvent,
    delivery_status=st.sampled_from(DeliveryStatus),
    device=devices,
    delivery_queue_id=maybe,
    command_type=st.none() | st.sampled_from(CommandType),
    response=st.none() | responses,
    failure=st.none()
    | st.builds(
        FailureContext,
        reason=words,
        error_code=st.none() | st.integers() | words,
        details=maybe,
        skip_retry=st.booleans(),
    ),
    unsolicited=st.booleans(),
)


@given(message_events)
def test_a_body_reads_back_as_it_was_written(event: DeliveryEvent) -> None:
    """[DM-153] Through JSON text, as the outbox stores it."""
    assert delivery_event_from_payload(json.loads(json.dumps(delivery_event_to_payload(event)))) == event


@given(device_events)
def test_a_normalised_event_reads_back_as_it_was_written(event: DeviceEvent) -> None:
    """[DM 2.5] As parked events are stored."""
    assert event_from_json(json.loads(json.dumps(event_to_json(event)))) == event


def test_an_unsolicited_body() -> None:
    """[DM-57, DM-153] The example of the contract: no id, no correlation id, no history."""
    report = DeviceEvent(
        delivery_status=DeliveryStatus.DELIVERY_SUCCESSFUL,
        device=GATEWAY,
        command_type=CommandType.READ_REPORT,
        response=Response(status=ExecutionStatus.EXECUTION_SUCCESS, data={"voltage": Decimal("229.5")}),
        unsolicited=True,
    )
    event = unsolicited_event(report, plugin_id="calin-chirpstack", event_id="01J", now=NOW)
    assert delivery_event_to_payload(event) == {
        "eventId": "01J",
        "occurredAt": "2026-08-14T13:00:07.120Z",
        "pluginId": "calin-chirpstack",
        "message": {
            "deliveryStatus": "DELIVERY_SUCCESSFUL",
            "device": {
                "type": "ELECTRICITY_METER",
                "externalReference": "47003333771",
                "relayNode": {"externalReference": "gw-best", "snr": 10, "rssi": -90},
            },
            "commandType": "READ_REPORT",
            "response": {"status": "EXECUTION_SUCCESS", "data": {"voltage": 229.5}},
            "unsolicited": True,
        },
    }
    task = delivery_task(event)
    assert (task.kind, task.stream_key, task.dedupe_key) == ("DELIVERY_EVENT", "meter:47003333771", "delivery:01J")
    assert task.give_up_after is None


def test_a_message_body_never_holds_what_the_command_carried() -> None:
    """[DM-153, R18, R49] Nor priority, network and remote ids; the history is there even when empty."""
    message = DeviceMessage(
        id="01J8ZQ4T7M0000000000000000",
        command_type=CommandType.TOP_UP_KWH,
        priority=50,
        plugin_id="calin-chirpstack",
        device=GATEWAY,
        ready_queue="queue:calin-chirpstack:network:42",
        request_data=RequestData(token=TOKEN),
        network_id=42,
        correlation_id="4211",
        delivery_status=DeliveryStatus.SENT_TO_NS,
        delivery_queue_id="r-1",
        enqueued_at=NOW,
        expires_at=NOW,
    )
    task = delivery_task(message_event(message, event_id="01E", now=NOW))
    body = task.payload
    assert task.stream_key == "message:4211"
    assert isinstance(body["message"], dict)
    assert set(body["message"]) == {"id", "correlationId", "commandType", "deliveryStatus", "device", "failureHistory"}
    assert TOKEN not in json.dumps(body)
    assert TOKEN not in repr(message)


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"eventId": "1", "occurredAt": "yesterday", "pluginId": "p", "message": {}},
        {
            "eventId": "1",
            "occurredAt": "2026-08-14T13:00:07.120Z",
            "pluginId": "p",
            "message": {"deliveryStatus": "LOST", "device": {"externalReference": "1"}},
        },
    ],
)
def test_another_shape_is_refused(body: object) -> None:
    """[DM-153]"""
    with pytest.raises(InvalidInput):
        delivery_event_from_payload(body)
