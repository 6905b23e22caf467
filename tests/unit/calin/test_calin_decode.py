"""Bytes to answers: the worked examples of DM 9.6 and TEL 7.4, refusals, and any bytes at all."""

from __future__ import annotations

import base64
from decimal import Decimal

import pytest
from calin_samples import (
    ADDRESS,
    CREDIT_HEX,
    EXAMPLES,
    READ_REASON,
    REPORT_HEX,
    frame,
    report_body,
)

from nxt_adapters.chirpstack.calin import (
    FrameFault,
    UndecodableFrame,
    decode_frame,
    decode_uplink,
)


def fault_of(raw: bytes) -> FrameFault:
    with pytest.raises(UndecodableFrame) as refused:
        decode_frame(raw)
    return refused.value.fault


@pytest.mark.parametrize(("number", "hexadecimal", "text", "reason", "data"), EXAMPLES)
def test_worked_examples(number: int, hexadecimal: str, text: str, reason: str | None, data: dict) -> None:
    """[DM-81] [DM-82] [DM-83] [DM-84] [DM-85] [DM-88] examples 13 to 26"""
    raw = bytes.fromhex(hexadecimal)
    assert base64.b64encode(raw).decode() == text
    answer = decode_uplink(text)
    assert answer == decode_frame(raw)
    assert (answer.data, answer.failure_reason, answer.is_report) == (data, reason, False)
    assert answer.is_success is (reason is None)
    assert answer.address == (ADDRESS if raw[0] == 0x68 else None)


@pytest.mark.parametrize(
    ("number", "text", "fault"),
    [
        (27, "aHE3MwNwBGiBCFQXeFY0MzMzshY=", FrameFault.CHECKSUM),
        (28, "aHE3MwNwBGiBBkPDeFY0M+QW", FrameFault.IDENTIFIER),
    ],
)
def test_worked_examples_that_are_undecodable(number: int, text: str, fault: FrameFault) -> None:
    """[DM-80] [DM-82] examples 27 and 28"""
    with pytest.raises(UndecodableFrame) as refused:
        decode_uplink(text)
    assert (refused.value.fault, refused.value.reason) == (fault, fault.value)


def test_worked_example_of_a_report() -> None:
    """[DM-89] [DM-91] example 29"""
    text = "aHE3MwNwBGiBI0T0MzNGRztZoeUzMzMze3QzMzMzMzMzM3Q0MzMzPIY6MzM7PBY="
    assert base64.b64decode(text) == bytes.fromhex(REPORT_HEX)
    answer = decode_uplink(text)
    assert answer.is_report
    assert answer.is_success
    assert answer.data == {
        "freezeTime": "2026-08-14 13:00",
        "consumptionSource1": Decimal("456.78"),
        "purchaseRemainSource1": 12.5,
        "consumptionSource2": Decimal(0),
        "purchaseRemainSource2": 0.0,
        "intervalDemand": 321,
        "voltage": Decimal("230.4"),
        "current": Decimal("1.875"),
        "meterStatus": {
            "relayOpen": False,
            "batteryLow": False,
            "magneticInterference": False,
            "terminalCoverOpen": True,
            "coverOpen": False,
            "source2Activated": False,
            "currentReverse": False,
            "currentUnbalance": False,
        },
    }


def test_worked_report_of_the_telemetry_document() -> None:
    """[DM-89] and the worked frame of TEL 7.4"""
    data = decode_uplink("aIRUEANwBGiBI0T0MzNHOjhZdBU0MzMze3QzMzMzMzMzM+E0MzM+PIE6MzM0qhY=").data
    assert data["freezeTime"] == "2026-05-07 14:00"
    assert data["consumptionSource1"] == Decimal("1234.57")
    assert data["purchaseRemainSource1"] == 12.5
    assert (data["voltage"], data["current"]) == (Decimal("231.5"), Decimal("1.870"))


