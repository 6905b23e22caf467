"""What holds for every token, key and text [STS-58, STS-77]."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_domain.tokens.sts import (
    CannotEncode,
    CurrencyCredit,
    DecoderKey,
    MeterTest,
    OpaqueToken,
    Refusal,
    TimedToken,
    TokenFault,
    TokenType,
    UnreadableToken,
    decode,
    encode,
    meter_test,
)
from nxt_domain.tokens.sts.catalogue import CURRENCY_CREDITS, TIMED, currency_amount
from nxt_domain.tokens.sts.digits import body_crc
from nxt_domain.tokens.sts.misty1 import Misty1
from nxt_domain.tokens.sts.sta import StandardTransfer

KEY = DecoderKey.parse("0123456789ABCDEF")
BLOCKS = st.integers(0, (1 << 64) - 1)
KEYS = st.one_of(st.binary(min_size=8, max_size=8), st.binary(min_size=16, max_size=16)).map(DecoderKey)
TIMED_TOKENS = st.builds(
    TimedToken,
    kind=st.sampled_from(sorted(TIMED)),
    nonce=st.integers(0, 15),
    tid=st.integers(0, 0xFFFFFF),
    field=st.integers(0, 0xFFFF),
)


@given(key=BLOCKS, block=BLOCKS)
def test_sts_40_is_undone(key: int, block: int) -> None:
    """[STS-77]"""
    cipher = StandardTransfer(key)
    assert cipher.decrypt(cipher.encrypt(block)) == block


@given(key=st.integers(0, (1 << 128) - 1), block=BLOCKS)
def test_sts_48_is_undone(key: int, block: int) -> None:
    """[STS-77]"""
    cipher = Misty1(key)
    assert cipher.decrypt(cipher.encrypt(block)) == block


@given(token=TIMED_TOKENS, key=KEYS)
def test_sts_58_every_token_comes_back(token: TimedToken, key: DecoderKey) -> None:
    """[STS-1] And the same token is the same digits."""
    digits = encode(token, key)
    assert len(digits) == 20
    assert digits.isdigit()
    assert decode(digits, key).token == token
    assert encode(token, DecoderKey(key.octets)) == digits


@given(
    kind=st.sampled_from([TokenType.TEST_SHORT, TokenType.TEST_LONG]),
    control=st.integers(0, (1 << 28) - 1),
    manufacturer=st.integers(0, 99),
)
def test_sts_34_every_test_comes_back(kind: TokenType, control: int, manufacturer: int) -> None:
    token = MeterTest(kind=kind, control=control, manufacturer=manufacturer)
    assert decode(encode(token)).token == token


def test_sts_58_a_wrong_digit_is_noticed() -> None:
    """Every single-digit change of 200 tokens; about one of 65536 may pass."""
    dice = random.Random(58)
    faults: list[TokenFault | None] = []
    for _ in range(200):
        token = TimedToken(
            kind=TokenType.CREDIT_ELECTRICITY,
            nonce=dice.randrange(16),
            tid=dice.randrange(1 << 24),
            field=dice.randrange(1 << 16),
        )
        digits = encode(token, KEY)
        place = dice.randrange(20)
        others = "0123456789".replace(digits[place], "")
        faults += [_fault(digits[:place] + digit + digits[place + 1 :], KEY) for digit in others]
    assert len(faults) == 1800
    assert faults.count(None) <= 2
    assert TokenFault.KEY_MISSING not in faults


def _fault(text: str, key: DecoderKey | None) -> TokenFault | None:
    try:
        decode(text, key, allows_unconfirmed=True)
    except UnreadableToken as error:
        return error.fault
    return None


@given(st.text(max_size=40) | st.text("0123456789 -", min_size=18, max_size=26), st.none() | KEYS)
def test_sts_55_any_text_gives_a_token_or_a_named_fault(text: str, key: DecoderKey | None) -> None:
    fault = _fault(text, key)
    assert fault is None or fault in TokenFault


@pytest.mark.parametrize(
    "text",
    ["", "1" * 19, "1" * 21, "٠" * 20, "x" * 20, "9" * 20, "73786976294838206464", "1" * 20 + "\n"],
    ids=repr,
)
def test_sts_55_no_token_at_all(text: str) -> None:
    with pytest.raises(UnreadableToken) as error:
        decode(text, KEY)
    assert error.value.fault is TokenFault.FORMAT


def test_sts_55_separators_do_not_count() -> None:
    assert decode("5862-7975 5133-4856 3046", KEY) == decode("58627975513348563046", KEY)


def test_sts_55_without_a_key_only_the_class_is_told() -> None:
    with pytest.raises(UnreadableToken) as error:
        decode("58627975513348563046")
    assert (error.value.fault, error.value.token_class) == (TokenFault.KEY_MISSING, 0)


def test_sts_55_another_key_is_a_wrong_checksum() -> None:
    with pytest.raises(UnreadableToken) as error:
        decode("58627975513348563046", DecoderKey.parse("0123456789ABCDEE"))
    assert error.value.fault is TokenFault.CRC


def _digits_of(token_class: int, body: int, *, is_currency: bool = False) -> str:
    """Write any body, also those that the encoder has no class for."""
    block = KEY.cipher.encrypt(body << 16 | body_crc(token_class, body, is_currency=is_currency))
    moved = (block >> 27 & 3) << 64 | block & ~(3 << 27) | token_class << 27
    return f"{moved:020d}"


def test_sts_13_class_3_is_reserved() -> None:
    with pytest.raises(UnreadableToken) as error:
        decode(_digits_of(3, 0), KEY)
    assert (error.value.fault, error.value.token_class) == (TokenFault.UNSUPPORTED, 3)


@pytest.mark.parametrize(("token_class", "subclass"), [(0, 8), (0, 15), (2, 11), (2, 15)])
def test_sts_55_an_unknown_subclass_shows_its_body(token_class: int, subclass: int) -> None:
    """[STS-13]"""
    body = subclass << 44 | 12345
    with pytest.raises(UnreadableToken) as error:
        decode(_digits_of(token_class, body), KEY)
    assert (error.value.fault, error.value.body) == (TokenFault.UNSUPPORTED, body)


def test_sts_13_extended_sets_are_shown_raw() -> None:
    body = 10 << 44 | 0xABCDEF
    assert decode(_digits_of(2, body), KEY).token == OpaqueToken(kind=TokenType.EXTENDED_SET, body=body)


@pytest.mark.parametrize(
    ("nonce", "field", "amount"),
    [
        (0, 1, "0.00001"),
        (0, 16383, "0.16383"),
        (0, 1 << 14, "0.16384"),
        (0, 1 << 14 | 16383, "1.80214"),
        (0, 2 << 14, "1.80224"),
        (1, 0, "182.02624"),
        (8, 1, "-0.00001"),
    ],
)
def test_sts_15_amounts_of_money(nonce: int, field: int, amount: str) -> None:
    """[STS-15]"""
    assert currency_amount(nonce, field) == Decimal(amount)


@given(
    kind=st.sampled_from(sorted(CURRENCY_CREDITS)),
    nonce=st.integers(0, 7),
    tid=st.integers(0, 0xFFFFFF),
    field=st.integers(0, 0xFFFF),
)
def test_sts_15_credits_of_money_are_read(kind: TokenType, nonce: int, tid: int, field: int) -> None:
    """Their checksum covers an octet more."""
    body = kind.subclass << 44 | nonce << 40 | tid << 16 | field
    read = decode(_digits_of(0, body, is_currency=True), KEY)
    assert read.token == CurrencyCredit(kind=kind, tid=tid, amount=currency_amount(nonce, field))
    with pytest.raises(UnreadableToken):
        decode(_digits_of(0, body), KEY)


def test_sts_15_negative_money_is_unconfirmed() -> None:
    digits = _digits_of(0, 4 << 44 | 8 << 40 | 5, is_currency=True)
    with pytest.raises(UnreadableToken) as error:
        decode(digits, KEY)
    assert error.value.fault is TokenFault.UNSUPPORTED
    read = decode(digits, KEY, allows_unconfirmed=True).token
    assert isinstance(read, CurrencyCredit)
    assert read.amount == Decimal("-0.00005")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"nonce": 16}, Refusal.NONCE_INVALID),
        ({"nonce": -1}, Refusal.NONCE_INVALID),
        ({"tid": 1 << 24}, Refusal.ISSUE_TIME_INVALID),
        ({"tid": -1}, Refusal.ISSUE_TIME_INVALID),
        ({"field": 1 << 16}, Refusal.VALUE_INVALID),
        ({"field": -1}, Refusal.VALUE_INVALID),
    ],
    ids=str,
)
def test_sts_6_fields_that_do_not_fit(changes: dict[str, int], reason: Refusal) -> None:
    """[STS-16]"""
    fields = {"nonce": 0, "tid": 0, "field": 0, **changes}
    with pytest.raises(CannotEncode) as refusal:
        TimedToken(kind=TokenType.CREDIT_ELECTRICITY, **fields)
    assert refusal.value.code == reason.value


def test_sts_6_no_key_no_token() -> None:
    with pytest.raises(CannotEncode) as refusal:
        encode(TimedToken(kind=TokenType.CREDIT_ELECTRICITY, nonce=0, tid=0, field=1))
    assert refusal.value.reason is Refusal.DECODER_KEY_MISSING


def test_sts_34_manufacturers_are_behind_a_setting() -> None:
    with pytest.raises(CannotEncode) as refusal:
        meter_test(1, manufacturer=47)
    assert refusal.value.reason is Refusal.UNCONFIRMED
    assert meter_test(1, manufacturer=47, allows_unconfirmed=True).body & 0xFF == 47


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": TokenType.TEST_SHORT, "control": 1 << 36},
        {"kind": TokenType.TEST_LONG, "control": 1 << 28},
        {"kind": TokenType.TEST_SHORT, "control": 0, "manufacturer": 100},
        {"kind": TokenType.TEST_LONG, "control": 0, "manufacturer": 10_000},
    ],
    ids=str,
)
def test_sts_34_tests_that_do_not_fit(fields: dict[str, object]) -> None:
    with pytest.raises(CannotEncode):
        MeterTest(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [-1, 37])
def test_sts_35_there_is_no_such_test(number: int) -> None:
    with pytest.raises(CannotEncode):
        meter_test(number)
