"""Topics, bodies and addresses of Victron's brokers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_adapters.victron.messages import parse_power, power_topic
from nxt_adapters.victron.settings import DEFAULT_URL, VictronMqttSettings, broker_number
from nxt_domain.telemetry.model import Phase, PowerReading

TOPIC = "N/c0619ab1a2b3/system/0/Ac/ConsumptionOnOutput/L2/Power"


@pytest.mark.parametrize(("portal", "number"), [("c0619ab1a2b3", 79), ("d41243b4f71d", 42), ("48e7da891b0a", 98)])
def test_a_gateway_is_served_by_the_broker_of_its_number(portal: str, number: int) -> None:
    """[TEL-52]"""
    assert broker_number(portal) == number
    assert VictronMqttSettings().broker_of(portal) == f"mqtts://mqtt{number}.victronenergy.com:443"
    assert VictronMqttSettings(url="mqtt://127.0.0.1:1884").broker_of(portal) == "mqtt://127.0.0.1:1884"


def test_a_power_message_is_read() -> None:
    """[TEL-155]"""
    assert parse_power(TOPIC, b'{"value": 812.5}') == PowerReading(
        portal_id="c0619ab1a2b3", phase=Phase.L2, power_w=812.5
    )
    assert power_topic("c0619ab1a2b3") == TOPIC.replace("L2", "+")


@pytest.mark.parametrize(
    "body", [b'{"value": null}', b"{}", b'{"value": "812"}', b'{"value": true}', b'{"value": [1]}', b'{"value": 1e999}']
)
def test_a_value_that_is_no_number_is_unknown_power(body: bytes) -> None:
    """[TEL-155] [TEL-13] Never 0."""
    reading = parse_power(TOPIC, body)
    assert reading is None or reading.power_w is None
    if body != b'{"value": 1e999}':
        assert reading is not None


@given(st.binary(max_size=60), st.text(max_size=60))
def test_no_payload_and_no_topic_breaks_the_parser(payload: bytes, topic: str) -> None:
    """[TEL-155]"""
    reading = parse_power(TOPIC, payload)
    assert reading is None or reading.phase is Phase.L2
    assert parse_power(topic, b'{"value": 1}') is None or topic.startswith("N/")


@pytest.mark.parametrize("url", ["", "http://x", "mqtt://", "localhost:1883"])
def test_an_address_that_is_none_is_refused_at_boot(url: str) -> None:
    """[TEL-8]"""
    with pytest.raises(ValueError, match="VICTRON_MQTT_URL"):
        VictronMqttSettings(url=url)


def test_the_token_counts_without_password_only() -> None:
    """[R32] Section 5.2: ``Token <VICTRON_API_TOKEN>``; secrets never show."""
    assert VictronMqttSettings(username="u", password="p", token="t").secret == "p"
    assert VictronMqttSettings(username="u", token="t").secret == "Token t"
    assert "hidden" not in repr(VictronMqttSettings(username="u", password="hidden", token="hidden"))
    assert VictronMqttSettings().url == DEFAULT_URL
