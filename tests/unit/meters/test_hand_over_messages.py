"""Which message, or messages, an interaction becomes."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.meters.meters_samples import a_meter, an_interaction

from nxt_domain.grids.model import CommunicationProtocol, MeterPhase
from nxt_domain.messaging.model import CommandType, Phase, SetDate, SetTime
from nxt_domain.meters.model import InteractionType
from nxt_domain.meters.use_cases.hand_over import messages_of
from nxt_domain.shared.errors import Unprocessable

T = InteractionType


def test_a_top_up_carries_its_token_and_names_its_way() -> None:
    """[DM-175] [DM-174] The names of both sides: correlation id, network, gateway, plug-in."""
    (message,) = messages_of(an_interaction(token="12345678901234567890", priority=50), a_meter())
    assert (message.command_type, message.plugin_id, message.phase) == (
        CommandType.TOP_UP_KWH,
        "calin-chirpstack",
        None,
    )
    assert (message.correlation_id, message.network_id, message.priority) == ("300", 50, 50.0)
    assert message.device.external_reference == "47001000117"
    assert message.device.relay_node is not None
    assert (message.device.relay_node.id, message.device.relay_node.external_reference) == (1, "a84041ffff210001")
    assert message.request_data is not None
    assert (message.request_data.token, message.request_data.payload) == ("12345678901234567890", None)


@pytest.mark.parametrize(
    ("kind", "facts", "payload"),
    [
        (T.SET_DATE, {"year": 2026, "month": 3, "day": 10}, SetDate(year=2026, month=3, day=10)),
        (T.SET_TIME, {"hour": 6, "minute": 30}, SetTime(hour=6, minute=30)),
        (T.SET_TIME, {"hour": 6, "minute": 30, "second": 5}, SetTime(hour=6, minute=30, second=5)),
    ],
)
def test_what_a_clock_is_set_to_goes_along(kind: InteractionType, facts: Any, payload: object) -> None:
    """[DM-175] From ``payload_data``."""
    (message,) = messages_of(an_interaction(kind, payload=facts), a_meter())
    assert message.request_data is not None
    assert message.request_data.payload == payload


@pytest.mark.parametrize("kind", [T.READ_VOLTAGE, T.READ_CURRENT])
def test_three_phases_are_three_messages_of_one_name(kind: InteractionType) -> None:
    """[DM-175] [MET-47] Under the same correlation id, with nothing to carry."""
    meter = a_meter(phase=MeterPhase.THREE_PHASE)
    asked = messages_of(an_interaction(kind), meter)
    assert [message.phase for message in asked] == list(Phase)
    assert {message.correlation_id for message in asked} == {"300"}
    assert {message.request_data for message in asked} == {None}
    assert [message.phase for message in messages_of(an_interaction(T.READ_CREDIT), meter)] == [None]


def test_a_meter_without_grid_and_gateway() -> None:
    """[DM-175] Both are left out."""
    (message,) = messages_of(an_interaction(T.READ_CREDIT), a_meter(grid_id=None, dcu_id=None))
    assert (message.network_id, message.device.relay_node) == (None, None)


def test_without_a_protocol_nobody_delivers() -> None:
    """[DM-174]"""
    with pytest.raises(Unprocessable, match=r"^Unsupported communication protocol: null$"):
        messages_of(an_interaction(T.READ_CREDIT), a_meter(communication_protocol=None))
    known = {
        messages_of(an_interaction(T.READ_CREDIT), a_meter(communication_protocol=protocol))[0].plugin_id
        for protocol in CommunicationProtocol
    }
    assert known == {"calin-chirpstack", "calin-api-v1", "calin-api-v2"}
