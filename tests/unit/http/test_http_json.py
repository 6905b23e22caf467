"""JSON in and out, with exact numbers."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from nxt_domain.shared.money import Currency, plain
from nxt_entrypoints.http.json import MAX_DIGITS, MalformedJson, decode, encode


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"5", 5),
        (b"1.50", Decimal("1.50")),
        (b"1E3", Decimal(1000)),
        (b"1E39", Decimal("1E39")),
        (b"1E-39", Decimal("1E-39")),
        (b"0E999999999", Decimal(0)),
        (b"1." + b"0" * 100, Decimal(1)),
        (b"9" * 40, int("9" * 40)),
        (b'"' + b"1" * 100 + b'"', "1" * 100),
        (b"1e+00005", Decimal("1E5")),
    ],
)
def test_numbers_are_read_from_their_text(text: bytes, value: object) -> None:
    """[R12] [PAY-1] Neither rounded nor refused while their plain notation has at most 40 digits."""
    assert decode(text) == value


@pytest.mark.parametrize(
    "text",
    [b"1E999999999", b"-1E999999999", b"1E-999999999", b"1E40", b"1E-40", b"9" * 41, b"1" * 6000, b"0." + b"1" * 41],
)
@pytest.mark.parametrize("frame", [b"%s", b"[[%s]]", b'{"unknown": {"x": %s}}'])
def test_a_number_too_long_to_hold_is_refused_before_any_arithmetic(text: bytes, frame: bytes) -> None:
    """[R12] Whatever field it stands in, and at no cost."""
    started = time.process_time()
    with pytest.raises(MalformedJson):
        decode(frame % text)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    "text", [b"{bad", b"", b"NaN", b"Infinity", b"[" * 50_000, b'"\xff"', b'"\\ud800"', b'{"a":"\\u0000"}', b"1,2"]
)
def test_what_is_no_json_or_no_store_can_keep_is_refused(text: bytes) -> None:
    """[API-38]"""
    with pytest.raises(MalformedJson):
        decode(text)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**16), max_value=10**16))
def test_a_decimal_survives_the_way_out_and_in(amount: Decimal) -> None:
    """[PAY-3] As a JSON number without exponent and without trailing zeros."""
    text = encode({"amount": amount})
    assert decode(text) == {"amount": amount}
    written = text.decode().removeprefix('{"amount":').removesuffix("}")
    assert "E" not in written.upper()
    assert "." not in written or not written.endswith("0")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**39), 10**39) | st.text(st.characters(exclude_characters="\x00")),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_characters="\x00")), inner),
    )
)
def test_plain_values_survive_the_way_out_and_in(value: object) -> None:
    """[API-29]"""
    try:
        text = json.dumps(value).encode("utf-8")
        expected = value
        encode(value)
    except UnicodeEncodeError:  # a lone surrogate, which is no text
        return
    assert decode(text) == expected
    assert decode(encode(value)) == expected


def _plain_digits(number: Decimal) -> int:
    text = format(number, "f").lstrip("-")
    whole, _, fraction = text.partition(".")
    return len(whole.lstrip("0") or "0") + len(fraction.rstrip("0"))


@given(st.integers(1, 10**45), st.integers(-60, 60))
def test_the_limit_is_the_length_of_the_plain_notation(mantissa: int, exponent: int) -> None:
    """[R12] An independent count over the written-out number agrees."""
    text = f"{mantissa}E{exponent}"
    number = Decimal(mantissa).scaleb(exponent) if mantissa < 10**27 else Decimal(text)
    if _plain_digits(number) <= MAX_DIGITS:
        assert decode(text.encode()) == Decimal(text)
    else:
        with pytest.raises(MalformedJson):
            decode(text.encode())


@attrs.frozen(kw_only=True)
class _Result:
    amount: Decimal
    currency: Currency
    at: datetime
    token: str | None = None
    kwh: object = UNSET


def test_results_are_written_as_the_contract_wants() -> None:
    """[API-28] [PAY-3] Unset members are absent, null ones are not."""
    result = _Result(
        amount=Decimal("1E3"), currency=Currency.NGN, at=datetime(2026, 3, 10, 9, 15, 2, 123_000, tzinfo=UTC)
    )
    assert encode(result) == b'{"amount":1000,"currency":"NGN","at":"2026-03-10T09:15:02.123Z","token":null}'


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-1000, max_value=1000), st.integers(0, 5))
def test_equal_numbers_are_written_alike(amount: Decimal, zeros: int) -> None:
    """[R12] However they were stored, and whichever of them was seen first."""
    padded = amount * Decimal(10) ** zeros / Decimal(10) ** zeros
    assert encode([padded, amount]).decode() == f"[{plain(amount)},{plain(amount)}]"


@attrs.frozen
class _Held:
    """Declared as one thing, and holding what a database gave."""

    plain: float
    text: str | None
    anything: object
    one: Currency


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9))
def test_exact_numbers_stay_exact_wherever_they_stand(amount: Decimal) -> None:
    """[R12] In a member of any declared type, in a list, in a mapping, by themselves: a number, never a text."""
    held = _Held(amount, None, {"a": [amount]}, Currency.NGN)  # type: ignore[arg-type]  # that is the point
    for value in (amount, [amount], {"a": amount}):
        assert Decimal(encode(value).decode().strip('{}[]"a:')) == amount
    written = json.loads(encode([held]), parse_float=Decimal, parse_int=Decimal)
    assert written == [{"plain": amount, "text": None, "anything": {"a": [amount]}, "one": "NGN"}]


def test_a_type_without_json_form_is_a_defect() -> None:
    with pytest.raises(TypeError):
        encode(object())
