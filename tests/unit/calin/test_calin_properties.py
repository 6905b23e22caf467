"""Any bytes at all, every changed byte, and round trips."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal

import pytest
from calin_samples import EXAMPLES, REPORT_HEX, frame
from hypothesis import example, given
from hypothesis import strategies as st

from nxt_adapters.chirpstack.calin import (
    FrameFault,
    MeterAnswer,
    UndecodableFrame,
    decode_frame,
    decode_uplink,
    encode_command,
)
from nxt_domain.messaging.model import CommandType


def checked(decode: Callable[..., MeterAnswer], sent: bytes | str) -> MeterAnswer | FrameFault:
    """Decode, and accept nothing but an answer of finite values or the named refusal."""
    try:
        answer = decode(sent)
    except UndecodableFrame as refused:
        return refused.fault
    for value in answer.data.values():
        assert not isinstance(value, float) or math.isfinite(value)
        assert not isinstance(value, Decimal) or value.is_finite()
    return answer


@given(st.binary(max_size=600))
@example(bytes(12))
@example(b"\x68" * 12)
def test_any_bytes_give_an_answer_or_the_named_refusal(raw: bytes) -> None:
    """[DM-80]"""
    assert isinstance(checked(decode_frame, raw), MeterAnswer | FrameFault)


@given(st.text(max_size=100))
def test_any_text_gives_an_answer_or_the_named_refusal(text: str) -> None:
    """[DM-80]"""
    assert isinstance(checked(decode_uplink, text), MeterAnswer | FrameFault)


@given(st.sampled_from([0x80, 0x81, 0x84, 0xC0, 0xC1, 0xC4]), st.binary(max_size=80), st.integers(0, 255))
def test_any_body_in_a_sound_envelope_gives_an_answer_or_the_named_refusal(
    control: int, body: bytes, size: int
) -> None:
    """[DM-80]"""
    for raw in (frame(control, body), frame(control, body, size=size)):
        assert isinstance(checked(decode_frame, raw), MeterAnswer | FrameFault)


@pytest.mark.parametrize("hexadecimal", [row[1] for row in EXAMPLES if row[1].startswith("68")] + [REPORT_HEX])
def test_no_changed_byte_goes_unnoticed(hexadecimal: str) -> None:
    """[DM-80] every change of every byte but the first, which alone tells the two families apart"""
    raw = bytes.fromhex(hexadecimal)
    for position in range(1, len(raw)):
        for change in range(1, 256):
            mutated = bytearray(raw)
            mutated[position] ^= change
            assert isinstance(checked(decode_frame, bytes(mutated)), FrameFault), (position, change)


@given(hundredths=st.integers(0, 99_999_999), level=st.integers(0, 255), relay=st.integers(0, 255))
def test_credits_round_trip_exactly(hundredths: int, level: int, relay: int) -> None:
    """[DM-73] [DM-84]"""
    digits = bytes.fromhex(f"{hundredths:08d}")[::-1]
    answer = decode_frame(frame(0x81, b"\x21\xe4" + digits + bytes((level, relay))))
    assert answer.data == {
        "kwhCreditAvailable": Decimal(hundredths) / 100,
        "creditLevel": level,
        "isOn": relay == 0,
    }


@given(st.integers(0, 10**12 - 1))
def test_addresses_round_trip(number: int) -> None:
    """[DM-70] [DM-86]"""
    sent = encode_command(str(number), CommandType.READ_CREDIT)
    content = sent[:8] + b"\x80\x00"
    answer = decode_frame(content + bytes((sum(content) % 256, 0x16)))
    assert answer.address == f"{number:012d}"
