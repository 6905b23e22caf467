"""Exact money and its two ways to be rounded [PAY-1 … PAY-6]."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_domain.shared.errors import InvalidInput, Unprocessable
from nxt_domain.shared.money import Currency, Money, ceil_tenth, decimal_places, plain, quotient, round_half_up

AMOUNTS = st.decimals(min_value=-(10**15), max_value=10**15, allow_nan=False, allow_infinity=False, places=6)


@pytest.mark.parametrize(
    ("value", "places", "expected"),
    [("2.5", 0, "3"), ("-2.5", 0, "-2"), ("1234.745", 2, "1234.75"), ("-0.5", 0, "0"), ("1E3", 2, "1000.00")],
)
def test_pay_5_round_examples(value: str, places: int, expected: str) -> None:
    assert round_half_up(Decimal(value), places) == Decimal(expected)


@given(value=AMOUNTS, places=st.integers(0, 6))
def test_pay_5_the_nearest_multiple_and_halves_go_up(value: Decimal, places: int) -> None:
    """Against exact fractions."""
    scale = 10**places
    expected = Fraction(math.floor(Fraction(value) * scale + Fraction(1, 2)), scale)
    assert Fraction(round_half_up(value, places)) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [("4.3478", "4.4"), ("4.4", "4.4"), ("4.4000001", "4.5"), ("0.01", "0.1"), ("-0.05", "0")]
)
def test_pay_5_ceil1_examples(value: str, expected: str) -> None:
    assert ceil_tenth(Decimal(value)) == Decimal(expected)


@given(AMOUNTS)
def test_pay_5_ceil1_is_the_smallest_tenth_not_below(value: Decimal) -> None:
    assert Fraction(ceil_tenth(value)) == Fraction(math.ceil(Fraction(value) * 10), 10)


@given(
    amount=st.decimals("0.01", 10**7, places=2),
    tariff=st.decimals("0.0001", 10**6, places=4),
)
def test_pay_108_dividing_then_rounding_up_is_exact(amount: Decimal, tariff: Decimal) -> None:
    """The sixty digits of the quotient never hide what belongs to the next tenth."""
    exact = Fraction(amount) / Fraction(tariff)
    assert Fraction(ceil_tenth(quotient(amount, tariff))) == Fraction(math.ceil(exact * 10), 10)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1000", "1000"),
        ("1000.50", "1000.5"),
        ("1E3", "1000"),
        ("0.000", "0"),
        ("-0.0", "0"),
        ("-1.20", "-1.2"),
        ("1E-7", "0.0000001"),
    ],
)
def test_pay_3_plain_notation(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


@given(AMOUNTS)
def test_pay_3_plain_notation_loses_nothing(value: Decimal) -> None:
    text = plain(value)
    assert Decimal(text) == value
    assert "E" not in text
    assert not (text.endswith("0") and "." in text)


@pytest.mark.parametrize(("value", "places"), [("1.50", 1), ("1000", 0), ("1E3", 0), ("0.001", 3), ("-2.25", 2)])
def test_decimal_places(value: str, places: int) -> None:
    assert decimal_places(Decimal(value)) == places


class TestMoney:
    def test_pay_20_currencies_never_mix(self) -> None:
        naira, dollars = Money(Decimal(5), Currency.NGN), Money(Decimal(5), Currency.USD)
        for mix in (lambda: naira + dollars, lambda: naira - dollars, lambda: naira < dollars):
            with pytest.raises(Unprocessable) as caught:
                mix()
            assert caught.value.code == "CURRENCY_MISMATCH"

    def test_pay_1_sums_are_exact(self) -> None:
        tenth = Money(Decimal("0.1"), Currency.NGN)
        assert tenth + tenth + tenth == Money(Decimal("0.3"), Currency.NGN)
        assert tenth - tenth == Money(Decimal(0), Currency.NGN)
        assert -tenth < tenth
        assert str(Money(Decimal("1000.50"), Currency.NGN)) == "NGN 1000.5"

    @pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity"])
    def test_no_money_is_endless(self, amount: str) -> None:
        with pytest.raises(InvalidInput):
            Money(Decimal(amount), Currency.NGN)
