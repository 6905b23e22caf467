"""The meter's side of the CALIN wire format against the worked examples of device-messaging 9.6."""

import base64
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_entrypoints.simulators.chirpstack import frames

NUMBER = "47003333771"
REQUESTS = [  # example, frame, control, identifier, data in the order of the wire
    (1, "68 71 37 33 03 70 04 68 01 02 54 17 90 16", 0x01, 0xE421, ""),
    (2, "68 71 37 33 03 70 04 68 01 02 44 E9 52 16", 0x01, 0xB611, ""),
    (3, "68 71 37 33 03 70 04 68 01 02 64 E9 72 16", 0x01, 0xB631, ""),
    (4, "68 71 37 33 03 70 04 68 01 02 56 E9 64 16", 0x01, 0xB623, ""),
    (5, "68 71 37 33 03 70 04 68 01 02 43 F3 5B 16", 0x01, 0xC010, ""),
    (6, "68 71 37 33 03 70 04 68 01 02 44 F3 5C 16", 0x01, 0xC011, ""),
    (7, "68 71 37 33 03 70 04 68 04 07 70 F3 33 33 33 33 C9 25 16", 0x04, 0xC03D, "00000000 96"),
    (8, "68 71 37 33 03 70 04 68 04 07 6F F3 33 33 33 33 68 C3 16", 0x04, 0xC03C, "00000000 35"),
    (
        9,
        "68 71 37 33 03 70 04 68 04 0A 43 F3 33 33 33 33 33 48 36 59 3C 16",
        0x04,
        0xC010,
        "00000000 00150326",
    ),
    (10, "68 71 37 33 03 70 04 68 04 09 44 F3 33 33 33 33 38 63 47 14 16", 0x04, 0xC011, "00000000 053014"),
    (11, "68 71 37 33 03 70 04 68 04 09 44 F3 33 33 33 33 33 63 47 0F 16", 0x04, 0xC011, "00000000 003014"),
    (
        12,
        "68 71 37 33 03 70 04 68 00 0C 53 D4 C3 AB 89 67 45 C3 AB 89 67 45 9B 16",
        0x00,
        0xA120,
        "90785634129078563412",
    ),
]
MOMENT = datetime.fromisoformat("2026-03-15T14:30:05")
ANSWERS = [  # example, hex, base64, what the meter builds
    (
        13,
        "687137330370046881085417785634333333B116",
        "aHE3MwNwBGiBCFQXeFY0MzMzsRY=",
        frames.read_done(NUMBER, 0xE421, frames.scaled_bcd(Decimal("123.45"), 100, 4) + b"\0\0"),
    ),
    (
        14,
        "6871373303700468810854173A33333335345216",
        "aHE3MwNwBGiBCFQXOjMzMzU0UhY=",
        frames.read_done(NUMBER, 0xE421, frames.scaled_bcd(Decimal("0.07"), 100, 4) + b"\2\1"),
    ),
    (
        15,
        "6871373303700468810644E933BA5C355416",
        "aHE3MwNwBGiBBkTpM7pcNVQW",
        frames.read_done(NUMBER, 0xB611, b"\0" + frames.scaled_bcd(Decimal("229.87"), 100, 3)),
    ),
    (
        16,
        "6871373303700468810664E9674833330B16",
        "aHE3MwNwBGiBBmTpZ0gzMwsW",
        frames.read_done(NUMBER, 0xB631, frames.scaled_bcd(Decimal("153.4"), 10, 4)),
    ),
    (
        17,
        "6871373303700468810456E958377516",
        "aHE3MwNwBGiBBFbpWDd1Fg==",
        frames.read_done(NUMBER, 0xB623, frames.scaled_bcd(Decimal("4.25"), 100, 2)),
    ),
    (
        18,
        "6871373303700468810643F333483659E916",
        "aHE3MwNwBGiBBkPzM0g2WekW",
        frames.read_done(NUMBER, 0xC010, frames.date_bytes(MOMENT)),
    ),
    (
        19,
        "6871373303700468810544F3386347C116",
        "aHE3MwNwBGiBBUTzOGNHwRY=",
        frames.read_done(NUMBER, 0xC011, frames.time_bytes(MOMENT)),
    ),
    (20, "6871373303700468800133D616", "aHE3MwNwBGiAATPWFg==", frames.token_accepted(NUMBER)),
    (21, "6871373303700468C001341716", "aHE3MwNwBGjAATQXFg==", frames.refused(NUMBER, frames.TOKEN, 1)),
    (22, "6871373303700468840270F30B16", "aHE3MwNwBGiEAnDzCxY=", frames.write_done(NUMBER, 0xC03D)),
    (23, "6871373303700468C401351C16", "aHE3MwNwBGjEATUcFg==", frames.refused(NUMBER, frames.WRITE, 2)),
    (24, "6871373303700468C101341816", "aHE3MwNwBGjBATQYFg==", frames.refused(NUMBER, frames.READ, 1)),
]
POWER_LIMIT_READ = bytes.fromhex("000100660001000DC001C100470000110000FF0300")