@pytest.mark.parametrize(
    ("single", "value"),
    [
        ("a4704541", 12.34000015258789),
        ("0000c07f", None),  # NaN
        ("0000807f", None),  # infinity
        ("000080ff", None),  # minus infinity
        ("000080bf", -1.0),
    ],
)
def test_single_precision_values_are_given_as_their_exact_double(single: str, value: float | None) -> None:
    """[DM-90]"""
    data = decode_frame(frame(0x81, report_body(bytes.fromhex(single)))).data
    assert data["purchaseRemainSource1"] == value
    assert data["consumptionSource2"] == Decimal("42949672.95")


@pytest.mark.parametrize("place", range(8))
def test_each_status_bit_has_its_name(place: int) -> None:
    """[DM-89]"""
    names = [
        "relayOpen",
        "batteryLow",
        "magneticInterference",
        "terminalCoverOpen",
        "coverOpen",
        "source2Activated",
        "currentReverse",
        "currentUnbalance",
    ]
    status = decode_frame(frame(0x81, report_body(bytes(4), status=1 << place))).data["meterStatus"]
    assert status == {name: name == names[place] for name in names}


def test_date_and_time_parts_are_the_digits_as_they_stand() -> None:
    """[DM-85] no range check; [DM-89]"""
    assert decode_frame(frame(0x81, b"\x10\xc0\x09\x99\x88\x77")).data == {
        "day": "99",
        "month": "88",
        "year": "2077",
    }
    assert decode_frame(frame(0x81, b"\x11\xc0\x61\x72\x83")).data == {
        "hour": "83",
        "minute": "72",
        "second": "61",
    }
    odd = decode_frame(frame(0x81, report_body(bytes(4), freeze=b"\x99\x98\x97\x96\x95")))
    assert odd.data["freezeTime"] == "2095-96-97 98:99"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"\x21\xe4\x0a\x00\x00\x00\x00\x00", "credit"),
        (b"\x11\xb6\x00\xa0\x00\x00", "voltage"),
        (b"\x30\xb6\x00\x00\x00\xf0", "power"),
        (b"\x21\xb6\x00\x1f", "current"),
    ],
)
def test_a_decimal_number_with_a_nibble_above_nine_is_undecodable(body: bytes, name: str) -> None:
    """[DM-73]"""
    assert fault_of(frame(0x81, body)) is FrameFault.BCD


def test_the_first_byte_of_a_voltage_is_ignored() -> None:
    """[DM-84]"""
    assert decode_frame(frame(0x81, b"\x13\xb6\xff\x87\x29\x02")).data == {
        "voltage": Decimal("229.87"),
        "phase": "C",
    }


@pytest.mark.parametrize("control", [0x80, 0xC0, 0x84, 0xC4])
@pytest.mark.parametrize("body", [b"", b"\x00", b"\x21\xe4\xff\xff\xff\xff\xff\xff", bytes(100)])
def test_token_and_write_answers_need_their_control_code_alone(control: int, body: bytes) -> None:
    """[DM-81]"""
    answer = decode_frame(frame(control, body))
    name = "tokenAccepted" if control & 0x0F == 0 else "onOffToggleAccepted"
    assert answer.data == {name: control < 0xC0}
    assert answer.is_success is (control < 0xC0)


def test_a_refused_read_brings_what_it_has() -> None:
    """[DM-83]"""
    full = decode_frame(frame(0xC1, b"\x21\xe4\x45\x23\x01\x00\x00\x00"))
    assert (full.data["kwhCreditAvailable"], full.failure_reason) == (Decimal("123.45"), READ_REASON)
    for body in (b"\x01", b"", b"\x21\xe4", b"\x10\x90\x45\x23\x01\x00"):
        assert decode_frame(frame(0xC1, body)).data == {}
    refused_report = decode_frame(frame(0xC1, report_body(bytes(4))))
    assert not refused_report.is_report


def test_frames_longer_than_their_size_are_tolerated() -> None:
    """[DM-82] whichever of the two the extra bytes are: behind the checksum, or before it"""
    credit = b"\x21\xe4\x45\x23\x01\x00\x00\x00"
    behind = frame(0x81, credit, tail=b"\x00\x99")
    before = frame(0x81, credit + b"\x55\x55", size=8)
    for longer in (behind, before):
        assert decode_frame(longer).data["kwhCreditAvailable"] == Decimal("123.45")


