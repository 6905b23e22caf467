"""Amounts, limits and minutes: every boundary [STS-17 to STS-24]."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_domain.tokens.sts import (
    BaseDate,
    CannotEncode,
    Refusal,
    decode_kwh,
    decode_units,
    encode_kwh,
    encode_power_limit,
    largest_encodable_kwh,
    minute_of_tid,
    refuse_expired,
    tid_of,
)
from nxt_domain.tokens.sts.values import LARGEST_UNITS, encode_units, tenths_of

STEPS = (1, 10, 100, 1000)


@pytest.mark.parametrize(
    ("kwh", "tenths", "field", "adds"),
    [
        ("0.01", 1, 0x0001, "0.1"),
        ("0.11", 2, 0x0002, "0.2"),
        ("0.5", 5, 0x0005, "0.5"),
        ("0.99", 10, 0x000A, "1.0"),
        ("1.19", 11, 0x000B, "1.1"),
        ("1.99", 19, 0x0013, "1.9"),
        ("1638.3", 16383, 0x3FFF, "1638.3"),
        ("1638.5", 16385, 0x4001, "1639.4"),
        ("2000", 20000, 0x416A, "2000.4"),
        ("10000", 100000, 0x60AA, "10000.4"),
        ("18022.3", 180223, 0x8000, "18022.4"),
        ("1820162.4", 18201624, 0xFFFF, "1820162.4"),
    ],
)
def test_sts_22_table(kwh: str, tenths: int, field: int, adds: str) -> None:
    """[STS-22]"""
    assert tenths_of(Decimal(kwh)) == tenths
    assert encode_kwh(Decimal(kwh)) == field
    assert decode_kwh(field) == Decimal(adds)


def test_sts_21_every_field_stands_for_its_value() -> None:
    """[STS-21] All 65536: rising, and each value goes back into its field."""
    values = [decode_units(field) for field in range(1 << 16)]
    assert all(low < high for low, high in pairwise(values))
    assert (values[0], values[-1]) == (0, LARGEST_UNITS)
    assert [encode_units(value) for value in values] == list(range(1 << 16))


def test_sts_21_what_lies_between_goes_up() -> None:
    """Every unit at and around the joints, and a whole row's first steps."""
    joints = [16_384, 180_224, 1_818_624]
    for joint in joints:
        for units in range(joint - 1200, joint + 2400):
            excess = decode_units(encode_units(units)) - units
            exponent = encode_units(units) >> 14
            assert 0 <= excess < STEPS[exponent], units


@given(st.integers(0, LARGEST_UNITS))
def test_sts_21_never_less_and_less_than_a_step_more(units: int) -> None:
    """[STS-77] And monotonic."""
    field = encode_units(units)
    assert 0 <= decode_units(field) - units < STEPS[min(3, field >> 14)]
    assert units == LARGEST_UNITS or encode_units(units + 1) >= field


@pytest.mark.parametrize("kwh", ["1820162.41", "1820162.5", "1E+30", "9" * 60])
def test_sts_6_too_much(kwh: str) -> None:
    with pytest.raises(CannotEncode) as refusal:
        encode_kwh(Decimal(kwh))
    assert refusal.value.reason is Refusal.AMOUNT_TOO_LARGE


@pytest.mark.parametrize("kwh", ["-0.1", "NaN", "sNaN", "Infinity", "-Infinity"])
def test_sts_6_no_amount(kwh: str) -> None:
    with pytest.raises(CannotEncode) as refusal:
        encode_kwh(Decimal(kwh))
    assert refusal.value.reason is Refusal.AMOUNT_INVALID


def test_sts_6_units_outside_the_format() -> None:
    with pytest.raises(CannotEncode, match="negative"):
        encode_units(-1)
    with pytest.raises(CannotEncode, match="more than"):
        encode_units(LARGEST_UNITS + 1)


@given(st.decimals(min_value=0, max_value=Decimal("1820162.4"), allow_nan=False, allow_infinity=False))
def test_sts_22_any_number_of_decimals(kwh: Decimal) -> None:
    """Above 1 kWh the customer never gets a tenth that was not paid; below, each started tenth."""
    tenths, paid = tenths_of(kwh), Fraction(kwh) * 10  # exact: decimals round what is longer than 28 digits
    assert paid <= tenths < paid + 1 if kwh < 1 else tenths <= paid < tenths + 1