@pytest.mark.parametrize(("example", "frame", "control", "identifier", "data"), REQUESTS)
def test_requests_of_the_worked_examples_are_understood(example, frame, control, identifier, data):
    """[DM-70] [DM-74] Examples 1 to 12, read by the meter they are for."""
    request = frames.parse_request(bytes.fromhex(frame))
    assert request.address == "047003333771", example
    assert (request.control, request.identifier) == (control, identifier)
    assert request.data == bytes.fromhex(data)


@pytest.mark.parametrize(("example", "wire", "text", "built"), ANSWERS)
def test_answers_of_the_worked_examples_are_built(example, wire, text, built):
    """[DM-81] [DM-84] Examples 13 to 24, built by the meter, in both notations."""
    assert built.hex().upper() == wire, example
    assert base64.b64encode(built).decode() == text


def test_energy_register_is_example_28():
    """[DM-72] The register 9010 exists in the meter, although nobody decodes it."""
    built = frames.read_done(NUMBER, frames.DI_ENERGY, frames.scaled_bcd(Decimal("123.45"), 100, 4))
    assert built.hex().upper() == "687137330370046881" + "0643C378563433E416"


def test_a_wrong_checksum_is_silence():
    """[DM-80] A request with a wrong checksum, length or end isn't answered."""
    good = bytes.fromhex(REQUESTS[0][1])
    for bad in (
        good[:-2] + bytes([good[-2] ^ 1]) + good[-1:],
        good[:-1],
        good + b"\0",
        b"",
        good[:9] + b"\3" + good[10:],
    ):
        with pytest.raises(frames.UnreadableFrameError):
            frames.parse_request(bad)


def test_power_limit_examples():
    """[DM-87] [DM-88] Examples 25 and 26, with source and destination swapped."""
    assert frames.is_power_limit_request(POWER_LIMIT_READ)
    assert not frames.is_power_limit_request(POWER_LIMIT_READ[:-1] + b"\1")
    assert not frames.is_power_limit_request(POWER_LIMIT_READ[:-1])
    answer = frames.power_limit_answer(POWER_LIMIT_READ, 5000)
    assert answer.hex().upper() == "0001000100660009C401C1000600001388"
    assert base64.b64encode(answer).decode() == "AAEAAQBmAAnEAcEABgAAE4g="
    assert frames.power_limit_refusal(POWER_LIMIT_READ).hex().upper() == "0001000100660005C401C10103"


def test_report_example_29():
    """[DM-89] The periodic report, byte for byte."""
    built = frames.report_frame(
        NUMBER,
        frames.Report(
            frozen_at=datetime.fromisoformat("2026-08-14T13:00:00"),
            counter_kwh=Decimal("456.78"),
            credit_kwh=Decimal("12.5"),
            demand=321,
            voltage_v=Decimal("230.4"),
            current_a=Decimal("1.875"),
            status=0b1000,
        ),
    )
    assert base64.b64encode(built).decode() == ("aHE3MwNwBGiBI0T0MzNGRztZoeUzMzMze3QzMzMzMzMzM3Q0MzMzPIY6MzM7PBY=")
    assert len(built) == 47


def test_report_example_of_the_telemetry_document():
    """[DM-91] The other worked report: 2026-05-07 14:00, 1234.57 kWh, 12.5 kWh, 231.5 V, 1.870 A."""
    wire = base64.b64decode("aIRUEANwBGiBI0T0MzNHOjhZdBU0MzMze3QzMzMzMzMzM+E0MzM+PIE6MzM0qhY=")
    built = frames.report_frame(
        "47003105484",
        frames.Report(
            frozen_at=datetime.fromisoformat("2026-05-07T14:00:00"),
            counter_kwh=Decimal("1234.57"),
            credit_kwh=Decimal("12.5"),
            demand=430,
            voltage_v=Decimal("231.5"),
            current_a=Decimal("1.870"),
            status=1,
        ),
    )
    assert built == wire
    assert wire[45] == 0xAA == sum(wire[:45]) % 256


@given(st.integers(0, 99_999_999))
def test_bcd_is_read_back_digit_by_digit(value):
    """[DM-73] Tens in the high nibble, least significant byte first."""
    wire = frames.bcd(value, 4)
    assert int("".join(f"{frames.from_bcd(byte):02d}" for byte in reversed(wire))) == value


def test_bcd_refuses_what_does_not_fit():
    """[DM-73] No silent truncation, and no nibble above 9."""
    for value in (100_000_000, -1):
        with pytest.raises(ValueError, match="fit"):
            frames.bcd(value, 4)
    with pytest.raises(ValueError, match="BCD"):
        frames.from_bcd(0x1A)


@given(st.binary(max_size=40))
def test_noise_on_the_air_never_breaks_the_parser(noise):
    """[DM-80] Any bytes are either a frame or unreadable."""
    try:
        request = frames.parse_request(noise)
    except frames.UnreadableFrameError:
        return
    assert len(request.address) == 12
