"""``nxt codec``: the worked examples of the frames, and whatever else may come on a line [R55, DM 9.6]."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nxt_domain.shared.errors import InvalidInput
from nxt_entrypoints.cli.field.frames import meter_reference, words_of_line

Lines = Callable[..., list[Any]]
DECODE = ("codec", "decode", "--protocol", "calin-lorawan")
ENCODE = ("codec", "encode", "--protocol", "calin-lorawan")
METER = "47003333771"
READ_REFUSED = "Delivery was successful but the readout was not (successfully) executed"
WRITE_REFUSED = "Delivery was successful but the command was not (successfully) executed"
TOKEN_REFUSED = "Delivery was successful but the token was not accepted"

ENCODED = [
    ({"commandType": "READ_CREDIT"}, "68 71 37 33 03 70 04 68 01 02 54 17 90 16"),
    ({"commandType": "READ_VOLTAGE"}, "68 71 37 33 03 70 04 68 01 02 44 E9 52 16"),
    ({"commandType": "READ_POWER", "phase": "B"}, "68 71 37 33 03 70 04 68 01 02 64 E9 72 16"),
    ({"commandType": "READ_CURRENT", "phase": "C"}, "68 71 37 33 03 70 04 68 01 02 56 E9 64 16"),
    ({"commandType": "READ_DATE"}, "68 71 37 33 03 70 04 68 01 02 43 F3 5B 16"),
    ({"commandType": "READ_TIME"}, "68 71 37 33 03 70 04 68 01 02 44 F3 5C 16"),
    ({"commandType": "TURN_ON"}, "68 71 37 33 03 70 04 68 04 07 70 F3 33 33 33 33 C9 25 16"),
    ({"commandType": "TURN_OFF"}, "68 71 37 33 03 70 04 68 04 07 6F F3 33 33 33 33 68 C3 16"),
    (
        {"commandType": "SET_DATE", "payload": {"year": 2026, "month": 3, "day": 15}},
        "68 71 37 33 03 70 04 68 04 0A 43 F3 33 33 33 33 33 48 36 59 3C 16",
    ),
    (
        {"commandType": "SET_TIME", "payload": {"hour": 14, "minute": 30, "second": 5}},
        "68 71 37 33 03 70 04 68 04 09 44 F3 33 33 33 33 38 63 47 14 16",
    ),
    (
        {"commandType": "SET_TIME", "payload": {"hour": 14, "minute": 30}},
        "68 71 37 33 03 70 04 68 04 09 44 F3 33 33 33 33 33 63 47 0F 16",
    ),
    (
        {"commandType": "TOP_UP_KWH", "token": "12345678901234567890"},
        "68 71 37 33 03 70 04 68 00 0C 53 D4 C3 AB 89 67 45 C3 AB 89 67 45 9B 16",
    ),
    (
        {"commandType": "READ_POWER_LIMIT"},
        "00 01 00 66 00 01 00 0D C0 01 C1 00 47 00 00 11 00 00 FF 03 00",
    ),
]
DECODED = [
    (
        "687137330370046881085417785634333333B116",
        "READ_CREDIT",
        {"kwhCreditAvailable": 123.45, "creditLevel": 0, "isOn": True},
    ),
    (
        "6871373303700468810854173A33333335345216",
        "READ_CREDIT",
        {"kwhCreditAvailable": 0.07, "creditLevel": 2, "isOn": False},
    ),
    ("6871373303700468810644E933BA5C355416", "READ_VOLTAGE", {"voltage": 229.87, "phase": "A"}),
    ("6871373303700468810664E9674833330B16", "READ_POWER", {"power": 153.4, "phase": "B"}),
    ("6871373303700468810456E958377516", "READ_CURRENT", {"current": 4.25, "phase": "C"}),
    ("6871373303700468810643F333483659E916", "READ_DATE", {"day": "15", "month": "03", "year": "2026"}),
    ("6871373303700468810544F3386347C116", "READ_TIME", {"hour": "14", "minute": "30", "second": "05"}),
    ("6871373303700468800133D616", None, {"tokenAccepted": True}),
    ("6871373303700468840270F30B16", "TURN_ON", {"onOffToggleAccepted": True}),
    ("0001000100660009C401C1000600001388", "READ_POWER_LIMIT", {"powerLimit": 5000}),
]
REFUSED = [
    ("6871373303700468C001341716", {"tokenAccepted": False}, TOKEN_REFUSED),
    ("6871373303700468C401351C16", {"onOffToggleAccepted": False}, WRITE_REFUSED),
    ("6871373303700468C101341816", {}, READ_REFUSED),
    ("0001000100660005C401C10103", {}, READ_REFUSED),
]


@pytest.mark.parametrize(("order", "frame"), ENCODED, ids=lambda value: value if isinstance(value, str) else "")
def test_commands_become_frames(lines: Lines, order: dict[str, object], frame: str) -> None:
    """[DM-70, DM-74, DM-75, DM-76, DM-77, DM-78, DM-87] Examples 1 to 12."""
    (answer,) = lines(*ENCODE, given=[{"deviceIdentifier": METER, **order}])
    raw = bytes.fromhex(frame)
    assert answer == {"hex": raw.hex(), "base64": base64.b64encode(raw).decode()}


@pytest.mark.parametrize(("frame", "command", "data"), DECODED)
def test_answers_become_words(lines: Lines, frame: str, command: str | None, data: object) -> None:
    """[DM-84, DM-88] Examples 13 to 25, as hexadecimal in any form and as base64."""
    spaced = " ".join(frame[at : at + 2] for at in range(0, len(frame), 2))
    forms = [frame, frame.lower(), spaced, base64.b64encode(bytes.fromhex(frame)).decode()]
    answers = lines(*DECODE, given=forms)
    expected: dict[str, object] = {"unsolicited": False, "response": {"status": "EXECUTION_SUCCESS", "data": data}}
    if not frame.startswith("00"):
        expected["deviceIdentifier"] = METER
    if command is not None:
        expected["commandType"] = command
    assert answers == [expected] * 4


@pytest.mark.parametrize(("frame", "data", "reason"), REFUSED)
def test_refusals_name_their_reason(lines: Lines, frame: str, data: object, reason: str) -> None:
    """[DM-81, DM-83]"""
    (answer,) = lines(*DECODE, given=[frame])
    assert answer["response"] == {"status": "EXECUTION_FAILURE", "data": data}
    assert answer["failureContext"] == {"reason": reason}


def test_a_report_is_unsolicited(lines: Lines) -> None:
    """[DM-89, DM-91] Example 29."""
    frame = "687137330370046881 2344F4333346473B59A1E5333333337B74333333333333333374343333333C863A33333B3C16"
    (answer,) = lines(*DECODE, given=[frame])
    assert (answer["commandType"], answer["unsolicited"]) == ("READ_REPORT", True)
    data = answer["response"]["data"]
    assert data["freezeTime"] == "2026-08-14 13:00"
    assert (data["consumptionSource1"], data["purchaseRemainSource1"], data["intervalDemand"]) == (456.78, 12.5, 321)
    assert (data["voltage"], data["current"]) == (230.4, 1.875)
    assert [name for name, is_set in data["meterStatus"].items() if is_set] == ["terminalCoverOpen"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("687137330370046881085417785634333333B216", "CHECKSUM"),
        ("6871373303700468810643C378563433E416", "IDENTIFIER"),
        ("68", "TOO_SHORT"),
        ("no frame at all!", "BASE64"),
        ("=", "BASE64"),
        ("é", "BASE64"),
        ("6" * 4000, "TOO_LONG"),
        ("00", "TOO_SHORT"),
    ],
)
def test_what_is_no_frame_has_a_name(lines: Lines, line: str, code: str) -> None:
    """[DM-80, R55] And the next line is read all the same."""
    bad, good = lines(*DECODE, given=[line, "6871373303700468800133D616"])
    assert bad["error"] == code
    assert bad["message"]
    assert good["response"]["data"] == {"tokenAccepted": True}


def test_blank_lines_are_skipped_and_bad_text_is_not_fatal(lines: Lines) -> None:
    answers = lines(*DECODE, given=b"\n   \n\xff\xfe\n\t\n6871373303700468800133D616\n")
    assert [answer.get("error") for answer in answers] == ["INVALID_TEXT", None]


def test_text_that_could_be_both_is_what_makes_a_frame(lines: Lines) -> None:
    """All of these letters are hexadecimal; as hexadecimal they are no frame, as base64 they are one."""
    raw = bytes(12)
    text = base64.b64encode(raw).decode()
    assert set(text) <= set("0123456789ABCDEFabcdef"), text
    (answer,) = lines(*DECODE, given=[text])
    assert answer["commandType"] == "READ_POWER_LIMIT"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("{", "MALFORMED_JSON"),
        ("[]", "MALFORMED_JSON"),
        ("[" * 100_000, "MALFORMED_JSON"),
        ("{}", "CANNOT_ENCODE"),
        ('{"deviceIdentifier": "1", "commandType": "READ_VERSION"}', "CANNOT_ENCODE"),
        ('{"deviceIdentifier": "1", "commandType": 7}', "CANNOT_ENCODE"),
        ('{"deviceIdentifier": 1, "commandType": "TURN_ON"}', "CANNOT_ENCODE"),
        ('{"deviceIdentifier": "xyz", "commandType": "TURN_ON"}', "CANNOT_ENCODE"),
        ('{"commandType": "TURN_ON"}', "CANNOT_ENCODE"),
        ('{"deviceIdentifier": "1", "commandType": "READ_POWER", "phase": "D"}', "CANNOT_ENCODE"),
        ('{"deviceIdentifier": "1", "commandType": "TOP_UP_KWH"}', "CANNOT_ENCODE"),
        ('{"deviceIdentifier": "1", "commandType": "TOP_UP_KWH", "token": "123"}', "CANNOT_ENCODE"),
        ('{"deviceIdentifier": "1", "commandType": "SET_DATE"}', "CANNOT_ENCODE"),
        ('{"deviceIdentifier": "1", "commandType": "SET_DATE", "payload": 7}', "CANNOT_ENCODE"),
        (
            '{"deviceIdentifier": "1", "commandType": "SET_DATE", "payload": {"year": 2026, "month": 2, "day": 30}}',
            "CANNOT_ENCODE",
        ),
        (
            '{"deviceIdentifier": "1", "commandType": "SET_TIME", "payload": {"hour": 1, "minute": 2, "ms": 3}}',
            "CANNOT_ENCODE",
        ),
        (
            '{"deviceIdentifier": "1", "commandType": "SET_TIME", "payload": {"hour": 1.5, "minute": 2}}',
            "CANNOT_ENCODE",
        ),
    ],
)
def test_what_can_not_be_encoded_has_a_name(lines: Lines, line: str, code: str) -> None:
    """[DM-79, R55]"""
    bad, good = lines(*ENCODE, given=[line, {"deviceIdentifier": METER, "commandType": "READ_CREDIT"}])
    assert (bad["error"], set(bad)) == (code, {"error", "message"})
    assert good["hex"]


def test_another_protocol_is_bad_usage(tool: Callable[..., tuple[int, str, str]]) -> None:
    for arguments in (("codec", "decode"), ("codec", "decode", "--protocol", "morse")):
        status, out, _ = tool(*arguments)
        assert (status, out) == (2, "")


@given(st.text(max_size=60) | st.binary(max_size=60).map(bytes.hex))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_line_gives_words_or_a_named_fault(line: str) -> None:
    try:
        words = words_of_line(line)
    except InvalidInput as refusal:
        code = refusal.code
    else:
        code = str(words["response"])
    assert code


@pytest.mark.parametrize(("address", "reference"), [("047003333771", METER), ("147003333771", "147003333771")])
def test_dm_70_the_number_of_an_address(address: str, reference: str) -> None:
    assert meter_reference(address) == reference