@pytest.mark.parametrize(
    ("kwh", "exact"),
    [
        ("1638.5", "1638.4"),
        ("1.19", "1.1"),
        ("0.05", "0"),
        ("0.1", "0.1"),
        ("18022.3", "18021.4"),
        ("9E9", "1820162.4"),
    ],
)
def test_sts_23_what_can_be_delivered_exactly(kwh: str, exact: str) -> None:
    assert largest_encodable_kwh(Decimal(kwh)) == Decimal(exact)


@given(st.decimals(min_value=0, max_value=2_000_000, places=3))
def test_sts_23_the_largest_not_above(kwh: Decimal) -> None:
    exact = largest_encodable_kwh(kwh)
    assert exact <= kwh
    assert decode_kwh(encode_kwh(exact)) == exact
    field = encode_kwh(exact)
    assert field == 0xFFFF or decode_kwh(field + 1) > kwh


def test_sts_23_needs_an_amount() -> None:
    with pytest.raises(CannotEncode):
        largest_encodable_kwh(Decimal("NaN"))


@pytest.mark.parametrize(
    ("watts", "field", "sets"),
    [
        (0, 0, 0),
        (200, 0x00C8, 200),
        (5000, 0x1388, 5000),
        (16385, 0x4001, 16394),
        (20000, 0x416A, 20004),
        (100000, 0x60AA, 100004),
        (18201624, 0xFFFF, 18201624),
    ],
)
def test_sts_24_power_limits(watts: int, field: int, sets: int) -> None:
    assert encode_power_limit(watts) == field
    assert decode_units(field) == sets


@pytest.mark.parametrize("watts", [-1, 18201625, True, 1.5, None, "200"], ids=repr)
def test_sts_6_no_power_limit(watts: object) -> None:
    with pytest.raises(CannotEncode) as refusal:
        encode_power_limit(watts)  # type: ignore[arg-type]
    assert refusal.value.reason is Refusal.POWER_LIMIT_INVALID


def test_sts_17_minute_of_issue() -> None:
    """Seconds never round up."""
    assert tid_of(datetime(2024, 3, 15, 10, 30, 59, 999_999, tzinfo=UTC), BaseDate.Y2014) == 0x51E136


@pytest.mark.parametrize(
    ("base", "last"),
    [
        (BaseDate.Y1993, datetime(2024, 11, 24, 20, 15, tzinfo=UTC)),
        (BaseDate.Y2014, datetime(2045, 11, 24, 20, 15, tzinfo=UTC)),
        (BaseDate.Y2035, datetime(2066, 11, 24, 20, 15, tzinfo=UTC)),
    ],
)
def test_sts_17_first_and_last_minute(base: BaseDate, last: datetime) -> None:
    """[STS-18] It never wraps."""
    assert tid_of(base.origin, base) == 0
    assert tid_of(last, base) == 0xFFFFFF
    assert minute_of_tid(0xFFFFFF, base) == last
    for outside in (base.origin - timedelta(microseconds=1), last + timedelta(minutes=1)):
        with pytest.raises(CannotEncode) as refusal:
            tid_of(outside, base)
        assert refusal.value.reason is Refusal.ISSUE_TIME_INVALID


def test_sts_6_a_time_without_zone() -> None:
    with pytest.raises(CannotEncode) as refusal:
        tid_of(datetime(2024, 3, 15, 10, 30), BaseDate.Y2014)  # noqa: DTZ001 - that is the point
    assert refusal.value.reason is Refusal.ISSUE_TIME_INVALID


def test_sts_17_times_are_utc() -> None:
    lagos = timezone(timedelta(hours=1))
    assert tid_of(datetime(2024, 3, 15, 11, 30, tzinfo=lagos), BaseDate.Y2014) == 0x51E136


@given(st.integers(0, 11_600))
def test_sts_19_a_minute_past_midnight_is_reserved(day: int) -> None:
    midnight = BaseDate.Y2014.origin + timedelta(days=day)
    first, second, third = (tid_of(midnight + timedelta(minutes=n), BaseDate.Y2014) for n in (0, 1, 2))
    assert second == third == first + 2


def test_sts_20_key_expiry() -> None:
    edge = datetime(2024, 9, 18, 22, 56, tzinfo=UTC)
    refuse_expired(tid_of(edge - timedelta(minutes=1), BaseDate.Y2014), 85)
    with pytest.raises(CannotEncode) as refusal:
        refuse_expired(tid_of(edge, BaseDate.Y2014), 85)
    assert refusal.value.reason is Refusal.KEY_EXPIRED
    refuse_expired(0xFFFFFF, 255)
