"""Commands to bytes: the worked examples of DM 9.6 and what has no frame."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_adapters.chirpstack.calin import SUPPORTED_COMMANDS, CannotEncode, encode_command
from nxt_domain.messaging.model import TOKEN_COMMANDS, UNSOLICITED_COMMANDS, CommandType, SetDate, SetTime

METER = "47003333771"
TOKEN = "12345678901234567890"

EXAMPLES = [
    (1, CommandType.READ_CREDIT, {}, "68 71 37 33 03 70 04 68 01 02 54 17 90 16"),
    (2, CommandType.READ_VOLTAGE, {"phase": "A"}, "68 71 37 33 03 70 04 68 01 02 44 E9 52 16"),
    (3, CommandType.READ_POWER, {"phase": "B"}, "68 71 37 33 03 70 04 68 01 02 64 E9 72 16"),
    (4, CommandType.READ_CURRENT, {"phase": "C"}, "68 71 37 33 03 70 04 68 01 02 56 E9 64 16"),
    (5, CommandType.READ_DATE, {}, "68 71 37 33 03 70 04 68 01 02 43 F3 5B 16"),
    (6, CommandType.READ_TIME, {}, "68 71 37 33 03 70 04 68 01 02 44 F3 5C 16"),
    (7, CommandType.TURN_ON, {}, "68 71 37 33 03 70 04 68 04 07 70 F3 33 33 33 33 C9 25 16"),
    (8, CommandType.TURN_OFF, {}, "68 71 37 33 03 70 04 68 04 07 6F F3 33 33 33 33 68 C3 16"),
    (
        9,
        CommandType.SET_DATE,
        {"payload": SetDate(year=2026, month=3, day=15)},
        "68 71 37 33 03 70 04 68 04 0A 43 F3 33 33 33 33 33 48 36 59 3C 16",
    ),
    (
        10,
        CommandType.SET_TIME,
        {"payload": SetTime(hour=14, minute=30, second=5)},
        "68 71 37 33 03 70 04 68 04 09 44 F3 33 33 33 33 38 63 47 14 16",
    ),
    (
        11,
        CommandType.SET_TIME,
        {"payload": SetTime(hour=14, minute=30)},
        "68 71 37 33 03 70 04 68 04 09 44 F3 33 33 33 33 33 63 47 0F 16",
    ),
    (
        12,
        CommandType.TOP_UP_KWH,
        {"token": TOKEN},
        "68 71 37 33 03 70 04 68 00 0C 53 D4 C3 AB 89 67 45 C3 AB 89 67 45 9B 16",
    ),
]


@pytest.mark.parametrize(("number", "command", "parameters", "frame"), EXAMPLES)
def test_worked_examples(number: int, command: CommandType, parameters: dict, frame: str) -> None:
    """[DM-69] [DM-70] [DM-74] [DM-77] examples 1 to 12"""
    assert encode_command(METER, command, **parameters) == bytes.fromhex(frame)


def test_the_power_limit_is_asked_for_in_dlms_whatever_the_meter() -> None:
    """[DM-87]"""
    expected = bytes.fromhex("000100660001000DC001C100470000110000FF0300")
    assert len(expected) == 21
    assert encode_command(METER, CommandType.READ_POWER_LIMIT) == expected
    assert encode_command("47001891341", CommandType.READ_POWER_LIMIT) == expected


@pytest.mark.parametrize("command", [CommandType.READ_VOLTAGE, CommandType.READ_CURRENT, CommandType.READ_POWER])
def test_a_missing_phase_means_a_and_each_phase_has_its_own_identifier(command: CommandType) -> None:
    """[DM-75] [DM-72]"""
    frames = [encode_command(METER, command, phase=phase) for phase in "ABC"]
    assert encode_command(METER, command) == frames[0]
    first = int.from_bytes(frames[0][10:12], "little")
    assert [int.from_bytes(frame[10:12], "little") for frame in frames] == [first, first + 1, first + 2]


def test_an_unknown_phase_has_no_frame() -> None:
    """[DM-79]"""
    with pytest.raises(CannotEncode):
        encode_command(METER, CommandType.READ_VOLTAGE, phase="D")


@pytest.mark.parametrize(
    ("payload", "tail"),
    [
        (SetDate(year=26, month=3, day=15), "33 48 36 59"),
        (SetDate(year=2024, month=2, day=29), "37 5C 35 57"),  # a Thursday
        (SetDate(year=2099, month=12, day=31), "37 64 45 CC"),  # a Thursday
        (SetDate(year=0, month=1, day=1), "39 34 34 33"),  # 2000-01-01, a Saturday
    ],
)
def test_dates_carry_their_own_weekday(payload: SetDate, tail: str) -> None:
    """[DM-76]"""
    frame = encode_command(METER, CommandType.SET_DATE, payload=payload)
    assert frame[16:20] == bytes.fromhex(tail)


@pytest.mark.parametrize(
    ("year", "month", "day"), [(2023, 2, 29), (1999, 12, 31), (100, 1, 1), (2100, 1, 1), (2026, 4, 31)]
)
def test_dates_outside_the_calendar_or_the_century_have_no_frame(year: int, month: int, day: int) -> None:
    """[DM-76]"""
    with pytest.raises(CannotEncode):
        encode_command(METER, CommandType.SET_DATE, payload=SetDate(year=year, month=month, day=day))


@pytest.mark.parametrize(
    ("command", "payload"),
    [
        (CommandType.SET_DATE, None),
        (CommandType.SET_TIME, None),
        (CommandType.SET_DATE, SetTime(hour=1, minute=1)),
        (CommandType.SET_TIME, SetDate(year=2026, month=1, day=1)),
        (CommandType.SET_TIME, SetTime(hour=1.5, minute=1)),
        (CommandType.SET_DATE, SetDate(year=2026, month=True, day=1)),
    ],
)
def test_writes_without_their_own_payload_have_no_frame(command: CommandType, payload: object) -> None:
    """[DM-8] [DM-77] [DM-79]"""
    with pytest.raises(CannotEncode):
        encode_command(METER, command, payload=payload)


def test_all_token_commands_give_the_same_frame() -> None:
    """[DM-78]"""
    assert len({encode_command(METER, command, token=TOKEN) for command in TOKEN_COMMANDS}) == 1


@pytest.mark.parametrize("token", [None, "", "1", "123", "12 34", "1g", "12345678901234567890\n", "１２", "00" * 254])
def test_what_is_no_token_has_no_frame_and_stays_out_of_the_error(token: str | None) -> None:
    """[DM-78] [DM-171]"""
    with pytest.raises(CannotEncode) as refused:
        encode_command(METER, CommandType.TOP_UP_KWH, token=token)
    assert not token or token not in str(refused.value)


def test_the_longest_token_that_fits_is_sent() -> None:
    """[DM-78]"""
    frame = encode_command(METER, CommandType.TOP_UP_KWH, token="00" * 253)
    assert (frame[9], len(frame)) == (255, 12 + 255)


@pytest.mark.parametrize("reference", ["", "4700333377112", "4700333377x", " 4700333377", "47003333771\n", "４７"])
def test_what_is_no_meter_number_has_no_frame(reference: str) -> None:
    """[DM-70]"""
    for command in (CommandType.READ_CREDIT, CommandType.READ_POWER_LIMIT):
        with pytest.raises(CannotEncode):
            encode_command(reference, command)


def test_the_supported_commands_are_those_of_the_table() -> None:
    """[DM-6] [DM-79]"""
    unsupported = {CommandType.READ_VERSION, *UNSOLICITED_COMMANDS}
    assert set(CommandType) - SUPPORTED_COMMANDS == unsupported
    for command in unsupported:
        with pytest.raises(CannotEncode):
            encode_command(METER, command)


@given(
    reference=st.text(max_size=14),
    command=st.sampled_from(CommandType),
    phase=st.none() | st.text(max_size=2),
    token=st.none() | st.text(max_size=600),
    payload=st.none()
    | st.builds(SetDate, year=st.integers(0, 9999), month=st.integers(1, 12), day=st.integers(1, 31))
    | st.builds(SetTime, hour=st.integers(0, 23), minute=st.integers(0, 59), second=st.integers(0, 59)),
)
def test_any_command_gives_a_well_formed_frame_or_the_named_refusal(
    reference: str, command: CommandType, phase: str | None, token: str | None, payload: object
) -> None:
    """[DM-79] [DM-69]"""
    try:
        frame = encode_command(reference, command, phase=phase, token=token, payload=payload)
    except CannotEncode:
        return
    assert frame[-1] == 0x16 or command is CommandType.READ_POWER_LIMIT
    if frame[0] == 0x68:
        assert frame[9] == len(frame) - 12
        assert frame[-2] == sum(frame[:-2]) % 256
