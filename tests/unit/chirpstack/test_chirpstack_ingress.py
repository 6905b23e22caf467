"""The gate of the ingress, and what it counts."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from nxt_adapters.chirpstack import ChirpStackIngress, IngressMetrics
from nxt_domain.messaging.model import DeviceEvent, EventHalf
from nxt_domain.shared.errors import Unauthenticated

INFO = {"deviceInfo": {"devEui": "0000047003333771"}}
UP = {**INFO, "deduplicationId": "d-1", "rxInfo": []}


def ingress(key: str | None = "secret") -> tuple[ChirpStackIngress, CollectorRegistry]:
    registry = CollectorRegistry()
    return ChirpStackIngress(lambda: key, metrics=IngressMetrics(registry)), registry


def test_the_key_must_be_presented() -> None:
    """[DM-107]"""
    gate, _ = ingress()
    gate.authenticate("secret")
    for presented in (None, "", "Secret", "secret ", "sécret", "\ud800"):
        with pytest.raises(Unauthenticated, match=r"^Invalid signature$"):
            gate.authenticate(presented)


def test_header_bytes_beyond_ascii_are_refused_not_crashed_on() -> None:
    """[DM-107] aiohttp decodes header bytes with surrogates"""
    gate, _ = ingress()
    with pytest.raises(Unauthenticated):
        gate.authenticate("\udcff\udcfe")


def test_the_key_may_change_without_a_restart() -> None:
    keys = ["old"]
    gate = ChirpStackIngress(lambda: keys[0], metrics=IngressMetrics(CollectorRegistry()))
    gate.authenticate("old")
    keys[0] = "new"
    gate.authenticate("new")
    with pytest.raises(Unauthenticated):
        gate.authenticate("old")


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_the_ingress_is_open_and_says_so_once(key: str | None) -> None:
    """[DM-107]"""
    with capture_logs() as logs:
        gate, _ = ingress(key)
        gate.authenticate(None)
        gate.authenticate("anything")
    assert [entry["log_level"] for entry in logs] == ["warning"]


def test_events_and_halves_come_through() -> None:
    """[DM-102]"""
    gate, _ = ingress()
    assert isinstance(gate.ingest("join", INFO), DeviceEvent)
    assert isinstance(gate.ingest("up", {**UP, "data": "aHE3MwNwBGiAATPWFg=="}), EventHalf)
    assert isinstance(gate.ingest(None, {**INFO, "devAddr": "01"}, by_shape=True), DeviceEvent)


def test_what_is_of_no_use_is_counted() -> None:
    """[DM-100] [DM-169]"""
    gate, registry = ingress()
    for event, body in (("status", INFO), (None, INFO), ("up", []), ("ack", INFO)):
        assert gate.ingest(event, body) is None
    labels = {"pluginId": "calin-chirpstack"}
    assert registry.get_sample_value("device_messaging_ingress_unhandled_total", labels) == 4


def test_undecodable_frames_are_counted_by_reason_and_logged_in_hex() -> None:
    """[DM-80] [DM-169]"""
    gate, registry = ingress()
    with capture_logs() as logs:
        assert gate.ingest("up", {**UP, "data": "aHE3MwNwBGiBCFQXeFY0MzMzshY="}) is None
    name = "device_messaging_undecodable_frames_total"
    assert registry.get_sample_value(name, {"reason": "checksum"}) == 1
    assert logs[0]["frame"] == "687137330370046881085417785634333333b216"
    assert logs[0]["meter"] == "47003333771"


def test_foreign_addresses_are_counted_and_logged() -> None:
    """[DM-86]"""
    gate, registry = ingress()
    body = {**UP, "deviceInfo": {"devEui": "0000047001891341"}, "data": "aHE3MwNwBGiAATPWFg=="}
    with capture_logs() as logs:
        assert gate.ingest("up", body) is not None
    assert registry.get_sample_value("device_messaging_foreign_addresses_total") == 1
    assert (logs[0]["address"], logs[0]["meter"]) == ("047003333771", "47001891341")