def test_values_are_never_read_from_bytes_behind_the_checksum() -> None:
    """[DM-82] [DM-84] the identifier alone is covered here; the rest is no part of the frame"""
    assert fault_of(frame(0x81, b"\x21\xe4", tail=bytes(10))) is FrameFault.TOO_SHORT


def test_frames_shorter_than_their_size_are_undecodable_reads() -> None:
    """[DM-82]"""
    assert fault_of(frame(0x81, b"\x21\xe4\x45\x23\x01\x00\x00\x00", size=9)) is FrameFault.TOO_SHORT
    assert fault_of(frame(0xC1, b"\x01", size=2)) is FrameFault.TOO_SHORT
    assert decode_frame(frame(0x80, b"\x00", size=9)).data == {"tokenAccepted": True}


@pytest.mark.parametrize(
    ("body", "minimum"),
    [
        (b"\x21\xe4\x45\x23\x01\x00\x00\x00", 20),
        (b"\x11\xb6\x00\x87\x29\x02", 18),
        (b"\x30\xb6\x34\x15\x00\x00", 18),
        (b"\x21\xb6\x25\x04", 16),
        (b"\x10\xc0\x00\x15\x03\x26", 18),
        (b"\x11\xc0\x05\x30\x14", 17),
        (report_body(bytes(4)), 47),
    ],
)
def test_each_identifier_has_its_minimum_length(body: bytes, minimum: int) -> None:
    """[DM-84]"""
    whole = frame(0x81, body)
    assert len(whole) == minimum
    decode_frame(whole)
    assert fault_of(frame(0x81, body[:-1])) is FrameFault.TOO_SHORT


def test_the_envelope_is_checked_in_order() -> None:
    """[DM-80] [DM-71]"""
    good = bytes.fromhex(CREDIT_HEX)
    assert fault_of(b"") is FrameFault.EMPTY
    assert fault_of(good[:11]) is FrameFault.TOO_SHORT
    assert fault_of(b"\x69" + good[1:]) is FrameFault.START
    assert fault_of(good[:7] + b"\x69" + good[8:]) is FrameFault.START
    assert fault_of(good[:-1] + b"\x17") is FrameFault.END
    for control in set(range(256)) - {0x80, 0x81, 0x84, 0xC0, 0xC1, 0xC4}:
        assert fault_of(frame(control, b"\x21\xe4")) is FrameFault.CONTROL
    assert fault_of(good[:8] + b"\x01" + good[9:]) is FrameFault.CONTROL


@pytest.mark.parametrize("text", ["aHE3Mw", "aHE3Mw=", "aHE3 MwNw", "*", "é", "aHE3MwNwBGiAATPWFg==\n"])
def test_what_is_no_base64_is_undecodable(text: str) -> None:
    """[DM-80]"""
    with pytest.raises(UndecodableFrame) as refused:
        decode_uplink(text)
    assert refused.value.fault is FrameFault.BASE64


def test_input_is_bounded() -> None:
    """[DM-80] the time for any input is bounded"""
    with pytest.raises(UndecodableFrame) as refused:
        decode_uplink("A" * 100_000_000)
    assert refused.value.fault is FrameFault.TOO_LONG
    assert fault_of(b"\x68" * 513) is FrameFault.TOO_LONG


def test_power_limits() -> None:
    """[DM-88]"""
    head = "0001000100660009C401C1"
    assert decode_frame(bytes.fromhex(head + "0006FFFFFFFF")).data == {"powerLimit": 4294967295}
    assert decode_frame(bytes.fromhex("00" + "11" * 11)).data == {"powerLimit": 0x11111111}
    assert fault_of(bytes.fromhex(head)) is FrameFault.TOO_SHORT
    refused = decode_frame(bytes.fromhex(head + "01"))
    assert (refused.data, refused.failure_reason) == ({}, READ_REASON)
