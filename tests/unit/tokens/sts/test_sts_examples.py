"""The worked examples and traces of the token specification, and its tables."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from tests.support.sts_vectors import keys

from nxt_domain.tokens.sts import (
    BaseDate,
    DecoderKey,
    MeterKey,
    MeterTest,
    TimedToken,
    TokenType,
    encode,
    encode_kwh,
    encode_power_limit,
    in_groups,
    key_change_tokens,
    meter_test,
    tid_of,
)
from nxt_domain.tokens.sts.digits import body_crc, crc16, write_digits
from nxt_domain.tokens.sts.key_change import key_change_parts
from nxt_domain.tokens.sts.misty1 import Misty1
from nxt_domain.tokens.sts.misty1_boxes import S7, S9
from nxt_domain.tokens.sts.sta import S0, S1, P, StandardTransfer

KEY = DecoderKey.parse("0123456789ABCDEF")
AT = datetime(2024, 3, 15, 10, 30, tzinfo=UTC)
RFC_2994_KEY = 0x00112233445566778899AABBCCDDEEFF


@pytest.mark.parametrize(("table", "size"), [(S0, 16), (S1, 16), (P, 64), (S7, 128), (S9, 512)])
def test_sts_77_tables_are_permutations(table: tuple[int, ...], size: int) -> None:
    """[STS-41, STS-49]"""
    assert sorted(table) == list(range(size))


@pytest.mark.parametrize(
    ("octets", "crc"),
    [
        (bytes.fromhex("000B19EB230100"), 0xC207),
        (bytes.fromhex("00004A2D900FF2"), 0x0FFA),
        (b"123456789", 0x374B),
    ],
)
def test_sts_28_checksum(octets: bytes, crc: int) -> None:
    """[STS-28]"""
    assert crc16(octets) == crc


def test_sts_42_trace_of_the_standard_transfer_algorithm() -> None:
    """[STS-42, STS-40]"""
    cipher = StandardTransfer(0x0123456789ABCDEF)
    assert cipher._working_key == 0x210FEDCBA9876543
    assert cipher.encrypt(0x0351E1360005F0CE) == 0x2DA0691AFD70E066
    assert cipher.decrypt(0x2DA0691AFD70E066) == 0x0351E1360005F0CE
    first = type(cipher)(0x0123456789ABCDEF)
    first.encrypt(0)
    assert first._forward is not None
    tables = first._forward[0]
    octets = (0x0351E1360005F0CE).to_bytes(8, "big")
    assert sum(table[octet] for table, octet in zip(tables, octets, strict=True)) == 0x872E7C107E43CDF0


def test_sts_50_misty1_of_rfc_2994() -> None:
    """[STS-50, STS-43, STS-44, STS-45, STS-46, STS-47, STS-48]"""
    cipher = Misty1(RFC_2994_KEY)
    mixed = "".join(f"{word:04X}" for word in cipher.mixed_key)
    assert mixed == "CF518E7F5E29673ACDBC07D6BF355E11"
    for clear, secret in ((0x0123456789ABCDEF, 0x8B1DA5F56AB3D07C), (0xFEDCBA9876543210, 0x04B68240B13BE95D)):
        assert cipher.encrypt(clear) == secret
        assert cipher.decrypt(secret) == clear


def test_example_a_credit_of_half_a_kwh() -> None:
    """[STS-27, STS-29, STS-30, STS-31, STS-32]"""
    token = TimedToken(
        kind=TokenType.CREDIT_ELECTRICITY, nonce=3, tid=tid_of(AT, BaseDate.Y2014), field=encode_kwh(Decimal("0.5"))
    )
    assert token.tid == 0x51E136
    assert token.body == 0x0351E1360005
    assert body_crc(0, token.body) == 0xF0CE
    assert encode(token, KEY) == "58627975513348563046"
    assert int(encode(token, KEY)) == 0x32DA0691AE570E066


def test_example_b_power_limit() -> None:
    token = TimedToken(
        kind=TokenType.POWER_LIMIT, nonce=3, tid=tid_of(AT, BaseDate.Y2014), field=encode_power_limit(5000)
    )
    assert token.body == 0x0351E1361388
    assert body_crc(2, token.body) == 0x1E5B
    assert encode(token, KEY) == "28227747371740445170"


def test_example_c_misty1() -> None:
    key = DecoderKey.parse("929BD3A415C9420A05EC5EE9F3CE91C3")
    tid = tid_of(datetime(2014, 3, 1, 13, 0, tzinfo=UTC), BaseDate.Y2014)
    token = TimedToken(kind=TokenType.CREDIT_ELECTRICITY, nonce=5, tid=tid, field=1)
    assert token.body == 0x05014EEC0001
    assert body_crc(0, token.body) == 0x3188
    assert key.cipher.encrypt(0x05014EEC00013188) == 0x2D98A5617B45BE2E
    assert encode(token, key) == "58625789986991357486"


def test_example_d_key_change() -> None:
    old, new = keys()["K03"].with_expiry(255), keys()["K01"].with_expiry(255)
    parts = key_change_parts(old, new, with_supply_group=False)
    assert [part.body for part in parts] == [0x3F12060B8643, 0x4F02C59A27F1]
    assert [body_crc(2, part.body) for part in parts] == [0xD717, 0x89A8]
    assert key_change_tokens(old, new) == ["51638423060042734509", "15361891762113502242"]


def test_example_e_test_token() -> None:
    """[STS-34, STS-35]"""
    short = meter_test(1)
    assert short.body == 0x000000000100
    assert body_crc(1, short.body) == 0x0A50
    assert encode(short) == "00000000000150997584"
    assert encode(meter_test(1, is_long=True)) == "01152921509036054672"
    assert meter_test(0) == MeterTest(kind=TokenType.TEST_SHORT, control=0xFFFFFFFFF)
    assert meter_test(18).control == 1 << 17


def test_example_f_third_token() -> None:
    old, new = keys()["K15"].with_expiry(255), keys()["K16"].with_expiry(255)
    parts = key_change_parts(old, new, with_supply_group=True)
    assert [part.body for part in parts][::2] == [0x3F167F78CDD2, 0x80312F100000]
    tokens = key_change_tokens(old, new, with_supply_group=True)
    assert tokens[::2] == ["52506022850399603630", "39620459059615037790"]


def test_sts_33_for_people() -> None:
    """[STS-33]"""
    assert in_groups("58627975513348563046") == "5862 7975 5133 4856 3046"


def test_sts_32_the_first_digit_is_at_most_7() -> None:
    """The largest number that the layout can give."""
    largest = max(write_digits(1, body, None) for body in (0, (1 << 48) - 1, 0x7FFFFFFFFFFF))
    assert largest[0] <= "7"


def test_sts_37_how_many_tokens() -> None:
    k03, k15, k10 = (keys()[name].with_expiry(255) for name in ("K03", "K15", "K10"))
    assert len(key_change_tokens(k03, keys()["K01"].with_expiry(255))) == 2
    assert len(key_change_tokens(k15, keys()["K16"].with_expiry(255), with_supply_group=True)) == 3
    assert len(key_change_tokens(k10, keys()["K32"].with_expiry(255))) == 4
    assert isinstance(k03, MeterKey)
